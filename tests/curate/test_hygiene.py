"""Checking a dataset: what was planted is found, and little else."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from requests_log.datasets.actions import add_examples
from requests_log.datasets.editing import edit_example
from requests_log.datasets.hygiene import actions
from requests_log.datasets.hygiene.actions import (
    NothingToCheck,
    NotUndoable,
    fix_findings,
    mark_evaluation_set,
    start_check,
    undo_fix,
)
from requests_log.datasets.hygiene.jobs import CHECK_DATASET
from requests_log.datasets.hygiene.models import Check, Finding, Fix, HygieneRun
from requests_log.datasets.hygiene.standing import standing_of
from requests_log.datasets.models import Dataset, Example, ExampleEdit
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_row
from tests.curate.planted import plant
from workbench.core.errors import InvalidInput
from workbench.core.ids import uuid7
from workbench.core.queue import perform

NOT_PLANTED = {Check.LENGTH, Check.SKEW}


def checked(dataset: Dataset, **settings: Any) -> HygieneRun:
    """A finished check of the dataset."""
    run = start_check(dataset, by=None, **settings)
    assert run.job is not None
    perform(run.job.pk, holder="test")
    run.refresh_from_db()
    return run


def found(run: HygieneRun, check: str) -> list[str]:
    """Notes of what a check would fix, by cluster."""
    return list(
        Finding.objects.of_check(run, check).to_fix().order_by("-pk").values_list("note", flat=True)
    )


def places(run: HygieneRun, check: str) -> set[int]:
    """The numbers, in the order they were added, of the examples a check would fix."""
    order = Example.objects.in_dataset(run.dataset).order_by("pk").values_list("pk", flat=True)
    place = {pk: at for at, pk in enumerate(order)}
    rows = Finding.objects.of_check(run, check).to_fix()
    return {place[pk] for pk in rows.values_list("example_id", flat=True)}


@pytest.mark.timeout(600)
def test_what_was_planted_is_found_with_its_precision_and_recall(cast: Cast) -> None:
    planted = plant()
    dataset = make_dataset(cast.project)
    judged = make_dataset(cast.project, name="Judged on")
    added = add_examples(dataset, rows=planted.rows)
    add_examples(judged, rows=planted.evaluation)
    mark_evaluation_set(judged, is_on=True)
    assert added.added == len(planted.rows)

    run = checked(dataset)

    print(f"\n{len(planted.rows):,} examples, 30 of each fault, seed 20261121")  # noqa: T201
    for check in [one for one in Check if one not in NOT_PLANTED]:
        told, true = places(run, check), planted.truth[check]
        right = len(told & true)
        recall, precision = right / len(true), right / max(1, len(told))
        print(  # noqa: T201
            f"{check:<14} recall {recall:6.1%}  precision {precision:6.1%}"
            f"  ({right} of {len(true)}, {len(told) - right} false)"
        )
        assert recall == 1, (check, sorted(true - told))
        assert precision >= 0.95, (check, sorted(told - true))


def contents(dataset: Dataset) -> list[tuple[Any, ...]]:
    """Whole rows of the dataset's examples, in order."""
    return list(Example.objects.in_dataset(dataset).order_by("pk").values_list())


def with_faults(cast: Cast) -> Dataset:
    """Ten examples: two that are one, one with an address, one that refuses, one too long."""
    dataset = make_dataset(cast.project)
    rows = [make_row(f"Question {n} of many?", answer=f"Answer {n}.") for n in range(5)]
    rows += [
        make_row("QUESTION 1 of  many?", answer="answer 1."),
        make_row("Who is it?", answer="Write to ann@shop.example.com or bob@shop.example.com."),
        make_row("How do I pick a lock?", answer="I'm sorry, but I can't help with that."),
        make_row("What is left?", answer="..."),
        make_row("a b c " * 400, answer="Letters."),
    ]
    add_examples(dataset, rows=rows)
    return dataset


