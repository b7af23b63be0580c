"""Assembles the processes from their parts: `runtime` those of an API process, `worker_context` those of a worker.

What both need is here. It contains no logic of its own.
"""

from __future__ import annotations

from celery import Celery

from app.domain.rates import Rate
from app.settings import Settings
from app.tasks import celery_app
from app.throttling.hourly_quotas import RATES as QUOTA_RATES
from app.throttling.limiter import SITES, STRANGERS
from app.throttling.password_guesses import RATES as GUESS_RATES


def throttle_rates(settings: Settings) -> dict[str, Rate]:
    """Returns the rate policies by name, as they appear in responses."""
    return {
        "messages": settings.throttle_messages,
        "user": settings.throttle_user,
        "requests": settings.throttle_requests,
        "address": settings.throttle_address,
        **{
            policy: Rate(times * settings.throttle_address.limit, settings.throttle_address.window)
            for policy, times in SITES.items()
        },
        "strangers": STRANGERS,
        "additions": settings.throttle_additions,
        "added": settings.throttle_added,
        **GUESS_RATES,
        **{str(quota): rate for quota, rate in QUOTA_RATES.items()},
    }


def make_celery(settings: Settings) -> Celery:
    """Returns the Celery application of worker, beat and API."""
    celery = celery_app.make(settings.redis_url)
    celery.set_default()
    return celery
