"""The Digest scheme of RFC 7616: the password itself is never sent.

Imports this room only.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from .nonces import Nonces
from .parameters import parameters
from .scheme import REALM, Asked, Refused, Scheme, among, credentials, encodings, header_bytes

_ALGORITHMS = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
"""Those offered, the best first. MD5 is there for clients that know nothing else."""

_NEEDED = ("realm", "nonce", "uri", "response", "nc", "cnonce", "qop")
_COUNT = re.compile(r"[0-9a-fA-F]{8}")
_ORIGIN = re.compile(r"(?i)\Ahttps?://[^/?#]*")


class Digest(Scheme):
    """Each request carries a hash of the password, of a nonce that the server gave, and of itself.

    It says who sent the request and that it was not sent before, not that nobody changed the body:
    only ``qop=auth`` is offered. ``userhash`` is not, and a request without ``qop`` (RFC 2069) is
    refused, because it could be sent again.

    Args:
        username: Without a colon.
        password: Any text.
        nonces: Those to give out; this scheme's own by default.
        realm: What the credentials are for; it is hashed with them.
    """

    def __init__(
        self, username: str, password: str, nonces: Nonces | None = None, realm: str = REALM
    ) -> None:
        self._realm = realm
        self._usernames = encodings(username)
        self._secrets = {
            name: hashed(name, f"{username}:{realm}:{password}".encode()) for name in _ALGORITHMS
        }
        self._nonces = nonces or Nonces()
        self._opaque = secrets.token_hex(16)

    def check(self, asked: Asked) -> None:
        """Compare the hash with that of the right password, then everything that it vouches for."""
        given = _needed(credentials(asked.authorization, "digest"))
        algorithm = given.get("algorithm", "MD5").upper()
        if algorithm not in _ALGORITHMS or given["qop"] != "auth" or given["realm"] != self._realm:
            raise Refused("The digest is not of a kind that was offered.")
        self._prove(given, algorithm, asked.method)
        if not _same_target(given["uri"], asked):
            raise Refused("The digest is for another path or query than the request.")
        if not self._nonces.take(given["nonce"], int(given["nc"], 16)):
            raise Refused(
                "The nonce is too old or of another process, or its count was used before.",
                stale=True,
            )

    def challenges(self, *, stale: bool = False) -> list[str]:
        """A challenge for each algorithm, all with one new nonce."""
        rest = f'nonce="{self._nonces.make()}", opaque="{self._opaque}", charset=UTF-8'
        if stale:
            rest += ", stale=true"
        return [
            f'Digest realm="{self._realm}", qop="auth", algorithm={name}, {rest}'
            for name in _ALGORITHMS
        ]

    def _prove(self, given: Mapping[str, str], algorithm: str, method: str) -> None:
        request = hashed(algorithm, header_bytes(f"{method}:{given['uri']}"))
        rest = [given[name] for name in ("nonce", "nc", "cnonce", "qop")]
        expected = hashed(
            algorithm, header_bytes(":".join([self._secrets[algorithm], *rest, request]))
        )
        known = among(_username(given), self._usernames)
        proved = among(header_bytes(given["response"].lower()), [expected.encode()])
        if not (known and proved):
            raise Refused("The user name or the password is wrong.")


def hashed(algorithm: str, text: bytes) -> str:
    """The hash of some bytes, in hexadecimal digits as the scheme has it."""
    make = _ALGORITHMS[algorithm]
    return make(text, usedforsecurity=algorithm != "MD5").hexdigest()


def _needed(text: str) -> dict[str, str]:
    given = parameters(text)
    if given is None or any(name not in given for name in _NEEDED):
        raise Refused("The digest lacks a part, or cannot be read.")
    if not _COUNT.fullmatch(given["nc"]):
        raise Refused("The count of the nonce is not eight hexadecimal digits.")
    return given


def _username(given: Mapping[str, str]) -> bytes:
    """The user name in either of the two forms of RFC 7616 section 3.4; empty if there is none."""
    if "username" in given:
        return header_bytes(given["username"])
    charset, _, text = given.get("username*", "").partition("''")
    return unquote_to_bytes(header_bytes(text)) if charset.lower() == "utf-8" else b""


def _same_target(uri: str, asked: Asked) -> bool:
    """Whether a digest is for the path and the query that the application is asked for."""
    path, _, query = _ORIGIN.sub("", uri, count=1).partition("?")
    # Servers make one slash of several at the start of a path.
    decoded = b"/" + unquote_to_bytes(header_bytes(path)).lstrip(b"/")
    return decoded == b"/" + header_bytes(asked.path).lstrip(b"/") and query == asked.query
