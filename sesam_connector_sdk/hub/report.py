"""Tells a run: as lines for a person, and as one JSON document for a program.

Shows ids, statuses and the connector's own ``detail``; never an entity, a header or a query of the
pipe. Imports values only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from sesam_connector_sdk.errors import printable

from .ledger import Account, Fate
from .plan import Plan
from .run import RequestRecord, Run

NOTE = "local hub: a development tool, not Sesam"
_LISTED = 5
"""How many entities are named where many failed for one reason; ``--json`` names them all."""


def heading(pipe: str, plan: Plan, *, incremental: bool) -> Iterator[str]:
    """What is about to be sent."""
    kind = "incremental sync" if incremental else "full sync"
    yield NOTE
    yield f"pipe {printable(pipe)} to system {plan.system.id} at {_address(plan)}"
    yield f"{_entities(len(plan.items))} in batches of {plan.batch_size}, {kind}"
    for remark in plan.remarks():
        yield f"note: {remark}"
    yield ""
    yield f"{'request':>7}  {'kind':<9} {'entities':>8}  {'result':<6} {'time':>8}"


def line(record: RequestRecord) -> str:
    """One request."""
    answer, parameters = record.answer, record.parameters
    kind = f"{record.kind}+{record.attempt}" if record.attempt else record.kind
    marks = [name for name in ("is_first", "is_last") if name in parameters]
    texts = [*marks, answer.error or answer.detail or ""]
    return (
        f"{parameters['request_id']:>7}  {kind:<9} {record.entities:>8}"
        f"  {answer.status or '-':<6} {answer.seconds * 1000:>5.0f} ms  {' '.join(texts)}"
    ).rstrip()


def summary(plan: Plan, run: Run) -> Iterator[str]:
    """What became of the entities, and why the run ended."""
    counts = run.ledger.counts()
    told = ", ".join(f"{counts[fate]} {fate.value}" for fate in Fate)
    again = sum(account.delivered > 1 for account in run.ledger.accounts)
    yield f"{_entities(len(run.ledger.accounts))}: {told}" + (
        f"; {again} delivered more than once" if again else ""
    )
    for (fate, reason), accounts in _undelivered(run).items():
        yield f"  {fate.value}: {_named(accounts)}: {reason}"
    missing = "" if run.ok else "not every entity was delivered; "
    yield f"{'ok' if run.ok else 'NOT OK'}: {missing}the run ended: {run.reason}"
    if run.refused_connection:
        yield f"nothing listens at {_address(plan)}: is the connector running?"


def document(pipe: str, plan: Plan, run: Run) -> dict[str, Any]:
    """The whole run, for ``--json``."""
    return {
        "note": NOTE,
        "ok": run.ok,
        "end": run.end.value,
        "reason": run.reason,
        "pipe": pipe,
        "system": plan.system.id,
        "address": _address(plan),
        "remarks": list(plan.remarks()),
        "sequence_id": run.sequence_id,
        "is_full": run.full,
        "batch_size": plan.batch_size,
        "counts": {fate.value: run.ledger.counts()[fate] for fate in Fate},
        "entities": [_entity(each) for each in run.ledger.accounts],
        "requests": [_request(each) for each in run.requests],
    }


def _address(plan: Plan) -> str:
    """Without the query, which may hold a token, and without a password."""
    parts = urlsplit(plan.url)
    return printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")


def _entities(count: int) -> str:
    return f"{count} entit{'y' if count == 1 else 'ies'}"


def _undelivered(run: Run) -> dict[tuple[Fate, str], list[Account]]:
    """The entities that were sent in vain, together where they failed for the same reason."""
    found: dict[tuple[Fate, str], list[Account]] = {}
    for account in run.ledger.undelivered():
        if account.reason:
            found.setdefault((account.fate, account.reason), []).append(account)
    return found


def _named(accounts: list[Account]) -> str:
    names = [f"{printable(each.id, 80)} (at {each.position})" for each in accounts[:_LISTED]]
    more = len(accounts) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _entity(account: Account) -> dict[str, Any]:
    return {
        "position": account.position,
        "_id": account.id,
        "fate": account.fate.value,
        "sent": account.sent,
        "delivered": account.delivered,
        "reason": account.reason,
    }


def _request(record: RequestRecord) -> dict[str, Any]:
    answer = record.answer
    return {
        "kind": record.kind,
        "attempt": record.attempt,
        "parameters": dict(record.parameters),
        "ids": list(record.ids),
        "bytes": record.bytes,
        "status": answer.status,
        "error": answer.error,
        "detail": answer.detail,
        "seconds": round(answer.seconds, 6),
    }
