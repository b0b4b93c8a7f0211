"""How an answer goes out."""

from __future__ import annotations

from typing import Any

import pytest

from sesam_connector_sdk.server.waitress_hooks.channel import StrictChannel
from tests.server.hostile import GOOD
from tests.server.waitress_hooks.stepped import Stepped


def test_a_short_answer_goes_out_with_its_head(
    stepped: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one piece, and complete. Seen to fail when waitress writes it, in two."""
    sent: list[bytes] = []
    send = StrictChannel.send

    def noting(channel: StrictChannel, data: bytes, **how: Any) -> Any:
        sent.append(bytes(data))
        return send(channel, data, **how)

    monkeypatch.setattr(StrictChannel, "send", noting)
    client, channel = stepped.connect()
    with client:
        client.sendall(GOOD)
        stepped.until(lambda: sent and not channel.requests)

    assert len(sent) == 1
    assert sent[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent[0].endswith(b"\r\n\r\ndone")
