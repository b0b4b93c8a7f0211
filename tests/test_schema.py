"""Data that breaks a JSON Schema is told by its place and the rule, never by its value."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import pytest

from sesam_connector_sdk.schema import SchemaCheck

HUGE = 10**400


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value of the property ``x``."""
    return SchemaCheck({"properties": {"x": schema}}).problems({"_id": "1", "x": value})


@pytest.mark.parametrize(
    ("schema", "value", "rule"),
    [
        ({"type": "string"}, 1, "must be string, not an integer"),
        ({"type": ["string", "null"]}, Decimal("1.5"), "must be string or null, not a number"),
        ({"enum": ["a", None, 1]}, "CANARY", "must be a or null or 1"),
        ({"const": "a"}, "CANARY", "must be a"),
        ({"pattern": "^[a-z]+$"}, "CANARY", "must match the pattern ^[a-z]+$"),
        ({"minLength": 1}, "", "must not be empty"),
        ({"minLength": 9}, "CANARY", "must have at least 9 characters"),
        ({"maxLength": 2}, "CANARY", "must have at most 2 characters"),
        ({"minItems": 1}, [], "must not be empty"),
        ({"minItems": 2}, [1], "must have at least 2 items"),
        ({"maxItems": 0}, ["CANARY"], "must have at most 0 items"),
        ({"uniqueItems": True}, ["CANARY"] * 2, "must not hold an item twice"),
        ({"contains": {"const": 1}}, ["CANARY"], "holds too few or too many items of a shape"),
        ({"minProperties": 1}, {}, "must not be empty"),
        ({"maxProperties": 0}, {"a": 1}, "must have at most 0 properties"),
        ({"required": ["a", "b", "c"]}, {"b": 1}, "misses a, c"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "misses a property that another one needs"),
        ({"additionalProperties": False}, {"a": 1}, "has properties that it must not have"),
        ({"unevaluatedProperties": False}, {"a": 1}, "has properties that it must not have"),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "has a property whose name must have at"),
        ({"anyOf": [{"type": "null"}]}, "CANARY", "has none of the shapes that it may have"),
        ({"oneOf": [True, True]}, "CANARY", "must have exactly one of the shapes"),
        ({"not": {}}, "CANARY", "has a shape that it must not have"),
        ({"minimum": 5}, 4, "must be at least 5"),
        ({"maximum": 5}, Decimal("5.1"), "must be at most 5"),
        ({"exclusiveMinimum": 0}, 0, "must be more than 0"),
        ({"exclusiveMaximum": 0.5}, Decimal("0.5"), "must be less than 0.5"),
        ({"multipleOf": 0.1}, Decimal("0.15"), "must be a multiple of 0.1"),
    ],
)
def test_a_broken_rule_is_told_in_words(schema: Any, value: Any, rule: str) -> None:
    """The rule as the schema has it, and nothing of the value."""
    (line,) = problems(schema, value)

    assert line.startswith(f"$.x: {rule}")
    assert "CANARY" not in line


def test_every_rule_of_the_draft_has_its_words() -> None:
    """None is told by its keyword alone."""
    import jsonschema

    from sesam_connector_sdk import schema

    without = {"$ref", "$dynamicRef", "allOf", "dependentSchemas", "else", "format", "if", "items"}
    without |= {"patternProperties", "prefixItems", "properties", "propertyNames"}  # theirs is told
    told_apart = {"required", "type", "enum", "const"}
    keywords = set(jsonschema.Draft202012Validator.VALIDATORS)

    assert keywords - without - told_apart <= set(schema._TEXTS)


def test_what_may_never_be_there_is_told_at_what_holds_it() -> None:
    """The library gives no more exact place for a schema that is false."""
    assert problems({"properties": {"a": False}}, {"a": "CANARY"}) == [
        "$.x: holds something that it must not have"
    ]


