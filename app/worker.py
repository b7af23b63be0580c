"""The worker's front door: `celery -A app.worker`, run by `chat worker` and `chat beat`."""

from __future__ import annotations

from app import settings, wiring
from app.tasks.workshop import workshop

_settings = settings.load()
celery = wiring.make_celery(_settings)
workshop.furnish(lambda: wiring.open_tools(_settings))
