"""The program that runs apprise: sends one text to all URLs, or only says which URLs apprise cannot use.

It reads `{"urls", "title", "text"}` from standard input as JSON, the latter two only to send, and writes
`{"accepted", "failed", "unknown"}`. It imports nothing of the chat, so that it starts quickly.
"""

from __future__ import annotations

import difflib
import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def main() -> None:
    order = json.load(sys.stdin)
    logging.disable(logging.CRITICAL)  # apprise logs URLs, with the secrets in them
    from apprise import Apprise, AppriseAsset
    from apprise.manager_plugins import NotificationManager

    # Redirects would carry the text and a header's secret to another host.
    asset = AppriseAsset(app_id="Chat", http_redirects=False)
    channels = [Apprise.instantiate(url, asset=asset, suppress_exceptions=True) for url in order["urls"]]
    schemes = list(NotificationManager().schemas())  # type: ignore[no-untyped-call]  # has no types
    unknown = {
        position: _near(url, schemes)
        for position, (url, channel) in enumerate(zip(order["urls"], channels, strict=True))
        if channel is None
    }
    outcomes: list[bool] = []
    if "text" in order:

        def send(channel: Any) -> bool:
            alone = Apprise(asset=asset)
            alone.add(channel)
            return bool(alone.notify(body=order["text"], title=order["title"], notify_type="warning"))

        known = [channel for channel in channels if channel is not None]
        with ThreadPoolExecutor(max_workers=max(1, len(known))) as pool:
            outcomes = list(pool.map(send, known))
    failed = len(channels) - sum(outcomes) if "text" in order else 0
    json.dump({"accepted": sum(outcomes), "failed": failed, "unknown": unknown}, sys.stdout)


def _near(url: str, schemes: list[str]) -> str:
    """Returns the known scheme that resembles the URL's, if it is not the same. A web address resembles none."""
    scheme = url.partition("://")[0].lower()
    return (
        "" if scheme in (*schemes, "http", "https") else next(iter(difflib.get_close_matches(scheme, schemes, n=1)), "")
    )


if __name__ == "__main__":
    main()
