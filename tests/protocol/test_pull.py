"""The parameters of the pull protocol, as Sesam sends them and as nobody should."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sesam_connector_sdk import PullParameters
from sesam_connector_sdk.errors import InvalidParameter
from sesam_connector_sdk.protocol.pull import PARAMETERS
from tests.wire import CANARY, assert_silent


def test_a_plain_get_asks_for_all() -> None:
    """All parameters are optional, an empty one is none, and others are ignored."""
    assert PullParameters.parse({}) == PullParameters(None, None, None)
    assert PullParameters.parse(dict.fromkeys(PARAMETERS, "")) == PullParameters()
    assert PullParameters.parse({"is_full": "x", "table": "y"}) == PullParameters()


def test_every_parameter_has_its_place() -> None:
    """``since`` as it is, ``limit`` as a number, ``subset`` decoded."""
    query = {"since": "~t2020-01-01Z", "limit": "010", "subset": '["eq","_S.category","tank"]'}

    assert set(query) == PARAMETERS
    assert PullParameters.parse(query) == PullParameters(
        since="~t2020-01-01Z", limit=10, subset=["eq", "_S.category", "tank"]
    )


@pytest.mark.parametrize("text", ["0", "-1", "+1", "1.0", "1e3", " 1", "ten", "٣", "²", "9" * 19])
def test_a_limit_that_is_no_number_above_0_is_refused(text: str) -> None:
    """Naming the parameter. Seen to fail when 0 is taken: its empty page looks like the end."""
    with pytest.raises(InvalidParameter, match=r"parameter limit must be a whole number above 0"):
        PullParameters.parse({"limit": text})


@pytest.mark.parametrize("name", ["limit", "subset"])
def test_a_value_that_is_refused_is_not_quoted(name: str) -> None:
    """It may be a secret, and the hub copies the answer into its log. Seen to fail if it is."""
    with pytest.raises(InvalidParameter) as caught:
        PullParameters.parse({name: CANARY})

    assert_silent(caught.value.detail, "the detail")


@pytest.mark.parametrize("text", ["{}", "tank", "1", "[", "[NaN]", "[" * 5000, "[" + "9" * 5000])
def test_a_subset_that_is_no_array_is_refused(text: str) -> None:
    """Naming the parameter, also where the parser gives up. Seen to fail with a RecursionError."""
    with pytest.raises(InvalidParameter, match=r"parameter subset must be a JSON array"):
        PullParameters.parse({"subset": text})


@given(st.dictionaries(st.sampled_from(sorted(PARAMETERS)), st.text()))
@example({"subset": "[" + "9" * 5000 + "]"})
@example({"limit": "1\n"})
def test_nothing_else_comes_out_of_any_text(query: dict[str, str]) -> None:
    """Parameters or one error, whatever somebody sends."""
    with contextlib.suppress(InvalidParameter):
        PullParameters.parse(query)
