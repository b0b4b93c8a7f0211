"""A run is told at a glance, and without what must not be shown."""

from __future__ import annotations

import json

from sesam_connector_sdk import Rejected
from sesam_connector_sdk.hub import Plan, Run, push, report
from tests.hub.targets import DEAD_LETTERS, ScriptedSink, entities, listening, plan


def pushed(sink: ScriptedSink, *ids: str) -> tuple[Plan, Run]:
    """A run with secrets where they may stand."""
    with listening(sink) as base:
        asked = plan(
            base.replace("//", "//user:hush@"),
            [each | {"body": "hush"} for each in entities(*ids)],
            pump={**DEAD_LETTERS, "batch_retries": 1},
            sink={"url": "/x?token=hush", "headers": {"Token": "hush"}},
        )
        return asked, push(asked)


def told(asked: Plan, run: Run) -> str:
    """Everything a person sees."""
    lines = [
        *report.heading("to-target", asked, incremental=False),
        *(report.line(record) for record in run.requests),
        *report.summary(asked, run),
    ]
    return "\n".join(lines)


def test_a_person_sees_what_was_sent_and_what_became_of_it() -> None:
    """The heading, a line for each request, the bad entity with its reason, and the verdict."""
    text = told(*pushed(ScriptedSink(poison=["b\x1b[2J"]), "a", "b\x1b[2J", "c"))

    assert text.startswith("local hub: a development tool, not Sesam\npipe to-target to system")
    assert "3 entities in batches of 2, full sync" in text
    assert "batch+1" in text
    assert "is_first" in text
    assert "is_last" in text
    assert "3 entities: 2 delivered, 1 dead-lettered, 0 failed, 0 not sent" in text
    assert "dead-lettered: b\\x1b[2J (at 1): 422: " in text
    assert text.endswith(
        "NOT OK: not every entity was delivered; the run ended: the final empty batch was accepted"
    )
    assert "\x1b" not in text


def test_many_entities_that_failed_alike_are_one_line() -> None:
    """Five are named and the others counted."""
    ids = [f"e{number}" for number in range(9)]

    text = told(*pushed(ScriptedSink(poison=ids), *ids))

    assert text.count("dead-lettered: ") == 1
    assert "e4 (at 4) and 4 more: 422: " in text


def test_an_entity_that_was_only_refused_with_others_is_told_as_that() -> None:
    """Nobody then takes a good entity, which the run did not come to, for a bad one."""
    with listening(ScriptedSink(poison="b")) as base:
        asked = plan(base, entities("a", "b", "c"), sink={"batch_size": 3})
        text = told(asked, push(asked))

    assert "3 entities: 1 delivered, 0 dead-lettered, 2 failed, 0 not sent" in text
    assert "  failed: b (at 1): 422: " in text
    assert "  failed: c (at 2): only as part of a batch of 3: 422: " in text


def test_nothing_secret_is_told() -> None:
    """No entity, no header, no query of the pipe, no password."""
    asked, run = pushed(ScriptedSink([Rejected()] * 3), "a", "b")

    text = told(asked, run) + json.dumps(report.document("to-target", asked, run))

    assert "hush" not in text
    assert "/x" in text


def test_the_document_holds_the_whole_run() -> None:
    """Every entity and every request, as JSON has them."""
    asked, run = pushed(ScriptedSink(poison="b"), "a", "b")

    document = json.loads(json.dumps(report.document("to-target", asked, run)))

    assert document["ok"] is False
    assert document["end"] == "complete"
    assert document["counts"] == {"delivered": 1, "dead-lettered": 1, "failed": 0, "not sent": 0}
    assert [each["fate"] for each in document["entities"]] == ["delivered", "dead-lettered"]
    assert [each["status"] for each in document["requests"]] == [422, 422, 200, 422, 200]
    assert document["requests"][0]["ids"] == ["a", "b"]
    assert document["requests"][0]["parameters"]["sequence_id"] == document["sequence_id"]


def test_what_has_no_effect_is_noted_before_anything_is_sent() -> None:
    """A person then need not wonder why there are no dead letters."""
    asked = plan("http://127.0.0.1:1", [], pump={"dead_letter_dataset": "dead"})

    lines = list(report.heading("to-target", asked, incremental=True))

    assert "0 entities in batches of 2, incremental sync" in lines
    assert any(line.startswith("note: dead_letter_dataset has no effect") for line in lines)
