"""The chat itself. It depends on SQL, but not on HTTP, Redis, Celery or settings."""
