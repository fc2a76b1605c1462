"""What prompts become: the server's rules for templates, followed here."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from stillhouse import Client, MissingVariables, Prompt, PromptError, StillhouseUnavailable
from tests.sdk.conftest import KEY, ClientMaker
from tests.sdk.prompt_server import PromptServer
from tests.sdk.servers import Answer

USER = {"role": "user", "content": "Hi"}


@pytest.fixture
def server() -> Iterator[PromptServer]:
    running = PromptServer()
    yield running
    running.close()


@pytest.fixture
def prompt(server: PromptServer, client: Client) -> Any:
    def make(body: Any, **about: Any) -> Prompt:
        server.save("triage", 3, body, **about)
        return client.get_prompt("triage")

    return make


def pickled_and_back(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("template", "variables", "compiled"),
    [
        ("Hello, {{name}}!", {"name": "Ann"}, "Hello, Ann!"),
        ("{{ name }}{{name}}", {"name": "Ann"}, "AnnAnn"),
        ("{{user.address.city}}", {"user": {"address": {"city": "Bern"}}}, "Bern"),
        ("{{items.1.id}}", {"items": [{"id": 1}, {"id": 2}]}, "2"),
        ("{{x}}", {"x": {"b": [1, "ü"], "a": None}}, '{"b": [1, "ü"], "a": null}'),
        ("{{x}} {{y}} {{z}}", {"x": True, "y": 1.5, "z": None}, "true 1.5 null"),
        (r"\{{name}} is {{name}}", {"name": "Ann"}, "{{name}} is Ann"),
        ("{{x}}", {"x": "{{y}}"}, "{{y}}"),
        ('{"a": {{x}}}', {"x": [1]}, '{"a": [1]}'),
        ("{name} {{}} {{a b}} }}", {}, "{name} {{}} {{a b}} }}"),
        ("", {}, ""),
        ("{{self}}", {"self": "me"}, "me"),
        ("{{x}}", {"x": "a", "extra": object()}, "a"),
    ],
)
def test_mustache(prompt: Any, template: str, variables: dict[str, Any], compiled: str) -> None:
    assert prompt(template).compile(**variables) == compiled


def test_what_json_cannot_hold_is_marked_and_raises_nothing(prompt: Any) -> None:
    assert "unserialisable" in prompt("{{x}}").compile(x=[object()])


def test_missing_variables_are_named_all_at_once(prompt: Any) -> None:
    body = [
        {"role": "user", "content": "{{a}} {{b.c}} {{a}} {{given}}"},
        {"role": "user", "content": "{{d}}"},
        {"type": "messages", "name": "history"},
    ]

    with pytest.raises(MissingVariables, match=r"a, b\.c, d, history") as raised:
        prompt(body).compile(b={}, given=1)

    assert raised.value.names == ["a", "b.c", "d", "history"]
    assert pickled_and_back(raised.value).names == raised.value.names


def test_a_placeholder_takes_messages_where_it_stands(prompt: Any) -> None:
    body = [
        {"role": "system", "content": "Be kind."},
        {"type": "messages", "name": "history"},
        {"role": "user", "content": "{{q}}"},
    ]
    history = [USER, {"role": "assistant", "content": "{{not a template}}"}]

    compiled = prompt(body).compile(history=history, q="Why?")

    assert compiled == [body[0], *history, {"role": "user", "content": "Why?"}]
    assert prompt(body).compile(history=(), q="Why?") == [body[0], compiled[-1]]


@pytest.mark.parametrize("given", ["Hi", USER, 5])
def test_what_is_no_list_of_messages_does_not_fit_a_placeholder(prompt: Any, given: Any) -> None:
    with pytest.raises(PromptError, match="history takes a list of messages"):
        prompt([{"type": "messages", "name": "history"}]).compile(history=given)


def test_examples_stand_after_the_system_messages(prompt: Any) -> None:
    shot = [USER, {"role": "assistant", "content": "Hello, {{name}}"}]
    system = [{"role": "system", "content": "1"}, {"role": "developer", "content": "2"}]
    body = [*system, {"role": "user", "content": "{{q}}"}]

    compiled = prompt(body, few_shot=[{"messages": shot}, {"messages": [USER]}]).compile(
        name="Ann", q="?"
    )

    said = [message["content"] for message in compiled]
    assert said == ["1", "2", "Hi", "Hello, Ann", "Hi", "?"]


def test_texts_among_parts_are_templates_and_tool_calls_are_not(prompt: Any) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://{{x}}"}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{{x}}"}}
    body = [
        {"role": "user", "content": [{"type": "text", "text": "{{x}}"}, image]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]

    compiled = prompt(body).compile(x="y")

    assert compiled[0]["content"] == [{"type": "text", "text": "y"}, image]
    assert compiled[1] == body[1]


def test_a_compiled_prompt_is_plain_wherever_it_is_taken(prompt: Any) -> None:
    text = prompt("{{x}}").compile(x="y")
    chat = [{"role": "user", "content": text}]

    assert isinstance(text, str)
    assert type(pickled_and_back(text)) is str
    assert type(pickled_and_back(chat)[0]["content"]) is str
    assert copy.deepcopy(chat) == copy.copy(chat) == chat
    assert json.loads(json.dumps(chat)) == chat
    assert {text: 1}["y"] == 1
    assert type(text + "z") is str


def test_what_was_pickled_is_read_without_the_sdk(prompt: Any) -> None:
    pickled = pickle.dumps(prompt([USER]).compile())
    program = f"import pickle; print(pickle.loads({pickled!r}))"

    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == str([USER])


def test_jinja_is_rendered_here_where_jinja2_is_installed(
    prompt: Any, server: PromptServer
) -> None:
    template = "{% for x in items %}{{ x.name }} {% endfor %}{{ note | default('none') }}\n"

    compiled = prompt(template, syntax="jinja").compile(items=[{"name": "a"}, {"name": "b"}])

    assert compiled == "a b none\n"
    assert len(server.asked) == 1


def test_jinja_names_all_that_is_missing(prompt: Any) -> None:
    body = [
        {"role": "user", "content": "{{ a }}"},
        {"role": "user", "content": "{{ b.c }}"},
        {"type": "messages", "name": "history"},
    ]

    with pytest.raises(MissingVariables) as raised:
        prompt(body, syntax="jinja").compile()

    assert raised.value.names == ["a", "b", "history"]


@pytest.mark.parametrize(
    "template", ["{{ x.y.z }}", "{{ 1 / 0 }}", "{% if %}", "{{ ''.__class__.__mro__ }}"]
)
def test_jinja_that_fails_says_so(prompt: Any, template: str) -> None:
    with pytest.raises(PromptError, match="fails with these variables"):
        prompt(template, syntax="jinja").compile(x={})


def test_a_syntax_the_sdk_does_not_know_is_compiled_by_the_server(
    prompt: Any, server: PromptServer
) -> None:
    made = prompt("Hi @x@", syntax="later", variables=[{"name": "x", "type": "text"}])
    server.compiled = Answer(200, {"name": "triage", "version": 3, "text": "Hi y"})

    compiled = made.compile(x="y", extra=1)

    assert compiled == "Hi y"
    assert compiled.prompt == {"name": "triage", "version": 3, "variables": {"x": "y"}}
    asked = server.asked[-1]
    assert (asked.method, asked.path) == ("POST", "/api/v1/prompts/triage/compile")
    assert asked.body == {"version": 3, "variables": {"x": "y", "extra": 1}}


def test_the_server_s_messages_are_taken_as_they_are(prompt: Any, server: PromptServer) -> None:
    server.compiled = Answer(200, {"messages": [USER]})

    assert prompt([USER], syntax="later").compile() == [USER]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (Answer(503, {}), StillhouseUnavailable, "503"),
        (Answer(200, b"<html>"), StillhouseUnavailable, "makes no sense"),
        (Answer(400, {"error": {"code": "x", "message": "Stopped."}}), PromptError, "Stopped"),
        (Answer(400, {"error": {"code": "missing_variables"}}), MissingVariables, "b"),
    ],
)
def test_the_server_s_refusal_is_told(
    prompt: Any, server: PromptServer, answer: Answer, error: type[Exception], said: str
) -> None:
    made = prompt("x", syntax="later", variables=[{"name": "a"}, {"name": "b"}])
    server.compiled = answer

    with pytest.raises(error, match=said):
        made.compile(a=1)


def test_without_jinja2_the_server_compiles(server: PromptServer) -> None:
    """In a program that cannot import jinja2."""
    server.save("triage", 3, "{{ x }}", syntax="jinja", variables=[{"name": "x"}])
    server.compiled = Answer(200, {"text": "from the server"})
    program = f"""
import sys
sys.modules["jinja2"] = None
from stillhouse import Client
client = Client({KEY!r}, {server.url!r})
text = client.get_prompt("triage").compile(x=1)
assert text == "from the server", text
assert text.prompt == {{"name": "triage", "version": 3, "variables": {{"x": 1}}}}, text.prompt
"""

    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{program}"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_a_server_away_from_compiling_says_what_to_install(make_client: ClientMaker) -> None:
    server = PromptServer()
    server.save("triage", 3, "x", syntax="later")
    prompt = make_client(server.url).get_prompt("triage")
    server.close()

    with pytest.raises(StillhouseUnavailable, match="jinja2"):
        prompt.compile()
