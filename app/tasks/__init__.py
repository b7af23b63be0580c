"""Celery tasks. Each derives its work from stored state, takes ids as arguments and is safe to run twice."""
