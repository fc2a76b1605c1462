"""A logged request as a command and as a program."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from requests_log.models import RequestRow
from requests_log.snippets import MOST_ARGUMENT, Target, as_curl, as_python, target_of

TARGET = Target(
    "https://api.openai.com/v1/chat/completions", "chat.completions.create", "K", "OpenAI"
)
# Stands in for curl: writes out the body it was given, whichever way.
CURL = """
curl() {
  for last; do :; done
  case "$*" in *"--data-raw "*) printf %s "$last";; *) cat;; esac
}
"""
NASTY = [
    b"",
    b"'",
    b"'\"'\"'",
    b"$(touch /tmp/owned)`id`${HOME}\\",
    b"@/etc/passwd",
    b"!! !$ %s %d \\n \\x41",
    b"a\r\nb\tc\x1b[31m\x7f",
    b"trailing newlines\n\n",
    b"-n",
    b"--data-binary @-",
    "日本 \u202e \U0001f600 é".encode(),
    b"\xff\xfe\x80",
    b"\x00\x00%\\'\n\x00",
    b"\\",
    b"$'\\''",
    b"\x011\x0777",
    b'{"a": "it\'s"}',
]


def sent(command: str) -> bytes:
    """What curl would be given."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "K": "secret"}
    done = subprocess.run(
        ["/bin/bash", "-c", CURL + command], capture_output=True, check=True, env=environment
    )
    return done.stdout


@pytest.mark.parametrize("body", NASTY)
def test_bash_passes_on_exactly_what_was_logged(body: bytes) -> None:
    assert sent(as_curl(body, TARGET)) == body


@given(
    st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace"))
)
@example(b"\\'\x00")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_body_survives_the_quotes(body: bytes) -> None:
    assert sent(as_curl(body, TARGET)) == body


@pytest.mark.parametrize("filling", [b"it's ", b"a\tb\x01", b"\x00\xff"])
def test_a_body_too_long_for_an_argument_goes_through_a_pipe(
    tmp_path: Path, filling: bytes
) -> None:
    body = filling * (MOST_ARGUMENT // len(filling) + 10_000)
    script = tmp_path / "send.sh"
    script.write_text(CURL + as_curl(body, TARGET), encoding="utf-8")

    done = subprocess.run(["/bin/bash", script], capture_output=True, check=True)

    assert done.stdout == body


def test_a_very_long_body_is_read_from_its_file() -> None:
    command = as_curl(b"x" * 2_000_000, TARGET, file="it's.json")

    assert len(command) < 1_000
    assert command.endswith("--data-binary @'it'\"'\"'s.json'")
    assert as_python(b'{"a": "' + b"x" * 2_000_000 + b'"}', TARGET) is None


def test_the_key_is_a_variable() -> None:
    command = as_curl(b"{}", TARGET)

    assert '-H "Authorization: Bearer $K"' in command


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["model", "messages", "temperature", "class", "x-y", "tools", "extra_body", ""]
)


@given(st.dictionaries(FIELDS, JSON))
def test_the_program_asks_for_exactly_what_was_logged(asked: dict[str, Any]) -> None:
    program = as_python(json.dumps(asked).encode(), TARGET)

    assert program is not None
    calls = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Call)]
    (call,) = [one for one in calls if ast.unparse(one.func).endswith(".create")]
    given = {
        word.arg: eval(ast.unparse(word.value), {"__builtins__": {"float": float}})  # noqa: S307
        for word in call.keywords
    }
    rest = given.pop("extra_body", {})
    assert json.dumps(given | rest, sort_keys=True) == json.dumps(asked, sort_keys=True)


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b"1", b"[" * 100_000])
def test_what_is_no_object_has_no_program(body: bytes) -> None:
    assert as_python(body, TARGET) is None


@pytest.mark.parametrize(
    ("facts", "url", "key"),
    [
        ({"provider": "openai"}, "https://api.openai.com/v1/chat/completions", "OPENAI_API_KEY"),
        (
            {"provider": "openai", "operation": "responses"},
            "https://api.openai.com/v1/responses",
            "OPENAI_API_KEY",
        ),
        ({"provider": "anthropic"}, "https://api.anthropic.com/v1/messages", "ANTHROPIC_API_KEY"),
        (
            {"provider": "anthropic", "source": "gateway"},
            "https://here/v1/messages",
            "STILLHOUSE_API_KEY",
        ),
        (
            {"provider": "openai", "source": "gateway", "operation": "embedding"},
            "https://here/v1/embeddings",
            "STILLHOUSE_API_KEY",
        ),
        ({"provider": None}, "https://here/v1/chat/completions", "STILLHOUSE_API_KEY"),
    ],
)
def test_the_request_goes_where_it_went(facts: dict[str, Any], url: str, key: str) -> None:
    row = RequestRow(**({"operation": "chat", "source": "sdk"} | facts))

    target = target_of(row, public_url="https://here")

    assert (target.url, target.key) == (url, key)
    compile(as_python(b'{"model": "m", "stream": true}', target) or "", "snippet", "exec")
