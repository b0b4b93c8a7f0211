"""Full syncs of sinks: what the target holds after each request, and which hook runs when."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from sesam_connector_sdk import Batch, FullSync, Settings, Sink, TargetUnavailable
from sesam_connector_sdk.errors import Misuse, TooManyDeletions
from sesam_connector_sdk.sink import full_sync as module
from sesam_connector_sdk.testing import Answer, opened, push
from tests.conftest import Serving
from tests.notes import PATIENCE_SECONDS
from tests.rows import SWEEPERS, ListingSink, RowsSettings, RowsSink, StampedSink, held
from tests.wire import Client, Reply, eventually


@pytest.fixture(params=SWEEPERS, ids=lambda each: each.__name__)
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RowsSink]:
    """An open sink of each kind."""
    file = str(tmp_path / "rows")
    with opened(request.param(RowsSettings(notes_file=file))) as sink:
        yield sink


def query(number: int, sequence: str = "s", **others: str) -> dict[str, str]:
    """The parameters of a request of a full sync, numbered as the documentation does it."""
    first: dict[str, str] = {"is_first": "true"} if number == 1 else {}
    before = {"previous_request_id": str(number - 1)} if number > 1 else {}
    return {
        "is_full": "true",
        "sequence_id": sequence,
        "request_id": str(number),
        **first,
        **before,
        **others,
    }


LAST = {"is_last": "true"}


def entities(ids: Iterable[str], **fields: Any) -> list[dict[str, Any]]:
    """Entities of these ids."""
    return [{"_id": each, **fields} for each in ids]


def in_target(sink: RowsSink) -> str:
    """The ids that the target holds."""
    return "".join(held(sink.settings.notes_file))


def full(sink: Sink[Any], ids: str, sequence: str = "s", **others: str) -> Answer:
    """A full sync in a single request."""
    return push(sink, entities(ids), query=query(1, sequence, **LAST, **others))


def test_the_documented_examples_leave_the_documented_rows(rows: RowsSink) -> None:
    """Examples 0, 1 and 2 of ``json-push``, one after the other."""
    base = {"is_full": "true", "sequence_id": "1"}
    assert push(rows, entities("ab")).accepted
    assert in_target(rows) == "ab"

    push(rows, entities("b"), query={**base, "request_id": "1", "is_first": "true"})
    push(rows, entities("ac"), query={**base, "request_id": "2", "previous_request_id": "1"})
    third = {"request_id": "3", "previous_request_id": "2", "is_last": "true"}
    assert push(rows, entities("d"), query={**base, **third}).accepted
    assert in_target(rows) == "abcd"

    base["sequence_id"] = "2"
    push(rows, entities("ab"), query={**base, "request_id": "1", "is_first": "true"})
    assert in_target(rows) == "abcd", "nothing is deleted before the end"
    second = {"request_id": "2", "previous_request_id": "1", "is_last": "true"}
    assert push(rows, entities("d"), query={**base, **second}).accepted
    assert in_target(rows) == "abd"


def test_an_empty_last_request_ends_it(rows: RowsSink) -> None:
    """As the hub sends it. The empty batch goes to ``write``, too."""
    push(rows, entities("xy"))
    push(rows, entities("ab"), query=query(1))

    assert push(rows, [], query=query(2, **LAST)).document == {"delivered": 0, "skipped": 0}

    assert in_target(rows) == "ab"


def test_an_empty_source_empties_the_target(rows: RowsSink) -> None:
    """First and last at once, without entities: that is what the source has."""
    push(rows, entities("xy"))

    assert full(rows, "").accepted

    assert in_target(rows) == ""


def test_an_incremental_request_in_between_is_not_swept(rows: RowsSink) -> None:
    """Its rows were written since the full sync began, so they are newer than what it knows."""
    push(rows, entities("x"))
    push(rows, entities("a"), query=query(1))
    push(rows, entities("n"))
    push(rows, [], query=query(2, **LAST))

    assert in_target(rows) == "an"


@pytest.mark.parametrize("wrong", [query(3), query(2, "t"), query(2, is_first="true")])
def test_a_conflict_is_answered_409_and_delivers_nothing(
    rows: RowsSink, wrong: dict[str, str]
) -> None:
    """The body is not even looked at."""
    push(rows, entities("x"))
    push(rows, entities("a"), query=query(1))

    answer = push(rows, b"no json", query={**wrong, **LAST})

    assert answer.status == 409
    assert answer.document["type"] == "urn:sesam-connector:full-sync-conflict"
    assert in_target(rows) == "ax"
    push(rows, [], query=query(2, **LAST))
    assert in_target(rows) == "a"


def test_a_replay_does_no_harm(rows: RowsSink) -> None:
    """Each request twice, also the last one: the same rows, and 200."""
    push(rows, entities("x"))
    for request in ((entities("a"), query(1)), (entities("b"), query(2)), ([], query(3, **LAST))):
        for _ in range(2):
            assert push(rows, request[0], query=request[1]).accepted

    assert in_target(rows) == "ab"


def test_a_refused_entity_keeps_everything(
    rows: RowsSink, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in the source, so its row must stay; the log says why nothing was deleted."""
    push(rows, entities("bx"))
    bad = entities("b", do="reject")
    push(rows, entities("a"), query=query(1))
    assert push(rows, [*entities("c"), *bad], query=query(2)).status == 422
    assert push(rows, entities("c"), query=query(3, previous_request_id="1")).accepted
    assert push(rows, bad, query=query(4)).status == 422

    with caplog.at_level(logging.WARNING):
        assert push(rows, [], query=query(5, previous_request_id="3", **LAST)).accepted

    assert in_target(rows) == "abcx"
    assert caplog.messages == [
        "full sync s ends without deleting anything: 1 entities were not delivered"
    ]
    assert full(rows, "abc", "t").accepted
    assert in_target(rows) == "abc"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"[", {}, 400),
        (b'[{"_id": 7}]', {}, 422),
        (b"[]", {"Content-Type": "text/plain"}, 415),
        (b"[" + b" " * 5_000_000 + b"]", {}, 413),
    ],
)
def test_a_request_that_was_never_read_keeps_everything(
    rows: RowsSink, body: bytes, headers: dict[str, str], status: int
) -> None:
    """Whoever refuses it, and although the next one continues as if nothing had been."""
    push(rows, entities("x"))
    push(rows, entities("a"), query=query(1))

    assert push(rows, body, query=query(2), headers=headers).status == status
    assert push(rows, [], query=query(3, previous_request_id="1", **LAST)).accepted

    assert in_target(rows) == "ax"


