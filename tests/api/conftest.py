"""The application as a client sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.settings import Settings
from tests.support.conversations import cast, chat
from tests.support.web import Client, running

__all__ = ["cast", "chat"]


@pytest.fixture(scope="session")
async def api(settings: Settings) -> AsyncIterator[Client]:
    async with running(settings) as client:
        yield client
