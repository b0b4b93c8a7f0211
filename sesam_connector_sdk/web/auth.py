"""The door: who may pass is asked before anything else is made of a request.

Knows Falcon; imports ``authentication``, ``errors`` and ``settings`` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Any

import falcon

from sesam_connector_sdk.authentication import Asked, Basic, Digest, Refused, Scheme
from sesam_connector_sdk.errors import Unauthorized
from sesam_connector_sdk.settings import ServerSettings

_CHALLENGE = "WWW-Authenticate"
_BETWEEN = "\n"  # no header's value has it


class Door:
    """Middleware that refuses a request without the right credentials.

    Before routing, so that nobody can find out which routes there are.

    Args:
        scheme: How credentials are proved.
        open_routes: Paths that everybody may ask for.
    """

    def __init__(self, scheme: Scheme, open_routes: Set[str]) -> None:
        self._scheme = scheme
        self._open_routes = open_routes

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Before routing.

        Raises:
            Unauthorized: With the challenges in the response's header.
        """
        if req.path in self._open_routes:
            return
        asked = Asked(
            req.get_header("Authorization"),
            req.method,
            req.env.get("SCRIPT_NAME", "") + req.env.get("PATH_INFO", ""),
            req.query_string,
        )
        try:
            self._scheme.check(asked)
        except Refused as refusal:
            challenges = self._scheme.challenges(stale=refusal.stale)
            resp.set_header(_CHALLENGE, _BETWEEN.join(challenges))
            raise Unauthorized(refusal.reason) from None


def scheme(settings: ServerSettings) -> Scheme | None:
    """The scheme that the settings ask for; None if they ask for none."""
    if settings.authentication == "none":
        return None
    make = Basic if settings.authentication == "basic" else Digest
    return make(settings.auth_username, settings.auth_password.reveal())


class App(falcon.App[falcon.Request, falcon.Response]):
    """Falcon's application, sending each challenge as a header of its own.

    Falcon would put both into one, and clients such as curl then take the parts of the one for the
    other's.
    """

    def __call__(self, env: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request; see WSGI."""

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*_apart(headers)], *rest)

        return super().__call__(env, start)


def _apart(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for name, value in headers:
        for each in value.split(_BETWEEN) if name == _CHALLENGE.lower() else [value]:
            yield name, each
