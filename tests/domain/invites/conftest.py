"""A chat in which people register by invite."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.settings import Settings
from tests.support.web import Client, running


@pytest.fixture(scope="package")
async def by_invite(settings: Settings) -> AsyncIterator[Client]:
    async with running(settings, registration="invite") as client:
        yield client
