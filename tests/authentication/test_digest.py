"""Digest: what proves to know the password passes once, for one request, and nothing else does."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesam_connector_sdk.authentication import Asked, Digest, Refused
from sesam_connector_sdk.authentication.nonces import LIFETIME, Nonces
from sesam_connector_sdk.authentication.parameters import parameters

REALM = "Sesam connector"
PASSWORD = "pässword"
NEEDED = ("realm", "nonce", "uri", "response", "nc", "cnonce", "qop")
HASHES = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}


def offered(scheme: Digest, *, stale: bool = False) -> dict[str, dict[str, str]]:
    """The challenges, by algorithm."""
    found = {}
    for challenge in scheme.challenges(stale=stale):
        assert challenge.startswith("Digest ")
        given = parameters(challenge.removeprefix("Digest "))
        assert given
        found[given["algorithm"]] = given
    return found


def proof(nonce: str, algorithm: str = "SHA-256", password: str = PASSWORD, **changed: str) -> str:
    """The header of a client that follows RFC 7616, written from its section 3.4.1.

    Args:
        nonce: From the challenge.
        algorithm: One of those offered.
        password: What the client takes for the password.
        changed: Parts with other values than the client would give, in both hash and header.
    """

    def hashed(text: str) -> str:
        return HASHES[algorithm](text.encode()).hexdigest()

    parts = {"username": "hub", "realm": REALM, "uri": "/a%20b?c=d", "nc": "00000001"}
    parts |= {"nonce": nonce, "cnonce": "xyz", "qop": "auth"} | changed
    a1 = hashed(f"{parts['username']}:{parts['realm']}:{password}")
    a2 = hashed(f"{parts.pop('method', 'POST')}:{parts['uri']}")
    middle = [parts[name] for name in ("nonce", "nc", "cnonce", "qop")]
    parts["response"] = hashed(":".join([a1, *middle, a2]))
    listed = ", ".join(f'{name}="{text}"' for name, text in parts.items())
    return f"Digest {listed}, algorithm={algorithm}"


def asked(authorization: str | None, **other: str) -> Asked:
    """The request of that header."""
    usual: dict[str, Any] = {"method": "POST", "path": "/a b", "query": "c=d"}
    return Asked(authorization, **(usual | other))


def refusal(scheme: Digest, authorization: str | None, **other: str) -> Refused | None:
    """What a request is refused with; None if it is not."""
    try:
        scheme.check(asked(authorization, **other))
    except Refused as refused:
        return refused
    return None


@pytest.fixture
def scheme() -> Digest:
    """A digest whose password is not ASCII."""
    return Digest("hub", PASSWORD)


def test_the_example_of_rfc_7616_is_proved() -> None:
    """Section 3.9.1, both algorithms, with the nonce and the realm of the RFC."""

    class Known(Nonces):
        def take(self, nonce: str, count: int) -> bool:
            return nonce == "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v" and count == 1

    scheme = Digest("Mufasa", "Circle of Life", Known(), "http-auth@example.org")
    common = (
        'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html",'
        ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,'
        ' cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth,'
        ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    for algorithm, response in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        header = f'{common}, algorithm={algorithm}, response="{response}"'
        assert refusal(scheme, header, method="GET", path="/dir/index.html", query="") is None


@pytest.mark.parametrize("algorithm", HASHES)
def test_who_knows_the_password_passes_once(algorithm: str, scheme: Digest) -> None:
    """The same header a second time is stale, and a higher count passes again.

    Seen to fail when counts are not looked at.
    """
    nonce = offered(scheme)[algorithm]["nonce"]
    first = proof(nonce, algorithm)

    assert refusal(scheme, first) is None
    again = refusal(scheme, first)
    assert again
    assert again.stale
    assert refusal(scheme, proof(nonce, algorithm, nc="0000000A")) is None


def test_a_challenge_for_each_algorithm_the_best_first(scheme: Digest) -> None:
    """With the same nonce, and all that RFC 7616 section 3.3 asks for; ``userhash`` is not."""
    challenges = offered(scheme)

    assert list(challenges) == ["SHA-256", "MD5"]
    for each in challenges.values():
        assert each["realm"] == REALM
        assert each["qop"] == "auth"
        assert each["charset"] == "UTF-8"
        assert re.fullmatch(r"[0-9a-f]{32}", each["opaque"])
        assert not {"userhash", "stale"} & set(each)
    assert challenges["MD5"]["nonce"] == challenges["SHA-256"]["nonce"]
    assert offered(scheme)["MD5"]["nonce"] != challenges["MD5"]["nonce"]
    assert offered(scheme, stale=True)["MD5"]["stale"] == "true"


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ({"password": "password"}, False),
        ({"password": ""}, False),
        ({"username": "Hub"}, False),
        ({"username": ""}, False),
        ({"realm": "another"}, False),
        ({"qop": "auth-int"}, False),
        ({"qop": ""}, False),
        ({"uri": "/other"}, False),
        ({"uri": "/a%20b"}, False),
        ({"uri": "/a%20b?c=d&e"}, False),
        ({"uri": "/a%20b?c=%64"}, False),
        ({"uri": ""}, False),
        ({"method": "GET"}, False),
        ({"nc": "1"}, False),
        ({"nc": "0000000g"}, False),
        ({"nc": "+0000001"}, False),
        ({"nc": "000000001"}, False),
        ({"nc": "\uff10000001"}, False),
        ({"nonce": "another"}, True),
        ({"nonce": ""}, True),
    ],
)
def test_a_proof_of_something_else_is_refused(
    changed: dict[str, Any], stale: bool, scheme: Digest
) -> None:
    """Each part counts; only where the nonce alone is wrong may the client try again by itself.

    Seen to fail for ``uri`` when it is not compared, and for ``qop`` when it is not looked at.
    """
    nonce = offered(scheme)["SHA-256"]["nonce"]

    found = refusal(scheme, proof(**({"nonce": nonce} | changed)))

    assert found
    assert found.stale == stale
    assert refusal(scheme, proof(nonce)) is None


def test_a_part_that_was_changed_on_its_way_is_refused(scheme: Digest) -> None:
    """The hash vouches for the user name, the nonce, its count, the target: all but the opaque."""
    nonce = offered(scheme)["SHA-256"]["nonce"]
    header = proof(nonce)
    for part in ("username", "nonce", "nc", "cnonce", "uri", "response"):
        value = (parameters(header.removeprefix("Digest ")) or {})[part]
        digit = "1" if value[-1] != "1" else "2"
        assert refusal(scheme, header.replace(value, value[:-1] + digit)), part
    assert refusal(scheme, header.replace("algorithm=SHA-256", "algorithm=MD5"))
    assert refusal(scheme, header) is None


@pytest.mark.parametrize("part", ["username", *NEEDED])
def test_a_proof_without_one_of_its_parts_is_refused(part: str, scheme: Digest) -> None:
    """Also without ``qop``: what RFC 2069 had could be sent again."""
    header = proof(offered(scheme)["SHA-256"]["nonce"])

    assert refusal(scheme, re.sub(rf'\b{part}="[^"]*"', 'other="x"', header))
    assert refusal(scheme, header.replace(", ", f', {part}="x", ', 1)), "twice"
    assert refusal(scheme, header) is None


@pytest.mark.parametrize("algorithm", ["", "SHA-256-sess", "SHA-512-256", "MD5-sess", "x"])
def test_an_algorithm_that_was_not_offered_is_refused(algorithm: str, scheme: Digest) -> None:
    """Whatever its hash says."""
    header = proof(offered(scheme)["MD5"]["nonce"], "MD5")

    assert refusal(scheme, header.replace("algorithm=MD5", f'algorithm="{algorithm}"'))
    assert refusal(scheme, header.replace(", algorithm=MD5", "")) is None, "MD5 is the default"


def test_a_nonce_that_is_too_old_asks_for_another() -> None:
    """The client takes the new one, and nobody is asked for a password again."""
    now = [1000.0]
    scheme = Digest("hub", PASSWORD, Nonces(lambda: now[0]))
    nonce = offered(scheme)["SHA-256"]["nonce"]
    assert refusal(scheme, proof(nonce)) is None

    now[0] += LIFETIME + 1
    late = refusal(scheme, proof(nonce, nc="00000002"))

    assert late
    assert late.stale
    assert refusal(scheme, proof(offered(scheme, stale=True)["SHA-256"]["nonce"])) is None


def test_a_wrong_password_uses_up_nothing(scheme: Digest) -> None:
    """Nobody can make the counts of others stale, nor fill the memory."""
    nonce = offered(scheme)["SHA-256"]["nonce"]

    for count in range(1, 50):
        assert refusal(scheme, proof(nonce, password="wrong", nc=f"{count:08x}"))

    assert scheme._nonces._used == {}
    assert refusal(scheme, proof(nonce)) is None


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("http://connector:5000/a%20b?c=d", "/a b"),
        ("HTTPS://x/a%20b?c=d", "/a b"),
        ("//a%20b?c=d", "/a b"),
        ("/%61%20b?c=d", "/a b"),
        ("/%C3%A9?c=d", "/Ã©"),
        ("http://x?c=d", "/"),
    ],
)
def test_one_target_may_be_spelled_in_several_ways(uri: str, path: str, scheme: Digest) -> None:
    """What counts is what the application is asked for."""
    header = proof(offered(scheme)["SHA-256"]["nonce"], uri=uri)

    assert refusal(scheme, header, path=path) is None


def test_a_url_in_the_query_is_no_origin(scheme: Digest) -> None:
    """A pipe may name one to its sink. Seen to fail when an origin is taken out wherever it is."""
    query = "to=http://elsewhere:80/x"
    header = proof(offered(scheme)["SHA-256"]["nonce"], uri=f"/a?{query}")

    assert refusal(scheme, header, path="/a", query=query) is None


@pytest.mark.parametrize(
    "name",
    ['username="jäs"', 'username="jÃ¤s"', "username*=UTF-8''j%C3%A4s", "username*=utf-8''j%c3%a4s"],
)
def test_a_user_name_that_is_not_ascii_comes_in_any_form(name: str) -> None:
    """UTF-8 or ISO-8859-1 in quotes, or as RFC 7616 section 3.4 has it."""
    scheme = Digest("jäs", "pässword")
    header = proof(offered(scheme)["SHA-256"]["nonce"], username="jäs")

    assert refusal(scheme, header.replace('username="jäs"', name)) is None


@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Digest", "Digest ", "Digest ,", "Digest =", 'Digest username="', "Basic aA=="),
        *("Bearer x", 'Digest nc="' + "9" * 100_000, "Digest " + "a=1," * 60_000),
        "Digest " + 'username*="x"',
    ],
)
def test_what_is_no_digest_is_refused(authorization: str | None, scheme: Digest) -> None:
    """And is not stale: the client has to come with something else."""
    found = refusal(scheme, authorization)

    assert found
    assert not found.stale


TEXT = st.text(alphabet=st.characters(max_codepoint=255), max_size=12) | st.text(max_size=12)


@given(
    st.dictionaries(
        st.sampled_from(["username", "username*", "algorithm", *NEEDED]),
        TEXT
        | st.sampled_from(["auth", REALM, "00000001", "SHA-256", "MD5", "/a%20b?c=d", "http://["]),
    ),
    TEXT,
)
def test_no_header_does_anything_else_than_be_refused(parts: dict[str, str], other: str) -> None:
    """Whatever its parts are. Found no way to another exception."""
    scheme = Digest("hub", PASSWORD)
    whole = dict.fromkeys(NEEDED, "x")
    whole |= {
        "realm": REALM,
        "nc": "00000001",
        "qop": "auth",
        "nonce": offered(scheme)["MD5"]["nonce"],
    }
    listed = ",".join(f'{name}="{text}"' for name, text in (whole | parts).items())

    assert refusal(scheme, f"Digest {listed}", path=other, query=other)
    assert refusal(scheme, f"Digest {other}")
