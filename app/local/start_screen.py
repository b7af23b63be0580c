"""What `chat up` shows: a line a step with its seconds, then a banner that starts with `ready` and the address.

On a terminal the running step shows its seconds. A pipe or file receives one line when a step ends. Everything is
printed by the main thread: a thread would make the forks of this process unsafe.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from app.settings import Settings
from app.settings.terminal import has_colors, is_interactive

NAME_WIDTH: Final = 24
LABEL_WIDTH: Final = 9
FIRST_LABEL: Final = "open"
FIRST_NOTE: Final = f"{'':<{LABEL_WIDTH}} logs you in as the first operator; works once, for ten minutes"
GREEN: Final = "\x1b[1;32m"
DIM: Final = "\x1b[2m"
RESET: Final = "\x1b[0m"
WHOLE_LINE: Final = "\r\x1b[2K"


class StartScreen:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_live = is_interactive(stream)
        self._green, self._dim, self._reset = (GREEN, DIM, RESET) if has_colors(stream) else ("", "", "")
        self._running = ""
        self._began = self._shown_at = 0.0

    @contextmanager
    def step(self, name: str, *, shared: bool = False) -> Iterator[None]:
        """Shows `name` while the block runs and its seconds at the end. `shared`: other processes write to the terminal
        meanwhile, so its line is not rewritten. An exception leaves the name without seconds."""
        self._began = self._shown_at = time.monotonic()
        if self._is_live:
            self._write(f"  {name} …" + "\n" * shared)
        self._running = "" if shared else name
        try:
            yield
        except BaseException:
            if self._is_live and not shared:
                self._write("\n")
            raise
        finally:
            self._running = ""
        seconds = time.monotonic() - self._began
        rewritten = WHOLE_LINE if self._is_live and not shared else ""
        self._write(f"{rewritten}  {name:<{NAME_WIDTH}}{self._dim}{seconds:6.1f} s{self._reset}\n")

    def tick(self) -> None:
        """Updates the seconds of the running step, once a second. Call it while waiting."""
        now = time.monotonic()
        if self._is_live and self._running and now - self._shown_at >= 1:
            self._shown_at = now
            self._write(
                f"{WHOLE_LINE}  {self._running:<{NAME_WIDTH}}{self._dim}{now - self._began:4.0f}   s …{self._reset}"
            )

    def ready(self, settings: Settings, *, first_token: str = "") -> None:
        """Prints the banner. In production, only its first line, for which scripts wait. `first_token`: of the link
        that logs the first operator in, if there is one."""
        address = f"http://127.0.0.1:{settings.port}"
        lines = [] if settings.is_production else _next_steps(settings, address)
        rows = "".join(f"  {label:<{LABEL_WIDTH}} {self._dim}{what}{self._reset}\n" for label, what in lines)
        if first_token:
            # A line of its own, and not dim: it is the one to click.
            rows = f"  {FIRST_LABEL:<{LABEL_WIDTH}} {address}/#/first/{first_token}\n  {FIRST_NOTE}\n\n{rows}"
        gap = "\n" if rows else ""
        self._write(f"{gap}{self._green}ready {address}{self._reset}\n{gap}{rows}{gap}")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _next_steps(settings: Settings, address: str) -> list[tuple[str, str]]:
    mails = f"by {settings.smtp_url.rpartition('@')[2].rpartition('/')[2]}" if settings.smtp_url else ""
    mails = mails or f"files in {_short(settings.data_dir / 'mail')}; SMTP_URL sends them"
    found = [
        ("guide", f"{address}/guide/"),
        ("API", f"{address}/docs"),
        ("socket", f"{address}/docs/socket"),
        ("mails", mails),
    ]
    if settings.public_url not in ("", address):
        found.insert(0, ("public", settings.public_url))
    if settings.log_file:
        found.append(("log", _short(settings.log_file)))
    return [*found, ("demo", "`make demo` in a second terminal: six people who talk"), ("stop", "Ctrl-C")]


def _short(path: Path) -> str:
    """Returns the path as the caller can open it: relative if it is below the working directory."""
    path, here = path.absolute(), Path.cwd()
    return str(path.relative_to(here) if here in path.parents else path)
