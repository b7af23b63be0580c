"""What the chat says about itself: log lines, request lines, errors to Sentry. Never what people say to each other."""

from __future__ import annotations

from app.settings import Settings
from app.telemetry import logging, sentry


def start(settings: Settings, *, process: str) -> None:
    """Log and error reports of this process (`api`, `worker`, `beat` …). Calling it again replaces the former."""
    logging.configure(settings, process=process)
    sentry.start(settings, process=process)


def start_celery(settings: Settings, *, process: str) -> None:
    """The same where Celery would otherwise set up a log of its own."""
    logging.configure_celery(settings, process=process)
    start(settings, process=process)
