"""A nonce is known as this process's own while it lives, and each of its counts is good once."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesam_connector_sdk.authentication import nonces
from sesam_connector_sdk.authentication.nonces import LIFETIME, Nonces


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time that it is set to."""
        return self.now


def test_a_count_is_good_once() -> None:
    """In any order. Seen to fail when counts are not remembered."""
    found = Nonces()
    nonce = found.make()

    assert [found.take(nonce, count) for count in (1, 3, 2, 1, 2, 3, 4)] == [
        *(True, True, True, False, False, False, True)
    ]


@given(st.lists(st.integers(min_value=0, max_value=2**32 - 1) | st.integers(0, 300)))
def test_no_order_of_counts_takes_one_twice(counts: list[int]) -> None:
    """Nor does a huge one cost memory."""
    found = Nonces()
    nonce = found.make()

    taken = [count for count in counts if found.take(nonce, count)]

    assert len(taken) == len(set(taken))
    assert found._used == {} or max(use.seen for use in found._used.values()) < 2**128


def test_counts_that_overtake_each_other_are_all_good() -> None:
    """Within the window, which is more than a client has requests on the way."""
    found = Nonces()
    nonce = found.make()
    counts = list(range(1, 1001))
    for start in range(0, 1000, 100):
        part = counts[start : start + 100]
        counts[start : start + 100] = part[::-1]

    assert all(found.take(nonce, count) for count in counts)


def test_a_nonce_is_stale_after_its_life() -> None:
    """To the second. Seen to fail when its age is not looked at."""
    clock = Clock()
    found = Nonces(clock)
    nonce = found.make()

    clock.now += LIFETIME
    assert found.take(nonce, 1)
    clock.now += 0.001
    assert not found.take(nonce, 2)


@pytest.mark.parametrize("text", ["", "x", "é", "A" * 1000, "\ud800", "=", "AAAA", "A" * 54 + "=="])
def test_what_was_not_made_here_is_stale(text: str) -> None:
    """Whatever it is, and wherever else it was made. Seen to fail when nothing is signed."""
    assert not Nonces().take(text, 1)
    assert not Nonces().take(Nonces().make(), 1)


def test_no_bit_of_a_nonce_may_be_another() -> None:
    """Neither of its time, of what makes it unique, nor of its signature."""
    found = Nonces()
    raw = base64.urlsafe_b64decode(found.make())

    for at in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[at // 8] ^= 1 << at % 8
        assert not found.take(base64.urlsafe_b64encode(flipped).decode(), 1)
    assert found.take(base64.urlsafe_b64encode(raw).decode(), 1)


def test_another_spelling_of_a_nonce_is_the_same_nonce() -> None:
    """base64 is read leniently, and the count still counts."""
    found = Nonces()
    nonce = found.make()

    assert found.take(nonce, 1)
    assert not found.take(nonce[:3] + "!" + nonce[3:], 1)


def test_what_is_forgotten_is_stale_rather_than_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and a count of a forgotten nonce cannot be used again.

    Seen to fail when a nonce that is not remembered is taken for one that was never used.
    """
    monkeypatch.setattr(nonces, "_MOST_USED", 8)
    clock = Clock()
    found = Nonces(clock)
    made = []
    for _ in range(50):
        clock.now += 1
        made.append(found.make())
        assert found.take(made[-1], 1)
        assert len(found._used) <= 8

    assert [nonce for nonce in made if found.take(nonce, 1)] == []
    assert found.take(made[-1], 2)


def test_a_count_that_many_threads_take_is_given_to_one() -> None:
    """A replay may come at the same moment as what it repeats."""
    found = Nonces()
    nonce = found.make()

    with ThreadPoolExecutor(12) as pool:
        taken = list(pool.map(lambda at: found.take(nonce, at // 12), range(1200)))

    assert sum(taken) == 100
