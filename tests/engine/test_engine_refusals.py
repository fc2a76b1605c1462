from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from tests.engine.running import RunningEngine, running_engine
from tests.engine.tiny_models import manifest

HI: list[Any] = [{"role": "user", "content": "Hi"}]


def refusal(engine: RunningEngine, **body: Any) -> Any:
    response = engine.post({"model": "one:1", "messages": HI, **body})
    assert response.status_code == 400, response.text
    return response.json()["error"]


def test_an_unknown_model_is_a_404_that_names_the_known_ones(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="three:1", messages=HI)

    assert caught.value.code == "model_not_found"
    assert "one:1, two:1" in str(caught.value)
    assert "Register the model" in str(caught.value)


def test_a_prompt_beyond_the_context_is_refused_with_openais_code(client: OpenAI) -> None:
    long: Any = [{"role": "user", "content": "word " * 2000}]

    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="one:1", messages=long)

    assert caught.value.code == "context_length_exceeded"
    assert "at most 256" in str(caught.value)


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("temperature", "hot"),
        ("temperature", 2.5),
        ("top_p", True),
        ("max_tokens", 0),
        ("seed", 1.5),
        ("stop", [""]),
        ("stream", "yes"),
        ("tools", {}),
        ("messages", []),
        ("model", 7),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(
    engine: RunningEngine, param: str, value: object
) -> None:
    assert refusal(engine, **{param: value})["param"] == param


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("logprobs", True),
        ("n", 2),
        ("response_format", {"type": "json_object"}),
        ("frequency_penalty", 0.5),
        ("top_k", 5),
    ],
)
def test_what_cannot_be_honoured_is_refused_and_never_ignored(
    engine: RunningEngine, param: str, value: object
) -> None:
    error = refusal(engine, **{param: value})

    assert (error["code"], error["param"]) == ("unsupported_parameter", param)


def test_parameters_that_ask_for_nothing_are_taken(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="one:1",
        messages=HI,
        max_tokens=1,
        n=1,
        logprobs=False,
        frequency_penalty=0,
        user="u1",
        metadata={"a": "b"},
        store=False,
        service_tier="auto",
        response_format={"type": "text"},
    )

    assert answer.usage is not None


def test_a_message_that_cannot_be_rendered_says_what_to_do(engine: RunningEngine) -> None:
    error = refusal(engine, messages=[{"role": "wizard", "content": "Hi"}])

    assert error["param"] == "messages"
    assert "Use one of: system" in error["message"]


def test_a_body_over_8_mib_is_a_413_in_the_envelope(engine: RunningEngine) -> None:
    response = engine.post({"model": "one:1", "messages": HI, "user": "x" * 9 * 2**20})

    assert response.status_code == 413
    assert "larger than 8 MiB" in response.json()["error"]["message"]


def test_text_that_is_not_json_is_refused(engine: RunningEngine) -> None:
    response = httpx2.post(f"{engine.url}/v1/chat/completions", content=b"{no", timeout=120)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_json"


def test_a_model_that_would_render_differently_from_training_is_refused(
    models: Path, tmp_path: Path
) -> None:
    changed = manifest(models, one={"fingerprint": "0" * 64})

    with running_engine(tmp_path, changed) as engine:
        refused = engine.post({"model": "one:1", "messages": HI})
        served = engine.post({"model": "two:1", "messages": HI, "max_tokens": 1})

    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "render_fingerprint_mismatch"
    assert "train it again" in refused.json()["error"]["message"]
    assert served.status_code == 200


def test_a_model_that_does_not_fit_is_refused_and_idle_ones_make_room(
    models: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (models / "base").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    listed = json.loads(manifest(models))
    listed["models"].append({**listed["models"][0], "id": "copy:1", "path": str(copy)})
    base_gib = (models / "base" / "model.safetensors").stat().st_size / 2**30

    with running_engine(
        tmp_path / "e", json.dumps(listed), "--memory-gib", f"{base_gib * 1.5:.9f}"
    ) as engine:
        for name in ("base:1", "copy:1"):
            answer = engine.post({"model": name, "messages": HI, "max_tokens": 1})
            assert answer.status_code == 200, answer.text
        loaded = engine.get("/healthz")["loaded"]

    assert [row["path"] for row in loaded] == [str(copy)]
