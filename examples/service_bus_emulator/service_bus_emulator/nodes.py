"""The addresses that are no entities: `$cbs` (tokens) and `$control` (faults from outside).

Belongs here: what these two answer. Imports `core`, `faults` and `message`; knows no links.
"""

from __future__ import annotations

import json
from typing import Any

from service_bus_emulator.broker import Refused, UnknownEntityError
from service_bus_emulator.codec import encode_int, encode_string
from service_bus_emulator.core import Core, now
from service_bus_emulator.faults import from_json
from service_bus_emulator.message import Message
from service_bus_emulator.requests import Request, encode_response
from service_bus_emulator.sas import TokenRefused
from service_bus_emulator.specs import entity_path


class Grants:
    """Which entities a connection may use, until when."""

    def __init__(self) -> None:
        """Start with none."""
        self._until: dict[str, float] = {}
        self.everything = False
        """Whether the client has proved at the SASL exchange that it has the key."""

    def add(self, audience: str, until: float) -> None:
        """Grant the entity of an audience, and what is below it, until a time."""
        self._until[entity_path(audience).lower()] = until

    def allow(self, path: str) -> bool:
        """Return whether an entity or node may be used now."""
        if self.everything:
            return True
        parts = path.lower().split("/")
        covering = ("/".join(parts[:length]) for length in range(len(parts) + 1))
        return any(self._until.get(prefix, 0.0) > now() for prefix in covering)


def put_token(core: Core, grants: Grants, request: Request) -> bytes:
    """Answer a request on `$cbs`: 202 if the token is good, else 401 and why.

    The type the client gives is not looked at: the official client 7.15 says "jwt" for shared
    access signatures too (observed).
    """
    audience, token = request.properties.get("name"), request.body
    if request.properties.get("operation") != "put-token":
        return _cbs_answer(request, 400, "Only the operation put-token is understood.")
    if not isinstance(audience, str) or not isinstance(token, str):
        return _cbs_answer(request, 400, "put-token needs a name and a token.")
    try:
        until = core.access.check_token(token, audience)
    except TokenRefused as error:
        return _cbs_answer(request, 401, str(error))
    if core.loses_credentials(audience):
        return _cbs_answer(request, 401, "InvalidSignature: the key was lost by injected fault.")
    grants.add(audience, until)
    return _cbs_answer(request, 202, "Accepted")


def _cbs_answer(request: Request, code: int, text: str) -> bytes:
    properties = [("status-code", encode_int(code)), ("status-description", encode_string(text))]
    return encode_response(request.message_id, properties)


def control(core: Core, encoded: bytes) -> None:
    """Carry out a message sent to `$control`.

    Its body is a JSON object: `{"entity": "q", "fault": "throttle", "times": 1}` injects a fault
    (other members are the fault's fields), `{"entity": "q", "clear": true}` forgets them.

    Raises:
        Refused: The body is not such an object, or names what does not exist.
    """
    try:
        command = json.loads(Message(encoded, 0, 0, 0.0).body)
        _carry_out(core, command)
    except (ValueError, RecursionError, UnknownEntityError) as error:
        raise Refused("com.microsoft:argument-error", f"$control: {error}") from error


def _carry_out(core: Core, command: Any) -> None:  # noqa: ANN401 -- JSON, checked here
    if not isinstance(command, dict) or not isinstance(command.get("entity"), str):
        raise ValueError("the body must be a JSON object with the member entity")
    fields = dict(command)
    entity = fields.pop("entity")
    if fields == {"clear": True}:
        core.clear_faults(entity)
        return
    name = fields.pop("fault", None)
    if not isinstance(name, str):
        raise ValueError('there must be either "fault": NAME or "clear": true')
    core.inject(entity, from_json(name, fields))
