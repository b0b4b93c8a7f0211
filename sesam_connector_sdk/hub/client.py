"""The hub's side of HTTP: one POST, and what came back. The only module that knows requests.

It never follows a redirect, because a client would turn a 302 into a GET and lose the entities.
It reads no proxy settings and no .netrc: what is sent must not depend on the machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from sesam_connector_sdk.errors import printable
from sesam_connector_sdk.nodeconfig import System

from .plan import Plan
from .run import NOTHING_LISTENS, Answer

_AGENT = "sesam-connector-local-hub (a development tool, not Sesam)"
_ANSWER_BYTES = 64 * 1024
_DETAIL_CHARACTERS = 300


class Client:
    """Posts to one address, on connections that are kept. Use it in a ``with`` block.

    Args:
        plan: The address, the headers and the system.
    """

    def __init__(self, plan: Plan) -> None:
        self._url = plan.url
        self._timeout = (plan.system.connect_timeout, plan.system.read_timeout)
        self._adapter = HTTPAdapter()
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._adapter)
        self._session.trust_env = False
        self._session.verify = plan.system.verify_ssl
        self._session.auth = _authentication(plan.system)
        self._session.headers["User-Agent"] = _AGENT
        self._session.headers["Content-Type"] = "application/json"
        self._session.headers.update(plan.headers)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_error: object) -> None:
        # Session.close() leaves kept connections open until their pool is collected as garbage.
        pools = self._adapter.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118  # it refuses to be iterated over itself
            pools[key].close()
        self._session.close()

    def post(self, body: bytes, parameters: Mapping[str, str]) -> Answer:
        """Send a request, and wait for its answer.

        Args:
            body: A JSON array in UTF-8.
            parameters: The protocol's query parameters, added to those of the pipe.
        """
        started = time.perf_counter()
        status, error, content = None, None, b""
        try:
            status, content = self._exchange(body, parameters)
        except requests.RequestException as problem:
            error = self._explain(problem)
        return Answer(status, error, _detail(content), time.perf_counter() - started)

    def _exchange(self, body: bytes, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        separator = "&" if "?" in self._url else "?"
        url = f"{self._url}{separator}{urlencode(parameters)}"
        with self._session.post(
            url, data=body, timeout=self._timeout, allow_redirects=False, stream=True
        ) as response:
            return response.status_code, _read(response)

    def _explain(self, problem: requests.RequestException) -> str:
        """What broke the contact; the library's own text holds the address and its query."""
        cause = problem.args[0] if problem.args else None
        reason = getattr(cause, "reason", cause)
        if isinstance(problem, requests.ConnectTimeout):
            return f"no connection within {self._timeout[0]:g} s"
        if isinstance(problem, requests.ReadTimeout) or isinstance(reason, ReadTimeoutError):
            return f"no answer within {self._timeout[1]:g} s"
        if isinstance(problem, requests.exceptions.SSLError):
            return "no secure connection: the certificate or the protocol was refused"
        if isinstance(reason, NewConnectionError):
            return NOTHING_LISTENS
        if isinstance(problem, ValueError):
            return "no connection: the address is not valid"
        return "the connection broke before the answer was complete"


def _authentication(system: System) -> AuthBase | None:
    kinds: dict[str | None, Any] = {"basic": HTTPBasicAuth, "digest": HTTPDigestAuth}
    kind, password = kinds.get(system.authentication), system.password
    if kind is None or password is None:
        return None
    made: AuthBase = kind(system.username, password.reveal())
    return made


def _read(response: requests.Response) -> bytes:
    """The answer's body; a long one is not read to its end, which gives its connection up."""
    content = b""
    for piece in response.iter_content(16 * 1024):
        content += piece
        if len(content) > _ANSWER_BYTES:
            break
    return content


def _detail(content: bytes) -> str | None:
    """``detail`` of an RFC 9457 problem document."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    detail = document.get("detail") if isinstance(document, dict) else None
    return printable(detail, _DETAIL_CHARACTERS) if isinstance(detail, str) else None
