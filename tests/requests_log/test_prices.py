"""Prices: dated, the project's before everybody's before the shipped; costs follow a change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from requests_log.digest import prices
from requests_log.digest.again import OUTDATED, Which, count, rederive
from requests_log.digest.prices import cost_of
from requests_log.models import Digest, LoggedRequest, Price, Undigested
from requests_log.pricing.actions import remove_price, set_price
from tests.factories import make_api_key
from tests.requests_log.factories import make_call, store_calls
from tests.requests_log.test_digest import drain
from workbench.core.errors import InvalidInput
from workbench.core.models import Job, Membership, Project, Role
from workbench.core.queue import perform

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)
MILLION = 1_000_000
CHEAP = (Decimal(1), Decimal("0.5"), Decimal(2))
DEAR = (Decimal(10), Decimal(5), Decimal(20))


@pytest.fixture(autouse=True)
def _book_as_shipped(transactional_db: None) -> Iterator[None]:
    """No price that another test set is remembered, nor left."""
    yield
    Price.objects.all().delete()
    prices.load()


def set_(project: Project | None, model: str, at: datetime, rates: Any) -> None:
    set_price(project, provider="openai", model=model, valid_from=at, rates=rates, by=None)
    prices.load()


def cost(project: Project | None, model: str, at: datetime) -> Decimal | None:
    return cost_of(
        "openai",
        model,
        input_tokens=MILLION,
        output_tokens=0,
        cached_tokens=None,
        project_id=None if project is None else project.pk,
        at=at,
    )


def test_the_price_that_held_when_the_call_started_counts(project: Project) -> None:
    set_(project, "mine", JUNE, CHEAP)
    set_(project, "mine", JULY, DEAR)

    days = [JUNE - timedelta(seconds=1), JUNE, JULY - timedelta(seconds=1), JULY]

    assert [cost(project, "mine", day) for day in days] == [None, 1, 1, 10]


def test_a_projects_price_stands_before_everybodys_before_the_shipped(project: Project) -> None:
    shipped = cost(project, "gpt-4o-mini", JULY)
    set_(None, "gpt-4o-mini", JUNE, CHEAP)
    everybodys = cost(project, "gpt-4o-mini", JULY)
    set_(project, "gpt-4o-mini", JUNE, DEAR)

    assert (shipped, everybodys) == (Decimal("0.15"), Decimal(1))
    assert cost(project, "gpt-4o-mini", JULY) == 10
    assert cost(None, "gpt-4o-mini", JULY) == 1
    assert cost(project, "gpt-4o-mini", JUNE - timedelta(days=1)) == Decimal("0.15")


def test_a_dated_model_may_have_a_price_of_its_own(project: Project) -> None:
    set_(project, "gpt-4o-2024-08-06", JUNE, DEAR)

    assert cost(project, "gpt-4o-2024-08-06", JULY) == 10
    assert cost(project, "gpt-4o-2024-11-20", JULY) == Decimal("2.50")


def test_cached_input_and_output_have_their_rates(project: Project) -> None:
    set_(project, "mine", JUNE, CHEAP)

    total = cost_of(
        "openai",
        "mine",
        input_tokens=MILLION,
        output_tokens=MILLION,
        cached_tokens=MILLION // 2,
        project_id=project.pk,
    )

    assert total == Decimal("0.5") + Decimal("0.25") + 2


def test_setting_a_price_computes_the_costs_since_then_again(project: Project) -> None:
    usage = b'{"model": "mine-2026-01-01", "usage": {"prompt_tokens": 1000000}}'
    days = (JUNE, JULY)
    calls = [make_call(project, started_at=day, model="mine", response=usage) for day in days]
    store_calls(calls)
    drain()

    set_(project, "mine", JULY, DEAR)
    job = Job.objects.get(project=project)
    perform(job.pk, holder="test")

    job.refresh_from_db()
    costs = LoggedRequest.objects.in_project(project).order_by("started_at")
    assert [row.cost for row in costs] == [None, 10]
    assert (job.state, job.result, job.total) == ("succeeded", {"rederived": 1}, 1)


def test_removing_a_price_brings_the_one_before_it_back(project: Project) -> None:
    store_calls([make_call(project, started_at=JULY)])
    set_(project, "gpt-4o-mini", JUNE, DEAR)
    drain()
    dear = LoggedRequest.objects.in_project(project).get().cost

    job = remove_price(Price.objects.get(project=project), by=None)
    perform(job.pk, holder="test")

    now = LoggedRequest.objects.in_project(project).get().cost
    assert dear == (800 * 10 + 200 * 5 + 100 * 20) / Decimal(MILLION)
    assert now is not None
    assert now < dear


def test_older_digests_are_made_again_from_where_a_killed_job_stood(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.digest.again.PART", 2)
    store_calls([make_call(project) for _ in range(5)])
    drain()
    rows = Digest.objects.in_project(project)
    rows.update(digest_version=0, output_preview="old")
    job = rederive(project, which=OUTDATED, title="again", by=None)
    done = rows.order_by("id")[:2]
    rows.filter(id__in=[row.id for row in done]).update(digest_version=OUTDATED.older_than)

    asked = timezone.now()
    left = count(project, which=OUTDATED, asked=asked)
    perform(job.pk, holder="test")

    job.refresh_from_db()
    assert left == 3
    assert (job.result, job.done, job.total) == ({"rederived": 3}, 3, 3)
    assert rows.filter(output_preview="old").count() == 2
    assert not rows.filter(digest_version=0).exists()
    assert not Undigested.objects.in_project(project).exists()


def test_digests_that_failed_are_tried_again(project: Project) -> None:
    store_calls([make_call(project)])
    drain()
    row = Digest.objects.in_project(project).get()
    Undigested.objects.create(
        id=row.id, project=project, attempts=3, failed_at=timezone.now(), error="then"
    )
    job = rederive(project, which=Which(model="gpt-4o-mini"), title="again", by=None)

    perform(job.pk, holder="test")

    assert not Undigested.objects.in_project(project).exists()


def test_the_page_sets_and_removes_prices(editor: Client, project: Project) -> None:
    project.memberships.update(role=Role.OWNER)
    address = f"/p/{project.slug}/settings/prices/"
    fields = {"provider": "openai", "model": "<b>mine</b>", "valid_from": "2026-06-01"}

    bad = editor.post(f"{address}add/", fields | {"input": "x", "cached": "0", "output": "1"})
    editor.post(f"{address}add/", fields | {"input": "1,5", "cached": "0", "output": "3"})
    page = editor.get(address).content.decode()
    price = Price.objects.get(project=project)
    editor.post(f"{address}{price.pk}/remove/")

    assert bad.status_code == 400
    assert (price.input, price.valid_from) == (Decimal("1.5"), JUNE)
    assert "&lt;b&gt;mine" in page
    assert "text-embedding-3-small" in page
    assert not Price.objects.filter(project=project).exists()


def test_the_operator_sets_a_price_for_everybody(project: Project) -> None:
    rates = ["--input", "3", "--cached", "1", "--output", "9"]

    call_command("price", "openai", "mine", "--from", "2026-06-01", *rates)
    prices.load()
    with pytest.raises(CommandError, match="--from"):
        call_command("price", "openai", "mine", "--from", "June", *rates)

    assert cost(project, "mine", JULY) == 3
    Job.objects.filter(project=None).delete()


def test_the_operator_asks_for_older_digests_again(project: Project) -> None:
    store_calls([make_call(project)])
    drain()
    said = StringIO()

    call_command("rederive", stdout=said)
    Digest.objects.in_project(project).update(digest_version=0)
    call_command("rederive", stdout=said)

    assert "All digests are of this version." in said.getvalue()
    assert "1 older digests" in said.getvalue()
    Job.objects.filter(project=None).delete()


def test_an_editor_may_not_change_prices(editor: Client, project: Project) -> None:
    answer = editor.post(f"/p/{project.slug}/settings/prices/add/", {})

    assert answer.status_code == 403


SENT = {
    "provider": "openai", "model": "mine", "valid_from": "2026-06-01T00:00:00Z",
    "input": "1.25", "cached": "0.1", "output": "4",
}  # fmt: skip


def program_of(membership: Membership) -> Client:
    """A program with a key that the member made."""
    text = make_api_key(membership.project, by=membership.user)[1]
    return Client(headers={"Authorization": f"Bearer {text}"})


@pytest.mark.usefixtures("editor")
def test_the_api_sets_lists_and_removes_prices(project: Project) -> None:
    project.memberships.update(role=Role.OWNER)
    client = program_of(project.memberships.get())

    made = client.post("/api/v1/prices/", SENT, content_type="application/json")
    refused = client.post(
        "/api/v1/prices/", SENT | {"input": "-1"}, content_type="application/json"
    )
    listed = client.get("/api/v1/prices/").json()
    gone = client.delete(f"/api/v1/prices/{listed[0]['id']}/")

    assert (made.status_code, refused.status_code, gone.status_code) == (202, 400, 202)
    assert (listed[0]["model"], listed[0]["of_project"]) == ("mine", True)
    assert client.get("/api/v1/prices/").json() == []


@pytest.mark.usefixtures("editor")
def test_a_key_that_an_editor_made_reads_prices_and_changes_none(project: Project) -> None:
    set_(project, "mine", JUNE, CHEAP)
    client = program_of(project.memberships.get())

    listed = client.get("/api/v1/prices/").json()
    added = client.post("/api/v1/prices/", SENT, content_type="application/json")
    removed = client.delete(f"/api/v1/prices/{listed[0]['id']}/")

    assert (added.status_code, removed.status_code) == (403, 403)
    assert "made by an owner" in added.json()["error"]["message"]
    assert Price.objects.filter(project=project).count() == 1


@pytest.mark.parametrize("name", ["", " ", "x" * 501])
def test_a_price_needs_a_model(project: Project, name: str) -> None:
    with pytest.raises(InvalidInput, match="model"):
        set_(project, name, JUNE, CHEAP)
