"""`chat queues`: what waits for workers, and which workers there are."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from app.cli.verbs import Verbs, load_beside


def add(verbs: Verbs) -> None:
    verbs.add("queues", queues, "what waits in the queues, since when, and which workers there are")


def queues(asked: argparse.Namespace) -> int:
    from redis import RedisError

    settings = load_beside()
    overview = import_module("app.tasks.overview")
    try:
        report = overview.report(settings.redis_url)
    except RedisError as error:
        print(f"chat: the broker is away ({type(error).__name__}).", file=sys.stderr)
        return 1
    print(overview.table(report))
    return 0 if report.workers else 1
