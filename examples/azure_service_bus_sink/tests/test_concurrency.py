"""Many requests at once, to many queues, while things go wrong."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from service_bus_emulator import Emulator, faults

from .plays import BUSY, ROUNDS, THREADS, Done
from .processes import process
from .support import PATIENCE, Arrivals, eventually, ids, local, variables

CAP = 10
"""The default of MAX_REQUESTS_PER_DESTINATION."""


def test_what_is_acknowledged_arrives_however_many_threads_and_faults_there_are(
    emulator: Emulator, storm: list[Done]
) -> None:
    """12 threads, 4 queues, faults in between: acknowledged is received, and nothing hangs.

    Seen to fail when several sends share one sender at once, and when the sink swallows errors.
    """
    assert len(storm) == THREADS * ROUNDS
    statuses = Counter(done.status for done in storm)
    assert set(statuses) <= {200, 422, 429, 503, 504}
    assert statuses[200] > len(storm) / 2
    assert len(statuses) > 1, "no fault was met, so nothing was tried"
    there = {queue: set(ids(emulator, queue)) for queue in BUSY}
    for done in storm:
        assert done.status != 200 or set(done.ids) <= there[done.queue]
    # One sender for each queue: a request waits for those before it, each as long as it may take.
    assert max(done.seconds for done in storm) < 30


def test_a_destination_that_hangs_does_not_hold_up_the_others(
    emulator: Emulator, queue: str
) -> None:
    """While one queue does not answer, requests to others take no longer than usual.

    Seen to fail when all destinations share one sender's turn.
    """
    hung = f"{queue}-hung"
    emulator.inject(hung, faults.Silence(times=None))
    with local(variables(emulator, SEND_TIMEOUT="2")) as sink, ThreadPoolExecutor(1) as pool:
        assert sink.post(f"/{queue}", [{"_id": "0"}]).status == 200
        waiting = pool.submit(sink.post, f"/{hung}", [{"_id": "1"}])
        eventually(lambda: emulator.stats(hung).transfers_received, "the hung queue was tried")
        answers = [sink.post(f"/{queue}", [{"_id": f"{n}"}]) for n in range(20)]
        assert not waiting.done()
        assert {answer.status for answer in answers} == {200}
        assert waiting.result().status == 504
    assert len(ids(emulator, queue)) == 21


def test_a_queue_that_hangs_leaves_threads_for_the_others(emulator: Emulator, queue: str) -> None:
    """Twelve requests to a silent queue, with the default of 12 threads: others are still answered.

    Ten wait, two are 429 at once; meanwhile another queue takes a request, and the process shows
    that it lives. When the queue speaks again, the ten are 200 and in it.

    Seen to fail without the cap, and when the cap is as high as the number of threads.
    """
    hung = f"{queue}-hung"
    emulator.inject(hung, faults.Silence(times=None))
    with process(variables(emulator, SEND_TIMEOUT="60")) as sink, ThreadPoolExecutor(12) as pool:
        posts = [pool.submit(sink.post, f"/{hung}", [{"_id": f"{n}"}]) for n in range(12)]
        try:
            eventually(lambda: sum(post.done() for post in posts) == 12 - CAP, "two were refused")
            assert sink.post(f"/{queue}", [{"_id": "1"}]).status == 200
            assert sink.get("/healthz").status == 200
            assert sum(post.done() for post in posts) == 12 - CAP
        finally:
            emulator.clear_faults(hung)
            emulator.inject(hung, faults.ResetIdle())
        answers = [post.result() for post in posts]
    refused = [answer for answer in answers if answer.status != 200]
    assert {(each.status, each.headers["retry-after"]) for each in refused} == {(429, "10")}
    assert all("MAX_REQUESTS_PER_DESTINATION" in each.document["detail"] for each in refused)
    assert len(ids(emulator, hung)) == CAP == len(answers) - len(refused)


def test_the_destination_idle_for_longest_makes_room(emulator: Emulator, queue: str) -> None:
    """With MAX_DESTINATIONS=2 a third queue is served, and the connection to the first closed.

    Seen to fail when the one used last is closed.
    """
    names = [f"{queue}-{letter}" for letter in "abc"]
    with local(variables(emulator, MAX_DESTINATIONS="2")) as sink:
        for name in (names[0], names[1], names[0], names[2], names[0]):
            assert sink.post(f"/{name}", [{"_id": name}]).status == 200
        eventually(lambda: not emulator.stats(names[1]).links_open, "the second was closed")
        assert [emulator.stats(name).links_total for name in names] == [1, 1, 1]
        assert sink.sink._bus._in_use == {names[0]: 0, names[2]: 0}


def test_when_all_places_are_in_use_the_hub_is_asked_to_wait(
    emulator: Emulator, arrivals: Arrivals, queue: str
) -> None:
    """With MAX_DESTINATIONS=1 and that one busy, another is 429 with Retry-After; later it works.

    Seen to fail when a destination in use is closed to make room.
    """
    emulator.inject(queue, faults.Delay(0.5, times=1))
    with local(variables(emulator, MAX_DESTINATIONS="1")) as sink, ThreadPoolExecutor(1) as pool:
        busy = pool.submit(sink.post, f"/{queue}", [{"_id": "1"}])
        arrivals.wait_for(queue, 1)
        refused = sink.post(f"/{queue}-other", [{"_id": "2"}])
        assert busy.result().status == 200
        assert sink.post(f"/{queue}-other", [{"_id": "2"}]).status == 200
    assert (refused.status, refused.headers["retry-after"]) == (429, "10")
    assert "MAX_DESTINATIONS" in refused.document["detail"]


def test_requests_to_one_queue_wait_for_each_other_but_not_beyond_their_deadline(
    emulator: Emulator, queue: str
) -> None:
    """Twelve requests queue up behind a queue that does not answer: all are answered in time.

    The first is 504; the time of those behind it is up before they begin, which is 503.
    """
    emulator.inject(queue, faults.Silence(times=None))
    settings = variables(
        emulator,
        SEND_TIMEOUT="1",
        REQUEST_TIMEOUT="2",
        MAX_REQUESTS_PER_DESTINATION=str(THREADS),
    )
    with local(settings) as sink, ThreadPoolExecutor(THREADS) as pool:
        start = threading.Barrier(THREADS)

        def push(number: int) -> tuple[int, float]:
            start.wait()
            answer = sink.post(f"/{queue}", [{"_id": f"{number}"}])
            return answer.status, answer.seconds

        answers = list(pool.map(push, range(THREADS)))
    assert {status for status, _ in answers} == {503, 504}
    assert max(seconds for _, seconds in answers) < PATIENCE
    assert ids(emulator, queue) == []
