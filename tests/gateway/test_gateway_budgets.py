"""Keys that may spend so much and no more, whoever counts and whoever restarts."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import openai
import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone

from tests.conftest import Cast
from tests.factories import make_api_key
from tests.gateway.conftest import World, wait_until
from tests.gateway.upstream import STREAM, chunk, sse, streamed, whole
from workbench.core.models import ApiKey, Scope
from workbench.gateway.actions import Account, accounts_of, set_budget
from workbench.gateway.asgi import Gateway
from workbench.gateway.budgets import Budgets
from workbench.gateway.models import KeySpend
from workbench.providers.models import Connection

CALL: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
BODY = json.dumps(CALL).encode()
COSTLY = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini",
    "choices": [],
    "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000},
}
COST = Decimal("0.75")


@pytest.fixture
def priced(world: World) -> World:
    """The connection has the name under which the list of prices knows OpenAI's models."""
    Connection.objects.filter(pk=world.connection.pk).update(name="openai")
    world.upstream.answer = whole(COSTLY)
    return world


def key_of(world: World) -> ApiKey:
    return ApiKey.objects.get(project=world.project)


def account(world: World) -> Account:
    (found,) = accounts_of(world.project, today=timezone.now().date())
    return found


def test_the_cost_of_a_call_is_in_a_header_and_counted_for_its_key(priced: World) -> None:
    answer = priced.post(BODY)

    assert Decimal(answer.headers["x-stillhouse-cost"]) == COST
    wait_until(lambda: account(priced).spent == COST)


def test_a_key_that_spent_its_budget_is_refused_for_good(priced: World) -> None:
    set_budget(key_of(priced), amount="1.50", period="day")
    client = priced.client(max_retries=5)

    for _ in range(2):
        client.chat.completions.create(**CALL)
    with pytest.raises(openai.RateLimitError, match=r"spent its budget of \$1.50") as caught:
        client.chat.completions.create(**CALL)

    assert (caught.value.code, caught.value.type) == ("budget_exceeded", "insufficient_quota")
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 86_400
    assert len(priced.upstream.seen) == 2, "refused without asking, and not tried again"
    assert [row.http_status for row in priced.logged(3)] == [200, 200, 429]


def test_a_budget_that_is_raised_lets_calls_through_again(priced: World) -> None:
    key = key_of(priced)
    set_budget(key, amount="0", period="month")
    assert priced.post(BODY).status_code == 429

    set_budget(key, amount="100", period="month")

    wait_until(lambda: priced.post(BODY).status_code == 200)


def test_a_stream_counts_what_it_says_it_took(priced: World) -> None:
    usage = {**chunk({}), "choices": [], "usage": COSTLY["usage"], "model": "gpt-4o-mini"}
    priced.upstream.answer = streamed([STREAM.replace(b"data: [DONE]\n\n", b""), sse(usage)])

    priced.post(BODY.replace(b"{", b'{"stream":true,', 1))

    wait_until(lambda: account(priced).spent == COST)


def test_a_stream_without_counts_is_estimated_for_the_budget(priced: World) -> None:
    said = chunk({"content": "x" * 40_000}, finish_reason="stop")
    priced.upstream.answer = streamed([sse(said, "[DONE]")])

    priced.post(BODY.replace(b"{", b'{"stream":true,', 1))

    wait_until(lambda: account(priced).spent > Decimal("0.006"))
    assert priced.logged()[0].status == "ok"


def test_an_answer_that_is_not_logged_is_counted(priced: World) -> None:
    priced.post(BODY, x_stillhouse_log="no")

    wait_until(lambda: account(priced).spent == COST)
    assert priced.logged(0) == []