def test_a_failed_request_that_comes_again_is_no_hindrance(rows: RowsSink) -> None:
    """The target was away for a moment; then all came, and the rest is swept."""
    push(rows, entities("x"))
    push(rows, entities("a"), query=query(1))
    assert push(rows, entities("b", do="fail"), query=query(2)).status == 503
    assert push(rows, entities("b"), query=query(2)).accepted
    assert push(rows, [], query=query(3, **LAST)).accepted

    assert in_target(rows) == "ab"


@pytest.mark.parametrize("kind", SWEEPERS)
def test_the_guard_deletes_nothing_and_says_what_to_do(
    kind: type[RowsSink], tmp_path: Path
) -> None:
    """Half is let through, more is not; raised for one run, the same full sync goes through."""
    file = str(tmp_path / "rows")
    with opened(kind(RowsSettings(notes_file=file, share=0.5))) as sink:
        push(sink, entities("abcd"))
        refused = full(sink, "a")
        assert refused.status == 422
        assert refused.document["type"] == "urn:sesam-connector:too-many-deletions"
        assert "would delete 3 of 4" in refused.document["detail"]
        assert "raise max_deletion_share" in refused.document["detail"]
        assert in_target(sink) == "abcd"
        assert full(sink, "ab", "t").accepted
        assert in_target(sink) == "ab"
        sink.max_deletion_share = 1.0
        assert full(sink, "", "u").accepted
        assert in_target(sink) == ""


