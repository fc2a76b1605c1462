"""Who may call, what they may send, and what their headers say for the log."""

from __future__ import annotations

import json

import openai
import pytest

from tests.factories import make_api_key
from tests.gateway.conftest import World
from workbench.core.models import Scope
from workbench.providers import refs
from workbench.providers.models import Connection
from workbench.providers.refs import Endpoint, EngineStarting, ModelRef, register_resolver

BODY = b'{"model":"gpt-test","messages":[]}'


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer sk-123", "Basic x", "Bearer sh_aaaaaaaa_" + "x" * 43]
)
def test_an_unknown_key_is_refused_in_openai_s_envelope(world: World, header: str) -> None:
    answer = world.post(BODY, authorization=header)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert world.upstream.seen == []


def test_a_key_needs_the_gateway_scope(world: World) -> None:
    _, text = make_api_key(world.project, scopes=[Scope.INGEST])

    answer = world.post(BODY, authorization=f"Bearer {text}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_scope")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_json"),
        (b'{"model":', "invalid_json"),
        (b'{"messages":[]}', "missing_model"),
        (b'{"model":7}', "missing_model"),
        (b'{"a":' + b"[" * 100_000, "nested_too_deeply"),
        (b'{"model":"gpt-test","a":' + b"[" * 128 + b"]" * 128 + b"}", "nested_too_deeply"),
    ],
)
def test_a_body_that_makes_no_sense_is_a_400(world: World, body: bytes, code: str) -> None:
    answer = world.post(body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_a_body_only_some_parsers_take_passes_unseen(world: World) -> None:
    body = b'{"model":"gpt-test","messages":["\\ud800"],"seed":' + b"9" * 5000 + b"}"

    assert world.post(body).status_code == 200
    assert world.upstream.last.body == body


def test_a_body_too_finely_cut_to_find_the_model_in_is_a_400_and_logged(world: World) -> None:
    body = b'{"model":"acme/gpt-test","messages":[' + b'"",' * (1 << 20) + b"1]}"

    answer = world.post(body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")
    assert world.logged()[0].http_status == 400


def test_too_long_a_body_is_a_413(world: World) -> None:
    assert world.post(b" " * (21 << 20)).status_code == 413


def test_an_unknown_model_is_openai_s_404_and_is_logged(world: World) -> None:
    Connection.objects.in_project(world.project).update(is_default=False)

    with pytest.raises(openai.NotFoundError) as caught:
        world.client().chat.completions.create(model="what", messages=[])

    assert caught.value.code == "model_not_found"
    (logged,) = world.logged()
    assert (logged.status, logged.http_status, logged.model) == ("error", 404, "what")


def test_other_paths_and_methods_are_said_not_to_be_there(world: World) -> None:
    with pytest.raises(openai.NotFoundError, match="no POST /v1/moderations"):
        world.client().moderations.create(model="m", input="x")


def test_headers_and_body_label_the_log_entry(world: World) -> None:
    answer = world.client().chat.completions.with_raw_response.create(
        model="gpt-test",
        messages=[],
        user="from-body",
        metadata={"team": "blue", "route": "body"},
        extra_headers={
            "x-stillhouse-tags": json.dumps({"route": "checkout", "try": 2}),
            "x-stillhouse-prompt": '{"name": "triage", "version": 3, "variables": {"a": "b"}}',
            "x-stillhouse-session": "s1",
            "x-stillhouse-trace": "t1",
            "x-stillhouse-environment": "production",
            "x-stillhouse-release": "1.2",
        },
    )

    (logged,) = world.logged()
    assert logged.tags == {"team": "blue", "route": "checkout", "try": "2"}
    assert (logged.prompt_name, logged.prompt_version) == ("triage", 3)
    assert (logged.end_user, logged.session, logged.trace_id) == ("from-body", "s1", "t1")
    assert (logged.environment, logged.release) == ("production", "1.2")
    assert answer.headers["x-stillhouse-request-id"] == str(logged.id)
    assert float(answer.headers["x-stillhouse-overhead-ms"]) > 0
    assert b"metadata" in world.upstream.last.body


def test_a_header_of_ours_that_makes_no_sense_is_a_400(world: World) -> None:
    answer = world.post(BODY, x_stillhouse_tags="route=checkout")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_header")


def test_models_lists_what_the_project_can_name(world: World) -> None:
    listed = [model.id for model in world.client().models.list()]

    assert listed == ["acme/gpt-test"]
    assert world.client().models.retrieve("acme/gpt-test").owned_by == "acme"


def test_a_registered_model_gets_the_body_as_it_is_and_its_version_in_a_header(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ours(project: object, ref: ModelRef) -> Endpoint | None:
        if ref.name != "letters":
            return None
        return Endpoint(world.upstream.url, "", "letters:3", kind="engine", label="letters:3")

    monkeypatch.setattr(refs, "_resolvers", [])
    register_resolver(ours)
    body = b'{"model":"letters@production","messages":[]}'

    answer = world.post(body)

    assert answer.status_code == 200
    assert world.upstream.last.body == body
    assert world.upstream.last.headers["x-stillhouse-model"] == "letters:3"
    assert "Authorization" not in world.upstream.last.headers
    assert world.logged()[0].tags == {"stillhouse.model": "letters:3"}


def test_a_call_waits_for_an_engine_that_is_starting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def starting(project: object, ref: ModelRef) -> Endpoint | None:
        asked.append(ref.text)
        if len(asked) < 2:
            raise EngineStarting("The engine is starting.")
        return Endpoint(world.upstream.url, "", "letters:3", kind="engine")

    monkeypatch.setattr(refs, "_resolvers", [starting])

    assert world.post(b'{"model":"letters:3","messages":[]}').status_code == 200
    assert len(asked) == 2


def test_an_engine_that_does_not_come_up_is_a_503_with_retry_after(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starting(project: object, ref: ModelRef) -> Endpoint | None:
        raise EngineStarting("The engine is starting. Try again in a moment.")

    monkeypatch.setattr(refs, "_resolvers", [starting])
    monkeypatch.setattr("workbench.gateway.routing.ENGINE_WAIT_SECONDS", 0.1)

    answer = world.post(b'{"model":"letters:3","messages":[]}')

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
