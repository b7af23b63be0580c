"""Assembles an API process: settings, database, Redis, bus, tasks. Contains no logic of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from litestar import Litestar
from litestar.di import Provide
from redis.asyncio import Redis

from app.api.health import Readiness
from app.api.middleware.authentication import Authentication
from app.api.own_guess import own_guess
from app.db import Database, open_engine
from app.development.live_guide import LiveGuide
from app.development.tools import DevelopmentTools
from app.domain.accounts.registration import Registrar
from app.domain.auth.passwords import Passwords
from app.domain.auth.second_factors import SecondFactors
from app.domain.auth.tokens import Tokens
from app.domain.errors import Unavailable
from app.domain.events import FollowUp, Outgoing
from app.domain.invites.invite_tokens import InviteLinks
from app.domain.notifications.unsubscribe import UnsubscribeTokens
from app.domain.operators.backlog import Backlog, read_backlog
from app.domain.throttling.policies import Policies
from app.domain.throttling.reports import Reports
from app.realtime.assembly import LiveDelivery
from app.realtime.bus.bus import Bus
from app.realtime.bus.ephemeral_events import Typing
from app.realtime.hub.hub_queries import CONNECTIONS
from app.redis.client import RedisClient, RedisUnavailable
from app.settings import Settings, local_start, metrics_directory
from app.store.batched_login_checks import BatchedLoginChecks
from app.store.inbox_reader import InboxReader
from app.store.message_traces import MessageTraces
from app.store.message_writer import CONCURRENT_BATCHES, MessageWriter
from app.store.page_cache import PageCache
from app.store.page_reader import PageReader
from app.tasks import cache as cache_tasks
from app.tasks import mail as mail_tasks
from app.tasks import profile_propagation
from app.tasks.dispatcher import Dispatcher
from app.tasks.queue_stats import BrokerStats
from app.telemetry import event_loop, process_sampler
from app.telemetry.background_metrics import BackgroundMetrics
from app.telemetry.live_reports import LiveReports
from app.telemetry.process_figures import RecentFigures
from app.telemetry.shared_metrics import Exposition
from app.throttling.hourly_quotas import HourlyQuotas
from app.throttling.limiter import RateLimiter
from app.throttling.password_guesses import PasswordGuesses
from app.wiring import make_celery, throttle_rates

POOL_SIZE = 10
READY_SECONDS = 2.0
WRITE_SECONDS = 3.0
FOLLOW_UP_TASKS = {"mail": mail_tasks.send_mail, "person": profile_propagation.publish_profile_change}
ENQUEUE_SECONDS = 1.5
"""Time at shutdown to enqueue waiting tasks. With the requests' grace (see `chat api`) shutdown stays within 20 s."""