def test_each_line_has_its_place() -> None:
    """The JSON path, of all that is wrong, sorted; what is missing at one place in one line."""
    check = SchemaCheck(
        {
            "required": ["_id", "name", "born"],
            "properties": {"orders": {"items": {"properties": {"price": {"type": "number"}}}}},
        }
    )

    assert check.problems({"_id": "1", "orders": [{"price": 1}, {"price": "CANARY"}]}) == [
        "$.orders[1].price: must be number, not a string",
        "$: misses name, born",
    ]
    assert check.problems({"_id": "1", "name": "", "born": ""}) == []


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"type": "number"}, Decimal("1.10"), True),
        ({"type": "number"}, True, False),
        ({"type": "integer"}, HUGE, True),
        ({"type": "integer"}, Decimal("1.0"), True),
        ({"type": "integer"}, Decimal("1E+400"), True),
        ({"type": "integer"}, Decimal("1E+999999999"), True),
        ({"type": "integer"}, Decimal("1.5"), False),
        ({"type": "integer"}, 1.0, True),
        ({"type": "integer"}, False, False),
        ({"minimum": 0.1}, Decimal("0.1"), True),
        ({"maximum": 0.3}, Decimal("0.3"), True),
        ({"maximum": 0.3}, Decimal("0.30000000000000000000000000001"), False),
        ({"const": 1.1}, Decimal("1.10"), True),
        ({"enum": [0.1]}, Decimal("0.1"), True),
        ({"const": 1}, Decimal("1.0"), True),
        ({"maximum": 10**399}, HUGE, False),
        ({"multipleOf": 0.01}, Decimal("12345678901234567890123456789012.10"), True),
        ({"multipleOf": 0.01}, Decimal("12345678901234567890123456789012.101"), False),
        ({"multipleOf": 0.01}, 0.07, True),
        ({"multipleOf": 3}, HUGE, False),
        ({"multipleOf": 2}, HUGE, True),
        ({"multipleOf": 2}, Decimal("1E+999999999"), False),
        ({"multipleOf": 2}, "text", True),
    ],
)
def test_numbers_are_compared_exactly(schema: dict[str, Any], value: Any, fits: bool) -> None:
    """Decimals of any length and large integers are numbers; 0.1 in a schema means 0.1.

    Seen to fail when the schema's floats stay floats.
    """
    assert (problems(schema, value) == []) is fits


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ([], "must be an object, not a list"),
        ({"type": "text"}, r"no JSON Schema: \$\.type"),
        (
            {"properties": {"a": {"minLength": -1}}},
            r"\$\.properties\.a\.minLength: must be at least 0",
        ),
        ({"pattern": "("}, r"no JSON Schema: \$\.pattern"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "of another draft"),
        ({"$ref": "https://example.org/person.json"}, r"a \$ref to another document: https"),
        ({"$ref": "person.json#/a"}, r"a \$ref to another document"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, r"has no #/\$defs/none"),
        ({"anyOf": [{"$ref": "#none"}]}, "has no #none"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_when_it_is_made(schema: Any, told: str) -> None:
    """At the start of the process, not at the first entity; and nothing is fetched.

    Seen to fail when references are left to jsonschema, which looks for them while it validates.
    """
    with pytest.raises(ValueError, match=told):
        SchemaCheck(schema)


def test_references_within_the_schema_are_followed() -> None:
    """By pointer and by anchor; a text in a const is no reference."""
    check = SchemaCheck(
        {
            "$defs": {"name": {"type": "string"}, "age": {"$anchor": "age", "type": "integer"}},
            "properties": {
                "name": {"$ref": "#/$defs/name"},
                "age": {"$ref": "#age"},
                "$ref": {"const": {"$ref": "https://example.org"}},
            },
        }
    )

    assert check.problems({"name": 1, "age": "x", "$ref": 1}) == [
        "$.$ref: must be {'$ref': 'https://example.org'}",
        "$.age: must be integer, not a string",
        "$.name: must be string, not an integer",
    ]


def test_a_pattern_can_have_words_of_its_own() -> None:
    """For the person who broke it, who need not read patterns."""
    check = SchemaCheck({"pattern": "^[a-z]+$"}, rules={"^[a-z]+$": "must be small letters"})

    assert check.problems("CANARY") == ["$: must be small letters"]


def test_without_jsonschema_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package and the extra, when the check is made."""
    monkeypatch.setitem(sys.modules, "jsonschema", None)

    with pytest.raises(ImportError, match=r"pip install 'sesam-connector-sdk\[schema\]'"):
        SchemaCheck({})
