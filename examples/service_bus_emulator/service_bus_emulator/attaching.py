"""Attaching links: which address gets which link, who may, and what the answer says.

Belongs here: building `links` and connecting them with what they are for. Imports `broker`,
`management`, `misbehaviour`, `nodes`; its user is `session`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Protocol, TypeVar

from service_bus_emulator import frames, management, nodes
from service_bus_emulator.broker import Entity, Refused, check_size
from service_bus_emulator.codec import (
    NULL,
    encode_described,
    encode_list,
    encode_map,
    encode_string,
    encode_symbol,
    encode_ulong,
)
from service_bus_emulator.core import CONTROL
from service_bus_emulator.decoding import DecodeError, Described
from service_bus_emulator.faults import DropMidBatch, RefuseAttach, TransferFault
from service_bus_emulator.frames import AttachAnswer
from service_bus_emulator.links import Delivering, Inbound, Link, Receiving, Wire
from service_bus_emulator.misbehaviour import misbehave
from service_bus_emulator.performatives import Attach
from service_bus_emulator.queues import Queue
from service_bus_emulator.requests import Request, read_request
from service_bus_emulator.sections import BATCH_FORMAT
from service_bus_emulator.specs import LARGEST_BATCH, entity_path

CBS = "$cbs"
MANAGEMENT = "/$management"
PRE_SETTLED = 1
"""Sender settle mode of a client that receives and deletes."""

_SOURCE, _TARGET = 0x28, 0x29
_L = TypeVar("_L", bound=Link)
_SESSION_FILTER = "com.microsoft:session-filter"


class Site(Wire, Protocol):
    """What attaching needs of the session."""

    grants: nodes.Grants

    def lock(self, delivery_id: int, queue: Queue, token: uuid.UUID) -> None:
        """Remember what a delivery settles."""

    def answer_link(self, node: str, reply_to: str | None) -> Delivering | None:
        """Return the link on which a node answers."""


def attach(site: Site, request: Attach) -> Link:
    """Build the link a client asks for and answer its attach.

    Raises:
        Refused: The address does not exist, or may not be used like this, or by this client.
    """
    terminus = request.source if request.role else request.target
    path = entity_path(_address(terminus))
    name = path.lower()
    if name != CBS and not site.grants.allow(path):
        text = f"Unauthorized access to '{path}'. A token for it must be put on $cbs first."
        raise Refused("amqp:unauthorized-access", text)
    if name == CBS:
        return _node(site, request, name, _cbs(site))
    if name == CONTROL and not request.role:
        return _control(site, request)
    if name.endswith(MANAGEMENT):
        entity = site.core.broker.attach(path[: -len(MANAGEMENT)], to_send=None)
        return _node(site, request, name, _management(site, entity))
    return _entity(site, request, path)


def refuse(site: Site, request: Attach, refused: Refused) -> Link:
    """Refuse an attach: without source and target, then with a detach that says why (2.6.3).

    With a source or target the official client would take the link for attached (observed).
    """
    link = Link(site, request, "")
    site.send(frames.encode_attach(AttachAnswer(request, NULL, NULL)))
    link.detach(refused.condition, refused.description)
    return link


def _address(terminus: Described | None) -> str:
    fields = terminus.value if terminus is not None else None
    address = fields[0] if isinstance(fields, list) and fields else None
    if not isinstance(address, str):
        raise Refused("amqp:invalid-field", "The link has no address.")
    return address


def _reply_address(terminus: Described | None) -> str | None:
    try:
        return _address(terminus)
    except Refused:
        return None


# --- entities -----------------------------------------------------------------------------------


def _entity(site: Site, request: Attach, path: str) -> Link:
    entity = site.core.broker.attach(path, to_send=not request.role)
    fault = site.core.faults.take(entity.path.lower(), RefuseAttach)
    if isinstance(fault, RefuseAttach):
        raise Refused(fault.condition, fault.description)
    if request.role and isinstance(entity, Queue):
        return _consumer(site, request, entity)
    return _sender(site, request, entity)


def _sender(site: Site, request: Attach, entity: Entity) -> Receiving:
    spec = entity.spec
    link = Receiving(
        site,
        request,
        entity.path.lower(),
        entity.counters,
        on_start=_starter(site),
        on_delivery=_sink(site, entity),
        keep=max(spec.max_message_size, spec.batch_limit),
    )
    limits = encode_map(
        [(encode_symbol("com.microsoft:max-message-batch-size"), encode_ulong(spec.batch_limit))]
    )
    return _opened(site, link, AttachAnswer(*_echo(request), spec.max_message_size, limits))


def _starter(site: Site) -> Callable[[Receiving], bool]:
    def start(link: Receiving) -> bool:
        fault = site.core.faults.take(link.entity, DropMidBatch)
        if fault is not None:
            site.drop_connection()
        return fault is None

    return start


def _sink(site: Site, entity: Entity) -> Callable[[Receiving, Inbound], None]:
    def take(link: Receiving, inbound: Inbound) -> None:
        def store() -> bytes:
            return _store(site, entity, inbound)

        entity.counters.transfers_received += 1
        fault = site.core.faults.take(link.entity, TransferFault)
        if fault is None:
            link.settle(inbound, store())
        else:
            misbehave(fault, link, inbound, store)

    return take


def _store(site: Site, entity: Entity, inbound: Inbound) -> bytes:
    try:
        check_size(entity.spec, inbound.size, inbound.message_format == BATCH_FORMAT)
        site.core.broker.send(entity, inbound.payload, inbound.message_format)
    except Refused as error:
        return frames.encode_rejected(error.condition, error.description)
    return frames.ACCEPTED


def _consumer(site: Site, request: Attach, queue: Queue) -> Delivering:
    source = request.source.value if request.source is not None else []
    filters = source[7] if len(source) > 7 and isinstance(source[7], dict) else {}
    if _SESSION_FILTER in filters:
        raise Refused("amqp:not-implemented", "The emulator has no sessions.")
    link = Delivering(
        site,
        request,
        queue.path.lower(),
        queue.counters,
        locks=request.snd_settle_mode != PRE_SETTLED,
        on_credit=queue.dispatch,
        on_lock=lambda delivery_id, token: site.lock(delivery_id, queue, token),
        on_release=queue.unsubscribe,
    )
    queue.subscribe(link)
    return _opened(site, link, AttachAnswer(*_echo(request)))


# --- nodes --------------------------------------------------------------------------------------

_Answerer = Callable[[Request], bytes]


def _cbs(site: Site) -> _Answerer:
    return lambda request: nodes.put_token(site.core, site.grants, request)


def _management(site: Site, entity: Entity) -> _Answerer:
    return lambda request: management.answer(site.core.broker, entity, request)


def _node(site: Site, request: Attach, name: str, answer: _Answerer) -> Link:
    if request.role:
        reply_to = _reply_address(request.target)
        reply = Delivering(site, request, name, reply_to=reply_to, locks=False)
        return _opened(site, reply, AttachAnswer(*_echo(request)))

    def take(link: Receiving, inbound: Inbound) -> None:
        try:
            question = read_request(inbound.payload)
        except DecodeError as error:
            link.settle(inbound, frames.encode_rejected("amqp:decode-error", str(error)))
            return
        link.settle(inbound, frames.ACCEPTED)
        reply = site.answer_link(name, question.reply_to)
        if reply is not None:
            reply.respond(answer(question))

    return _opened(site, Receiving(site, request, name, on_delivery=take), _node_answer(request))


def _control(site: Site, request: Attach) -> Link:
    def take(link: Receiving, inbound: Inbound) -> None:
        try:
            nodes.control(site.core, inbound.payload)
        except Refused as error:
            link.settle(inbound, frames.encode_rejected(error.condition, error.description))
        else:
            link.settle(inbound, frames.ACCEPTED)

    return _opened(site, Receiving(site, request, CONTROL, on_delivery=take), _node_answer(request))


def _node_answer(request: Attach) -> AttachAnswer:
    return AttachAnswer(*_echo(request), LARGEST_BATCH)


# --- the answer ---------------------------------------------------------------------------------


def _opened(site: Site, link: _L, answer: AttachAnswer) -> _L:
    """Answer the attach, and count the link."""
    site.send(frames.encode_attach(answer))
    site.core.opened(link, site.connection_id())
    return link


def _echo(request: Attach) -> tuple[Attach, bytes, bytes]:
    """Return the request with its source and target as we confirm them."""
    source, target = _terminus(request.source, _SOURCE), _terminus(request.target, _TARGET)
    return request, source, target


def _terminus(terminus: Described | None, code: int) -> bytes:
    fields: list[object] = terminus.value if terminus is not None else []
    address = fields[0] if fields else None
    items = [encode_string(address) if isinstance(address, str) else NULL]
    filters = fields[7] if code == _SOURCE and len(fields) > 7 else None
    if isinstance(filters, dict) and filters:
        items += [NULL] * 6 + [_filters(filters)]
    return encode_described(code, encode_list(items))


def _filters(filters: dict[object, object]) -> bytes:
    """Repeat the filters we were asked for, as a sign that they are taken note of (3.5.1)."""
    return encode_map([(encode_symbol(str(name)), NULL) for name in filters])
