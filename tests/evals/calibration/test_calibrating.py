"""A judge measured against people: labels first, verdicts after, agreement beside its scores."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from evals.actions import Grading
from evals.calibration.actions import (
    NotBlind,
    NothingToAsk,
    ask_judge,
    give_label,
    start_calibration,
)
from evals.calibration.drawing import Answers, Matching, level_of
from evals.calibration.labelling import choices_of
from evals.calibration.models import Calibration, CalibrationItem
from evals.calibration.reading import calibrated
from evals.export import as_html, as_json
from evals.human.scores import answer_subject
from evals.judges.actions import save_version
from evals.judges.presets import BETTER, HELPFULNESS
from evals.judges.scales import PAIR, PASS_FAIL
from evals.models import Candidate, Cell
from requests_log.feedback.scoring import Source, read_opinion, record_score
from tests.conftest import Cast
from tests.curate.factories import MORNING, make_request
from tests.evals.answering import Provider
from tests.evals.calibration.factories import asked, compared, label_all, make_calibration
from tests.evals.factories import HOSTILE, NOON, make_comparison
from tests.evals.judges.factories import make_judge, said
from tests.evals.judges.test_judges import agrees
from tests.evals.test_running import run
from workbench.core.errors import InvalidInput

JSON = "application/json"


def test_agreement_is_counted_over_what_people_labelled_first(
    cast: Cast, provider: Provider
) -> None:
    provider.rules["judge"] = agrees
    calibration = make_calibration(cast, provider)
    label_all(calibration, wrong=1)

    ask_judge(calibration, by=cast.alice)
    job = asked(calibration)

    assert (job.state, job.result) == ("succeeded", {"judged": 12, "failed": 0})
    found = calibrated(calibration.version).agreement
    assert found is not None
    assert found.accuracy is not None
    assert found.kappa is not None
    assert (found.n, found.equal) == (12, 11)
    assert found.counts == {("pass", "pass"): 5, ("fail", "fail"): 6, ("fail", "pass"): 1}
    assert found.kappa.mean == pytest.approx(1 - (1 / 12) / 0.5)


def test_a_verdict_that_is_there_is_not_asked_for_again(cast: Cast, provider: Provider) -> None:
    provider.rules["judge"] = lambda text: "Fine!" if "Question 3" in text else agrees(text)
    calibration = make_calibration(cast, provider)
    label_all(calibration)
    ask_judge(calibration, by=None)
    asked(calibration)
    before = calibrated(calibration.version).agreement
    provider.rules["judge"] = agrees
    provider.asked.clear()

    ask_judge(calibration, by=None)
    job = asked(calibration)

    assert before is not None
    assert (before.n, before.failures) == (10, 2)
    assert job.state == "succeeded"
    assert len(provider.asked) == 2
    after = calibrated(calibration.version).agreement
    assert after is not None
    assert (after.n, after.failures) == (12, 0)
    with pytest.raises(NothingToAsk):
        ask_judge(calibration, by=None)


def test_a_label_after_the_verdict_would_not_be_blind(cast: Cast, provider: Provider) -> None:
    provider.rules["judge"] = agrees
    calibration = make_calibration(cast, provider)
    label_all(calibration)
    ask_judge(calibration, by=None)
    asked(calibration)

    item = CalibrationItem.objects.of(calibration).in_order()[0]

    with pytest.raises(NotBlind):
        give_label(item, label="pass", by=None, at=NOON)
    with pytest.raises(InvalidInput, match="There are: fail, pass"):
        give_label(item, label="great", by=None, at=NOON)


def test_agreement_belongs_to_the_version(cast: Cast, provider: Provider) -> None:
    provider.rules["judge"] = agrees
    calibration = make_calibration(cast, provider)
    label_all(calibration)
    ask_judge(calibration, by=None)
    asked(calibration)
    first = calibration.version
    values: dict[str, Any] = {"by": None, "at": NOON, "settings": first.settings}

    second = save_version(first.judge, model_ref="local/other", **values).version

    assert calibrated(first).agreement is not None
    assert calibrated(second).agreement is None
    assert calibrated(second).sentence.startswith("not calibrated")


def test_a_judge_of_two_is_calibrated_on_pairs_asked_in_both_orders(
    cast: Cast, provider: Provider
) -> None:
    provider.rules["judge"] = lambda _: said("A")
    version = make_judge(cast.project, "better", settings=BETTER.settings)
    calibration = make_calibration(cast, provider, version)
    items = list(CalibrationItem.objects.of(calibration).in_order())
    for item, label in zip(items, ["A", "B", "tie", "tie", "A", "B"], strict=True):
        give_label(item, label=label, by=None, at=NOON)

    ask_judge(calibration, by=None)
    asked(calibration)

    verdicts = CalibrationItem.objects.of(calibration).values_list("verdict", flat=True)
    assert set(verdicts) == {"tie"}  # it always prefers the first place, so neither answer won
    found = calibrated(version).agreement
    assert found is not None
    assert (found.equal, found.n) == (2, 6)
    with pytest.raises(InvalidInput, match="Draw from a comparison"):
        start_calibration(version, source=Matching(), by=None, at=NOON)


def test_rows_of_a_version_and_logged_calls_can_be_labelled(cast: Cast, provider: Provider) -> None:
    provider.rules["judge"] = lambda _: said("pass")
    version = make_judge(cast.project)
    frozen = compared(cast, provider).dataset_version
    make_request(cast.project, at=MORNING, answer="Paris.", tags={"route": "chat"})
    make_request(cast.project, at=MORNING, answer="Else.", tags={"route": "other"})

    of_rows = start_calibration(version, source=frozen, by=None, at=NOON)
    of_log = start_calibration(version, source=Matching("tag.route:chat"), by=None, at=NOON)

    for one, many in ((of_rows, 6), (of_log, 1)):
        label_all(one)
        ask_judge(one, by=None)
        assert asked(one).result == {"judged": many, "failed": 0}
    assert "Paris." in provider.asked[-1][1]


def test_what_people_said_before_counts_as_labels(cast: Cast, provider: Provider) -> None:
    provider.rules["judge"] = agrees
    comparison = compared(cast, provider)
    poor = Candidate.objects.get(comparison=comparison, label="poor")
    for cell in Cell.objects.filter(candidate=poor)[:4]:
        record_score(
            cast.project, subject=answer_subject(comparison.pk, cell.position, poor.position),
            opinion=read_opinion("right", False), source=Source(author="bob@example.com"), at=NOON,
        )  # fmt: skip

    made = make_calibration(cast, provider, source=Answers(comparison), scores="right")

    labelled = CalibrationItem.objects.of(made).labelled()
    assert {(one.label, one.label_from) for one in labelled} == {("fail", "bob@example.com")}
    assert labelled.count() == 4
    with pytest.raises(InvalidInput, match="Nobody gave one of these"):
        start_calibration(
            made.version, source=Answers(comparison), by=None, at=NOON, scores="other"
        )


@pytest.mark.parametrize(
    ("scale", "value", "label"),
    [
        (PASS_FAIL, True, "pass"),
        (PASS_FAIL, False, "fail"),
        (PASS_FAIL, "PASS", "pass"),
        (PASS_FAIL, 0.2, "fail"),
        (PASS_FAIL, 4.0, ""),
        (PASS_FAIL, "great", ""),
        (HELPFULNESS.settings.scale, 4.0, "4"),
        (HELPFULNESS.settings.scale, 0.5, "3"),
        (HELPFULNESS.settings.scale, True, ""),
    ],
)
def test_a_person_s_score_is_a_level_or_none(scale: Any, value: object, label: str) -> None:
    assert level_of(scale, value) == label


def test_levels_have_the_keys_people_expect() -> None:
    keys = [
        {one.label: one.key for one in choices_of(scale)}
        for scale in (PASS_FAIL, PAIR, HELPFULNESS.settings.scale)
    ]

    assert keys == [
        {"fail": "0", "pass": "1"},
        {"A": "1", "B": "2", "tie": "0"},
        {level: level for level in "12345"},
    ]


def test_the_agreement_stands_wherever_the_judge_s_score_does(
    cast: Cast, provider: Provider, alice: Client
) -> None:
    provider.rules["judge"] = agrees
    calibration = make_calibration(cast, provider)
    assert calibration.comparison is not None
    judged = make_comparison(
        cast.project, dataset_version=calibration.comparison.dataset_version,
        grading=Grading("judge", {"judge": "correctness"}),
    )  # fmt: skip
    run(judged)
    base = f"/p/{cast.project.slug}/evals/"
    places = [f"{base}{judged.pk}/", f"{base}judges/",
              f"{base}judges/{calibration.version.judge_id}/"]  # fmt: skip
    before = [alice.get(one).content.decode() for one in places[:2]]
    label_all(calibration, wrong=1)
    ask_judge(calibration, by=None)
    asked(calibration)

    after = [alice.get(one).content.decode() for one in places]
    told = json.loads(b"".join(as_json(judged)))

    judged.refresh_from_db()
    assert all("not calibrated" in one for one in before)
    words = "agrees with people on 92% of 12 answers, which is few; κ 0.83"
    assert all(words in one for one in (after[0], as_html(judged)))
    assert "92% of 12, κ 0.83" in after[1]
    assert "91.7" in after[2]
    assert (told["judge"]["agreement"]["n"], told["judge"]["agreement"]["confusion"]) == (
        12, [[6, 1], [0, 5]],
    )  # fmt: skip


def test_a_calibration_is_made_labelled_and_asked_on_its_pages(
    cast: Cast, provider: Provider, alice: Client
) -> None:
    provider.rules["judge"] = lambda _: said("pass", HOSTILE)
    comparison = compared(cast, provider)
    version = make_judge(cast.project)
    base = f"/p/{cast.project.slug}/evals/"
    new = f"{base}judges/{version.judge_id}/calibrate/"
    form = {"source": "comparison", "comparison": str(comparison.pk), "rows": "2", "scores": ""}

    shown = [alice.get(f"{new}?source={one}").status_code for one in ("log", "dataset")]
    made = alice.post(new, form)
    calibration = Calibration.objects.get()
    page = f"{base}calibrations/{calibration.pk}/"
    empty = alice.get(page).content.decode()
    work = f"{page}label/"
    first = alice.post(f"{work}next/")
    slot = first["Stillhouse-Slot"]
    second = alice.post(f"{work}submit/", {"slot": slot, "label": "fail"})
    undone = alice.post(f"{work}undo/")
    alice.post(f"{work}submit/", {"slot": slot, "label": "fail"})
    alice.post(f"{work}submit/", {"slot": second["Stillhouse-Slot"], "skip": "1"})
    waiting = alice.get(page).content.decode()
    alice.post(f"{page}ask/")
    asked(calibration)
    done = alice.get(page).content.decode()

    assert (shown, made.status_code) == ([200, 200], 302)
    assert "Label the answers" in empty
    assert second["Stillhouse-Slot"] not in ("", slot)
    assert undone["Stillhouse-Slot"] == slot
    assert "correctness" in alice.get(work).content.decode()
    assert "not asked about 1 labelled answer yet" in waiting
    assert "1 call with about" in waiting
    assert "Where they disagree" in done
    assert "alert(1)" in done
    assert "<script>alert(1)" not in done
    assert f"/rows/{CalibrationItem.objects.labelled().get().row}/" in done
    assert alice.post(f"{page}delete/").status_code == 302
    assert not CalibrationItem.objects.exists()


def test_a_form_that_will_not_do_says_so(cast: Cast, provider: Provider, alice: Client) -> None:
    version = make_judge(cast.project)
    new = f"/p/{cast.project.slug}/evals/judges/{version.judge_id}/calibrate/"

    answers = [alice.post(new, {"source": one, "rows": "5"}) for one in ("comparison", "log")]

    assert [one.status_code for one in answers] == [422, 422]
    assert "Choose what to draw from" in answers[0].content.decode()
    assert "There is no answer to label" in answers[1].content.decode()


def test_a_judge_is_calibrated_over_http(cast: Cast, provider: Provider, api: Client) -> None:
    provider.rules["judge"] = agrees
    comparison = compared(cast, provider)
    version = make_judge(cast.project)
    start = f"/api/v1/judges/{version.judge_id}/calibrations"
    made = api.post(
        start,
        {"source": "comparison", "comparison": str(comparison.pk), "candidates": ["good"]},
        content_type=JSON,
    )
    one = f"/api/v1/calibrations/{made.json()['id']}"
    items = api.get(f"{one}/items").json()["items"]
    labels = [{"item": item["id"], "label": "pass"} for item in items]
    bad = api.post(f"{one}/labels", {"labels": [{**labels[0], "label": "no"}]}, content_type=JSON)
    labelled = api.post(f"{one}/labels", {"labels": labels}, content_type=JSON)
    sent = api.post(f"{one}/ask")
    asked(Calibration.objects.get())

    found = api.get(one).json()

    assert (made.status_code, made.json()["agreement"], len(items)) == (201, None, 6)
    assert (bad.status_code, labelled.json()["labelled"], sent.json()["waiting"]) == (400, 6, 6)
    assert found["state"] == "succeeded"
    assert (found["agreement"]["n"], found["agreement"]["accuracy"]["value"]) == (6, 1.0)
    assert found["agreement"]["kappa"] is None
    assert api.get(start).json()["calibrations"][0]["id"] == found["id"]
    assert api.get(f"{one}/items").json()["items"][0]["verdict"] == "pass"
    assert api.delete(one).status_code == 204
