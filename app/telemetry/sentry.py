"""Reports errors to Sentry if SENTRY_DSN is set: what failed and at which line, never what users wrote.

The SDK sends more than its options say, so its events are not trusted: each is rebuilt from the fields listed here. A
field that a new SDK version adds is not sent until it is listed. Libraries quote invalid input ("invalid input syntax
for integer: …"), so only the chat's own exceptions keep their messages, and a log line keeps only the text that stands
in the source.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import sentry_sdk
from sentry_sdk.integrations import Integration
from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger
from sentry_sdk.transport import Transport

from app.settings import Settings
from app.telemetry.expected_refusals import EXPECTED, is_clients_fault, is_expected
from app.telemetry.redaction import redacted

SAMPLED: Final = 0.01
HEADERS_KEPT: Final = frozenset({"content-length", "content-type", "user-agent", "x-request-id"})
CONTEXTS_KEPT: Final = frozenset({"runtime", "os", "trace"})
TRACE_KEPT: Final = ("trace_id", "span_id", "parent_span_id", "op", "status", "origin")
EVENT_KEPT: Final = frozenset(
    {
        "breadcrumbs",
        "contexts",
        "environment",
        "event_id",
        "exception",
        "level",
        "logentry",
        "logger",
        "platform",
        "release",
        "request",
        "sdk",
        "server_name",
        "spans",
        "start_timestamp",
        "tags",
        "timestamp",
        "transaction",
        "transaction_info",
        "type",
        "user",
    }
)


def start(settings: Settings, *, process: str, transport: type[Transport] | Transport | None = None) -> None:
    """Starts the SDK. Without a SENTRY_DSN it sends and patches nothing. Tests pass `transport` to read the events."""
    if not settings.sentry_dsn:
        return
    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        environment=settings.environment,
        transport=transport,
        integrations=[_requests(), LoggingIntegration(level=logging.INFO, event_level=logging.ERROR)],
        max_request_body_size="never",
        data_collection={
            "user_info": False,
            "cookies": {"mode": "off"},
            "http_headers": {"request": {"mode": "allowlist", "terms": sorted(HEADERS_KEPT)}},
            "http_bodies": [],
            "url_query_params": {"mode": "off"},
            "graphql": {"document": False, "variables": False},
            "gen_ai": {"inputs": False, "outputs": False},
            "database_query_data": False,
            "queues": False,
            "stack_frame_variables": False,
        },
        traces_sampler=_rate,
        before_send=_error,
        before_send_transaction=_event,
        before_breadcrumb=_breadcrumb,
        shutdown_timeout=2,
    )
    sentry_sdk.set_tag("process", process)


def _rate(context: Mapping[str, Any]) -> float:
    """Never samples sockets: a socket would be one endless transaction that holds every span of its lifetime."""
    scope = context.get("asgi_scope") or {}
    return 0.0 if scope.get("type") == "websocket" else SAMPLED


def _requests() -> Integration:
    """Returns the SDK's Litestar integration without expected errors, for each of which it would build an event with a
    stack trace, and without its wrapper around routes, which parses every body before the handler does and turns one
    that is not JSON into a 500."""
    # Not at the top: it imports Litestar, which a worker without Sentry does not need.
    from sentry_sdk.integrations import litestar

    class Middleware(litestar.SentryLitestarASGIMiddleware):
        async def _run_asgi3(self, scope: Any, receive: Any, send: Any) -> Any:
            # The SDK names a transaction by its endpoint, and by the path, with its ids, if there is none.
            scope["endpoint"] = scope["route_handler"].fn
            return await super()._run_asgi3(scope, receive, send)

    class Requests(litestar.LitestarIntegration):
        @staticmethod
        def setup_once() -> None:
            report = litestar.exception_handler

            def unless_refused(exc: Exception, scope: Any) -> None:
                if not is_clients_fault(exc):
                    report(exc, scope)

            litestar.exception_handler = unless_refused
            litestar.SentryLitestarASGIMiddleware = Middleware  # type: ignore[misc]
            litestar.patch_app_init()
            # Litestar logs what `exception_handler` has reported already.
            ignore_logger("litestar")

    return Requests()


def _error(event: Any, hint: Mapping[str, Any]) -> Any:
    """Drops expected errors from any source; rebuilds all other events."""
    message = getattr(hint.get("log_record"), "msg", None)
    error = (hint.get("exc_info") or (None, None))[1]
    if is_expected(error) or (isinstance(message, dict) and message.get(EXPECTED)):
        return None
    return _event(event, hint)


def _event(event: Any, hint: Mapping[str, Any]) -> Any:
    kept = {name: value for name, value in event.items() if name in EVENT_KEPT}
    if "request" in kept:
        kept["request"] = _request(kept["request"])
    if "user" in kept:
        kept["user"] = {"id": kept["user"]["id"]} if kept["user"].get("id") else {}
    if "logentry" in kept:
        kept["logentry"] = {"message": _log_text(hint)}
    if "contexts" in kept:
        kept["contexts"] = {
            name: _context(name, kept["contexts"][name]) for name in CONTEXTS_KEPT & kept["contexts"].keys()
        }
    if "tags" in kept:
        kept["tags"] = {name: _text(value) for name, value in dict(kept["tags"]).items()}
    if "transaction" in kept:
        kept["transaction"] = _text(kept["transaction"])
    if "breadcrumbs" in kept:
        crumbs = kept["breadcrumbs"].get("values", [])
        kept["breadcrumbs"] = {"values": list(crumbs)}  # `_breadcrumb` has already rebuilt each
    if "exception" in kept:
        kept["exception"] = {"values": [_exception(value) for value in kept["exception"].get("values", [])]}
    if "spans" in kept:
        kept["spans"] = [_span(span) for span in kept["spans"]]
    return kept


def _request(request: Mapping[str, Any]) -> dict[str, Any]:
    headers = request.get("headers") or {}
    return {
        "method": request.get("method"),
        "url": _text(str(request.get("url", "")).partition("?")[0]),
        "headers": {name: _text(value) for name, value in headers.items() if name.lower() in HEADERS_KEPT},
    }


def _exception(value: Mapping[str, Any]) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames", [])
    kept = {name: value.get(name) for name in ("type", "module")}
    ours = str(value.get("module") or "").startswith("app.")
    kept["value"] = _text(value.get("value")) if ours else ""
    kept["stacktrace"] = {"frames": [{key: value for key, value in frame.items() if key != "vars"} for frame in frames]}
    return kept


def _breadcrumb(crumb: Any, hint: Mapping[str, Any]) -> Any:
    data = crumb.get("data") or {}
    return {
        **{name: crumb.get(name) for name in ("type", "category", "level", "timestamp")},
        "message": _log_text(hint),
        "data": {name: data[name] for name in ("status_code", "method") if name in data},
    }


def _span(span: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: span.get(name) for name in (*TRACE_KEPT, "start_timestamp", "timestamp", "same_process_as_parent")}
    return {**kept, "description": _text(str(span.get("description") or "").partition("?")[0])}


def _context(name: str, context: Mapping[str, Any]) -> dict[str, Any]:
    return {key: context[key] for key in TRACE_KEPT if key in context} if name == "trace" else dict(context)


def _log_text(hint: Mapping[str, Any]) -> str:
    """Returns a log line's text without its arguments. structlog's records carry the whole event as the message."""
    record = hint.get("log_record")
    message = getattr(record, "msg", "")
    return _text(message.get("event") if isinstance(message, dict) else message)


def _text(value: Any) -> str:
    return redacted(str(value)) if value else ""
