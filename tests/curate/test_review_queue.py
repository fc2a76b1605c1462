"""The review queue: what enters, who gets what, what a verdict makes, and undoing it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from requests_log.bulk.actions import undo as undo_bulk
from requests_log.bulk.deleting import delete_requests
from requests_log.datasets.models import Example
from requests_log.feedback.correcting import answer_in_force, correct_answer, read_answer
from requests_log.feedback.scoring import Source, read_opinion, record_score
from requests_log.models import LoggedScore, RequestRow, ScoreOrigin
from requests_log.review.actions import (
    NothingToUndo,
    TakenByAnother,
    accept,
    reject,
    skip,
    undo,
)
from requests_log.review.filling import fill, send_to_review
from requests_log.review.models import Item, Policy, Reason, Step, Verdict
from requests_log.review.progress import agreements, pace_of, progress_of
from requests_log.review.taking import give_back, take
from requests_log.selection import Selection
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_request, make_requests
from tests.factories import make_member, make_user
from workbench.core.errors import InvalidInput
from workbench.core.models import Project, User


def give(project: Project, row: RequestRow, name: str, value: object, author: str = "") -> None:
    record_score(
        project,
        subject=row.id,
        opinion=read_opinion(name, value),
        source=Source(ScoreOrigin.END_USER, author),
        at=NOON,
    )


def set_policy(project: Project, **fields: Any) -> None:
    Policy.objects.update_or_create(project=project, defaults=fields)


def reasons(project: Project) -> dict[Any, str]:
    return dict(Item.objects.in_project(project).values_list("request_id", "reason"))


def enqueue(cast: Cast, many: int = 1) -> list[RequestRow]:
    rows = make_requests(cast.project, many)
    ids = tuple(row.id for row in rows)
    send_to_review(cast.project, selection=Selection(at=NOON, ids=ids), by=None, at=NOON)
    return rows


def one(cast: Cast, by: User) -> Item:
    return take(cast.project, by=by)[0]


def test_a_thumbs_down_enters_by_itself_and_once(cast: Cast) -> None:
    down, up, _ = make_requests(cast.project, 3)
    give(cast.project, down, "thumbs", value=False)
    give(cast.project, up, "thumbs", value=True)

    first = fill(cast.project, at=timezone.now())
    again = fill(cast.project, at=timezone.now())

    assert (first, again) == (1, 0)
    assert reasons(cast.project) == {down.id: Reason.THUMBS_DOWN}


def test_low_scores_disagreements_and_samples_enter_when_asked_for(cast: Cast) -> None:
    low, high, judged = make_requests(cast.project, 3)
    recent = make_request(cast.project, at=timezone.now(), question="sampled")
    give(cast.project, low, "helpful", 0.2)
    give(cast.project, high, "helpful", 0.9)
    give(cast.project, judged, "tone", "good", author="a")
    give(cast.project, judged, "tone", "bad", author="b")
    set_policy(
        cast.project, score_name="helpful", score_below=0.5, disagreement=True, sample_percent=100
    )

    fill(cast.project, at=timezone.now())

    found = reasons(cast.project)
    assert found[low.id] == Reason.LOW_SCORE
    assert found[judged.id] == Reason.DISAGREEMENT
    assert found[recent.id] == Reason.SAMPLED


def test_a_sample_takes_about_its_share_and_the_same_requests_each_time(cast: Cast) -> None:
    rows = [make_request(cast.project, at=timezone.now(), question=str(n)) for n in range(120)]
    set_policy(cast.project, sample_percent=25, thumbs_down=False)

    fill(cast.project, at=timezone.now())
    drawn = set(reasons(cast.project))
    Item.objects.in_project(cast.project).delete()
    set_policy(cast.project, filled_until=None)
    fill(cast.project, at=timezone.now())

    assert 10 <= len(drawn) <= 55 < len(rows)
    assert set(reasons(cast.project)) == drawn


def test_a_selection_enters_and_is_taken_back_but_for_what_somebody_has(cast: Cast) -> None:
    rows = make_requests(cast.project, 4)
    ids = tuple(row.id for row in rows)
    action = send_to_review(
        cast.project, selection=Selection(at=NOON, ids=ids), by=cast.alice, at=NOON
    )
    assert action.changed == 4
    take(cast.project, by=cast.bob)

    undo_bulk(action, by=cast.alice, at=NOON)

    assert set(reasons(cast.project)) == {rows[0].id, rows[1].id}


def test_two_people_get_different_items_until_one_lets_go(cast: Cast) -> None:
    rows = enqueue(cast, 3)

    alices = take(cast.project, by=cast.alice)
    bobs = take(cast.project, by=cast.bob)
    again = take(cast.project, by=cast.alice)

    assert [item.request_id for item in alices] == [rows[0].id, rows[1].id]
    assert [item.request_id for item in bobs] == [rows[2].id]
    assert again == alices
    give_back(cast.project, by=cast.alice)
    assert rows[0].id in {item.request_id for item in take(cast.project, by=cast.bob)}


def test_a_hold_that_ran_out_is_somebody_elses(cast: Cast) -> None:
    enqueue(cast)
    item = one(cast, cast.alice)
    Item.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    theirs = one(cast, cast.bob)

    assert theirs == item
    with pytest.raises(TakenByAnother, match="ran out"):
        accept(item, by=cast.alice, at=NOON)
    accept(theirs, by=cast.bob, at=NOON)
    with pytest.raises(TakenByAnother):
        reject(theirs, by=cast.bob, at=NOON, reason="Wrong")


def test_a_hold_that_ran_out_counts_while_nobody_took_it(cast: Cast) -> None:
    enqueue(cast)
    item = one(cast, cast.alice)
    Item.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert accept(item, by=cast.alice, at=NOON).verdict == Verdict.ACCEPTED


def test_a_deleted_request_is_not_handed_out(cast: Cast) -> None:
    rows = enqueue(cast, 2)
    gone = Selection(at=NOON, ids=(rows[0].id,))
    delete_requests(cast.project, selection=gone, by=None, at=NOON)

    assert [item.request_id for item in take(cast.project, by=cast.alice)] == [rows[1].id]


def test_accepting_scores_and_adds_to_the_dataset(cast: Cast) -> None:
    (row,) = enqueue(cast)
    dataset = make_dataset(cast.project)

    step = accept(
        one(cast, cast.alice), by=cast.alice, at=NOON, answer=read_answer("4"), dataset=dataset
    )

    score = LoggedScore.objects.in_project(cast.project).get()
    assert (score.name, score.value, score.author) == ("review", "accepted", cast.alice.email)
    assert step.correction is None
    assert Example.objects.in_dataset(dataset).get().request_id == row.id


def test_an_edited_answer_is_a_correction_that_the_example_teaches(cast: Cast) -> None:
    (row,) = enqueue(cast)
    dataset = make_dataset(cast.project)

    step = accept(
        one(cast, cast.alice), by=cast.alice, at=NOON, answer=read_answer("four"), dataset=dataset
    )

    assert step.verdict == Verdict.EDITED
    assert answer_in_force(cast.project, row.id) == {"role": "assistant", "content": "four"}
    example = Example.objects.in_dataset(dataset).select_related("content").get()
    assert (example.content.answer, example.provenance) == ("four", "human")


def test_a_reject_needs_a_reason_and_keeps_it(cast: Cast) -> None:
    enqueue(cast)
    item = one(cast, cast.alice)

    with pytest.raises(InvalidInput, match="Say why"):
        reject(item, by=cast.alice, at=NOON, reason=" ")
    reject(item, by=cast.alice, at=NOON, reason="Incomplete")

    score = LoggedScore.objects.in_project(cast.project).get()
    assert (score.value, score.comment) == ("rejected", "Incomplete")


def test_a_request_without_an_answer_cannot_be_accepted_as_it_is(cast: Cast) -> None:
    row = make_request(cast.project, answer=None, status="error")
    ids = Selection(at=NOON, ids=(row.id,))
    send_to_review(cast.project, selection=ids, by=None, at=NOON)
    item = one(cast, cast.alice)

    with pytest.raises(InvalidInput, match="no answer to accept"):
        accept(item, by=cast.alice, at=NOON)

    assert accept(item, by=cast.alice, at=NOON, answer=read_answer("4")).verdict == Verdict.EDITED


def test_what_one_person_skips_another_gets(cast: Cast) -> None:
    enqueue(cast)
    item = one(cast, cast.alice)

    skip(item, by=cast.alice, at=NOON)

    assert take(cast.project, by=cast.alice) == []
    assert one(cast, cast.bob) == item


def test_steps_are_undone_one_by_one_the_last_first(cast: Cast) -> None:
    rows = enqueue(cast, 3)
    dataset = make_dataset(cast.project)
    edit = read_answer("four")
    accept(one(cast, cast.alice), by=cast.alice, at=NOON, answer=edit, dataset=dataset)
    reject(one(cast, cast.alice), by=cast.alice, at=NOON, reason="Wrong")
    skip(one(cast, cast.alice), by=cast.alice, at=NOON)

    verdicts = [undo(cast.project, by=cast.alice, at=NOON).step.verdict for _ in range(3)]

    assert verdicts == [Verdict.SKIPPED, Verdict.REJECTED, Verdict.EDITED]
    assert not LoggedScore.objects.in_project(cast.project).exists()
    assert not Example.objects.in_dataset(dataset).exists()
    assert answer_in_force(cast.project, rows[0].id) == {"role": "assistant", "content": "4"}
    held = take(cast.project, by=cast.alice, ahead=5)
    assert {item.request_id for item in held} == {row.id for row in rows}
    with pytest.raises(NothingToUndo):
        undo(cast.project, by=cast.alice, at=NOON)


def test_undoing_leaves_a_correction_that_somebody_wrote_since(cast: Cast) -> None:
    (row,) = enqueue(cast)
    accept(one(cast, cast.alice), by=cast.alice, at=NOON, answer=read_answer("four"))
    correct_answer(cast.project, row.id, answer=read_answer("IV"), by=cast.bob, at=NOON)

    undone = undo(cast.project, by=cast.alice, at=NOON)

    assert "The correction: changed since" in undone.sentence
    assert answer_in_force(cast.project, row.id) == {"role": "assistant", "content": "IV"}


def test_undoing_an_edit_of_a_corrected_answer_brings_the_earlier_correction_back(
    cast: Cast,
) -> None:
    (row,) = enqueue(cast)
    correct_answer(cast.project, row.id, answer=read_answer("IV"), by=cast.bob, at=NOON)
    accept(one(cast, cast.alice), by=cast.alice, at=NOON, answer=read_answer("four"))

    undo(cast.project, by=cast.alice, at=NOON)

    assert answer_in_force(cast.project, row.id) == {"role": "assistant", "content": "IV"}


def test_an_overlap_sends_each_request_to_two_people_and_never_twice_to_one(cast: Cast) -> None:
    set_policy(cast.project, overlap_percent=100)
    rows = enqueue(cast, 2)

    alices = take(cast.project, by=cast.alice, ahead=9)
    bobs = take(cast.project, by=cast.bob, ahead=9)

    for items in (alices, bobs):
        assert sorted(item.request_id for item in items) == sorted(row.id for row in rows)
    assert not {item.pk for item in alices} & {item.pk for item in bobs}


def review_twice(cast: Cast, verdicts: list[tuple[bool, bool]]) -> None:
    """Alice and Bob look at the same requests; each accepts where it says so."""
    set_policy(cast.project, overlap_percent=100)
    enqueue(cast, len(verdicts))
    for who, place in ((cast.alice, 0), (cast.bob, 1)):
        items = take(cast.project, by=who, ahead=len(verdicts))
        ordered = sorted(items, key=lambda item: item.request_id)
        for item, both in zip(ordered, verdicts, strict=True):
            if both[place]:
                accept(item, by=who, at=NOON)
            else:
                reject(item, by=who, at=NOON, reason="Wrong")


def test_agreement_is_told_over_all_and_for_each_two(cast: Cast) -> None:
    review_twice(cast, [(True, True), (True, True), (False, False), (True, False)])

    overall, pairs = agreements(cast.project)

    assert (overall.many, overall.share) == (4, 0.75)
    assert overall.kappa == pytest.approx(0.5)
    assert {pairs[0].first, pairs[0].second} == {cast.alice, cast.bob}


def test_two_that_disagree_are_decided_by_a_third(cast: Cast) -> None:
    review_twice(cast, [(True, False), (True, True)])
    carol = make_user(name="Carol")
    make_member(cast.project, carol)

    assert take(cast.project, by=cast.alice) == []
    (third,) = take(cast.project, by=carol)

    assert (third.slot, third.reason) == (3, Reason.DISAGREEMENT)


def test_progress_counts_what_is_left_for_this_person(cast: Cast) -> None:
    enqueue(cast, 5)
    at = timezone.now()
    accept(one(cast, cast.alice), by=cast.alice, at=at - timedelta(minutes=2))
    accept(one(cast, cast.alice), by=cast.alice, at=at - timedelta(minutes=1))
    skip(one(cast, cast.alice), by=cast.alice, at=at)

    found = progress_of(cast.project, by=cast.alice, at=at)

    assert (found.done, found.left, found.pace) == (2, 2, 60)
    assert found.words == "2 of 4 done, 60 an hour, about 2 min left"


def test_a_break_does_not_slow_the_pace() -> None:
    moments = [NOON - timedelta(minutes=n) for n in (0, 1, 120, 121)]

    assert pace_of(moments) == 60
    assert pace_of(moments[:1]) is None


def test_the_page_is_worked_through_by_posts(alice: Client, cast: Cast) -> None:
    first, second, third = enqueue(cast, 3)
    dataset = make_dataset(cast.project)
    base = f"/p/{cast.project.slug}/queue/"
    said: list[str] = []

    def post(path: str, **form: str) -> str:
        said.append(alice.post(f"{base}{path}", form | {"dataset": dataset.slug}).content.decode())
        return said[-1]

    def item(row: RequestRow) -> str:
        return str(Item.objects.get(request_id=row.id).pk)

    assert alice.get(base).status_code == 200
    shown = post("next/")
    assert "Question 0?" in shown.split("<template")[0]
    assert "Question 1?" in shown.split("<template")[1]
    assert "Question 1?" in post(f"{item(first)}/accept/", content="four").split("<template")[0]
    assert "Question 2?" in post(f"{item(second)}/reject/", reason="Wrong").split("<template")[0]
    assert "Nothing waits for you" in post(f"{item(third)}/skip/")
    assert "Question 2?" in post("undo/")

    verdicts = Step.objects.order_by("pk").values_list("verdict", flat=True)
    assert list(verdicts) == ["edited", "rejected", "skipped"]
    assert Example.objects.in_dataset(dataset).count() == 1


def test_hostile_content_is_shown_as_text(alice: Client, cast: Cast) -> None:
    evil = "</textarea><script>alert(1)</script>"
    row = make_request(cast.project, question=evil, answer=evil)
    chosen = Selection(at=NOON, ids=(row.id,))
    send_to_review(cast.project, selection=chosen, by=None, at=NOON)

    page = alice.post(f"/p/{cast.project.slug}/queue/next/").content.decode()

    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_a_policy_is_saved_and_one_that_makes_no_sense_is_not(alice: Client, cast: Cast) -> None:
    url = f"/p/{cast.project.slug}/queue/policy/"
    form = {"sample_percent": "10", "overlap_percent": "5", "score_name": "helpful"}

    empty = alice.get(url).content.decode()
    refused = alice.post(url, form)
    saved = alice.post(url, form | {"score_below": "0.5"})
    foreign = alice.post(
        url, form | {"score_below": "1", "dataset": str(make_dataset(cast.other_project).pk)}
    )

    assert 'name="sample_percent" value="0"' in empty
    assert (refused.status_code, saved.status_code, foreign.status_code) == (422, 302, 422)
    policy = Policy.objects.get(project=cast.project)
    assert (policy.score_below, policy.thumbs_down, policy.overlap_percent) == (0.5, False, 5)


def test_the_api_puts_requests_in_and_tells_agreement(api: Client, cast: Cast) -> None:
    make_requests(cast.project, 2)
    other = make_request(cast.other_project)
    body = json.dumps({"all": True})

    sent = api.post("/api/v1/review/", body, content_type="application/json")
    listed = api.get("/api/v1/review/").json()
    told = api.get("/api/v1/review/agreement").json()

    assert sent.json()["counts"] == {"changed": 2}
    assert [item["reason"] for item in listed["items"]] == ["selected", "selected"]
    assert str(other.id) not in {item["request_id"] for item in listed["items"]}
    assert told == {"requests": 0, "share": None, "kappa": None}


def test_a_viewer_sees_agreement_and_takes_nothing(cast: Cast) -> None:
    enqueue(cast)
    victor = Client()
    victor.force_login(cast.victor)
    base = f"/p/{cast.project.slug}/queue/"

    assert victor.get(base).headers["Location"] == f"{base}agreement/"
    assert victor.get(f"{base}agreement/").status_code == 200
    assert victor.post(f"{base}next/").status_code == 403
    assert Item.objects.get().held_by is None
