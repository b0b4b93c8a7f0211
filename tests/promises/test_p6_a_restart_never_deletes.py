"""P6: a restart never deletes, and neither does an error: what the source has stays in the target.

Breaks that were tried, each on a copy: a full sync that is not known taken without ``is_first``;
``hindrance`` that looks at nothing, and each of the things that it looks at left out by itself; a
failed request that is not noted; a sweep at the first request.
"""

from __future__ import annotations

import contextlib
import http.client
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sesam_connector_sdk.hub import End, RequestRecord
from sesam_connector_sdk.hub import push as run_pipe
from sesam_connector_sdk.testing import Answer, opened, push
from tests.connectors import Start
from tests.hub.targets import DEAD_LETTERS, entities, listening, plan
from tests.rows import SWEEPERS, RowsSettings, RowsSink, held
from tests.wire import Client, Reply

FATES = st.sampled_from(["arrives"] * 4 + ["fails", "is lost", "answer is lost", "restart"])
"""What befalls a request: the target fails once; it never reaches the connector; its answer never
reaches the hub; the connector is restarted before it."""

NUMBERINGS = st.sampled_from(["after the accepted", "after the sent", "one number for a batch"])


@pytest.fixture
def in_background(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Start work in a thread that ends with the test, however the work ends."""

    def start(work: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        def run() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                work(*arguments, **named)

        thread = threading.Thread(target=run)
        thread.start()
        request.addfinalizer(thread.join)

    return start


class Hub:
    """Runs full syncs, badly treated. It sends again, then entity by entity, then goes on.

    Args:
        kind: The sink.
        file: Its target.
        numbering: What ``previous_request_id`` and ``request_id`` are after a failure.
        fates: What befalls each request; nothing more when they are used up.
    """

    def __init__(
        self, kind: type[RowsSink], file: str, numbering: str, fates: Iterable[str] = ()
    ) -> None:
        self.kind = kind
        self.file = file
        self.numbering = numbering
        self.fates = iter(fates)
        self.troubled = False
        self.sink = self.started()

    def started(self) -> RowsSink:
        """A connector that has just come up."""
        sink = self.kind(RowsSettings(notes_file=self.file))
        sink.open()
        return sink

    def run(self, source: list[dict[str, Any]], sequence: str, size: int) -> bool:
        """One full sync; False if it ended with a conflict."""
        self.sequence, self.number = sequence, 0
        self.last_query: dict[str, str] = {}
        self.accepted: str | None = None
        self.sent: str | None = None
        batches = [source[at : at + size] for at in range(0, len(source), size)]
        try:
            for batch in batches:
                if not self.delivered(batch):
                    self.troubled = True
                    for entity in batch:
                        self.delivered([entity], same=self.numbering == "one number for a batch")
            self.delivered([], last=True)
        except InterruptedError:
            return False
        return True

    def delivered(
        self, batch: list[dict[str, Any]], *, same: bool = False, last: bool = False
    ) -> bool:
        """A request and, if it fails, the same once more."""
        query = self.query(same=same, last=last)
        return any(self.arrived(batch, query) for _ in range(2))

    def query(self, *, same: bool, last: bool) -> dict[str, str]:
        """The parameters of the next request."""
        self.number += not same
        before = self.sent if self.numbering == "after the sent" else self.accepted
        if same:
            return self.last_query
        self.last_query = {"is_full": "true", "sequence_id": self.sequence}
        self.last_query["request_id"] = str(self.number)
        if before is not None:
            self.last_query["previous_request_id"] = before
        if self.accepted is None and before is None:
            self.last_query["is_first"] = "true"
        if last:
            self.last_query["is_last"] = "true"
        self.sent = self.last_query["request_id"]
        return self.last_query

    def arrived(self, batch: list[dict[str, Any]], query: dict[str, str]) -> bool:
        """Whether the hub counts a request as accepted."""
        fate = next(self.fates, "arrives")
        self.troubled |= fate != "arrives"
        numbers_tell = self.numbering != "one number for a batch"
        if fate == "is lost" and numbers_tell:
            return False
        # With one number for all of a first batch, its last entity looks like a full sync's first.
        if fate == "restart" and (numbers_tell or "is_first" not in query):
            self.sink.close()
            self.sink = self.started()
        failing = [{**each, "do": "fail"} for each in batch] if fate == "fails" else batch
        answer: Answer = push(self.sink, failing, query=query)
        if answer.status == 409:
            raise InterruptedError
        if not answer.accepted or fate == "answer is lost":
            return False
        self.accepted = query["request_id"]
        return True


@settings(max_examples=200)
@example(  # a batch and its entity never arrive, and the hub goes on as if they had not been
    kind=SWEEPERS[0],
    numbering="after the accepted",
    before=frozenset("ab"),
    source=frozenset("ab"),
    bad=frozenset(),
    size=1,
    fates=["arrives", "is lost", "is lost", "is lost", "is lost"],
)
@example(  # a restart between the entities of a first batch, after one that was refused
    kind=SWEEPERS[0],
    numbering="after the accepted",
    before=frozenset("a"),
    source=frozenset("ab"),
    bad=frozenset("a"),
    size=2,
    fates=["arrives"] * 4 + ["restart"],
)
@given(
    kind=st.sampled_from(SWEEPERS),
    numbering=NUMBERINGS,
    before=st.frozensets(st.sampled_from("abcdefgh")),
    source=st.frozensets(st.sampled_from("abcdefgh")),
    bad=st.frozensets(st.sampled_from("abcdefgh"), max_size=2),
    size=st.integers(1, 4),
    fates=st.lists(FATES, max_size=30),
)
def test_what_the_source_has_stays_in_the_target(  # one argument for each thing that may vary
    kind: type[RowsSink],
    numbering: str,
    before: frozenset[str],
    source: frozenset[str],
    bad: frozenset[str],
    size: int,
    fates: list[str],
) -> None:
    """Whatever befalls a full sync; one that nothing befalls leaves exactly what the source has."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "rows"))
        hub = Hub(kind, file, numbering, fates)
        push(hub.sink, entities(*before))
        marked = [
            {"_id": each, **({"do": "reject"} if each in bad else {})} for each in sorted(source)
        ]

        whole = hub.run(marked, "first", size)

        assert {*held(file)} >= before & source
        if whole and not hub.troubled:
            assert {*held(file)} == source
        hub.fates = iter(())
        hub.sink.close()
        hub.sink = hub.started()
        assert hub.run(entities(*sorted(source)), "second", size)
        assert {*held(file)} == source
        hub.sink.close()


def sent(client: Client, ids: str, number: int, sequence: str = "s", **others: Any) -> Reply:
    """A request of a full sync over the socket; ``do`` is for its entities."""
    do = {"do": others.pop("do")} if "do" in others else {}
    query = {"is_full": "true", "sequence_id": sequence, "request_id": str(number)}
    query |= {"previous_request_id": str(number - 1)} if number > 1 else {"is_first": "true"}
    batch = [{"_id": each, **do} for each in ids]
    return client.post(batch, f"/?{urlencode(query | others)}")


@pytest.mark.parametrize("kind", [each.__name__ for each in SWEEPERS])
def test_a_process_killed_in_the_middle_deletes_nothing(
    kind: str, connector: Start, in_background: Callable[..., None]
) -> None:
    """SIGKILL while it writes: the rest of that full sync is 409, and the next one completes."""
    first = connector(kind, program="rows.py")
    client = first.listening()
    client.post([{"_id": each} for each in "abcxyz"])
    assert sent(client, "a", 1).status == 200
    in_background(sent, client, "b", 2, do="wait")
    first.begun()
    first.end(signal.SIGKILL)

    second = connector(kind, program="rows.py")
    client = second.listening()
    assert sent(client, "b", 2).status == 409
    assert sent(client, "", 3, is_last="true").status == 409
    assert "".join(held(second.target)) == "abcxyz"

    assert sent(client, "ab", 1, "t").status == 200
    assert sent(client, "c", 2, "t").status == 200
    assert "".join(held(second.target)) == "abcxyz"
    assert sent(client, "", 3, "t", is_last="true").status == 200
    assert "".join(held(second.target)) == "abc"
    assert second.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("kind", [each.__name__ for each in SWEEPERS])
def test_the_hub_starts_over_after_a_restart(kind: str, connector: Start) -> None:
    """The local hub, and a process killed between two of its requests: 409, then a whole run."""
    running = [connector(kind, program="rows.py")]
    client = running[0].listening()
    base = f"http://{client.host}:{client.port}"
    target = running[0].target
    client.post(entities("x", "a"))

    def restart(record: RequestRecord) -> None:
        if len(running) == 1 and len(record.ids) == 2:
            running[0].end(signal.SIGKILL)
            running.append(connector(kind, program="rows.py", PORT=str(client.port)))
            running[1].listening()

    stopped = run_pipe(plan(base, entities("a", "b", "c")), watch=restart)
    assert stopped.end is End.CONFLICT
    assert "".join(held(target)) == "abx"

    assert run_pipe(plan(base, entities("a", "b", "c"))).ok
    assert "".join(held(target)) == "abc"
    assert running[1].end(signal.SIGTERM) == 0


@pytest.mark.parametrize("kind", SWEEPERS)
def test_a_dead_letter_of_the_hub_keeps_its_row(kind: type[RowsSink], tmp_path: Path) -> None:
    """The local hub sends the batch, then its entities, and gives one up; its old row stays."""
    with opened(kind(RowsSettings(notes_file=str(tmp_path / "rows")))) as sink:
        push(sink, entities("x", "b"))
        source = entities("a", "b", "c")
        source[1]["do"] = "reject"
        with listening(sink) as base:
            run = run_pipe(plan(base, source, pump=DEAD_LETTERS), sleep=lambda _seconds: None)
            assert run.end is End.COMPLETE
            assert [each.fate.value for each in run.ledger.accounts].count("delivered") == 2
            assert "".join(held(sink.settings.notes_file)) == "abcx"

            assert run_pipe(plan(base, entities("a", "b", "c"))).ok
            assert "".join(held(sink.settings.notes_file)) == "abc"
