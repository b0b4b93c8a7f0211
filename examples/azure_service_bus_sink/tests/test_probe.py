"""The probe of the namespace: true to what a send would meet, and without a trace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from service_bus_emulator import Emulator, faults
from sesam_connector_sdk import ConnectorError, TargetRefusedUs, TargetUnavailable, Throttled

from azure_service_bus_sink import ServiceBusSettings
from azure_service_bus_sink.bus import Bus

from .support import CANARY, bodies, eventually, local, variables
from .test_outages import at, free_port, listening, say_nothing

TIMEOUT = 10.0
"""Seconds that a probe may take to open a link; nothing here should need them."""


@contextlib.contextmanager
def bus(environment: dict[str, str]) -> Iterator[Bus]:
    """A bus to a namespace, closed in the end."""
    made = Bus(ServiceBusSettings.from_env(environment))
    try:
        yield made
    finally:
        made.close()


def test_a_healthy_namespace_is_probed_without_a_trace(emulator: Emulator, queue: str) -> None:
    """No message and no transfer, and the connection is closed again.

    Seen to fail when the probe's sender is left open.
    """
    emulator.clear_faults(queue)  # which also makes the queue
    with bus(variables(emulator)) as made:
        for _ in range(2):
            made.probe(queue, TIMEOUT)
        eventually(lambda: not emulator.stats(queue).links_open, "the links were closed")
    found = emulator.stats(queue)
    assert (found.links_total, found.connections_open, found.transfers_received) == (2, 0, 0)
    assert bodies(emulator, queue) == []


@pytest.mark.parametrize("destination", ["missing", None])
def test_a_queue_that_is_not_there_is_no_failure_of_the_namespace(
    strict_emulator: Emulator, destination: str | None
) -> None:
    """The namespace has answered, and has accepted the key: that is all that was asked.

    Seen to fail when every refusal counts.
    """
    with bus(variables(strict_emulator)) as made:
        made.probe(destination, TIMEOUT)


def test_a_disabled_queue_is_no_failure_of_the_namespace(emulator: Emulator, queue: str) -> None:
    """Its own pipes are answered 502; those of the others are not held up by it."""
    emulator.clear_faults(queue)
    emulator.inject(queue, faults.RefuseAttach("com.microsoft:entity-disabled", times=None))
    with bus(variables(emulator)) as made:
        made.probe(queue, TIMEOUT)


def test_a_wrong_key_is_found_where_a_queue_is_known(strict_emulator: Emulator) -> None:
    """For a known queue the key must be right; for any other, nobody can tell.

    Seen to fail when no refusal counts.
    """
    wrong = f"{CANARY}-wrong"
    with bus(variables(strict_emulator, SERVICE_SAS_TOKEN_VALUE=wrong)) as made:
        with pytest.raises(TargetRefusedUs):
            made.probe("only", TIMEOUT)
        made.probe(None, TIMEOUT)


def test_a_namespace_that_throttles_says_so(emulator: Emulator, queue: str) -> None:
    """What a send would be answered, the probe raises."""
    emulator.clear_faults(queue)
    emulator.inject(queue, faults.RefuseAttach("com.microsoft:server-busy", times=None))
    with bus(variables(emulator)) as made, pytest.raises(Throttled):
        made.probe(queue, TIMEOUT)


@pytest.mark.parametrize("destination", ["queue", None])
def test_a_namespace_that_is_away_or_silent_is_unavailable(destination: str | None) -> None:
    """Whether nobody listens or nobody answers, the probe comes back with the same error."""
    with bus(at(free_port())) as away, pytest.raises(TargetUnavailable):
        away.probe(destination, TIMEOUT)
    with listening(say_nothing) as port, bus(at(port)) as silent, pytest.raises(TargetUnavailable):
        silent.probe(destination, 0.5)


def test_a_probe_and_sends_do_not_disturb_each_other(emulator: Emulator, queue: str) -> None:
    """While a send to the queue hangs, it is probed; while it is probed, messages arrive, once.

    Seen to fail when the probe waits for the turn of the queue's own lane.
    """
    hung = f"{queue}-hung"
    emulator.inject(hung, faults.Silence())
    with local(variables(emulator, SEND_TIMEOUT="60")) as sink, ThreadPoolExecutor(4) as pool:
        waiting = pool.submit(sink.post, f"/{hung}", [{"_id": "0"}])
        eventually(lambda: emulator.stats(hung).transfers_received, "the hung queue was tried")
        probes = [pool.submit(sink.sink._bus.probe, name, TIMEOUT) for name in (hung, queue)]
        for number in range(20):
            assert sink.post(f"/{queue}", [{"_id": f"{number}"}]).status == 200
        assert [probe.result() for probe in probes] == [None, None]
        assert not waiting.done()
        emulator.inject(hung, faults.ResetIdle())
        assert waiting.result().status == 200
    assert bodies(emulator, queue) == [b'{"_id": "%d"}' % number for number in range(20)]
    assert len(bodies(emulator, hung)) == 1


def test_what_a_probe_raises_is_the_sdks_own(emulator: Emulator, queue: str) -> None:
    """An error of the client's never gets out, whatever the link is refused for."""
    emulator.clear_faults(queue)
    conditions = ["amqp:resource-limit-exceeded", "amqp:internal-error", "amqp:not-allowed"]
    with bus(variables(emulator)) as made:
        for condition in conditions:
            emulator.inject(queue, faults.RefuseAttach(condition, times=2))
            with pytest.raises(ConnectorError):
                made.probe(queue, TIMEOUT)
            emulator.clear_faults(queue)
