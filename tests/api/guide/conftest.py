"""One API process."""

from __future__ import annotations

from tests.support.published import api, pytest_runtest_makereport

__all__ = ["api", "pytest_runtest_makereport"]