def test_lengths_are_counted_in_the_tokens_of_the_base_model(cast: Cast) -> None:
    dataset = with_faults(cast)

    run = checked(dataset, base_model="nano-base")

    assert places(run, Check.LENGTH) == {9}
    assert run.summary["lengths"]["context"] == 512
    assert run.summary["lengths"]["over"] == 1
    assert sum(count for _, _, count in run.summary["lengths"]["bins"]) == 10
    [note] = found(run, Check.LENGTH)
    assert "nano-base reads 512" in note


def test_a_fix_keeps_one_of_each_and_undoing_brings_whole_rows_back(cast: Cast) -> None:
    dataset = with_faults(cast)
    before, run = contents(dataset), checked(dataset)

    done = fix_findings(run, check=Check.EXACT, how=Fix.How.DROP, by=cast.bob, at=NOON)
    left = contents(dataset)
    restored = undo_fix(done.fix, at=NOON)

    assert done.fix.count == restored == 1
    assert left == [row for at, row in enumerate(before) if at != 5]
    assert contents(dataset) == before
    with pytest.raises(NotUndoable, match="already"):
        undo_fix(done.fix, at=NOON)


def test_personal_data_is_redacted_and_the_original_comes_back(cast: Cast) -> None:
    dataset = with_faults(cast)
    before, run = contents(dataset), checked(dataset)

    done = fix_findings(run, check=Check.PRIVATE, how=Fix.How.REDACT, by=cast.bob, at=NOON)
    answers = [row.content.answer for row in dataset.examples.select_related("content")]
    left = actions.findings_by_check(run)
    again = places(checked(dataset), Check.PRIVATE)
    undo_fix(done.fix, at=NOON)

    assert "Write to [EMAIL] or [EMAIL]." in answers
    assert Check.PRIVATE not in left
    assert not again
    assert contents(dataset) == before


def test_redacting_asks_the_database_as_often_for_forty_examples_as_for_four(cast: Cast) -> None:
    asked = []
    for many in (4, 40):
        dataset = make_dataset(cast.project, name=f"{many} letters")
        add_examples(
            dataset, rows=[make_row(f"Letter {n}?", f"Ask a{n}@example.org.") for n in range(many)]
        )
        run = checked(dataset)
        with CaptureQueriesContext(connection) as queries:
            done = fix_findings(run, check=Check.PRIVATE, how=Fix.How.REDACT, by=None, at=NOON)
        asked.append(len(queries))
        assert done.fix.count == many

    assert asked[0] == asked[1]


def test_examples_that_redacting_makes_equal_become_one_and_come_back_as_they_were(
    cast: Cast,
) -> None:
    dataset = make_dataset(cast.project)
    addresses = ("a@example.org", "b@example.org", "[EMAIL]")
    add_examples(dataset, rows=[make_row("To whom?", f"Write to {one}.") for one in addresses[:2]])
    add_examples(dataset, rows=[make_row("And to whom?", f"Ask {one}.") for one in addresses])
    before, run = contents(dataset), checked(dataset)

    done = fix_findings(run, check=Check.PRIVATE, how=Fix.How.REDACT, by=None, at=NOON)
    answers = [row.content.answer for row in dataset.examples.select_related("content")]
    restored = undo_fix(done.fix, at=NOON)

    assert sorted(answers) == ["Ask [EMAIL].", "Write to [EMAIL]."]
    assert restored == 4
    assert contents(dataset) == before


def test_only_the_newest_checks_are_kept(cast: Cast) -> None:
    dataset, other = with_faults(cast), make_dataset(cast.project, name="Other", rows=2)
    of_other = checked(other)
    runs = [checked(dataset) for _ in range(5)]

    kept = set(HygieneRun.objects.values_list("pk", flat=True))
    findings = Finding.objects.exclude(run=of_other)
    with_findings = set(findings.values_list("run", flat=True).distinct())

    assert kept == {of_other.pk, *(run.pk for run in runs[-3:])}
    assert with_findings == {run.pk for run in runs[-3:]}


