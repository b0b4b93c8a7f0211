"""Basic: the right credentials pass, and nothing else does."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesam_connector_sdk.authentication import Asked, Basic, Refused

SCHEME = Basic("hub", "pass:word")


def encoded(text: str, encoding: str = "utf-8") -> str:
    """The header's second half."""
    return base64.b64encode(text.encode(encoding)).decode()


def refusal(authorization: str | None, scheme: Basic = SCHEME) -> str | None:
    """Why a header is refused; None if it is not."""
    try:
        scheme.check(Asked(authorization))
    except Refused as refused:
        return "stale" if refused.stale else refused.reason
    return None


@pytest.mark.parametrize("name", ["Basic", "basic", "BASIC"])
def test_the_right_credentials_pass(name: str) -> None:
    """In whatever case the scheme is written; the password may have a colon."""
    assert refusal(f"{name} {encoded('hub:pass:word')}") is None
    assert refusal(f"{name}   {encoded('hub:pass:word')} ") is None


def test_a_name_that_is_not_ascii_passes_in_both_encodings() -> None:
    """UTF-8 is what is asked for, ISO-8859-1 what some clients send; no character is left out."""
    scheme = Basic("jäs", "pässword")

    assert refusal("Basic " + encoded("jäs:pässword"), scheme) is None
    assert refusal("Basic " + encoded("jäs:pässword", "latin-1"), scheme) is None
    assert refusal("Basic " + encoded("js:pssword"), scheme)
    assert refusal("Basic " + encoded("u:"), Basic("u", "пароль"))
    assert refusal("Basic " + encoded("u:пароль"), Basic("u", "пароль")) is None


@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", " ", "Basic", "Basic ", "Basic  ", "Basic :", "Basic ====", "Basic aHVi"),
        *("Bearer x", "Digest x", "hub:pass:word", "Basic hub:pass:word", "Basic é", "Basic \x00"),
        *(f"Basic {encoded(text)}" for text in ("hub:pass", "hub:", ":", "", "hub", ":pass:word")),
        *(f"Basic {encoded(text)}" for text in ("HUB:pass:word", "hub:pass:word ", "hub:pass:w")),
        *(f"Basic {encoded('hub:pass:word')}{tail}" for tail in ("=", "!", "x", " x", ",x")),
        "Basic " + base64.b64encode(b"\xff\xfe:\x00").decode(),
        "Basic" + encoded("hub:pass:word"),
        "Basic " + "A" * 100_000,
    ],
)
def test_everything_else_is_refused(authorization: str | None) -> None:
    """With a sentence that says no more than it must."""
    reason = refusal(authorization)

    assert reason
    assert reason.endswith(".")
    assert "pass:word" not in reason


@given(st.text(), st.binary())
def test_no_header_does_anything_else_than_pass_or_be_refused(
    text: str, credentials: bytes
) -> None:
    """Whatever text it is, and whatever its base64 holds."""
    assert refusal(text)
    if credentials != b"hub:pass:word":
        assert refusal("Basic " + base64.b64encode(credentials).decode())


def test_the_challenge_asks_for_utf8() -> None:
    """As RFC 7617 section 2.1 has it."""
    assert SCHEME.challenges() == ['Basic realm="Sesam connector", charset="UTF-8"']
    assert "word" not in repr(SCHEME) + repr(Asked("Basic secret-word"))
