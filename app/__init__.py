"""A chat backend: REST and WebSocket on Litestar, Postgres for truth, Redis for speed, Celery for afterwards."""
