from __future__ import annotations

import time

import pytest

from stillhouse import ModelNotFound, ResolvedModel, StillhouseUnavailable
from tests.sdk.conftest import ClientMaker
from tests.sdk.servers import JSON, Answer, StillhouseServer, black_hole, dead_url

REF = "capital-letter@production"


def answer(version: int) -> JSON:
    return {
        "name": "capital-letter",
        "alias": "production",
        "version": version,
        "ref": f"capital-letter:{version}",
        "model": REF,
        "base_url": "http://127.0.0.1:8400/v1",
        "render_fingerprint": "f" * 64,
        "training_run": "run-1",
        "dataset_version": "dataset-1",
        "artifacts": [{"path": "adapter.safetensors", "sha256": "0", "bytes": 1}],
        "promoted_at": "2026-11-21T09:00:00Z",
        "a_field_of_a_later_server": True,
    }


def test_an_alias_resolves_to_its_version(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    server.models[REF] = answer(3)

    model = make_client().resolve_model(REF)

    assert model == ResolvedModel(
        name="capital-letter",
        alias="production",
        version=3,
        ref="capital-letter:3",
        model=REF,
        base_url="http://127.0.0.1:8400/v1",
        render_fingerprint="f" * 64,
        training_run="run-1",
        dataset_version="dataset-1",
        promoted_at="2026-11-21T09:00:00Z",
    )
    assert server.seen[0].path == f"/api/v1/models/{REF}"


def test_a_second_look_up_asks_nobody(server: StillhouseServer, make_client: ClientMaker) -> None:
    server.models[REF] = answer(3)
    client = make_client()

    assert client.resolve_model(REF) == client.resolve_model(REF)

    assert len(server.seen) == 1


def test_an_old_answer_is_served_at_once_and_replaced_behind(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    server.models[REF] = answer(3)
    client = make_client(model_cache_ttl=0.2)
    client.resolve_model(REF)
    server.models[REF] = answer(4)
    time.sleep(0.3)

    old = client.resolve_model(REF)

    assert (old.version, old.stale) == (3, True)
    deadline = time.monotonic() + 60
    while client.resolve_model(REF).version != 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert client.resolve_model(REF).version == 4


def test_an_unchanged_model_is_asked_for_by_its_etag(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    server.models[REF] = answer(3)
    client = make_client(model_cache_ttl=0.5)
    client.resolve_model(REF)
    time.sleep(0.6)

    client.resolve_model(REF)

    deadline = time.monotonic() + 60
    while (fresh := client.resolve_model(REF)).stale and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (fresh.version, fresh.stale) == (3, False)
    assert server.seen[1].headers["if-none-match"] == '"3"'


def test_the_cache_outlives_the_server_and_says_it_is_stale(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    server.models[REF] = answer(3)
    client = make_client(model_cache_ttl=0.05)
    client.resolve_model(REF)
    server.always = Answer(500, {})
    time.sleep(0.1)

    models = []
    for _ in range(20):
        models.append(client.resolve_model(REF))
        time.sleep(0.01)

    assert {(model.version, model.stale) for model in models} == {(3, True)}


def test_without_cache_the_fallback_is_served(make_client: ClientMaker) -> None:
    client = make_client(dead_url())

    model = client.resolve_model(REF, fallback="gpt-small")

    assert (model.model, model.base_url, model.stale) == ("gpt-small", None, True)
    known = ResolvedModel("capital-letter", "production", 2, "capital-letter:2", REF, "http://x/v1")
    assert client.resolve_model(REF, fallback=known).ref == "capital-letter:2"


def test_a_server_that_never_answers_costs_one_wait_only(make_client: ClientMaker) -> None:
    with black_hole() as url:
        client = make_client(url, resolve_timeout=0.3)
        client.resolve_model(REF, fallback="gpt-small")
        started = time.monotonic()

        for _ in range(100):
            client.resolve_model(REF, fallback="gpt-small")

        assert time.monotonic() - started < 5, "a hundred waits would take 30 s"


def test_neither_cache_nor_fallback_raises_unavailable(make_client: ClientMaker) -> None:
    client = make_client(dead_url())

    with pytest.raises(StillhouseUnavailable, match="fallback="):
        client.resolve_model(REF)


@pytest.mark.parametrize("body", [b"<html>", b"[1]"])
def test_an_answer_that_makes_no_sense_is_unavailable(
    server: StillhouseServer, make_client: ClientMaker, body: bytes
) -> None:
    server.always = Answer(200, body)

    with pytest.raises(StillhouseUnavailable, match=REF):
        make_client().resolve_model(REF)


def test_an_unknown_model_is_not_found(server: StillhouseServer, make_client: ClientMaker) -> None:
    with pytest.raises(ModelNotFound, match="Check the name and the alias"):
        make_client().resolve_model("nobody@production")


def test_a_ref_without_alias_says_how_to_write_it(make_client: ClientMaker) -> None:
    with pytest.raises(ValueError, match="name@alias"):
        make_client().resolve_model("capital-letter")
