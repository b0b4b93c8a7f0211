"""JSON Schema (2020-12): what breaks a rule is told by its place and the rule, never by its value.

The only module that knows jsonschema. Imports ``errors`` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .errors import json_path, printable

if TYPE_CHECKING:
    import jsonschema

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DATA_KEYWORDS = frozenset({"const", "default", "enum", "examples"})
"""Keywords that hold values and no schemas."""
_FARTHEST = 1000
"""The largest exponent that is divided; the digits of a larger one could fill the memory."""
_NO_RULES: Mapping[str, str] = MappingProxyType({})

_TEXTS = {
    "additionalProperties": "has properties that it must not have",
    "anyOf": "has none of the shapes that it may have",
    "contains": "holds too few or too many items of a shape",
    "dependentRequired": "misses a property that another one needs",
    "exclusiveMaximum": "must be less than {}",
    "exclusiveMinimum": "must be more than {}",
    "maxContains": "holds too many items of a shape",
    "maxItems": "must have at most {} items",
    "maxLength": "must have at most {} characters",
    "maxProperties": "must have at most {} properties",
    "maximum": "must be at most {}",
    "minContains": "holds too few items of a shape",
    "minItems": "must have at least {} items",
    "minLength": "must have at least {} characters",
    "minProperties": "must have at least {} properties",
    "minimum": "must be at least {}",
    "multipleOf": "must be a multiple of {}",
    "not": "has a shape that it must not have",
    "oneOf": "must have exactly one of the shapes that it may have",
    "pattern": "must match the pattern {}",
    "unevaluatedItems": "has items that it must not have",
    "unevaluatedProperties": "has properties that it must not have",
    "uniqueItems": "must not hold an item twice",
}
"""What each keyword asks for; the braces stand for its value in the schema."""


class SchemaCheck:
    """Says in which ways data breaks a JSON Schema.

    Make one and use it for all data: making it takes longer than using it. It serves any number of
    threads. ``format`` is no rule, as JSON Schema says.

    Args:
        schema: The schema, of draft 2020-12. A ``$ref`` must stay within it.
        rules: What to say where a pattern is not matched, by the pattern.

    Raises:
        ImportError: jsonschema is not installed; the extra ``schema`` brings it.
        ValueError: It is no such schema; names the place in it.
    """

    def __init__(self, schema: Mapping[str, Any], *, rules: Mapping[str, str] = _NO_RULES) -> None:
        self._validator = _validator(schema)
        self._rules = rules

    def problems(self, data: Any) -> list[str]:
        """What is wrong with data, a line each: its JSON path and the rule, never the value.

        Args:
            data: JSON values as ``entity.data`` holds them: typed strings are strings, and numbers
                may be integers of any size and ``Decimal``.

        Returns:
            The lines, sorted. None of them, if nothing is wrong.
        """
        # Each missing property is an error of its own there, and one line for them all here.
        return sorted({self._line(each) for each in self._validator.iter_errors(data)})

    def _line(self, error: Any) -> str:
        rule = self._rules.get(str(error.validator_value)) or _rule(error)
        return f"{json_path(error.absolute_path)}: {printable(rule)}"


def kind_of(value: Any) -> str:
    """A JSON value's type in words, for an error that must not show the value."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true or false"
    names = {dict: "an object", list: "a list", str: "a string", int: "an integer"}
    return names.get(type(value), "a number")


def _validator(schema: Mapping[str, Any]) -> Any:
    # Imported late: it takes longer than everything else here, and only those who use it have it.
    try:
        import jsonschema
        import referencing
    except ModuleNotFoundError:
        raise ImportError(
            "A JSON Schema needs jsonschema: pip install 'sesam-connector-sdk[schema]'"
        ) from None

    _refuse_other_drafts(schema)
    draft = jsonschema.Draft202012Validator
    try:
        draft.check_schema(schema)
    except jsonschema.SchemaError as error:
        place = json_path(error.absolute_path)
        raise ValueError(f"The schema is no JSON Schema: {place}: {_rule(error)}") from None
    checker = draft.TYPE_CHECKER.redefine_many({"number": _is_number, "integer": _is_integer})
    extend: Any = jsonschema.validators.extend
    exact = extend(draft, {"multipleOf": _multiple_of}, type_checker=checker)
    registry: Any = referencing.Registry()
    _refuse_unknown_references(schema, registry)
    return exact(_with_decimals(schema), registry=registry)