@pytest.mark.parametrize(("deletions", "of"), [(0, 0), (0, 3), (1, 2), (50, 100)])
def test_the_guard_lets_through_up_to_the_share(deletions: int, of: int) -> None:
    """The share itself is allowed."""
    FullSync("s").guard(deletions, of=of)


@pytest.mark.parametrize(("deletions", "of"), [(1, 1), (1, 0), (51, 100)])
def test_the_guard_refuses_more(deletions: int, of: int) -> None:
    """Also of a target that claims to be empty."""
    with pytest.raises(TooManyDeletions):
        FullSync("s").guard(deletions, of=of)


class Recorder(Sink[Settings]):
    """Notes which hook runs, with what, on which thread; raises where it is told to."""

    route = "/{table}"
    retryable = (ConnectionError,)

    def __init__(self) -> None:
        super().__init__(Settings())
        self.calls: list[tuple[str, Any]] = []
        self.threads: set[int] = set()
        self.errors: dict[str, BaseException] = {}
        self.listed: list[Any] = []

    def note(self, hook: str, full_sync: FullSync | None) -> None:
        """A hook runs."""
        self.calls.append((hook, full_sync and full_sync.id))
        self.threads.add(threading.get_ident())
        self.last = full_sync
        if error := self.errors.pop(hook, None):
            raise error

    def begin_full_sync(self, full_sync: FullSync) -> None:
        """Note it."""
        self.note("begin", full_sync)

    def write(self, batch: Batch) -> None:
        """Take everything."""
        self.note("write", batch.full_sync)
        for _ in batch:
            pass

    def list_ids(self, full_sync: FullSync) -> Iterator[Any]:
        """What it is told to list."""
        self.note("list", full_sync)
        yield from self.listed

    def complete_full_sync(self, full_sync: FullSync) -> None:
        """Note it."""
        self.note("complete", full_sync)

    def hooks(self) -> str:
        """The first letters of the hooks that ran since it was last asked."""
        found = "".join(hook[0] for hook, _ in self.calls)
        self.calls.clear()
        return found


def send(sink: Sink[Any], ids: str, asked: dict[str, str], path: str = "/t") -> Answer:
    """A request to a table."""
    return push(sink, entities(ids), query=asked, path=path)


def test_the_hooks_run_in_order_and_in_one_thread() -> None:
    """Begin before the first write, list and complete after the last one."""
    sink = Recorder()
    sink.listed = ["a", "x"]
    sink.max_deletion_share = 0.6

    send(sink, "a", query(1, table="big", colour="red"))
    assert sink.hooks() == "bw"
    send(sink, "b", query(2, table="big", colour="red"))
    assert sink.hooks() == "w"
    send(sink, "", query(3, table="big", colour="red", **LAST))
    assert sink.hooks() == "wlc"
    assert sink.threads == {threading.get_ident()}
    assert sink.last == FullSync(
        "s",
        fields={"table": "t"},
        query={"table": "big", "colour": "red"},
        unseen=("x",),
        max_deletion_share=0.6,
    )


def test_a_replay_is_named_and_begins_and_completes_nothing() -> None:
    """``write`` runs again, because an answer may have been lost."""
    sink = Recorder()
    for _ in range(2):
        send(sink, "a", query(1, **LAST))

    assert sink.hooks() == "bwlcw"
    assert sink.last is not None
    assert sink.last.replay


@pytest.mark.parametrize(
    ("error", "status"), [(ConnectionError(), 503), (TargetUnavailable(), 503), (KeyError(), 500)]
)
@pytest.mark.parametrize("hook", ["begin", "list", "complete"])
def test_what_a_hook_raises_has_its_status_and_the_request_can_come_again(
    hook: str, error: Exception, status: int, serving: Serving
) -> None:
    """As with ``write``; and the full sync goes on as if the request had not been."""
    sink = Recorder()
    client = serving(sink)
    sink.errors[hook] = error

    assert sent(client, "a", query(1, **LAST), "/t").status == status
    assert sent(client, "a", query(1, **LAST), "/t").status == 200

    expected = {"begin": "bbwlc", "list": "bwlbwlc", "complete": "bwlcbwlc"}
    assert sink.hooks() == expected[hook]


