"""The WSGI application: routes, one resource for a sink, and errors as RFC 9457 documents.

The only room that knows Falcon. It does not know which server runs it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO

import falcon
import msgspec

from .errors import (
    Bug,
    ConnectorError,
    EntityProblem,
    MalformedRequest,
    MethodNotAllowed,
    ShuttingDown,
    Throttled,
    TooLarge,
    UnknownRoute,
    UnsupportedMediaType,
    printable,
)
from .protocol import PushParameters
from .protocol.push import PARAMETERS
from .settings import ServerSettings
from .sink import Batch, Request, Sink, deliver
from .sink.batch import Limits

HEALTH_ROUTE = "/healthz"
LISTED_ENTITIES = 20
"""How many entities an error names; ``entities_total`` says how many there are."""

LOGGED_ENTITIES = 3
"""How many of them the log names."""

_LONGEST_WAIT = 24 * 60 * 60
_SPOOL_BYTES = 512 * 1024
_log = logging.getLogger("sesam_connector_sdk.request")


def wsgi_app(
    *sinks: Sink[Any],
    settings: ServerSettings | None = None,
    draining: Callable[[], bool] = bool,
    reraise_bugs: bool = False,
) -> falcon.App[falcon.Request, falcon.Response]:
    """The WSGI application for some connectors, for whoever has a server already.

    Args:
        sinks: Opened sinks, each with its own ``route``; a lone one may do without.
        settings: Limits and the request's deadline; the defaults if left out. The rest of the
            server's settings has no effect here.
        draining: Asked before each request, from the server's threads. While it says True, every
            request is answered 503.
        reraise_bugs: Let an exception that no error class covers through to the caller, as a test
            wants it, instead of answering 500.

    Raises:
        ValueError: Several sinks, and one has no route, or that of another.
    """
    chosen = settings or ServerSettings()
    app = falcon.App(middleware=[_Requests(draining)])
    app.req_options.keep_blank_qs_values = True
    app.resp_options.xml_error_serialization = False
    app.add_error_handler(Exception, _reraise if reraise_bugs else _on_bug)
    app.add_error_handler(falcon.HTTPError, _on_http_error)
    app.add_error_handler(ConnectorError, _on_connector_error)
    app.add_route(HEALTH_ROUTE, _Health())
    taken = {HEALTH_ROUTE}
    for sink in sinks:
        if sink.route is None and len(sinks) > 1:
            raise ValueError(f"{type(sink).__name__} needs a route: it is not alone")
        if sink.route in taken:  # the router would silently give it to the last one
            raise ValueError(f"{type(sink).__name__}.route is taken: {sink.route}")
        taken.add(sink.route or "")
        app.add_route(sink.route or "/{any_path:path}", _SinkResource(sink, chosen))
    return app


class _SinkResource:
    """Answers the hub's POSTs for one sink."""

    def __init__(self, sink: Sink[Any], settings: ServerSettings) -> None:
        self._sink = sink
        self._settings = settings
        self._limits = Limits(settings.max_entity_bytes, settings.max_depth)
        self._places = threading.BoundedSemaphore(sink.concurrency or settings.threads)
        self._any_path = sink.route is None

    def on_post(self, req: falcon.Request, resp: falcon.Response, /, **fields: str) -> None:
        """Take one batch."""
        request = self._request(req, {} if self._any_path else fields)
        _require_json(req)
        with _body(req, self._settings.max_body_bytes) as body, self._place(request):
            batch = Batch(body, request, self._limits)
            receipt = deliver(self._sink, batch)
        req.context.entities = len(batch)
        resp.data = msgspec.json.encode(receipt)
        resp.content_type = falcon.MEDIA_JSON

    @contextlib.contextmanager
    def _place(self, request: Request) -> Iterator[None]:
        if not self._places.acquire(timeout=request.remaining()):
            raise Throttled("The connector takes no more requests at once.")
        try:
            yield
        finally:
            self._places.release()

    def _request(self, req: falcon.Request, fields: dict[str, str]) -> Request:
        query = {name: _last(value) for name, value in req.params.items()}
        return Request(
            fields=fields,
            query={name: text for name, text in query.items() if name not in PARAMETERS},
            headers={name.lower(): text for name, text in req.headers.items()},
            push=PushParameters.parse(query),
            deadline=req.context.started + self._settings.request_timeout,
        )


class _Health:
    """Says that the process lives; depends on nothing else."""

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200."""
        resp.data = b'{"status":"alive"}'
        resp.content_type = falcon.MEDIA_JSON


class _Requests:
    """Times every request, refuses it while draining, and logs one line for it."""

    def __init__(self, draining: Callable[[], bool]) -> None:
        self._draining = draining

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Before routing."""
        req.context.started = time.monotonic()
        # The process lives while it drains: a liveness probe must not end it early.
        if req.path != HEALTH_ROUTE and self._draining():
            raise ShuttingDown(retry_after=5)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, _resource: object, *_succeeded: bool
    ) -> None:
        """After the answer is made, also after an error."""
        level = logging.DEBUG if req.path == HEALTH_ROUTE else logging.INFO
        if resp.status_code >= Bug.status or resp.status_code == Throttled.status:
            level = logging.WARNING  # what the hub will have to send again
        # The path without its query, which may hold a token.
        _log.log(
            level,
            "%s %s %s entities=%s ms=%d%s",
            printable(req.method, 20),
            printable(req.path),
            resp.status_code,
            getattr(req.context, "entities", "-"),
            (time.monotonic() - req.context.started) * 1000,
            getattr(req.context, "problem", ""),
        )


