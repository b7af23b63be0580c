"""The dispatcher publishes tasks to the broker of its own application."""

from __future__ import annotations

from uuid import uuid4

import redis
from celery import current_app

from app.tasks import cache, celery_app
from app.tasks.dispatcher import Dispatcher
from tests.support.servers import run_valkey


def test_a_task_reaches_the_dispatchers_broker_while_another_application_is_the_default() -> None:
    before = current_app._get_current_object()
    with run_valkey() as broker:
        dispatcher = Dispatcher(celery_app.make(broker.url))
        try:
            celery_app.make("redis://127.0.0.1:1/0").set_default()
            dispatcher.start()
            dispatcher.send(cache.rebuild, str(uuid4()))
            dispatcher.stop()
        finally:
            before.set_default()
        with redis.Redis.from_url(broker.url) as client:
            assert client.llen("cache") == 1
    assert dispatcher.dropped == 0
