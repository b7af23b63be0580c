"""The one place where everything meets: bus and tasks, settings and what they configure. It decides nothing itself."""

from __future__ import annotations

import asyncio
from uuid import UUID

from celery import Celery

from app.api.health import Readiness
from app.db import Database, open_engine
from app.domain.errors import Unavailable
from app.domain.events import Change, Outgoing
from app.realtime.accelerator import Accelerator, Away
from app.realtime.cache import Cache
from app.realtime.pages import Pages
from app.realtime.rebuild import Rebuilder
from app.realtime.writer import Writer
from app.settings import Settings
from app.tasks import application
from app.tasks import cache as cache_tasks
from app.tasks.dispatch import Dispatch
from app.tasks.workshop import Tools

POOL_SIZE = 10
READY_SECONDS = 2.0


class Runtime:
    """Everything one API process works with. Made without a loop, started and stopped on one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.accelerator = Accelerator(settings.cache_redis_url)
        self.cache = Cache(most=settings.cache_messages)
        self.database = Database(open_engine(settings.sqlalchemy_url, pool_size=POOL_SIZE), self._hand_over)
        self.celery = make_celery(settings)
        self.dispatch = Dispatch()
        self.pages = Pages(self.database, self.accelerator, self.cache, self._ask_for_rebuild)
        self.draining = False


def make_celery(settings: Settings) -> Celery:
    """The Celery application of worker, beat and API."""
    celery = application.make(settings.redis_url)
    celery.set_default()
    return celery


def open_tools(settings: Settings) -> Tools:
    """What a worker process's tasks work with; opened in that process, after the fork."""
    database = Database(open_engine(settings.sqlalchemy_url, pool_size=2))
    rebuilder = Rebuilder(database, Accelerator(settings.cache_redis_url, connections=2), Cache(most=settings.cache_messages))
    return Tools(database=database, rebuild_cache=rebuilder.rebuild)
