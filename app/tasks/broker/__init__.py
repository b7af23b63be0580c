"""Celery's connection to Redis: one URL parser, a transport that survives outages, and one log line per outage.

Celery reads `REDIS_URL` only through this package. It must never interpret that URL differently from the API.
"""
