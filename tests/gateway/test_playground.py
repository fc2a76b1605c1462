"""The playground talks to models through the gateway's own path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from finetunes.bases import BUILT_IN
from finetunes.rendering import RenderSettings, render_fingerprint
from prompts.models import PromptVersion
from requests_log.datasets.models import Dataset, Example
from requests_log.models import Correction
from tests.curate.factories import make_dataset, make_request
from tests.engine.running import RunningEngine, running_engine
from tests.gateway.conftest import World
from tests.gateway.playground import Person, events, said, signed_in, state_of
from tests.gateway.upstream import STREAM, chunk, sse, streamed, whole
from tests.prompts.factories import make_prompt
from workbench.core.models import Role
from workbench.providers import refs
from workbench.providers.refs import Endpoint, ModelRef
from workbench.shell.playground.models import Trial

SCHEMA = '{"type": "object", "required": ["city"]}'


@pytest.fixture
def editor(world: World) -> Iterator[Person]:
    with signed_in(world) as person:
        yield person


@pytest.fixture(scope="session")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """An engine that serves the tiny model of ours."""
    path = BUILT_IN["nano-teacher"]
    row: dict[str, object] = {"id": "letters:1", "kind": "full", "path": str(path), "render": {}}
    row["fingerprint"] = render_fingerprint(path, RenderSettings())
    with running_engine(tmp_path_factory.mktemp("nano"), json.dumps({"models": [row]})) as running:
        yield running


@pytest.fixture
def letters(nano: RunningEngine, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ref of that model, as the registry would resolve it."""

    def ours(project: object, ref: ModelRef) -> Endpoint | None:
        if ref.name != "letters":
            return None
        return Endpoint(f"{nano.url}/v1", "", "letters:1", kind="engine", label="letters:1")

    monkeypatch.setattr(refs, "_resolvers", [ours])
    return "letters@production"


def problems(editor: Person, **state: Any) -> dict[str, dict[str, Any]]:
    """What has to be mended before a run, by field."""
    answer = editor.ask("run", {"state": state_of(**state)})
    assert answer.status_code == 422, answer.text
    return {one["field"]: one for one in answer.json()["problems"]}


def test_the_page_offers_the_models_and_takes_one_from_its_address(editor: Person) -> None:
    page = editor.open("?model=mine@production")

    assert page.context["state"]["columns"][0]["model"] == "mine@production"
    assert b'value="acme/gpt-test"' in page.content
    assert b"style=" not in page.content


def test_an_answer_streams_back_with_what_it_took_and_is_logged_as_the_playground_s(
    world: World, editor: Person
) -> None:
    world.upstream.answer = streamed([STREAM])

    answer = editor.run(state_of(parameters={"temperature": "0.5"}, more='{"logprobs": true}'))

    (logged,) = world.logged()
    first, *_, last = events(answer)
    assert first == {"stillhouse": {"request_id": str(logged.id), "status": 200}}
    assert said(answer) == "Grüß dich \N{GRINNING FACE}"
    assert last["stillhouse"]["served_by"] == "acme/gpt-test"
    assert last["stillhouse"]["duration_ms"] >= last["stillhouse"]["ttft_ms"] > 0
    assert (logged.source, logged.status, logged.end_user) == (
        "playground",
        "ok",
        editor.user.email,
    )
    sent = json.loads(world.request_of(logged.id))
    assert (sent["temperature"], sent["logprobs"]) == (0.5, True)


def test_an_error_of_the_provider_arrives_in_its_own_words(world: World, editor: Person) -> None:
    world.upstream.answer = whole({"error": {"message": "No such model."}}, status=404)

    first, error, last = events(editor.run(state_of()))

    assert first["stillhouse"]["status"] == last["stillhouse"]["status"] == 404
    assert error == {"error": {"message": "No such model."}}


def test_variables_are_filled_in_and_logged_with_the_prompt_they_belong_to(
    world: World, editor: Person
) -> None:
    make_prompt(world.project, "support/sort", "Sort {{ticket}} for {{team.name}}.")
    state = editor.open("?prompt=support/sort&version=1").context["state"]
    state["variables"] = [
        {"name": "ticket", "text": "my bill", "is_json": False},
        {"name": "team", "text": '{"name": "sales"}', "is_json": True},
    ]
    state["columns"][0]["model"] = "gpt-test"

    editor.run(state)

    (logged,) = world.logged()
    sent = json.loads(world.request_of(logged.id))
    assert sent["messages"] == [{"role": "user", "content": "Sort my bill for sales."}]
    assert (logged.prompt_name, logged.prompt_version) == ("support/sort", 1)
    state["messages"][0]["content"] += " Be quick."
    editor.run(state)
    assert world.logged(2)[1].prompt_name is None, "edited, it is that version no more"


