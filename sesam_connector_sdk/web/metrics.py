"""Counts what was answered, and how long it took, for Prometheus.

Knows Falcon, and is the only module that knows prometheus_client; imports ``endpoint`` and
``errors`` only. What is counted is read off the answer: the receipt that was sent, or the error.
``docs/reference/health-and-metrics.md`` has every metric. A label is a class's name or one of a few
words, never anything from a request.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any

import falcon
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from sesam_connector_sdk.errors import ConnectorError, MalformedBody, Retry, TooLarge

from .endpoint import Resource

METRICS_ROUTE = "/metrics"

_WHO = ("connector", "kind")
_NOBODY = ("none", "none")
_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300)
_ENTITIES = (1, 10, 100, 1000, 10_000, 100_000)
_REQUESTS = "Requests answered; code is that of the error, ok, or broken-off."
_OUTCOMES = "Entities of the requests and their answers, by what became of them."
_ANSWERED = "Seconds from when a thread has taken the request until its answer is made."
_SPENT = "Seconds of a request spent in the connector's own code: write, transform, read."
# Where reading the body failed, nobody knows how many entities it had.
_UNREAD = (MalformedBody, TooLarge)


class Metrics:
    """The metrics of one application, in a registry of their own. Safe from any thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = self._counter("requests", _REQUESTS, "status", "code")
        self._entities = self._counter("entities", _OUTCOMES, "outcome")
        self._bytes = self._counter("received_bytes", "Bytes of the requests' bodies.")
        self._batch = self._histogram("batch_entities", "Entities in a request.", _ENTITIES)
        self._duration = self._histogram("request_seconds", _ANSWERED, _SECONDS, "class")
        self._target = self._histogram("target_seconds", _SPENT)
        self._at_work = Gauge(
            "sesam_connector_requests_at_work",
            "Requests being answered now, or waiting for a place.",
            _WHO,
            registry=self._registry,
        )
        # To find a metric by its labels anew costs more than to count: they are few, so remembered.
        self._labelled = functools.cache(_labelled)

    def page(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)

    def begin(self, req: falcon.Request, endpoint: Any) -> None:
        """A request has found its endpoint."""
        req.context.endpoint = endpoint
        self._labelled(self._at_work, *endpoint.who).inc()

    def end(self, req: falcon.Request, status: int) -> None:
        """A request has been answered, or its answer was broken off.

        Args:
            req: Falcon's request, with what the endpoint and the error handlers noted.
            status: How it was answered.
        """
        endpoint = getattr(req.context, "endpoint", None)
        who = endpoint.who if endpoint else _NOBODY
        self._labelled(self._requests, *who, status, _code(req.context)).inc()
        taken = time.monotonic() - req.context.started
        self._labelled(self._duration, *who, f"{status // 100}xx").observe(taken)
        if endpoint:
            self._labelled(self._at_work, *who).dec()
            self._labelled(self._bytes, *who).inc(_length(req))
            self._account(req.context, who, endpoint.outcome)

    def _account(self, context: Any, who: tuple[str, str], success: str) -> None:
        outcomes = _outcomes(context, success)
        for outcome, count in outcomes.items():
            self._labelled(self._entities, *who, outcome).inc(count)
        if outcomes:
            self._labelled(self._batch, *who).observe(sum(outcomes.values()))
        if (spent := getattr(context, "target_seconds", None)) is not None:
            self._labelled(self._target, *who).observe(spent)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"sesam_connector_{name}", text, (*_WHO, *labels), registry=self._registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...] = _SECONDS, *labels: str
    ) -> Histogram:
        return Histogram(
            f"sesam_connector_{name}",
            text,
            (*_WHO, *labels),
            buckets=buckets,
            registry=self._registry,
        )


class MetricsPage(Resource):
    """Answers who scrapes.

    Args:
        metrics: What is shown.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200."""
        resp.data = self._metrics.page()
        resp.content_type = CONTENT_TYPE_PLAIN_0_0_4


class AtTarget:
    """Add the time of a ``with`` block to what the request has spent in the connector's code."""

    __slots__ = ("_context", "_started")

    def __init__(self, req: falcon.Request) -> None:
        self._context = req.context
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = getattr(self._context, "target_seconds", 0.0)
        self._context.target_seconds = spent + time.perf_counter() - self._started


def _labelled(metric: Any, *labels: object) -> Any:
    return metric.labels(*labels)


def _code(context: Any) -> str:
    """The code of the error that was answered; two words of their own for what is none."""
    error: ConnectorError | None = getattr(context, "error", None)
    if error is not None:
        return type(error).code
    return "broken-off" if _broken(context) else "ok"


def _broken(context: Any) -> bool:
    return bool(getattr(context, "problem", None))


def _outcomes(context: Any, success: str) -> Mapping[str, int]:
    """How many entities ended how; nothing where nobody knows how many there were."""
    error: ConnectorError | None = getattr(context, "error", None)
    if error is None and not _broken(context):
        receipt = getattr(context, "receipt", None)
        if receipt is None:
            return {success: context.entities} if hasattr(context, "entities") else {}
        return {"delivered": receipt.delivered, "skipped": receipt.skipped}
    named = len(error.entities) if error else 0
    total = 0 if isinstance(error, _UNREAD) else _total(context)
    if not named and not total:
        return {}
    verdict = "rejected" if error and error.retry is Retry.NEVER else "failed"
    return {verdict: named, "unconfirmed": max(0, total - named)}


def _total(context: Any) -> int:
    batch = getattr(context, "batch", None)
    return len(batch) if batch is not None else getattr(context, "entities", 0)


def _length(req: falcon.Request) -> int:
    try:
        return req.content_length or 0
    except falcon.HTTPError:
        return 0
