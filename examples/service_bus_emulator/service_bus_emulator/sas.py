"""Shared access signatures: the tokens clients authenticate with.

Belongs here: verifying a token against a key, an audience and the clock. Imports nothing of
this package. Neither the key nor a token ever appears in an error's text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from urllib.parse import unquote_plus, urlsplit

PREFIX = "SharedAccessSignature "


class TokenRefused(Exception):  # noqa: N818 -- says what happened, not that it is a fault of ours
    """The token does not give access; the text says why and is safe to send to the client."""


def verify(token: str, audience: str, key_name: str, key: str, now: float) -> float:
    """Verify a shared access signature.

    The signature is HMAC-SHA256 with the key's text (not base64-decoded) over the quoted
    resource, a newline and the expiry (observed with the official client 7.15).

    Args:
        token: The token, with its prefix `SharedAccessSignature `.
        audience: The URI access is asked for, e.g. `sb://127.0.0.1:5672/queue`.
        key_name: The name the token must give.
        key: The key it must be signed with.
        now: Seconds since 1970 UTC.

    Returns:
        When the token expires, in seconds since 1970 UTC.

    Raises:
        TokenRefused: Not a signature, signed with another key, for another resource, or expired.
    """
    fields = _fields(token)
    resource, expiry = fields["sr"], fields["se"]
    if not hmac.compare_digest(unquote_plus(fields["skn"]).encode(), key_name.encode()):
        raise TokenRefused("InvalidSignature: the token names an unknown key.")
    expected = hmac.new(key.encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(_signature(fields["sig"]), expected):
        raise TokenRefused("InvalidSignature: the token has an invalid signature.")
    if not expiry.isdecimal() or int(expiry) <= now:
        raise TokenRefused("ExpiredToken: the token is expired.")
    if not covers(unquote_plus(resource), audience):
        raise TokenRefused("InvalidAudience: the token is for another resource.")
    return float(expiry)


def _fields(token: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in token.removeprefix(PREFIX).split("&"))
    fields = {name.strip(): value for name, _, value in pairs}
    if not token.startswith(PREFIX) or not {"sr", "sig", "se", "skn"} <= fields.keys():
        raise TokenRefused("InvalidToken: not a shared access signature.")
    return fields


def _signature(quoted: str) -> bytes:
    try:
        return base64.b64decode(unquote_plus(quoted), validate=True)
    except (binascii.Error, ValueError):
        raise TokenRefused("InvalidSignature: the signature is not base64.") from None


def covers(resource: str, audience: str) -> bool:
    """Return whether a token for `resource` gives access to `audience`: itself or a path in it."""
    ours, asked = _split(resource), _split(audience)
    if ours is None or asked is None or ours[0] != asked[0]:
        return False
    return asked[1][: len(ours[1])] == ours[1]


def _split(uri: str) -> tuple[str, list[str]] | None:
    """Return host and path segments in lower case; schemes and ports are not compared.

    Clients sign `sb://host/queue`, `amqps://host:5672/queue` and `http://host/queue` alike.
    """
    parts = urlsplit(uri.lower())
    if not parts.hostname:
        return None
    return parts.hostname, [segment for segment in parts.path.split("/") if segment]
