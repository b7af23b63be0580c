"""What the chat is. It knows SQL; it knows no HTTP, no Redis, no Celery and no settings."""
