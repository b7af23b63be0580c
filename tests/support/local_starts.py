"""The application as `chat up` starts it for development on embedded servers, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.development import local_start
from app.development.local_start import LocalStart
from app.domain.welcome import first_link
from app.domain.welcome.first_link import FirstLink
from app.settings import Settings
from tests.support.web import Client, running


@asynccontextmanager
async def started_here(settings: Settings, link: FirstLink | None = None, **changes: Any) -> AsyncIterator[Client]:
    """Nothing of the process's environment is left afterwards."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in local_start.encoded(LocalStart(link)).items():
            environment.setenv(name, value)
        async with running(settings, **changes) as client:
            yield client


@asynccontextmanager
async def freshly_started(settings: Settings, **changes: Any) -> AsyncIterator[tuple[Client, str]]:
    """With the token of the link that was printed."""
    token, link = first_link.make()
    async with started_here(settings, link, **changes) as client:
        yield client, token
