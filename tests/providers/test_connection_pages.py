"""The pages of connections: choosing a provider, testing, trying a model, what models cost."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.validators import URLValidator
from django.test import Client

from requests_log.pricing.actions import set_price
from tests.conftest import Cast
from tests.gateway.upstream import COMPLETION, Upstream, UpstreamThread, whole
from tests.providers.test_anthropic_dialect import ANSWER
from workbench.core.egress import checked_url
from workbench.providers.actions import credential_of, save_connection
from workbench.providers.models import Connection
from workbench.providers.presets import PRESETS, Preset

ROOT = Path(__file__).resolve().parents[2]
CANARY = "sk-canary-5e6f7a8b"
KEY_REFUSED = {"error": {"message": f"Incorrect API key provided: {CANARY}", "code": "invalid"}}
LISTED = {"object": "list", "data": [{"id": "models/b"}, {"id": "a"}]}


@pytest.fixture(scope="module")
def _upstream() -> Iterator[Upstream]:
    thread = UpstreamThread()
    yield thread.start()
    thread.stop()


@pytest.fixture
def upstream(_upstream: Upstream) -> Upstream:
    _upstream.reset()
    return _upstream


def base(cast: Cast) -> str:
    return f"/p/{cast.project.slug}/settings/connections/"


def connected(cast: Cast, upstream: Upstream, **fields: Any) -> tuple[Connection, str]:
    """A connection to the upstream, and the address of its page."""
    values = {"name": "acme", "base_url": upstream.url, "credential": CANARY,
              "allow_private_network": True, "by": None}  # fmt: skip
    made = save_connection(cast.project, **{**values, **fields})
    return made, f"{base(cast)}{made.pk}/"


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_provider_s_form_is_filled_in(cast: Cast, alice: Client, preset: Preset) -> None:
    answer = alice.get(f"{base(cast)}new/", {"provider": preset.name})

    form = answer.context["form"]
    assert answer.status_code == 200
    assert preset.label in text_of(answer)
    assert form["kind"].value() == preset.kind
    if preset.keys:
        URLValidator(schemes=["https"])(preset.keys)
        assert preset.keys in text_of(answer)
    if preset.base_url and preset.name != "hugging-face":
        assert form["base_url"].value() == checked_url(preset.base_url, private=preset.private)


def test_a_new_connection_begins_with_the_choice_of_a_provider(cast: Cast, alice: Client) -> None:
    page = text_of(alice.get(f"{base(cast)}new/"))

    assert all(f"?provider={preset.name}" in page for preset in PRESETS)


def test_every_provider_is_in_the_documents() -> None:
    told = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")

    for preset in PRESETS:
        if preset.name not in {"other", "hugging-face"}:
            assert f"| {preset.label} |" in told
            assert f"`{preset.base_url or preset.placeholder}`" in told


def test_a_second_connection_to_a_provider_gets_a_name_of_its_own(
    cast: Cast, alice: Client
) -> None:
    save_connection(cast.project, name="openai", base_url="https://api.openai.com/v1", by=None)

    answer = alice.get(f"{base(cast)}new/", {"provider": "openai"})

    assert answer.context["form"]["name"].value() == "openai-2"


def test_saving_and_testing_at_once(cast: Cast, alice: Client, upstream: Upstream) -> None:
    upstream.answer = whole(LISTED)
    sent = {"name": "acme", "base_url": upstream.url, "allow_private_network": "on",
            "credential": CANARY, "test": "1"}  # fmt: skip

    answer = alice.post(f"{base(cast)}new/?provider=other", sent, follow=True)

    connection = Connection.objects.get(project=cast.project)
    assert connection.model_names == ["a", "b"]
    assert upstream.last.headers["Authorization"] == f"Bearer {CANARY}"
    assert "offers 2 models" in text_of(answer)


def test_a_mistake_keeps_what_was_typed_and_shows_no_credential(cast: Cast, alice: Client) -> None:
    sent = {"name": "acme", "base_url": "http://10.0.0.1/v1", "credential": CANARY,
            "model_names": "mine", "requests_per_minute": "-1"}  # fmt: skip

    answer = alice.post(f"{base(cast)}new/?provider=openai", sent)

    page = text_of(answer)
    assert answer.status_code == 422
    assert "Requests a minute: " in page
    assert 'value="http://10.0.0.1/v1"' in page
    assert ">mine" in page.replace("\n", "")
    assert CANARY not in page


def test_a_mistake_is_swapped_in_beside_the_form(cast: Cast, alice: Client) -> None:
    page = text_of(alice.get(f"{base(cast)}new/?provider=openai"))
    sent = {"name": "acme", "base_url": "https://api.example.com/v1"}

    saved = alice.post(f"{base(cast)}new/?provider=openai", sent, headers={"HX-Request": "true"})

    assert 'hx-select="#connection-mistakes"' in page
    assert saved.status_code == 204
    assert saved.headers["HX-Redirect"].startswith(base(cast))


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (KEY_REFUSED, 401, "refused the credential (401). Enter it again."),
        ({"error": {"message": "Not in your region"}}, 403, "Not in your region"),
        ({"error": "no such path"}, 404, "Does the address end in /v1?"),
        ({"error": {"message": "You exceeded your current quota"}}, 429, "quota and billing"),
        ({}, 307, "Enter the final address"),
        (b"<html>Welcome</html>", 200, "other than a list of models"),
    ],
)
def test_a_failed_test_stands_on_the_page_in_the_provider_s_words(
    cast: Cast, alice: Client, upstream: Upstream, body: Any, status: int, sentence: str
) -> None:
    _, page = connected(cast, upstream)
    upstream.answer = whole(body, status=status, headers={"Location": upstream.url})

    answer = alice.post(f"{page}check/", follow=True)

    assert answer.status_code == 200
    assert sentence in text_of(answer)
    assert CANARY not in text_of(answer)


def test_the_provider_s_words_are_told_without_the_credential(
    cast: Cast, alice: Client, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    connection, page = connected(cast, upstream)
    upstream.answer = whole(KEY_REFUSED, status=401)

    with caplog.at_level(logging.DEBUG):
        checked = alice.post(f"{page}check/", follow=True)
        tried = alice.post(f"{page}try/", {"model": "gpt"})

    connection.refresh_from_db()
    for said in (connection.problem, text_of(checked), text_of(tried)):
        assert "Incorrect API key provided: [credential]" in said
    assert CANARY not in caplog.text + connection.problem + text_of(checked) + text_of(tried)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://127.0.0.1:1/v1", "cannot be reached"),
        ("http://nobody.invalid/v1", "Check how it is spelled"),
    ],
)
def test_nobody_there(
    cast: Cast, alice: Client, upstream: Upstream, address: str, sentence: str
) -> None:
    _, page = connected(cast, upstream, base_url=address)

    assert sentence in text_of(alice.post(f"{page}check/", follow=True))
    assert sentence in text_of(alice.post(f"{page}try/", {"model": "gpt"}))


def test_a_server_without_tls(cast: Cast, alice: Client, upstream: Upstream) -> None:
    _, page = connected(cast, upstream, base_url=upstream.url.replace("http://", "https://"))

    assert "begin with http://?" in text_of(alice.post(f"{page}check/", follow=True))


def test_a_private_address_is_named_when_trying(
    cast: Cast, alice: Client, upstream: Upstream
) -> None:
    connection, page = connected(cast, upstream)
    Connection.objects.filter(pk=connection.pk).update(allow_private_network=False)

    tried = text_of(alice.post(f"{page}try/", {"model": "gpt"}))

    assert "Allow the private network" in tried
    assert upstream.seen == []


def test_trying_a_model_asks_for_one_token(cast: Cast, alice: Client, upstream: Upstream) -> None:
    _, page = connected(cast, upstream)

    tried = alice.post(f"{page}try/", {"model": "gpt"}, headers={"HX-Request": "true"})

    sent = json.loads(upstream.last.body)
    assert (sent["model"], sent["max_tokens"]) == ("gpt", 1)
    assert "answered in" in text_of(tried)
    assert "5 tokens in, 4 out" in text_of(tried)
    assert "<html" not in text_of(tried)


def test_trying_a_model_that_wants_the_newer_limit(
    cast: Cast, alice: Client, upstream: Upstream
) -> None:
    _, page = connected(cast, upstream)
    words = "Unsupported parameter: use 'max_completion_tokens' instead."

    async def answer(request: Any) -> Any:
        is_new = "max_completion_tokens" in json.loads(await request.read())
        refusal = whole({"error": {"message": words}}, status=400)
        return await (whole(COMPLETION) if is_new else refusal)(request)

    upstream.answer = answer

    tried = text_of(alice.post(f"{page}try/", {"model": "gpt-5"}))

    assert "answered in" in tried
    assert len(upstream.seen) == 2


def test_trying_a_model_at_anthropic(cast: Cast, alice: Client, upstream: Upstream) -> None:
    _, page = connected(cast, upstream, kind="anthropic")
    upstream.answer = whole(ANSWER)

    tried = text_of(alice.post(f"{page}try/", {"model": "claude-test"}))

    assert upstream.last.path == "/v1/messages"
    assert "93 tokens in, 7 out" in tried


def test_azure_s_list_says_only_that_the_credential_is_right(
    cast: Cast, alice: Client, upstream: Upstream
) -> None:
    address = f"{upstream.url.removesuffix('/v1')}/openai/deployments/x?api-version=1"
    connection, page = connected(
        cast, upstream, kind="azure", base_url=address, model_names=["my-gpt"],
        api_version="2024-10-21",
    )  # fmt: skip
    upstream.answer = whole(LISTED)

    answer = alice.post(f"{page}check/", follow=True)

    connection.refresh_from_db()
    assert (upstream.last.path, upstream.last.query) == (
        "/openai/models", "api-version=2024-10-21",
    )  # fmt: skip
    assert upstream.last.headers["api-key"] == CANARY
    assert connection.model_names == ["my-gpt"]
    assert "names of your deployments" in text_of(answer)


def test_models_stand_with_their_prices(cast: Cast, alice: Client, upstream: Upstream) -> None:
    connection, page = connected(cast, upstream, model_names=["dear", "unknown"])
    rates = (Decimal("1.25"), Decimal(0), Decimal("7.5"))
    june = datetime(2026, 6, 1, tzinfo=UTC)
    set_price(cast.project, provider="acme", model="dear", valid_from=june, rates=rates, by=None)

    answer = alice.get(page)

    dear, unknown = answer.context["offers"].shown
    assert dear.price.since == june
    assert unknown.price is None
    assert answer.context["offers"].unpriced == 1
    assert "2026-06-01" in text_of(answer)
    assert f"/settings/prices/?provider={connection.name}&amp;model=unknown" in text_of(answer)


def test_a_long_list_of_models_is_cut_until_it_is_asked_for(
    cast: Cast, alice: Client, upstream: Upstream
) -> None:
    _, page = connected(cast, upstream, model_names=[f"m{number}" for number in range(40)])

    assert len(alice.get(page).context["offers"].shown) == 25
    assert len(alice.get(page, {"models": "all"}).context["offers"].shown) == 40


@pytest.mark.parametrize("path", ["", "check/", "try/", "remove/"])
def test_nobody_else_gets_at_a_connection(cast: Cast, upstream: Upstream, path: str) -> None:
    connection, page = connected(cast, upstream)
    viewer, stranger = Client(), Client()
    viewer.force_login(cast.victor)
    stranger.force_login(cast.charlie)

    assert viewer.post(f"{page}{path}", {"model": "gpt"}).status_code == 403
    assert stranger.post(f"{page}{path}", {"model": "gpt"}).status_code == 404
    assert upstream.seen == []
    assert credential_of(connection) == CANARY
