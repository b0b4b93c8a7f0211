"""Typed values: what a JSON string that begins with ``~`` stands for, both ways.

``values`` reads them, ``encoder`` writes entities as JSON that the hub reads back unchanged, and
``text`` knows which texts the hub would misread. Imports ``errors`` only; knows nothing of HTTP,
requests or connectors. Rules are those of Sesam's entity data model (``entity-data-model``), and
what Sesam's published parser was seen to do.
"""

from .encoder import EntityEncoder, EntityGroup
from .plain import DecimalForm
from .text import TextPolicy
from .values import Ni, Timestamp, TypedDecimal, Uri, decode, decode_all

__all__ = [
    "DecimalForm",
    "EntityEncoder",
    "EntityGroup",
    "Ni",
    "TextPolicy",
    "Timestamp",
    "TypedDecimal",
    "Uri",
    "decode",
    "decode_all",
]
