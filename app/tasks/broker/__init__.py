"""Celery's way to Redis: one reading of its address, a transport that outlives an outage, and one log line for each.

Celery reads `REDIS_URL` through this package only. It must never understand that address differently from the API.
"""