def test_everything_that_is_wrong_is_named_with_its_place_before_any_call(
    world: World, editor: Person
) -> None:
    found = problems(
        editor,
        messages=[{"role": "user", "content": "Hello {{name}}, {{ticket}}"}],
        tools='[{"type": ]',
        more='{"model": "x"}',
        parameters={"temperature": "hot", "max_tokens": "0"},
        variables=[{"name": "name", "text": "Ada", "is_json": False}],
    )

    assert found["tools"]["line"] == 1
    assert found["tools"]["column"] == 11
    assert "model" in found["more"]["sentence"]
    assert "from 0 to 2" in found["parameters.temperature"]["sentence"]
    assert "from 1" in found["parameters.max_tokens"]["sentence"]
    assert world.upstream.seen == []


def test_missing_variables_are_all_named(editor: Person) -> None:
    found = problems(editor, messages=[{"role": "user", "content": "{{name}} {{ticket}}"}])

    assert set(found) == {"variables.name", "variables.ticket"}


@pytest.mark.parametrize(
    ("syntax", "text", "line", "column"),
    [("mustache", "one\n two {{ not one }}", 2, 6), ("jinja", "one\n\n{% if x %}", 3, 1)],
)
def test_a_template_that_cannot_be_read_is_marked_by_line_and_column(
    editor: Person, syntax: str, text: str, line: int, column: int
) -> None:
    found = problems(editor, syntax=syntax, messages=[{"role": "user", "content": text}])

    assert (found["messages.0"]["line"], found["messages.0"]["column"]) == (line, column)


def test_braces_of_a_logged_call_are_sent_as_they_were(world: World, editor: Person) -> None:
    asked: list[Any] = [
        {"role": "user", "content": "What is {{ in Jinja?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "A tag."},
        {"role": "user", "content": [{"type": "text", "text": "See"},
                                     {"type": "image_url", "image_url": {"url": "data:,"}}]},
    ]  # fmt: skip
    tools = [{"type": "function", "function": {"name": "search", "parameters": {}}}]
    form = {
        "type": "json_schema",
        "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}},
    }
    request = {
        "model": "gpt-test", "messages": asked, "tools": tools, "response_format": form,
        "temperature": 0, "seed": 7, "stop": "END", "tool_choice": "auto",
    }  # fmt: skip
    logged = make_request(world.project, request=request)

    state = editor.open(f"?request={logged.id}").context["state"]
    state["columns"][0]["model"] = "gpt-test"
    editor.run(state)

    sent = json.loads(world.upstream.last.body)
    del sent["stream"], sent["stream_options"]
    assert sent == request | {"stop": ["END"]}


def test_an_unknown_model_is_said_where_the_answer_would_be(world: World, editor: Person) -> None:
    world.connection.is_default = False
    world.connection.save()

    _, error, _ = events(editor.run(state_of(model="nobody/has-this")))

    assert "No connection serves" in error["error"]["message"]


def test_a_caller_who_leaves_stops_a_provider_that_hangs(world: World, editor: Person) -> None:
    world.upstream.answer = streamed([sse(chunk({"content": "One"}))], hang=True)
    plan = editor.ask("run", {"state": state_of()}).json()
    asked = {"model": "gpt-test", "body": plan["body"], "raw": False, "labels": {}}

    with editor.streaming("complete", asked) as parts:
        assert any(b"One" in part for part in parts)

    (logged,) = world.logged()
    assert logged.status == "client_closed"


@pytest.mark.parametrize(
    "asked",
    [
        {"model": "", "body": {"messages": [{}]}},
        {"model": "gpt-test", "body": {"messages": []}},
        {"model": "gpt-test", "body": []},
        {"model": ["gpt-test"]},
    ],
)
def test_nonsense_is_refused_with_a_sentence(
    world: World, editor: Person, asked: dict[str, Any]
) -> None:
    answer = editor.ask("complete", asked)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].endswith(".")
    assert world.upstream.seen == []


def test_what_was_run_opens_for_members_by_its_short_id_and_for_nobody_else(
    world: World, editor: Person
) -> None:
    kept = editor.ask("run", {"state": state_of(("user", "Share me"))}).json()

    with signed_in(world, Role.VIEWER, "Vic") as viewer, signed_in(world, None, "Stan") as stranger:
        shared = viewer.client.get(kept["url"])
        foreign = stranger.client.get(kept["url"])

    assert shared.context["state"]["messages"][0]["content"] == "Share me"
    assert foreign.status_code == 404
    assert editor.open("nothere/").status_code == 404


def test_only_its_maker_changes_what_was_kept(world: World, editor: Person) -> None:
    kept = editor.ask("run", {"state": state_of(("user", "Mine"))}).json()
    again = editor.ask("save", {"id": kept["id"], "state": state_of(("user", "Mine now"))}).json()

    with signed_in(world, name="Second") as second:
        copy = second.ask("run", {"id": kept["id"], "state": state_of(("user", "Theirs"))}).json()

    assert again["id"] == kept["id"] != copy["id"]
    assert Trial.objects.get(pk=kept["id"]).title == "Mine now"
    assert [one.pk for one in editor.open().context["recent"]] == [kept["id"]]


