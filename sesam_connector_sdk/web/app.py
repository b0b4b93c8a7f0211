"""Puts the application together: routes, responders, errors, the log.

Knows Falcon; imports this room only, and what connectors are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import falcon

from sesam_connector_sdk.connector import Connector
from sesam_connector_sdk.errors import ConnectorError
from sesam_connector_sdk.settings import ServerSettings
from sesam_connector_sdk.sink import Sink
from sesam_connector_sdk.source import Source
from sesam_connector_sdk.transform import Transform

from . import auth, problems
from .access import OWN_ROUTES, AccessLog
from .endpoint import Endpoint, Resource
from .health import HEALTH_ROUTE, PROBED_ROUTES, READY_ROUTE, Health, Ready
from .metrics import METRICS_ROUTE, Metrics, MetricsPage
from .readiness import Probe
from .sinks import SinkEndpoint
from .sources import SourceEndpoint
from .transforms import TransformEndpoint

_ANY_PATH = "/{any_path:path}"
_KINDS: dict[type[Connector[Any]], Callable[[Any, ServerSettings], Endpoint]] = {
    Sink: SinkEndpoint,
    Transform: TransformEndpoint,
    Source: SourceEndpoint,
}


def wsgi_app(
    *connectors: Connector[Any],
    settings: ServerSettings | None = None,
    stopping: Callable[[], bool] = bool,
    draining: Callable[[], bool] = bool,
    reraise_bugs: bool = False,
) -> falcon.App[falcon.Request, falcon.Response]:
    """The WSGI application for some connectors, for whoever has a server already.

    Args:
        connectors: Opened connectors, each with its own ``route``; a lone one may do without. A
            source may share the route of a sink or a transform.
        settings: Limits, the request's deadline and authentication; the defaults if left out. The
            rest of the server's settings has no effect here.
        stopping: Asked for each ``/readyz``, from the server's threads. While it says True, the
            answer is 503; every other request is answered as ever.
        draining: Asked before each request, from the server's threads. While it says True, every
            request is answered 503.
        reraise_bugs: Let an exception that no error class covers through to the caller, as a test
            wants it, instead of answering 500.

    Raises:
        TypeError: A connector is neither a sink nor a source nor a transform, or is a class.
        ValueError: Several connectors, and one has no route, or takes the requests of another; or
            a route is none. Names the class.
    """
    chosen = settings or ServerSettings()
    scheme = auth.scheme(chosen)
    app = auth.App() if scheme else falcon.App()
    metrics = Metrics()
    app.add_middleware(AccessLog(draining, metrics))
    if scheme:
        open_routes = OWN_ROUTES if chosen.metrics_open else PROBED_ROUTES
        app.add_middleware(auth.Door(scheme, open_routes))
    app.req_options.keep_blank_qs_values = True
    app.resp_options.xml_error_serialization = False
    app.add_error_handler(Exception, problems.reraise if reraise_bugs else problems.on_bug)
    app.add_error_handler(falcon.HTTPError, problems.on_http_error)
    app.add_error_handler(ConnectorError, problems.on_connector_error)
    app.add_route(HEALTH_ROUTE, Health())
    resources = [*_resources(connectors, chosen)]
    timing = chosen.check_interval, chosen.check_timeout
    probes = [Probe(each, *timing) for each in connectors]
    app.add_route(READY_ROUTE, Ready(probes, lambda: stopping() or draining()))
    app.add_route(METRICS_ROUTE, MetricsPage(metrics))
    for route, resource in resources:
        _add(app, route, resource)
    return app


def _add(app: falcon.App[Any, Any], route: str, resource: Resource) -> None:
    try:
        app.add_route(route, resource)
    except ValueError as error:
        (one, *_) = vars(resource).values()
        raise ValueError(f"{one.who[0]}.route is {route!r}: {error}") from None


def _resources(
    connectors: tuple[Connector[Any], ...], settings: ServerSettings
) -> Iterator[tuple[str, Resource]]:
    """Each route with its responders, by method."""
    resources: dict[str, Resource] = {}
    for connector in connectors:
        name = type(connector).__name__
        if connector.route is None and len(connectors) > 1:
            raise ValueError(f"{name} needs a route: it is not alone")
        endpoint = _endpoint(connector, settings)
        resource = resources.setdefault(connector.route or _ANY_PATH, Resource())
        responder = f"on_{endpoint.method.lower()}"
        # Of two, the router would silently take the last one.
        if connector.route in OWN_ROUTES or hasattr(resource, responder):
            raise ValueError(f"{name}.route is taken: {connector.route}")
        setattr(resource, responder, endpoint)
    yield from resources.items()


def _endpoint(connector: Connector[Any], settings: ServerSettings) -> Endpoint:
    for kind, make in _KINDS.items():
        if isinstance(connector, kind):
            endpoint = make(connector, settings)
            endpoint.who = (type(connector).__name__, kind.__name__.lower())
            return endpoint
    if isinstance(connector, type):
        raise TypeError(f"{connector.__name__} is a class; make one, with its settings")
    raise TypeError(f"{type(connector).__name__} is no sink, source or transform")
