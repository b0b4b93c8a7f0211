"""/readyz says whether Service Bus would take messages, and leaves none there."""

from __future__ import annotations

from service_bus_emulator import Emulator, running

from .processes import process
from .support import CANARY, KEY, bodies, variables
from .test_outages import at, free_port, listening, say_nothing

ANEW = {"CHECK_INTERVAL": "0.000001"}
"""Each time somebody asks, Service Bus is asked."""


def test_readiness_follows_service_bus_through_a_restart() -> None:
    """Alive all the time, ready while Service Bus is there; nothing is in the queue by that.

    Seen to fail without the sink's check.
    """
    port = free_port()
    with process({**at(port), **ANEW, "ALLOWED_DESTINATIONS": "queue"}) as sink:
        for _ in range(2):
            assert sink.get("/readyz").status == 503
            with running(queues=["queue"], port=port, key=KEY) as emulator:
                assert sink.get("/readyz").status == 200
                assert bodies(emulator, "queue") == []
            assert sink.get("/healthz").status == 200
        assert sink.get("/readyz").status == 503
        sink.wait_for_log("WARNING .*ready: ServiceBusSink is not ready: ")


def test_a_key_that_is_refused_is_not_ready(emulator: Emulator, queue: str) -> None:
    """Where a queue is known whose key it is. The log says why, the answer does not."""
    wrong = {"SERVICE_SAS_TOKEN_VALUE": f"{CANARY}-wrong", "ALLOWED_DESTINATIONS": queue}
    with process({**variables(emulator), **wrong, **ANEW}) as sink:
        answer = sink.get("/readyz")
        assert (answer.status, answer.text) == (503, '{"status":"not ready"}')
        sink.wait_for_log("ServiceBusSink is not ready: Service Bus does not accept the cred")


def test_a_namespace_that_never_answers_is_not_ready() -> None:
    """After the time that is set, and the connector lives on."""
    with listening(say_nothing) as port, process({**at(port), "CHECK_TIMEOUT": "0.2"}) as sink:
        assert sink.get("/readyz").status == 503
        assert sink.get("/healthz").status == 200
        sink.wait_for_log("ServiceBusSink is not ready: no answer within 0.2 s")