def _last(value: str | list[str]) -> str:
    return value if isinstance(value, str) else value[-1]


def _require_json(req: falcon.Request) -> None:
    """Refuse a body that is not declared as plain JSON in UTF-8; no declaration will do."""
    encoding = req.get_header("Content-Encoding")
    if encoding and encoding.lower() != "identity":
        raise UnsupportedMediaType("The body is compressed. Send it without Content-Encoding.")
    media_type, options = falcon.parse_header(req.content_type or falcon.MEDIA_JSON)
    media_type = media_type.lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(
            f"The body is declared as {printable(media_type, 60)}."
            " Send it with Content-Type: application/json."
        )
    if options.get("charset", "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType("The body is not declared as UTF-8. Send JSON in UTF-8.")


@contextlib.contextmanager
def _body(req: falcon.Request, limit: int) -> Iterator[BinaryIO]:
    """The request's body as a seekable stream of at most ``limit`` bytes."""
    if (req.content_length or 0) > limit:
        raise _too_large(limit)
    stream = req.env["wsgi.input"]
    if isinstance(stream, io.IOBase) and stream.seekable():
        yield stream  # type: ignore[misc]  # IOBase is all that typeshed lets us ask for
        return
    # Some servers do not keep a body themselves: it can be read only once.
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
        # A body in chunks has no length; a server that says so ends the stream where the body ends.
        whole = req.env.get("wsgi.input_terminated")
        _copy(req.stream if whole else req.bounded_stream, spool, limit)
        yield spool  # type: ignore[misc]  # a BinaryIO in all but its declaration


def _copy(stream: Any, spool: IO[bytes], limit: int) -> None:
    while piece := stream.read(64 * 1024):
        spool.write(piece)
        if spool.tell() > limit:
            raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body has more than {limit} bytes."
        " Lower the pipe's batch_size, or raise MAX_BODY_BYTES."
    )


def _on_connector_error(
    req: falcon.Request, resp: falcon.Response, error: ConnectorError, _params: dict[str, Any]
) -> None:
    _answer(req, resp, error)


def _on_http_error(
    req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, _params: dict[str, Any]
) -> None:
    """Falcon's own errors: no such route, no such method, a header it cannot read."""
    resp.set_headers(error.headers or {})
    if error.status_code == UnknownRoute.status:
        _answer(req, resp, UnknownRoute("No connector answers on this path; see the pipe's url."))
    elif error.status_code == MethodNotAllowed.status:
        _answer(req, resp, MethodNotAllowed(f"This path takes {resp.get_header('Allow')}."))
    else:
        _answer(req, resp, MalformedRequest(f"{error.title}."), error.status_code)


def _on_bug(
    req: falcon.Request, resp: falcon.Response, error: Exception, _params: dict[str, Any]
) -> None:
    error_id = uuid.uuid4().hex
    # Where, but not what: an exception's text may quote the payload.
    _log.error("bug %s: %s at %s", error_id, type(error).__name__, _places(error))
    _answer(req, resp, Bug(), error_id=error_id)


def _reraise(
    _req: falcon.Request, _resp: falcon.Response, error: Exception, _params: dict[str, Any]
) -> None:
    raise error


def _places(error: BaseException) -> str:
    places = []
    trace = error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(places[-8:]))


def _answer(
    req: falcon.Request,
    resp: falcon.Response,
    error: ConnectorError,
    status: int = 0,
    error_id: str = "",
) -> None:
    """Render an error as an RFC 9457 problem document."""
    resp.status = status or error.status
    resp.content_type = "application/problem+json"
    if error.retry_after is not None:
        resp.set_header("Retry-After", str(_whole_seconds(error.retry_after)))
    document: dict[str, Any] = {
        "type": f"urn:sesam-connector:{error.code}",
        "title": error.title(),
        "status": resp.status_code,
        "detail": printable(error.detail, 400),
    }
    if error.entities:
        document["entities"] = [_entity(each) for each in error.entities[:LISTED_ENTITIES]]
        document["entities_total"] = len(error.entities)
    if error_id:
        document["error_id"] = error_id
    resp.data = msgspec.json.encode(document)
    ids = [printable(each.id or "", 100) for each in error.entities[:LOGGED_ENTITIES]]
    named = f" ids={ids}" if ids else ""
    req.context.problem = f" code={error.code} {printable(error.detail, 400)}{named}"


def _whole_seconds(seconds: float) -> int:
    """What ``Retry-After`` may hold (RFC 9110 section 10.2.3): rounded up, a day at most."""
    # The comparison is False for a NaN, which a target's own header can give.
    return math.ceil(max(seconds, 1)) if seconds < _LONGEST_WAIT else _LONGEST_WAIT


def _entity(problem: EntityProblem) -> dict[str, Any]:
    return {
        "_id": None if problem.id is None else printable(problem.id, 100),
        "position": problem.position,
        "reason": printable(problem.reason, 200),
    }