def test_a_hook_that_exits_is_a_bug() -> None:
    """It must not end the server's thread."""
    sink = Recorder()
    sink.errors["complete"] = SystemExit(1)

    with pytest.raises(RuntimeError, match=r"called sys\.exit"):
        send(sink, "a", query(1, **LAST))


@pytest.mark.parametrize("listed", [7, None, b"a"])
def test_an_id_that_is_no_text_is_a_bug_and_deletes_nothing(listed: Any) -> None:
    """A number would equal no ``_id``, so every row would seem to be gone."""
    sink = Recorder()
    sink.listed = ["a", listed]

    with pytest.raises(Misuse, match="an _id is a str"):
        send(sink, "a", query(1, **LAST))
    assert sink.hooks() == "bwl"


@pytest.mark.parametrize("other", [{"path": "/u"}, {"asked": query(1, table="x")}])
def test_each_path_and_query_has_its_own_full_sync(other: dict[str, Any]) -> None:
    """Two pipes to one sink do not disturb each other."""
    sink = Recorder()

    for asked in ({"asked": query(1)}, other):
        assert send(sink, "a", **{"asked": query(1), **asked}).accepted
    assert send(sink, "b", query(2, **LAST)).accepted
    second: dict[str, Any] = {**other, "asked": {**query(2), **other.get("asked", {})}}
    second["asked"].pop("is_first", None)
    second["asked"] |= {"request_id": "2", "previous_request_id": "1", **LAST}
    assert send(sink, "b", **second).accepted
    assert sink.hooks() == "bwbwwlcwlc"


def test_a_full_sync_without_its_tokens_is_refused() -> None:
    """400, before anything is delivered."""
    sink = Recorder()

    assert send(sink, "a", {"is_full": "true", "is_first": "true"}).status == 400
    assert sink.hooks() == ""