def _refuse_other_drafts(schema: Mapping[str, Any]) -> None:
    if not isinstance(schema, Mapping):
        raise ValueError(f"The schema must be an object, not {kind_of(schema)}.")  # noqa: TRY004 - a schema of any other kind is as wrong
    named = str(schema.get("$schema", _DRAFT)).removesuffix("#")
    if named != _DRAFT:
        raise ValueError(f"The schema is of another draft; $schema must be {_DRAFT}.")


def _refuse_unknown_references(schema: Mapping[str, Any], registry: Any) -> None:
    import referencing.jsonschema
    from referencing.exceptions import Unresolvable

    resource = referencing.jsonschema.DRAFT202012.create_resource(schema)
    resolver = registry.resolver_with_root(resource)
    for reference in _references(schema):
        if not reference.startswith("#"):
            raise ValueError(f"The schema has a $ref to another document: {printable(reference)}")
        try:
            resolver.lookup(reference)
        except Unresolvable:
            raise ValueError(f"The schema has no {printable(reference)}.") from None


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            elif key not in _DATA_KEYWORDS:
                yield from _references(value)
    elif isinstance(schema, list | tuple):
        for each in schema:
            yield from _references(each)


def _with_decimals(value: Any) -> Any:
    """The schema with every float as the decimal that was written: 0.1 is no less than 0.1."""
    if isinstance(value, Mapping):
        return {key: _with_decimals(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_decimals(each) for each in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


def _is_number(_checker: object, value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_integer(_checker: object, value: object) -> bool:
    """An integer, also one that is written with a fraction of zeros, as JSON Schema says."""
    if isinstance(value, Decimal):
        return value.is_finite() and bool(value == value.to_integral_value())
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def _multiple_of(
    validator: Any, divisor: Any, value: Any, _schema: object
) -> Iterator[jsonschema.ValidationError]:
    """``multipleOf`` in exact numbers; jsonschema's own cannot divide a decimal of many digits."""
    import jsonschema

    if validator.is_type(value, "number") and not _divides(divisor, value):
        yield jsonschema.ValidationError("")  # the text is made from the keyword


def _divides(divisor: int | Decimal, value: Any) -> bool:
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    if isinstance(exact, Decimal) and not -_FARTHEST < exact.adjusted() < _FARTHEST:
        return False
    return (Fraction(exact) / Fraction(divisor)).denominator == 1


def _rule(error: Any) -> str:
    """The broken rule; jsonschema's own message would quote the value."""
    wanted: Any = error.validator_value
    match error.validator:
        case "required":
            return f"misses {', '.join(name for name in wanted if name not in error.instance)}"
        case "type":
            rule = f"must be {_names(wanted)}, not {kind_of(error.instance)}"
        case "enum" | "const":
            rule = f"must be {_names(wanted)}"
        case "minLength" | "minItems" | "minProperties" if wanted == 1:
            rule = "must not be empty"
        case None:
            rule = "holds something that it must not have"  # the place is what holds it
        case keyword:
            rule = _TEXTS.get(keyword, f"breaks the rule {keyword}").format(wanted)
    if "propertyNames" in error.absolute_schema_path:
        return f"has a property whose name {rule}"  # the place is the object's
    return rule


def _names(wanted: Any) -> str:
    names = wanted if isinstance(wanted, list) else [wanted]
    return " or ".join("null" if name is None else str(name) for name in names)
