"""Every error has one status, one code, one policy, and a text that is safe to show."""

from __future__ import annotations

import pytest

from sesam_connector_sdk import errors
from sesam_connector_sdk.errors import (
    ConnectorError,
    EntityProblem,
    Retry,
    Throttled,
    json_path,
    printable,
)

TABLE = {
    "MalformedRequest": (400, "malformed-request", Retry.NEVER),
    "MalformedBody": (400, "malformed-body", Retry.NEVER),
    "InvalidParameter": (400, "invalid-parameter", Retry.NEVER),
    "Unauthorized": (401, "unauthorized", Retry.NEVER),
    "DestinationNotAllowed": (403, "destination-not-allowed", Retry.NEVER),
    "UnknownRoute": (404, "unknown-route", Retry.NEVER),
    "UnknownSubset": (404, "unknown-subset", Retry.NEVER),
    "MethodNotAllowed": (405, "method-not-allowed", Retry.NEVER),
    "FullSyncConflict": (409, "full-sync-conflict", Retry.RESTART),
    "TooLarge": (413, "too-large", Retry.NEVER),
    "UnsupportedMediaType": (415, "unsupported-media-type", Retry.NEVER),
    "Rejected": (422, "rejected", Retry.NEVER),
    "TooManyDeletions": (422, "too-many-deletions", Retry.NEVER),
    "Throttled": (429, "throttled", Retry.WAIT),
    "Bug": (500, "bug", Retry.FEW),
    "Unsendable": (500, "unsendable", Retry.FEW),
    "InconsistentSource": (500, "inconsistent-source", Retry.FEW),
    "NothingToRead": (502, "nothing-to-read", Retry.LATER),
    "TargetRefusedUs": (502, "target-refused-us", Retry.LATER),
    "TargetUnavailable": (503, "target-unavailable", Retry.WAIT),
    "Busy": (503, "busy", Retry.WAIT),
    "ShuttingDown": (503, "shutting-down", Retry.WAIT),
    "OutcomeUnknown": (504, "outcome-unknown", Retry.WAIT),
}


def classes() -> dict[str, type[ConnectorError]]:
    """Every error class but the root."""
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type)
        and issubclass(value, ConnectorError)
        and value is not ConnectorError
    }


def test_each_class_has_its_row_of_the_table() -> None:
    """Status, code and retry policy of every class are those of the documented table."""
    found = {name: (kind.status, kind.code, kind.retry) for name, kind in classes().items()}

    assert found == TABLE


def test_a_code_belongs_to_one_class() -> None:
    """The type of a problem document tells the class."""
    codes = [kind.code for kind in classes().values()]

    assert len(codes) == len(set(codes))


def test_what_the_hub_may_retry_is_never_a_client_error() -> None:
    """No batch retries for a 4xx but 429; some for others. On 409 it starts over."""
    for kind in classes().values():
        permanent = kind.status < 500 and kind.status not in (409, 429)
        assert (kind.retry is Retry.NEVER) == permanent
        assert (kind.retry is Retry.RESTART) == (kind.status == 409)


@pytest.mark.parametrize("kind", classes().values())
def test_the_title_is_the_first_sentence_of_the_docstring(kind: type[ConnectorError]) -> None:
    """The same text for every occurrence; also the detail where none is given."""
    title = (kind.__doc__ or "").splitlines()[0]

    assert title.endswith(".")
    assert kind.title() == title
    assert kind().detail == title
    assert str(kind("What is wrong.")) == "What is wrong."


@pytest.mark.parametrize("name", classes())
def test_every_class_says_what_to_do(name: str) -> None:
    """Its own advice, none inherited: answers and the reference page show it. Seen to fail."""
    own = vars(classes()[name])

    assert "advice" in own, f"give errors.{name} an `advice`: what whoever sees the error should do"
    assert own["advice"].endswith(".")
    assert len(own["advice"]) <= 200


def test_an_error_without_a_docstring_is_named_by_its_class() -> None:
    """An author's own subclass need not be documented to be readable."""

    class TargetIsOnFire(ConnectorError):
        pass

    assert TargetIsOnFire().detail == "TargetIsOnFire"


def test_an_error_keeps_what_it_was_given() -> None:
    """Entities become a tuple; the pause has a default where a pause is meant."""
    problem = EntityProblem("1", 0, "no")

    assert errors.Rejected("No.", entities=[problem]).entities == (problem,)
    assert errors.Rejected().retry_after is None
    assert Throttled().retry_after == 10.0
    assert Throttled(retry_after=3).retry_after == 3
    assert errors.TargetUnavailable().retry_after == 10.0
    assert errors.OutcomeUnknown().retry_after is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, with \\ and 'quotes'", "plain text, with \\ and 'quotes'"),
        ("æøå 漢字 😀", "æøå 漢字 😀"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x00\x1b[31m\x7f\x85\x9f", "\\x00\\x1b[31m\\x7f\\x85\\x9f"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\u202eabc\u2066\u200b\u200f\ufeff\xad", "\\u202eabc\\u2066\\u200b\\u200f\\ufeff\\xad"),
        ("\ud800\udfff", "\\ud800\\udfff"),
        ("\ue000\ufffe\U000e0001\U0010ffff", "\\ue000\\ufffe\\U000e0001\\U0010ffff"),
    ],
)
def test_text_is_shown_without_what_could_forge_a_line(text: str, shown: str) -> None:
    """Controls, line separators, direction marks, invisible and private characters are escaped."""
    assert printable(text) == shown
    assert len(printable(text).splitlines()) == 1


def test_no_character_at_all_breaks_a_line() -> None:
    """Of all of Unicode, nothing that is shown ends a line or cannot be encoded."""
    shown = printable("".join(map(chr, range(0x110000))), 0x110000)

    assert len(shown.splitlines()) == 1
    assert shown.encode()


def test_text_is_cut_to_the_limit() -> None:
    """A text of the limit stays whole; a longer one ends with an ellipsis."""
    assert printable("x" * 200) == "x" * 200
    assert printable("x" * 201) == "x" * 199 + "…"
    assert printable("x" * 10, 3) == "xx…"


def test_a_place_in_a_document_is_told_by_its_steps() -> None:
    """Keys and indexes from the root on, safe to show, and short however deep it is."""
    assert json_path([]) == "$"
    assert json_path(["orders", 0, "price"]) == "$.orders[0].price"
    assert json_path(["a\nb"]) == "$.a\\nb"
    assert len(json_path(["x"] * 1000)) == 120