def test_several_processes_count_together_and_a_restart_forgets_nothing(
    priced: World, gateway: Gateway
) -> None:
    key = key_of(priced)
    set_budget(key, amount="2", period="day")

    async def another_process(cost: str) -> None:
        from workbench.core.hotpool import open_pool

        pool = await open_pool()
        budgets = Budgets(pool)
        budgets.charge(key.pk, Decimal(cost))
        await budgets.close()
        await pool.close()

    for cost in ("0.5", "0.75"):
        async_to_sync(another_process)(cost)
    priced.post(BODY)

    wait_until(lambda: account(priced).spent == Decimal("2.0"))
    wait_until(lambda: priced.post(BODY).status_code == 429)


def test_what_cannot_be_counted_now_is_counted_later(priced: World) -> None:
    key = key_of(priced)

    async def without_a_database() -> None:
        from psycopg_pool import PoolClosed

        from workbench.core.hotpool import open_pool

        pool, other = await open_pool(), await open_pool()
        await pool.close()
        budgets = Budgets(pool)
        budgets.charge(key.pk, Decimal(1))
        with pytest.raises(PoolClosed):
            await budgets.keep_step()
        budgets._pool = other
        await budgets.keep_step()
        await budgets.close()
        await other.close()

    asyncio.run(without_a_database())

    assert KeySpend.objects.get(key=key).amount == 1


def test_a_key_that_is_gone_does_not_keep_others_from_being_counted(
    priced: World, gateway: Gateway
) -> None:
    gateway.budgets.charge(2**40, Decimal(1))

    priced.post(BODY)

    wait_until(lambda: account(priced).spent == COST)


# On the page, and over the API


def test_a_budget_is_set_and_removed_on_the_keys_page(cast: Cast, alice: Client) -> None:
    key, _ = make_api_key(cast.project)
    page = f"/p/{cast.project.slug}/settings/keys/"

    alice.post(f"{page}{key.pk}/budget/", {"amount": "12.5", "period": "day"})
    shown = alice.get(page).content.decode()
    alice.post(f"{page}{key.pk}/budget/", {"amount": "", "period": "day"})

    assert "$0.00 of $12.50 a day" in shown
    assert "$0.00 this month" in alice.get(page).content.decode()


def test_a_new_key_gets_its_budget_with_it(cast: Cast, alice: Client) -> None:
    page = f"/p/{cast.project.slug}/settings/keys/"

    form = {"name": "shop", "scopes": ["gateway"], "amount": "3", "period": "month"}
    alice.post(f"{page}new/", form)

    (made,) = accounts_of(cast.project, today=timezone.now().date())
    assert (made.budget.amount, made.budget.period) == (3, "month")  # type: ignore[union-attr]


@pytest.mark.parametrize("amount", ["-1", "much", "NaN", "1e9"])
def test_an_odd_amount_is_refused_with_a_sentence(cast: Cast, alice: Client, amount: str) -> None:
    key, _ = make_api_key(cast.project)
    page = f"/p/{cast.project.slug}/settings/keys/"

    alice.post(f"{page}{key.pk}/budget/", {"amount": amount, "period": "day"})

    assert "udget" in alice.get(page).content.decode()
    (kept,) = accounts_of(cast.project, today=timezone.now().date())
    assert kept.budget is None


def test_the_api_sets_other_keys_budgets_but_not_its_own(
    cast: Cast, api: Client, api_key: tuple[ApiKey, str]
) -> None:
    other, _ = make_api_key(cast.project, scopes=[Scope.GATEWAY])
    foreign, _ = make_api_key(cast.other_project)
    budget = {"amount": "7.25", "period": "month"}

    def put(key: ApiKey) -> int:
        path = f"/api/v1/keys/{key.pk}/budget/"
        return api.put(path, budget, content_type="application/json").status_code

    assert [put(other), put(api_key[0]), put(foreign)] == [200, 400, 404]
    listed = {one["id"]: one["budget"] for one in api.get("/api/v1/keys/").json()["keys"]}
    assert listed == {other.pk: budget, api_key[0].pk: None}
    assert api.delete(f"/api/v1/keys/{other.pk}/budget/").status_code == 204
