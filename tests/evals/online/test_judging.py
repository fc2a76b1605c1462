"""Judges in monitors: a share of the live calls, within a budget, failures never as 0."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from evals.online.models import Measurement, Monitor
from requests_log.digest import prices
from requests_log.models import LoggedScore, Price
from requests_log.pricing.actions import set_price
from tests.conftest import Cast
from tests.curate.factories import MORNING
from tests.evals.answering import Provider
from tests.evals.factories import make_connection
from tests.evals.judges.factories import make_judge, said
from tests.evals.online.test_monitor_pages import FORM, place
from tests.evals.online.test_running import HOUR, answers, make_monitor, ran
from workbench.core.errors import InvalidInput
from workbench.providers.refs import endpoint_of

pytestmark = pytest.mark.django_db
JUDGED = {"grader": "judge", "grader_settings": {"judge": "correctness"}, "name": "Right"}


def knows(text: str) -> str:
    return said("pass" if '"label"' in text else "fail", "It has no label.")


def judged(cast: Cast, provider: Provider, **fields: Any) -> Monitor:
    provider.rules["judge"] = knows
    make_connection(cast.project, provider.url)
    make_judge(cast.project)
    return make_monitor(cast.project, **JUDGED | fields)


@pytest.fixture
def priced(cast: Cast, provider: Provider) -> Iterator[None]:
    """A judgement costs half a dollar: 500 tokens at $1,000 a million."""
    provider.usage = {"prompt_tokens": 400, "completion_tokens": 100}
    connection = make_connection(cast.project, provider.url)
    rates = (Decimal(1000), Decimal(1000), Decimal(1000))
    set_price(
        cast.project, provider=endpoint_of(connection, "judge").provider, model="judge",
        valid_from=MORNING, rates=rates, by=None,
    )  # fmt: skip
    prices.load()
    yield
    Price.objects.all().delete()
    prices.load()


@pytest.mark.usefixtures("priced")
def test_the_budget_of_a_day_is_kept(cast: Cast, provider: Provider) -> None:
    provider.rules["judge"] = knows
    make_judge(cast.project)
    monitor = make_monitor(cast.project, **JUDGED, daily_dollars=5)
    answers(cast.project, 30, 0, at=MORNING + HOUR)

    first = ran(monitor, at=MORNING + 2 * HOUR)
    answers(cast.project, 3, 0, at=MORNING + 3 * HOUR)
    second = ran(monitor, at=MORNING + 4 * HOUR)
    answers(cast.project, 3, 0, at=MORNING + 30 * HOUR)
    next_day = ran(monitor, at=MORNING + 31 * HOUR)

    noted = Measurement.objects.of_monitor(monitor).order_by("until")
    assert first.result is not None
    assert first.result["graded"] + first.result["unasked"] == 30
    assert 4 < (noted[0].dollars or 0) <= 5
    assert second.result is not None
    assert second.result["graded"] <= 2
    assert next_day.result == {"graded": 3, "ungraded": 0}


def test_a_budget_without_a_price_is_refused(cast: Cast, provider: Provider) -> None:
    with pytest.raises(InvalidInput, match=r"budget cannot be kept\. Nobody knows"):
        judged(cast, provider, daily_dollars=5)


def test_live_answers_are_judged_once_with_reasons(cast: Cast, provider: Provider) -> None:
    monitor = judged(cast, provider)
    answers(cast.project, 3, 1, at=MORNING + HOUR)

    job = ran(monitor, at=MORNING + 2 * HOUR)

    assert job.result == {"graded": 4, "ungraded": 0}
    scores = LoggedScore.objects.in_project(cast.project).filter(name="right")
    assert sorted(one.number or 0 for one in scores) == [0, 1, 1, 1]
    assert {(one.origin, one.author) for one in scores} == {("judge", "correctness v1")}
    assert "It has no label." in {one.comment for one in scores}
    noted = Measurement.objects.get(monitor=monitor)
    assert (noted.mean, noted.input_tokens, noted.dollars) == (0.75, 28, None)


def test_a_reply_without_a_verdict_is_ungraded_and_no_zero(cast: Cast, provider: Provider) -> None:
    monitor = judged(cast, provider)
    provider.rules["judge"] = lambda text: knows(text) if '"label"' in text else "Bad!"
    answers(cast.project, 2, 1, at=MORNING + HOUR)

    job = ran(monitor, at=MORNING + 2 * HOUR)

    assert job.result == {"graded": 2, "ungraded": 1}
    assert Measurement.objects.get(monitor=monitor).mean == 1
    assert LoggedScore.objects.filter(name="right").count() == 2


def test_what_was_judged_before_a_crash_is_counted_and_not_paid_for_again(
    cast: Cast, provider: Provider
) -> None:
    monitor = judged(cast, provider)
    answers(cast.project, 3, 1, at=MORNING + HOUR)
    ran(monitor, at=MORNING + 2 * HOUR)
    Measurement.objects.all().delete()
    Monitor.objects.update(looked_until=MORNING)
    LoggedScore.objects.filter(name="right", number=0).delete()
    provider.asked.clear()

    job = ran(monitor, at=MORNING + 3 * HOUR)

    assert job.result == {"graded": 4, "ungraded": 0}
    assert len(provider.asked) == 1


def test_an_editor_chooses_a_judge_and_is_told_its_price(
    alice: Client, cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    version = make_judge(cast.project)
    form = {**FORM, "grader": f"judge:{version.pk}", "most_per_run": "50"}

    told = alice.get(place(cast, "new/grader/"), form).content.decode()
    made = alice.post(place(cast, "new/"), form)
    monitor = Monitor.objects.get()
    page = alice.get(place(cast, f"{monitor.pk}/")).content.decode()
    edit = alice.get(place(cast, f"{monitor.pk}/edit/")).content.decode()

    assert "A run of 50 answers takes 50 calls with about" in told
    assert made.status_code == 302
    assert monitor.judge_version == version
    assert "Judge: correctness v1" in page
    assert "not calibrated" in page
    assert "A run of 50 answers takes" in edit
    assert f'value="judge:{version.pk}" selected' in edit
    assert "Judge: correctness v1" in alice.get(place(cast)).content.decode()


def test_a_monitor_is_judged_over_http(api: Client, cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    make_judge(cast.project)

    made = api.post("/api/v1/monitors", JUDGED, content_type="application/json")
    unknown = {**JUDGED, "grader_settings": {"judge": "nobody"}, "name": "Else"}
    refused = api.post("/api/v1/monitors", unknown, content_type="application/json")
    found = api.get(f"/api/v1/monitors/{made.json()['id']}").json()

    assert (made.status_code, refused.status_code) == (201, 404)
    assert found["grader_settings"] == {"judge": "correctness", "version": 1}
    assert found["judge_agreement"] is None
