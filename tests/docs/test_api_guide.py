"""docs/api-guide.md runs as it stands: each group of commands prints what the block after it says."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from app.api.errors.problems import refusal
from app.domain.errors import Throttled
from app.domain.origins import Origins
from app.main import READABLE
from app.settings import Settings, load
from tests.docs.markers import ROOT
from tests.docs.test_readme import run
from tests.support.processes import Api

TEXT = (ROOT / "docs" / "api-guide.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^```bash\n(.*?)^```\n\n```(text|json)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
END = "-- the end of a step --"


def test_every_command_runs_as_shown(api: Api, tmp_path: Path) -> None:
    assert len(STEPS) == len(re.findall(r"^```bash", TEXT, re.MULTILINE)) == 7
    script = "\n".join(f"{commands}\necho '{END}'" for commands, _, _ in STEPS)
    printed = run(script.replace(":8000", f":{api.port}"), tmp_path).split(f"{END}\n")
    for (commands, language, shown), received in zip(STEPS, printed, strict=False):
        if language == "json":
            assert [*map(msgspec.json.decode, received.splitlines())] == [*map(msgspec.json.decode, shown.splitlines())]
        else:
            assert received == shown, commands


def test_the_shown_refusal_is_the_one_that_is_sent() -> None:
    (shown,) = re.findall(r"^```http\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    sent = refusal(Throttled("messages", 12, limit=60, window=60))
    head, *lines = shown.splitlines()
    assert head == f"HTTP/1.1 {sent.status_code} Too Many Requests"
    assert dict(line.split(": ", 1) for line in lines) == sent.headers


def test_the_shown_setting_allows_a_front_end_in_development(tmp_path: Path) -> None:
    (written,) = re.findall(r"^ALLOWED_ORIGINS=(\S+) make up$", TEXT, re.MULTILINE)
    given = {"DATA_DIR": str(tmp_path), "ALLOWED_ORIGINS": written}
    allowed = Origins(load(given, env_file=tmp_path / ".env", embedded=True).allowed_origins)
    for page in ("http://127.0.0.1:8000", "http://localhost:5173"):
        assert allowed.allows(page), page


def test_the_stated_defaults_are_those_of_the_settings() -> None:
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    for name, value in re.findall(r"`(THROTTLE_[A-Z]+)` (\d+/[a-z]+)", TEXT):
        rate = defaults[name.lower()]
        number, unit = value.split("/")
        assert (rate.limit, rate.window) == (int(number), {"minute": 60, "hour": 3_600, "day": 86_400}[unit]), name
    assert f"`ACCESS_TOKEN_MINUTES` ({defaults['access_token_minutes']})" in TEXT
    assert f"`REFRESH_TOKEN_DAYS` ({defaults['refresh_token_days']})" in TEXT
    assert f"`LOGIN_MAX_DAYS` ({defaults['login_max_days']})" in TEXT
    for header in READABLE:
        assert header.replace("Request-Id", "Request-ID") in TEXT
