"""The parameters of the push protocol, as Sesam and its clients send them."""

from __future__ import annotations

import pytest

from sesam_connector_sdk import PushParameters
from sesam_connector_sdk.errors import InvalidParameter
from sesam_connector_sdk.protocol.push import PARAMETERS


def test_a_plain_post_is_incremental() -> None:
    """All parameters are optional, and others are ignored."""
    assert PushParameters.parse({}) == PushParameters()
    assert PushParameters.parse({"target_table": "x", "limit": "1"}) == PushParameters()
    assert not PushParameters().is_full


def test_a_full_sync_is_read_whole() -> None:
    """Every parameter has its place."""
    query = {
        "sequence_id": "s",
        "request_id": "2",
        "previous_request_id": "1",
        "is_full": "true",
        "is_first": "false",
        "is_last": "true",
    }

    assert set(query) == PARAMETERS
    assert PushParameters.parse(query) == PushParameters(
        sequence_id="s",
        request_id="2",
        previous_request_id="1",
        is_full=True,
        is_first=False,
        is_last=True,
    )


@pytest.mark.parametrize("name", ["is_full", "is_first", "is_last"])
@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False)],
)
def test_a_flag_is_read_in_any_case(name: str, text: str, value: bool) -> None:
    """Sesam's client sends Python's True."""
    assert getattr(PushParameters.parse({name: text}), name) is value


def test_an_empty_parameter_counts_as_left_out() -> None:
    """An empty token is no token, and an empty flag is not set."""
    assert PushParameters.parse(dict.fromkeys(PARAMETERS, "")) == PushParameters()


@pytest.mark.parametrize("text", ["1", "yes", " true", "maybe\r\nX: 1", "x" * 10_000])
def test_a_flag_that_is_neither_is_refused_by_name(text: str) -> None:
    """A guess could sweep a target.

    Seen to fail when the text is quoted: what stands in a query may be a secret.
    """
    with pytest.raises(InvalidParameter) as caught:
        PushParameters.parse({"is_full": text})

    detail = "Query parameter is_full is something else; send true or false."
    assert caught.value.detail == detail
