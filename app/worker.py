"""Entry point of the Celery worker: `celery -A app.worker`, run by `chat worker` and `chat beat`."""

from __future__ import annotations

from app.settings import load
from app.tasks.context import worker_runtime
from app.wiring import make_celery
from app.wiring.worker_context import open_task_context

_settings = load()
celery = make_celery(_settings)
worker_runtime.configure(lambda: open_task_context(_settings))
