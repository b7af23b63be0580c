"""kombu's Redis transport, with the API's parsing of the URL and channels that can always be closed.

Celery finds `ReconnectingConnection` through `AMQP`, and `BrokerTransport` through `broker_transport`.
"""

from __future__ import annotations

from queue import Empty
from typing import Any, Final

from celery.app import amqp
from kombu.connection import Connection as KombuConnection
from kombu.transport import redis as kombu_redis
from kombu.utils.url import sanitize_url
from redis.connection import Connection as TcpConnection
from redis.connection import parse_url

from app.tasks.broker.outage_log import outage

ERRORS: Final = kombu_redis.Transport.connection_errors + kombu_redis.Transport.channel_errors
CLOSINGS: Final = 3
PAUSES: Final = {"interval_start": 0.2, "interval_step": 0.2, "interval_max": 1.0}
"""Seconds between connection attempts. Celery's defaults grow to 30, which would delay periodic tasks as much."""


class QoS(kombu_redis.QoS):
    """Counts the messages a worker holds. One that Redis does not let go is no longer held: it is redelivered later.

    kombu keeps counting it. A read-only Redis that rejects as many acknowledgements as a worker may hold messages would
    leave the worker connected and idle until someone restarts it.
    """

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]  # kombu has no types
        except ERRORS as error:
            self._let_go(delivery_tag, error)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue)  # type: ignore[no-untyped-call]  # kombu has no types
        except ERRORS as error:
            self._let_go(delivery_tag, error)

    def _let_go(self, delivery_tag: str, error: Exception) -> None:
        outage.failed(error)
        self._quick_ack(delivery_tag)


class Channel(kombu_redis.Channel):
    QoS = QoS

    def close(self) -> None:
        """Restores unacknowledged messages if Redis accepts them, and closes. Redis errors are never raised.

        kombu's method stops at the first connection error (the reply to a BRPOP, then each restored message) and leaves
        the channel open. The second close, after the transport is gone, fails with an AttributeError and ends the
        worker, and all periodic tasks wait for seconds until another one is ready.
        """
        for _ in range(CLOSINGS):
            try:
                super().close()  # type: ignore[no-untyped-call]
            except ERRORS as error:
                outage.failed(error)
            else:
                return

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        read = parse_url(self.connection.client.hostname)  # type: ignore[no-untyped-call]
        self.connection_class = read.pop("connection_class", TcpConnection)
        own = super()._connparams(asynchronous=asynchronous)  # type: ignore[no-untyped-call]
        for name in ("host", "port", "username", "password", "db"):
            own.pop(name, None)
        if "path" in read:
            own = self._filter_tcp_connparams(**own)  # type: ignore[no-untyped-call]
            own.pop("socket_connect_timeout", None)
        return {"db": 0, **own, **read}

    def _brpop_read(self, **options: Any) -> Any:
        try:
            found = super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except Empty:
            outage.worked()
            raise
        outage.worked()
        return found

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        super()._put(queue, message, **options)  # type: ignore[no-untyped-call]
        outage.worked()


class BrokerTransport(kombu_redis.Transport):
    Channel = Channel
    # kombu's own parser supports no Unix sockets, skips TLS verification and drops unknown options.
    can_parse_url = True

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:
        return uri if include_password else sanitize_url(uri, mask)


class ReconnectingConnection(KombuConnection):
    def ensure_connection(self, errback: Any = None, max_retries: Any = None, **options: Any) -> Any:  # noqa: ARG002
        """Connects, retrying without a limit by default. Logs one line per outage, not one per attempt."""
        return super().ensure_connection(_note, max_retries, **{**options, **PAUSES})  # type: ignore[no-untyped-call]


class AMQP(amqp.AMQP):
    Connection = BrokerConnection = ReconnectingConnection


def _note(error: BaseException, _: float) -> None:
    outage.failed(error)
