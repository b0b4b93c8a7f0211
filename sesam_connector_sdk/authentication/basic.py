"""The Basic scheme of RFC 7617.

Imports this room only.
"""

from __future__ import annotations

import base64
import binascii

from .scheme import REALM, Asked, Refused, Scheme, among, credentials, encodings, header_bytes


class Basic(Scheme):
    """The user name and the password come with each request, readable by whoever sees it.

    Args:
        username: Without a colon.
        password: Any text.
    """

    def __init__(self, username: str, password: str) -> None:
        self._expected = encodings(f"{username}:{password}")

    def check(self, asked: Asked) -> None:
        """Compare the credentials as a whole: which half is wrong is nobody's business."""
        encoded = credentials(asked.authorization, "basic")
        try:
            given = base64.b64decode(header_bytes(encoded), validate=True)
        except binascii.Error:
            raise Refused("The credentials are not in base64.") from None
        if not among(given, self._expected):
            raise Refused("The user name or the password is wrong.")

    def challenges(self, *, stale: bool = False) -> list[str]:  # noqa: ARG002  # nothing is stale
        """One challenge, which asks for UTF-8."""
        return [f'Basic realm="{REALM}", charset="UTF-8"']
