"""The published document, and one API process."""

from __future__ import annotations

from tests.support.published import api, app, document, pytest_runtest_makereport

__all__ = ["api", "app", "document", "pytest_runtest_makereport"]