def test_an_address_used_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its full sync is answered 409, as after a restart."""
    monkeypatch.setattr(module, "MAX_ADDRESSES", 2)
    sink = Recorder()

    for path in ("/a", "/b", "/a", "/c"):
        send(sink, "1", query(1), path)

    assert send(sink, "2", query(2), "/b").status == 409
    assert send(sink, "2", query(2), "/a").status == 409, "which that made room for"
    assert send(sink, "2", query(2), "/b").status == 409


def test_a_sink_that_does_not_sweep_has_no_state() -> None:
    """It takes full syncs like anything else, in whatever order they come."""

    class Plain(Sink[Settings]):
        def write(self, batch: Batch) -> None:
            assert batch.full_sync is None
            for _ in batch:
                pass

    sink = Plain(Settings())

    assert push(sink, entities("a"), query=query(7, **LAST)).accepted
    assert push(sink, entities("a"), query={"is_full": "true"}).accepted
    assert sink.full_syncs is None
    assert not Plain.sweeps()
    assert ListingSink.sweeps()
    assert StampedSink.sweeps()


@pytest.mark.parametrize("hook", ["begin_full_sync", "list_ids"])
def test_a_sink_that_could_never_delete_is_refused_when_the_class_is_made(hook: str) -> None:
    """A hook that nothing would ever call was meant to do something."""
    with pytest.raises(TypeError, match=f"Half has {hook} without complete_full_sync"):
        type("Half", (Sink,), {hook: getattr(Recorder, hook)})


def sent(client: Client, ids: str, asked: dict[str, str], path: str = "/", **fields: Any) -> Reply:
    """A request over the socket."""
    return client.post(entities(ids, **fields), f"{path}?{urlencode(asked)}")


def test_a_request_waits_while_another_of_its_full_sync_is_at_work(
    rows: RowsSink, serving: Serving
) -> None:
    """The hub gave up on an answer and sent again: the second is a replay of the first."""
    client = serving(rows)
    file = rows.settings.notes_file
    sent(client, "x", {})
    replies: list[Reply] = []

    def work(**fields: Any) -> None:
        replies.append(sent(client, "a", query(1, **LAST), **fields))

    threads = [threading.Thread(target=work, kwargs={"do": "wait"}) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(Path(f"{file}.begun").exists, "the write begins")
    assert in_target(rows) == "x"
    Path(f"{file}.gate").touch()
    for thread in threads:
        thread.join()

    assert [each.status for each in replies] == [200] * 3
    assert in_target(rows) == "a"


def test_a_request_that_waits_too_long_is_answered_429_and_spoils_the_sweep(
    rows: RowsSink, serving: Serving
) -> None:
    """Its entities are in the source, and nobody knows which they are."""
    client = serving(rows, request_timeout=0.2)
    file = rows.settings.notes_file
    sent(client, "x", {})
    first = threading.Thread(target=sent, args=(client, "a", query(1)), kwargs={"do": "wait"})
    first.start()
    eventually(Path(f"{file}.begun").exists, "the write begins")

    # Tokens that are no numbers: here no gap between them could show that one is missing.
    assert sent(client, "b", query(2, request_id="x")).status == 429
    Path(f"{file}.gate").touch()
    first.join()
    assert sent(client, "c", query(2, request_id="y", **LAST)).status == 200

    assert in_target(rows) == "acx"


def test_incremental_requests_do_not_wait_for_each_other(serving: Serving) -> None:
    """Two are in ``write`` at once: each waits there for the other."""
    meeting = threading.Barrier(2, timeout=PATIENCE_SECONDS)

    class Meeting(Recorder):
        def write(self, batch: Batch) -> None:
            super().write(batch)
            meeting.wait()

    client = serving(Meeting())
    threads = [threading.Thread(target=sent, args=(client, "a", {}, "/t")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not meeting.broken


def test_an_address_at_work_is_not_forgotten(
    rows: RowsSink, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many others there are meanwhile."""
    monkeypatch.setattr(module, "MAX_ADDRESSES", 1)
    client = serving(rows)
    file = rows.settings.notes_file
    asked = query(1, table="a")
    first = threading.Thread(target=sent, args=(client, "a", asked), kwargs={"do": "wait"})
    first.start()
    eventually(Path(f"{file}.begun").exists, "the write begins")

    assert sent(client, "b", query(1, table="b")).status == 200
    Path(f"{file}.gate").touch()
    first.join()

    assert sent(client, "c", query(2, table="a")).status == 200


def test_full_syncs_and_others_at_once_lose_nothing(rows: RowsSink, serving: Serving) -> None:
    """While one client syncs again and again, others add rows: all of them stay until the next."""
    client = serving(rows)
    added: list[str] = []

    def add(prefix: str) -> None:
        for number in range(10):
            reply = client.post([{"_id": f"{prefix}{number}"}])
            assert reply.status == 200
            added.append(f"{prefix}{number}")

    threads = [threading.Thread(target=add, args=(each,)) for each in "pq"]
    sent(client, "a", query(1))
    for thread in threads:
        thread.start()
    for number in range(2, 8):
        assert sent(client, "a", query(number)).status == 200
    for thread in threads:
        thread.join()
    assert sent(client, "", query(8, **LAST)).status == 200

    assert len(added) == 20
    assert held(rows.settings.notes_file) == sorted([*added, "a"])


def test_numbers_of_many_ids_are_told_apart(tmp_path: Path) -> None:
    """A target of thousands: exactly those that did not come are deleted."""
    with opened(ListingSink(RowsSettings(notes_file=str(tmp_path / "rows")))) as sink:
        ids = [f"{number:05}" for number in range(6_000)]
        push(sink, json.dumps([{"_id": each} for each in ids]).encode())
        kept = ids[::3]
        body = json.dumps([{"_id": each} for each in kept]).encode()
        assert push(sink, body, query=query(1, **LAST)).accepted

        assert held(sink.settings.notes_file) == kept
