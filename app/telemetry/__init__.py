"""Logs, request lines, metrics and error reports to Sentry. They never contain the text of messages."""

from __future__ import annotations

from app.settings import Settings
from app.telemetry import logging, sentry


def start(settings: Settings, *, process: str) -> None:
    """Sets up logging and error reports for this process (`api`, `worker`, `beat` …). The last call counts."""
    logging.configure(settings, process=process)
    sentry.start(settings, process=process)


def start_celery(settings: Settings, *, process: str) -> None:
    """Like `start`, for a Celery process: also keeps Celery from setting up its own logging."""
    logging.configure_celery(settings, process=process)
    start(settings, process=process)
