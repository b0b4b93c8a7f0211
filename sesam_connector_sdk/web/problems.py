"""Errors as answers: RFC 9457 problem documents, and what the log says of them.

Knows Falcon; imports ``errors`` only.
"""

from __future__ import annotations

import logging
import math
import uuid
from typing import Any

import falcon
import msgspec

from sesam_connector_sdk.errors import (
    Bug,
    ConnectorError,
    EntityProblem,
    MalformedRequest,
    Misuse,
    UnknownRoute,
    printable,
)

from . import events

LISTED_ENTITIES = 20
"""How many entities an error names; ``entities_total`` says how many there are."""

LOGGED_ENTITIES = 3
"""How many of them the log names."""

_LONGEST_WAIT = 24 * 60 * 60


def on_connector_error(
    req: falcon.Request, resp: falcon.Response, error: ConnectorError, _params: dict[str, Any]
) -> None:
    """An error of the SDK's own, whoever raised it: it says its status itself."""
    _answer(req, resp, error)


def on_http_error(
    req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, _params: dict[str, Any]
) -> None:
    """Falcon's own errors: no such route, a method of its own, a header it cannot read."""
    resp.set_headers(error.headers or {})
    if error.status_code == UnknownRoute.status:
        _answer(req, resp, UnknownRoute("No connector answers on this path; see the pipe's url."))
    else:
        _answer(req, resp, MalformedRequest(_fault(req, error)), error.status_code)


def _fault(req: falcon.Request, error: falcon.HTTPError) -> str:
    if req.method not in falcon.HTTP_METHODS:
        # Such as WEBSOCKET, which Falcon refuses on any path.
        return "HTTP has no such method. Send GET to a source, POST to a sink or a transform."
    # Not what others say: only of a header is it known to quote nothing.
    known = isinstance(error, falcon.HTTPInvalidHeader) and error.description
    return known or f"{error.title}."


def on_bug(
    req: falcon.Request, resp: falcon.Response, error: Exception, _params: dict[str, Any]
) -> None:
    """Anything else: 500 with an id that the log explains."""
    _answer(req, resp, Bug(), error_id=_log_bug(error))


def reraise(
    _req: falcon.Request, _resp: falcon.Response, error: Exception, _params: dict[str, Any]
) -> None:
    """Anything else, in a test: out to the caller."""
    raise error


def broken_off(error: Exception) -> dict[str, Any]:
    """What the request's line in the log says where an error broke its answer off."""
    if isinstance(error, ConnectorError):
        return {"ended": events.BROKEN_OFF, **_summary(error, uuid.uuid4().hex)}
    return {"ended": events.BROKEN_OFF, **_summary(Bug(), _log_bug(error))}


def _log_bug(error: Exception) -> str:
    """Log a bug, and return the id under which it stands in the log."""
    error_id = uuid.uuid4().hex
    # Where, but not what: an exception's text may quote the payload, unless it is the SDK's own.
    detail = f"{error}" if isinstance(error, Misuse) else None
    kind = type(error).__name__
    events.log(
        logging.ERROR, "bug", error_id=error_id, exception=kind, detail=detail, at=places(error)
    )
    return error_id


def places(error: BaseException) -> str:
    """Where an exception was raised: file, line and function, the innermost first."""
    found = []
    trace = error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        found.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(found[-8:]))


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
    problem = document(error, resp.status_code)
    if error.entities:
        problem["entities"] = [_entity(each) for each in error.entities[:LISTED_ENTITIES]]
        problem["entities_total"] = len(error.entities)
    if error_id:
        problem["error_id"] = error_id
    resp.data = msgspec.json.encode(problem)
    req.context.problem = _summary(error, error_id)
    req.context.error = error


def _summary(error: ConnectorError, error_id: str) -> dict[str, Any]:
    """What the log says of an error."""
    return {
        "error_id": error_id,
        "code": error.code,
        "detail": printable(error.detail, 400),
        "ids": [printable(each.id or "", 100) for each in error.entities[:LOGGED_ENTITIES]],
    }


def document(error: ConnectorError, status: int) -> dict[str, Any]:
    """What every problem document says: which error it is, what happened, and what to do.

    Args:
        error: The error; its text is escaped and cut short.
        status: The HTTP status of the answer, which may be another than the error's own.
    """
    return {
        "type": f"urn:sesam-connector:{error.code}",
        "title": error.title(),
        "status": status,
        "detail": printable(error.detail, 400),
        "advice": error.advice,
    }


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
