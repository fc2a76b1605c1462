"""The quality tab and the checks over HTTP."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from requests_log.datasets.actions import add_examples
from requests_log.datasets.charts import token_histogram
from requests_log.datasets.hygiene.advice import verdicts
from requests_log.datasets.hygiene.models import Check, Finding, Fix
from tests.conftest import Cast
from tests.curate.factories import make_dataset, make_row
from tests.curate.test_dataset_pages import pages
from tests.curate.test_hygiene import checked, with_faults
from tests.curate.test_log_pages import client_of, text_of
from workbench.core.models import Job
from workbench.core.queue import perform


def test_a_check_is_started_watched_and_read(alice: Client, cast: Cast) -> None:
    dataset = with_faults(cast)
    form = {"base_model": "", "alike": "70", "heldout": "10"}

    alice.post(pages(cast, "answers/quality/check/"), form)
    waiting = text_of(alice.get(pages(cast, "answers/quality/")))
    watched = text_of(alice.get(pages(cast, "answers/quality/progress/")))
    perform(Job.objects.get(kind="datasets.check").pk, holder="test")
    ended = alice.get(pages(cast, "answers/quality/progress/"))
    with CaptureQueriesContext(connection) as queries:
        page = text_of(alice.get(pages(cast, "answers/quality/")))

    assert "check-progress" in waiting
    assert "Reading the examples" in watched
    assert ended.headers["HX-Refresh"] == "true"
    assert "Keep one of each" in page
    assert "choose a base model" in page
    assert "too few" in page
    assert len(queries) <= 20
    assert dataset.hygiene_runs.get().summary["examples"] == 10


def test_of_very_many_examples_the_page_says_which_are_counted(
    alice: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.datasets.hygiene.pages.LATEST", 3)
    dataset = with_faults(cast)

    def page() -> str:
        return text_of(alice.get(pages(cast, "answers/quality/")))

    fresh = page()
    checked(dataset)
    known = page()
    add_examples(dataset, rows=[make_row("Another one?")])
    grown = page()
    dataset.examples.order_by("pk")[0].delete()
    changed = page()

    assert "of the latest 3 examples" in fresh
    assert "examples</span>" not in known.split("Counted now")[1].split("stats")[0]
    assert "of the 10 examples that were checked" in grown
    assert "of the latest 3 examples" in changed


def test_token_lengths_are_drawn_with_what_would_be_dropped(alice: Client, cast: Cast) -> None:
    checked(with_faults(cast), base_model="nano-base")

    page = text_of(alice.get(pages(cast, "answers/quality/")))

    assert "tokens-figure" in page
    assert "1 of them have more than the 512 tokens nano-base reads" in page


def test_findings_are_shown_and_fixed_and_the_fix_is_undone(alice: Client, cast: Cast) -> None:
    dataset = with_faults(cast)
    run = checked(dataset)

    shown = text_of(alice.get(pages(cast, "answers/quality/exact/")))
    alice.post(pages(cast, "answers/quality/exact/fix/"), {"everything": "1", "how": "drop"})
    page = text_of(alice.get(pages(cast, "answers/quality/")))
    fix = Fix.objects.get()
    alice.post(pages(cast, f"answers/quality/undo/{fix.pk}/"))
    undone = text_of(alice.get(pages(cast, "answers/quality/")))

    assert shown.count("QUESTION 1 of") == 1
    assert ">kept<" in shown
    assert "Dropped 1. It can be undone under “Fixes”." in page
    assert "Brought 1 back." in undone
    assert dataset.examples.count() == 10
    assert run.dataset == dataset


def test_all_but_one_are_fixed(alice: Client, cast: Cast) -> None:
    run = checked(with_faults(cast))
    one = Finding.objects.of_check(run, Check.EMPTY).get()
    form = {"all": "1", "except": str(one.pk), "how": "drop"}

    alice.post(pages(cast, "answers/quality/empty/fix/"), form)

    assert not Fix.objects.exists()  # the only one was left out: told, and nothing done


def test_a_dataset_becomes_an_evaluation_set(alice: Client, cast: Cast) -> None:
    judged = make_dataset(cast.project, name="Judged", rows=3)
    make_dataset(cast.project, rows=3)

    alice.post(pages(cast, "judged/evaluation-set/"), {"is_on": "1"})
    page = text_of(alice.get(pages(cast, "answers/quality/")))
    judged.refresh_from_db()

    assert judged.is_evaluation_set
    assert "told as contamination: Judged." in page


@pytest.mark.parametrize("path", ["check/", "exact/fix/"])
def test_viewers_do_not_change_anything(cast: Cast, path: str) -> None:
    checked(with_faults(cast))

    assert client_of(cast.victor).get(pages(cast, "answers/quality/exact/")).status_code == 200
    answer = client_of(cast.victor).post(pages(cast, f"answers/quality/{path}"), {"how": "drop"})

    assert answer.status_code in {302, 403}
    assert not Fix.objects.exists()


def test_there_is_no_page_for_what_is_no_check(alice: Client, cast: Cast) -> None:
    checked(with_faults(cast))

    assert alice.get(pages(cast, "answers/quality/nonsense/")).status_code == 404


def test_a_program_checks_fixes_and_undoes(api: Client, cast: Cast) -> None:
    dataset = with_faults(cast)
    base = f"/api/v1/datasets/{dataset.slug}/"

    missing = api.get(base + "check/")
    started = api.post(base + "check/", {"heldout": 20}, content_type="application/json")
    perform(Job.objects.get(kind="datasets.check").pk, holder="test")
    told = api.get(base + "check/").json()
    listed = api.get(base + "check/findings/?check=exact").json()["findings"]
    form = {"check_name": "exact", "how": "drop"}
    fixed = api.post(base + "fixes/", form, content_type="application/json").json()
    undone = api.post(base + f"fixes/{fixed['id']}/undo/").json()

    assert missing.status_code == 404
    assert started.status_code == 202
    assert told["to_fix"] == {"exact": 1, "private": 1, "refusal": 1, "empty": 1}
    assert [one["keep"] for one in listed] == [True, False]
    assert fixed["count"] == undone["restored"] == 1
    assert api.get(base + "check/findings/?check=x").status_code == 400
    assert api.get(base + "fixes/").json()[0]["undone_at"]


def test_verdicts_speak_of_quality_diversity_origin_and_amount() -> None:
    summary = {
        "examples": 1_200,
        "distinct": 1_190,
        "variety": 0.5,
        "provenance": {"teacher": 1_100, "human": 100},
    }

    told = {one.title: one.tone for one in verdicts(summary, {"refusal": 100})}

    assert told == {
        "Quality": "bad",
        "Diversity": "good",
        "Real over generated": "warn",
        "Amount": "good",
    }


def test_bins_over_the_context_are_marked() -> None:
    lengths = {"context": 100, "bins": [[0, 64, 5], [65, 128, 3]]}

    fits, over = token_histogram(lengths)["data"]

    assert (fits["y"], over["y"]) == ([5, 0], [0, 3])
    assert over["marker"]["color"] == "--bad"