def test_the_history_of_an_example_comes_back_with_it(cast: Cast) -> None:
    dataset = with_faults(cast)
    example = dataset.examples.order_by("pk")[5]
    row = make_row("QUESTION 2 of many?", answer="ANSWER 2.")
    edit_example(example, row=row, by=cast.bob, at=NOON)
    before = list(ExampleEdit.objects.values_list())
    run = checked(dataset)

    done = fix_findings(run, check=Check.EXACT, how=Fix.How.DROP, by=cast.bob, at=NOON)
    gone = ExampleEdit.objects.count()
    undo_fix(done.fix, at=NOON)

    assert gone == 0
    assert list(ExampleEdit.objects.values_list()) == before


def test_texts_inputs_and_preference_pairs_are_checked_too(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    pair = make_row("Who?", answer="Ann.")
    other = {"rejected": {"role": "assistant", "content": "Write to ann@shop.example.com."}}
    rows = [
        {"text": "The shop opens at nine and closes at five."},
        {"text": "The  SHOP opens at nine and closes at five."},
        {"inputs": {"mail": "bob@shop.example.com"}},
        pair | {"rejected": {"role": "assistant", "content": "Bob."}},
        pair | other,
    ]
    assert add_examples(dataset, rows=rows).added == 5

    run = checked(dataset, base_model="nano-base")
    told = {check: places(run, check) for check in Check}
    fix_findings(run, check=Check.PRIVATE, how=Fix.How.REDACT, by=None, at=NOON)

    assert told[Check.EXACT] == {1}
    assert told[Check.PRIVATE] == {2, 4}
    assert told[Check.EMPTY] == told[Check.LENGTH] == set()
    payloads = [row.content.body for row in dataset.examples.select_related("content")]
    assert {"inputs": {"mail": "[EMAIL]"}} in payloads


def test_what_changed_after_a_fix_is_not_undone(cast: Cast) -> None:
    dataset = with_faults(cast)
    run = checked(dataset)
    done = fix_findings(run, check=Check.REFUSAL, how=Fix.How.DROP, by=None, at=NOON)
    row = make_row("How do I pick a lock?", answer="I'm sorry, but I can't help with that.")
    add_examples(dataset, rows=[row])

    assert undo_fix(done.fix, at=NOON) == 0
    assert dataset.examples.count() == 10


def test_chosen_findings_are_fixed_and_the_rest_stays(cast: Cast) -> None:
    dataset = with_faults(cast)
    run = checked(dataset)
    kept = Finding.objects.of_check(run, Check.EXACT).get(keep=True)

    done = fix_findings(run, check="exact", how="drop", by=None, at=NOON, ids=[kept.pk])

    assert done.fix.count == 1
    assert not dataset.examples.filter(pk=kept.example_id).exists()
    assert dataset.examples.count() == 9


def test_a_large_fix_is_a_job_and_can_be_undone_when_it_is_done(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.datasets.hygiene.actions.AT_ONCE", 2)
    monkeypatch.setattr("requests_log.datasets.hygiene.tasks.CHUNK", 3)
    dataset = make_dataset(cast.project)
    add_examples(dataset, rows=[make_row(f"Lock {n}?", answer="...") for n in range(8)])
    run = checked(dataset)

    done = fix_findings(run, check=Check.EMPTY, how=Fix.How.DROP, by=cast.bob, at=NOON)
    assert done.job is not None
    with pytest.raises(NotUndoable, match="still"):
        undo_fix(done.fix, at=NOON)
    perform(done.job.pk, holder="test")
    gone = dataset.examples.count()

    assert gone == 0
    assert undo_fix(done.fix, at=NOON) == 8


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"check": "nonsense", "how": "drop"}, "no check"),
        ({"check": "exact", "how": "redact"}, "redacted"),
        ({"check": "exact", "how": "drop", "ids": []}, "Select"),
    ],
)
def test_what_cannot_be_fixed_is_told(cast: Cast, wrong: dict[str, Any], sentence: str) -> None:
    run = checked(with_faults(cast))

    with pytest.raises(InvalidInput, match=sentence):
        fix_findings(run, by=None, at=NOON, **wrong)


