"""Customers as a database gives them, the same ones in every run; some 500 B of JSON each.

Plain: texts, whole numbers, flags, nulls. Nested: with an object, an array and a float beside.
Typed: with moments, decimals, a date and a UUID. Making one is a copy of a dict, so that what is
measured is not how they are made.
"""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

KINDS = ("plain", "nested", "typed")
_DIFFERENT = 500
_NOTE = [
    "kunden",
    "ønsker",
    "levering",
    "før",
    "påske",
    "fakturaen",
    "må",
    "sendes",
    "på",
    "nytt",
    "måleren",
    "er",
    "byttet",
]


def customers(kind: str, count: int) -> Iterator[dict[str, Any]]:
    """So many customers, in order of ``_updated``.

    Args:
        kind: One of ``KINDS``.
        count: How many.
    """
    chance = random.Random(20_240)  # noqa: S311  # not a secret: the same data in every run
    known = [_customer(kind, chance) for _ in range(_DIFFERENT)]
    for number, customer in zip(range(count), itertools.cycle(known)):
        yield {"_id": f"customer:{number}", "_updated": number, **customer}


def _customer(kind: str, chance: random.Random) -> dict[str, Any]:
    number = chance.randint(1, 99_999)
    customer: dict[str, Any] = {
        "_deleted": chance.random() < 0.02,
        "number": number,
        "first_name": chance.choice(["Åse", "Bjørn", "Cecilie", "Frøydis", "Øyvind"]),
        "last_name": chance.choice(["Bakken", "Dørum", "Fjære", "Kjærstad", "Sæther"]),
        "email": f"kunde{number}@eksempel.no",
        "telephone": f"+47 {chance.randint(400, 999)} {chance.randint(10_000, 99_999)}",
        "street": f"Bjørkealléen {chance.randint(1, 120)}",
        "postal_code": f"{chance.randint(1, 9_999):04}",
        "city": chance.choice(["Tromsø", "Ålesund", "Bodø", "Bærum", "Oslo"]),
        "active": chance.random() < 0.8,
        "invoices": chance.randint(0, 400),
        "note": " ".join(chance.choices(_NOTE, k=24)),
        "left": None,
    }
    return customer | _MORE[kind](chance)


def _nested(chance: random.Random) -> dict[str, Any]:
    return {
        "address": {"street": "Storgata 1", "city": "Oslo", "floor": chance.randint(1, 9)},
        "tags": chance.sample(["privat", "avtalegiro", "strøm", "bredbånd"], 2),
        "balance": round(chance.uniform(-5_000, 50_000), 2),
    }


def _typed(chance: random.Random) -> dict[str, Any]:
    created = datetime(2010, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randint(0, 10**8))
    return {
        "created": created,
        "changed": created + timedelta(microseconds=chance.randint(0, 10**12)),
        "born": date(1950, 1, 1) + timedelta(days=chance.randint(0, 20_000)),
        "balance": Decimal(chance.randint(-500_000, 5_000_000)) / 100,
        "reference": uuid.UUID(int=chance.getrandbits(128)),
    }


_MORE = {"plain": lambda _: {}, "nested": _nested, "typed": _typed}
