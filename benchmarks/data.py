"""Entities as a Sesam node sends them, 500 B to 1 KB each, the same ones in every run.

Many short properties, as real entities have, and no long filler text: reserved fields, namespaced
keys, a nested object, arrays, decimal numbers, Norwegian text. Knows nothing of HTTP.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from typing import Any

_FIRST = ("Åse", "Bjørn", "Cecilie", "Dag", "Eirin", "Frøydis", "Gunnar", "Hæge", "Øyvind", "Pål")
_LAST = ("Ås", "Bakken", "Dørum", "Fjære", "Grønås", "Hagen", "Kjærstad", "Lien", "Sæther", "Øye")
_STREETS = ("Storgata", "Kirkeveien", "Sjøgata", "Bjørkealléen", "Øvre Torggate", "Nygårdsgaten")
_CITIES = ("Tromsø", "Ålesund", "Bodø", "Bærum", "Førde", "Oslo", "Trondheim", "Bergen")
_TEXT = (
    "kunden ønsker levering før påske fakturaen må sendes på nytt avtalen gjelder også hytta på"
    " fjellet måleren er byttet og avlest strømmen var borte i går nøkkelen ligger hos naboen"
    " prisen følger spotmarkedet husk å ringe først"
)
_TAGS = ("privat", "bedrift", "avtalegiro", "efaktura", "fjernvarme", "strøm", "bredbånd", "vip")
_OPTIONAL = tuple(f"crm-kunde:{name}" for name in ("adresse", "epost", "ansvarlig", "avsluttet"))
_FIRST_TIME = 1_700_000_000_000_000  # microseconds since 1970, as _ts counts them


def entities(count: int) -> list[bytes]:
    """So many entities, each as compact JSON in UTF-8.

    Args:
        count: How many; the first ones are the same whatever the count.
    """
    chance = random.Random(20_240)  # noqa: S311  # not a secret: the same data in every run
    return [_encode(_entity(number, chance)) for number in range(count)]


def entities_with_underscores(count: int) -> list[bytes]:
    """The same entities with what looks like reserved fields, in names and in nested entities.

    Args:
        count: How many.
    """
    more = {"customer_id": 7, "last_updated": "2024-05-14", "$children": [{"_id": "a"}]}
    return [_encode(json.loads(item) | more) for item in entities(count)]


def body(items: list[bytes]) -> bytes:
    """The body of a POST with these entities.

    Args:
        items: Entities as JSON.
    """
    return b"[" + b",".join(items) + b"]"


def body_of(items: list[bytes], size: int) -> tuple[bytes, int]:
    """The largest body that is not over a size, and how many entities are in it.

    Args:
        items: Entities as JSON; they are repeated as often as needed.
        size: Bytes.
    """
    chosen: list[bytes] = []
    length = 1
    for item in itertools.cycle(items):
        length += len(item) + 1
        if length > size:
            return body(chosen), len(chosen)
        chosen.append(item)
    raise ValueError("there are no entities to choose from")


def _encode(entity: dict[str, Any]) -> bytes:
    return json.dumps(entity, ensure_ascii=False, separators=(",", ":")).encode()


def _entity(number: int, chance: random.Random) -> dict[str, Any]:
    pick = chance.choice
    first, last = pick(_FIRST), pick(_LAST)
    identity = f"crm-kunde:{100_000 + number}"
    properties = {
        "rdf:type": ["~:crm-kunde:Kunde"],
        "crm-kunde:kundenummer": 100_000 + number,
        "crm-kunde:fornavn": first,
        "crm-kunde:etternavn": last,
        "crm-kunde:epost": f"kunde{number}@eksempel.no",
        "crm-kunde:aktiv": chance.random() < 0.8,
        "crm-kunde:saldo": round(chance.uniform(-5_000, 50_000), 2),
        "crm-kunde:opprettet": f"~t20{chance.randint(10, 24)}-0{chance.randint(1, 9)}-14T09:30:00Z",
        "crm-kunde:telefon": [_telephone(chance) for _ in range(chance.randint(0, 2))],
        "crm-kunde:adresse": {
            "gate": f"{pick(_STREETS)} {chance.randint(1, 120)}",
            "postnummer": f"{chance.randint(1, 9_999):04}",
            "poststed": pick(_CITIES),
            "land": "NO",
        },
        "crm-kunde:merker": chance.sample(_TAGS, chance.randint(1, 4)),
        "crm-kunde:ansvarlig": f"~:crm-ansatt:{chance.randint(1, 400)}",
        "crm-kunde:merknad": " ".join(chance.choices(_TEXT.split(), k=chance.randint(6, 38))),
        "crm-kunde:avsluttet": None,
    }
    for optional in _OPTIONAL:  # many entities lack some of their properties
        if chance.random() < 0.3:
            del properties[optional]
    digest = hashlib.md5(repr(properties).encode(), usedforsecurity=False).hexdigest()
    reserved = {
        "_id": identity,
        "_deleted": chance.random() < 0.02,
        "_updated": number,
        "_hash": digest,
        "_ts": _FIRST_TIME + number * 1_337,
    }
    return reserved | properties


def _telephone(chance: random.Random) -> str:
    return f"+47 {chance.randint(400, 999)} {chance.randint(10, 99)} {chance.randint(100, 999)}"