def test_values_come_from_the_row_of_a_dataset(world: World, editor: Person) -> None:
    make_dataset(world.project, name="Answers", rows=3)

    second = editor.client.get(f"{editor.base}values/?dataset=answers&row=2").json()
    beyond = editor.client.get(f"{editor.base}values/?dataset=answers&row=4")

    values = {one["name"]: one["text"] for one in second["variables"]}
    assert (values["question"], values["answer"], second["total"]) == ("Question 1?", "4", 3)
    assert beyond.status_code == 400
    assert "has rows 1 to 3" in beyond.json()["error"]["message"]


def test_the_messages_become_the_next_version_of_a_prompt(world: World, editor: Person) -> None:
    make_prompt(world.project, "support/sort", [{"role": "user", "content": "Sort {{ticket}}."}])
    state = editor.open("?prompt=support/sort").context["state"]
    state["messages"][0]["content"] = "Sort {{ticket}} well."
    state["parameters"] = {"temperature": "0"}

    asked = {"state": state, "name": "support/sort", "message": "kinder", "with_model": True}
    first, second = (editor.ask("version", asked).json() for _ in range(2))

    version = PromptVersion.objects.get(prompt__project=world.project, number=2)
    assert first["url"].endswith("/support/sort/?version=2")
    assert "says exactly this already" in second["message"]
    assert (version.message, version.created_by_id) == ("kinder", editor.user.pk)
    assert version.settings == {"model": "acme/gpt-test", "temperature": 0.0}


def test_an_answer_becomes_an_example_that_names_its_call(world: World, editor: Person) -> None:
    make_dataset(world.project, name="Answers")
    world.upstream.answer = streamed([STREAM])
    editor.run(state_of(("user", "Greet me")))
    (logged,) = world.logged()

    asked = {"request": str(logged.id), "dataset": "answers"}
    told = editor.ask("example", asked).json()
    editor.ask("example", asked | {"text": "Hello!"})

    mine, human = Example.objects.filter(dataset__project=world.project).order_by("pk")
    assert told["message"] == "Added to “Answers”."
    assert (mine.request_id, mine.provenance) == (logged.id, "teacher")
    assert mine.content.body["messages"] == [
        {"role": "user", "content": "Greet me"},
        {"role": "assistant", "content": "Grüß dich \N{GRINNING FACE}"},
    ]
    assert (human.content.answer, human.provenance) == ("Hello!", "human")
    assert editor.ask("example", asked | {"dataset": ""}).status_code == 400
    assert Dataset.objects.in_project(world.project).count() == 1


def test_an_answer_becomes_the_correction_of_the_call_it_came_from(
    world: World, editor: Person
) -> None:
    wrong = make_request(world.project, answer="5")
    editor.run(state_of(("user", "What is 2+2?")))
    better = world.logged(2)[-1]

    asked = {"request": str(better.id), "corrected": str(wrong.id), "note": "by another model"}
    told = editor.ask("correction", asked)
    missing = editor.ask("correction", asked | {"request": str(wrong.id)[:-4] + "0000"})

    assert told.json()["url"].endswith(f"/log/{wrong.id}/")
    (correction,) = Correction.objects.of_request(world.project, wrong.id)
    assert correction.answer is not None
    assert correction.answer["content"] == "Paris \N{EM DASH} of course."
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"city": "Oslo"}', None),
        ("```json\n{}\n```", "'city' is a required property"),
        ("Oslo", "no JSON"),
    ],
)
def test_an_answer_is_held_against_the_schema(
    editor: Person, text: str, problem: str | None
) -> None:
    told = editor.ask("verdict", {"text": text, "schema": SCHEMA}).json()

    if problem == "no JSON":
        assert not told["is_json"]
    else:
        assert [one["message"] for one in told["problems"]] == ([problem] if problem else [])
    assert (
        "is no schema"
        in editor.ask("verdict", {"text": "{}", "schema": '{"type": 7}'}).json()["error"]["message"]
    )


@pytest.mark.slow
def test_chat_and_the_raw_prompt_that_it_shows_get_the_same_answer(
    world: World, editor: Person, letters: str
) -> None:
    state = state_of(
        ("user", "What is the capital of {{place}}?"),
        model=letters,
        variables=[{"name": "place", "text": "Oslo", "is_json": False}],
        parameters={"temperature": "0", "max_tokens": "24"},
    )
    chat = editor.run(state)

    prompt = editor.ask("raw", {"state": state}).json()["prompt"]
    typed = editor.run(state | {"mode": "raw", "syntax": "plain", "prompt": prompt})

    assert "<|user|>What is the capital of Oslo?<|end|><|assistant|>" in prompt
    assert said(chat)
    assert said(typed) == said(chat)
    first, second = world.logged(2)
    assert (first.operation, second.operation) == ("chat", "completion")
    assert json.loads(world.request_of(second.id))["prompt"] == prompt


def test_the_template_of_a_provider_s_model_is_said_not_to_be_known(editor: Person) -> None:
    answer = editor.ask("raw", {"state": state_of(model="acme/gpt-test")})

    assert answer.status_code == 400
    assert "its template is not known" in answer.json()["error"]["message"]
