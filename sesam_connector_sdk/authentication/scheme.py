"""What the schemes have in common: the request that is asked about, the refusal, the comparison.

Imports nothing of the SDK.
"""

from __future__ import annotations

import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field

REALM = "Sesam connector"
"""What the credentials are for, as a client may show it. Digest hashes it with the password."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as a scheme looks at it.

    Attributes:
        authorization: The header ``Authorization``; None if there is none.
        method: The method.
        path: The path, decoded, each character standing for a byte as WSGI has it.
        query: The query string as it came.
    """

    authorization: str | None = field(repr=False)
    method: str = "POST"
    path: str = "/"
    query: str = field(default="", repr=False)


class Refused(Exception):
    """The request is not from somebody who knows the credentials.

    Args:
        reason: One sentence, without a text of the request.
        stale: Whether only the nonce is to blame: the client tries again by itself with a new one.
    """

    def __init__(self, reason: str, *, stale: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.stale = stale


class Scheme(ABC):
    """One way to prove that one knows the credentials. Its methods are called from any thread."""

    @abstractmethod
    def check(self, asked: Asked) -> None:
        """Let a request pass.

        Raises:
            Refused: It does not.
        """

    @abstractmethod
    def challenges(self, *, stale: bool = False) -> list[str]:
        """The values of ``WWW-Authenticate`` that go with a refusal, the best first."""


def credentials(authorization: str | None, scheme: str) -> str:
    """What stands after the scheme's name, in which case does not matter.

    Raises:
        Refused: Another scheme, or none.
    """
    name, _, rest = (authorization or "").partition(" ")
    if not name:
        raise Refused("The request has no credentials.")
    if name.lower() != scheme:
        raise Refused(f"The credentials are not of the scheme {scheme.capitalize()}.")
    return rest.strip(" ")


def header_bytes(text: str) -> bytes:
    """The bytes of a header's text, each of which WSGI hands over as one character."""
    return text.encode("latin-1", "replace")


def encodings(text: str) -> list[bytes]:
    """The bytes that clients send for a text: UTF-8, and ISO-8859-1 where it has the characters.

    RFC 7617 section 2.1 lets a server ask for UTF-8; some clients, ``requests`` among them, do not
    listen.
    """
    try:
        return [text.encode(), text.encode("latin-1")]
    except UnicodeEncodeError:
        return [text.encode()]


def among(given: bytes, expected: Iterable[bytes]) -> bool:
    """Whether some bytes are one of those expected, found out in the same time for any bytes."""
    mine = hashlib.sha256(given).digest()
    # All are compared, whichever is equal: no short way out.
    equal = [hmac.compare_digest(mine, hashlib.sha256(each).digest()) for each in expected]
    return any(equal)