def test_checks_are_refused_in_words(cast: Cast) -> None:
    with pytest.raises(NothingToCheck, match="Add some"):
        start_check(make_dataset(cast.project), by=None)
    dataset = make_dataset(cast.project, name="Two", rows=2)
    with pytest.raises(InvalidInput, match="50 to 100"):
        start_check(dataset, by=None, alike=3)
    with pytest.raises(InvalidInput, match="no base model"):
        start_check(dataset, by=None, base_model="no such model")

    first = start_check(dataset, by=None)
    assert start_check(dataset, by=None) == first  # a doubled click


def test_a_second_attempt_of_a_check_replaces_what_the_first_wrote(cast: Cast) -> None:
    run = checked(with_faults(cast))
    before = Finding.objects.filter(run=run).count()
    job = CHECK_DATASET.enqueue(project=cast.project, title="again", payload={"run": str(run.pk)})

    perform(job.pk, holder="test")

    assert Finding.objects.filter(run=run).count() == before > 0


def test_texts_that_found_no_room_to_be_kept_are_read_again(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(cast.project)
    said = "All of our shops open at nine, but those in the north open at ten on Mondays."
    add_examples(
        dataset, rows=[make_row("When?", answer=f"{said} {'No ' * n}.") for n in (1, 5, 9)]
    )
    kept = found(checked(dataset), Check.NEAR)
    monkeypatch.setattr("requests_log.datasets.hygiene.reading.KEPT_BYTES", 0)

    assert found(checked(dataset), Check.NEAR) == kept
    assert len(kept) == 2


def test_what_is_left_to_fix_follows_the_examples(cast: Cast) -> None:
    dataset = with_faults(cast)
    run = checked(dataset)
    faults = {Check.EXACT: 1, Check.PRIVATE: 1, Check.REFUSAL: 1, Check.EMPTY: 1}
    seen = standing_of(run)

    done = fix_findings(run, check=Check.REFUSAL, how=Fix.How.DROP, by=None, at=NOON)
    add_examples(dataset, rows=[make_row("Another one?")])
    fixed = standing_of(run)
    undo_fix(done.fix, at=NOON)
    undone = standing_of(run)
    doubled = Finding.objects.of_check(run, Check.EXACT).get(keep=True)
    edit_example(
        dataset.examples.get(pk=doubled.example_id), row=make_row("Changed?"), by=None, at=NOON
    )
    edited = standing_of(run)

    assert (seen.to_fix, seen.listed, seen.newer) == (faults, faults | {Check.EXACT: 2}, 0)
    assert (fixed.is_as_seen, undone.is_as_seen, edited.is_as_seen) == (False, True, False)
    assert fixed.to_fix == {one: 1 for one in faults if one != Check.REFUSAL}
    assert (undone.to_fix, undone.newer) == (faults, 1)
    assert edited.listed == faults


def test_a_page_of_findings_reads_no_others_when_nothing_is_known_of_the_run_yet(
    cast: Cast,
) -> None:
    dataset = make_dataset(cast.project)
    earlier, run = (HygieneRun.objects.create(dataset=dataset) for _ in range(2))

    def write(to: HygieneRun) -> None:
        Finding.objects.bulk_create(
            Finding(
                id=uuid7(), run=to, check_name=Check.NEAR, example_id=uuid7(), content_id=number
            )
            for number in range(3_000)
        )

    write(earlier)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE datasets_finding")
    write(run)
    page = Finding.objects.of_check(run, Check.NEAR).still_there().order_by("-pk")[:51]

    plan = page.explain()

    assert "finding_by_check" in plan
    assert "Sort" not in plan


def test_an_answer_given_to_half_of_the_questions_is_told(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    add_examples(
        dataset,
        rows=[make_row(f"Is {n} even?", answer="yes" if n < 30 else "no") for n in range(40)],
    )

    assert len(places(checked(dataset), Check.SKEW)) == 20  # ten stay, as many as say no