class Runtime:
    """All objects of one API process. Created without an event loop; `running` starts and stops them on one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.redis_client = RedisClient(settings.cache_redis_url)
        self.cache = PageCache(max_messages=settings.cache_messages)
        self.bus = Bus(self.redis_client, settings.cache_redis_url, self.cache)
        self.celery = make_celery(settings)
        self.dispatcher = Dispatcher(self.celery)
        self.database = Database(
            open_engine(settings.libpq_url, pool_size=POOL_SIZE + CONCURRENT_BATCHES),
            self._publish,
            self._enqueue,
            keep=CONCURRENT_BATCHES,
        )
        self.throttles = RateLimiter(self.redis_client, throttle_rates(settings), processes=settings.web_concurrency)
        self.tokens = Tokens(
            settings.secret_key,
            settings.secret_key_previous,
            access_minutes=settings.access_token_minutes,
            refresh_days=settings.refresh_token_days,
            login_days=settings.login_max_days,
        )
        self.passwords = Passwords()
        self.guesses = PasswordGuesses(self.throttles, self.database)
        self.unsubscribe_tokens = UnsubscribeTokens(settings.secret_key, settings.secret_key_previous)
        self.second_factors = SecondFactors(
            settings.secret_key, settings.secret_key_previous, app_name=settings.app_name
        )
        self.quotas = HourlyQuotas(self.throttles)
        self.policies = Policies(throttle_rates(settings))
        self.registrar = Registrar(
            self.passwords,
            self.quotas,
            must_activate=settings.require_activation,
            mode=settings.registration,
        )
        self.invite_links = InviteLinks(settings.public_url, settings.frontend_url)
        self.writer = MessageWriter(self.database, self.throttles)
        start = local_start(settings)
        self.guide = None if start is None else LiveGuide(self.database, self.writer, self._show_typing)
        self.development = DevelopmentTools(start, settings.data_dir, self.guide)
        # Polls and gap repairs never wait behind requests: they have their own connections.
        self.readers = Database(open_engine(settings.libpq_url, pool_size=CONNECTIONS))
        self.live_delivery = LiveDelivery(
            self.bus,
            self.database,
            self.writer,
            self.tokens,
            self.throttles,
            origins=settings.allowed_origins,
            query_tokens=settings.ws_query_token,
            proxy_hops=settings.trusted_proxy_hops,
            frames=settings.ws_frames_per_second,
            readers=self.readers,
        )
        login_checks = BatchedLoginChecks(
            self.database, operators_need_second_factor=settings.operators_need_second_factor
        )
        self.conversation_lists = InboxReader(self.database, login_checks)
        self.page_reader = PageReader(
            self.database, self.redis_client, self.cache, self.live_delivery.access, self._request_rebuild
        )
        self.authentication = Authentication(
            self.tokens, login_checks, self.throttles, proxy_hops=settings.trusted_proxy_hops
        )
        self.broker = BrokerStats(settings.redis_url)
        self.background_metrics = BackgroundMetrics(self.broker.read_stats, self._read_backlog)
        self.exposition = Exposition(metrics_directory(), self.background_metrics)
        self.pools = {"requests": self.database, "reads": self.readers}
        self.live_reports = LiveReports(self.redis_client, self.background_metrics, RecentFigures(self.pools))
        self.draining = False

    def dependencies(self) -> dict[str, Provide]:
        """Returns the dependencies that handlers can request by name."""
        shared = {
            "tokens": self.tokens,
            "passwords": self.passwords,
            "guesses": self.guesses,
            "quotas": self.quotas,
            "registrar": self.registrar,
            "invite_links": self.invite_links,
            "second_factors": self.second_factors,
            "unsubscribe_tokens": self.unsubscribe_tokens,
            "writer": self.writer,
            "page_reader": self.page_reader,
            "conversation_lists": self.conversation_lists,
            "database": self.database,
            "development": self.development,
            "policies": self.policies,
            "reports": Reports(self.policies),
            "queue_report": self.broker.report,
            "metrics_text": self.metrics_text,
            "live_figures": self.live_reports.figures,
            "traces": MessageTraces(self.redis_client, self.cache),
            "readiness": self.readiness,
        }
        per_request = {"own_guess": Provide(own_guess, sync_to_thread=False), **self.authentication.dependencies()}
        return {name: _provide(value) for name, value in shared.items()} | per_request

    @asynccontextmanager
    async def running(self, _: Litestar) -> AsyncIterator[None]:
        """Starts the process's services. After the last request, writes queued sends and closes everything."""
        self.dispatcher.start()
        await self.live_delivery.start()
        if self.guide is not None:
            self.guide.start()
        watching = [
            asyncio.create_task(event_loop.watch()),
            asyncio.create_task(process_sampler.run(self.pools)),
            asyncio.create_task(self.live_reports.run()),
        ]
        try:
            yield
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            self.background_metrics.stop()
            if self.guide is not None:
                await self.guide.stop()
            await self.retire()
            # Bounded: the senders have disconnected or received `outcome_unknown`.
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITE_SECONDS):
                    await self.writer.drain()
                    await self.conversation_lists.drain()
                    await self.live_delivery.access.drain()
            await self.live_delivery.stop()
            await asyncio.to_thread(self.dispatcher.stop, ENQUEUE_SECONDS)
            self.passwords.close()
            await self.redis_client.close()
            await self.readers.close()
            await self.database.close()

    async def retire(self) -> None:
        """Starts shutdown: readiness turns false, and all sockets close so that clients reconnect elsewhere."""
        self.draining = True
        await self.live_delivery.drain()

    async def readiness(self) -> Readiness:
        """Ready if Postgres accepts writes. Without Redis the chat works, degraded."""
        if self.draining:
            return Readiness(ready=False, reason="draining")
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self.database.verify()
        except (Unavailable, TimeoutError) as error:
            return Readiness(ready=False, reason=self.database.cause_of(error))
        try:
            await self.redis_client.call(_ping)
        except RedisUnavailable:
            return Readiness(ready=True, degraded=["redis"])
        return Readiness(ready=True)

    async def metrics_text(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        await self.background_metrics.refresh()
        return await asyncio.to_thread(self.exposition.text)

    async def _read_backlog(self) -> Backlog:
        await self.readers.verify()
        return await self.readers.read(read_backlog)

    async def _publish(self, events: list[Outgoing]) -> None:
        await self.bus.publish(events)
        if self.guide is not None:
            self.guide.receive(events)

    async def _show_typing(self, conversation: UUID, user: UUID) -> None:
        await self.bus.publish([Typing(conversation=conversation, user=user)])

    def _enqueue(self, follow_ups: list[FollowUp]) -> None:
        for follow_up in follow_ups:
            self.dispatcher.send(FOLLOW_UP_TASKS[follow_up.kind], str(follow_up.id))

    def _request_rebuild(self, conversation: UUID) -> None:
        self.dispatcher.send(cache_tasks.rebuild, str(conversation))


def _provide(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


async def _ping(redis: Redis) -> None:
    await redis.ping()
