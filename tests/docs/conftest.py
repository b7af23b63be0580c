"""The published document, one API process, and the page of the tutorial."""

from __future__ import annotations

from tests.docs.tutorial_page import standing, started
from tests.support.published import api, app, document, pytest_runtest_makereport

__all__ = ["api", "app", "document", "pytest_runtest_makereport", "standing", "started"]
