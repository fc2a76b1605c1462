"""Getting prompts: addresses, the cache, and what is left when the server is away."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import stillhouse
from stillhouse import Prompt, PromptNotFound, StillhouseUnavailable
from tests.sdk.conftest import KEY, ClientMaker
from tests.sdk.prompt_server import PromptServer
from tests.sdk.servers import Answer, black_hole, dead_url

AGED = 0.0
"""Seconds after which an answer is asked for again: at once."""


@pytest.fixture
def server() -> Iterator[PromptServer]:
    running = PromptServer()
    running.save("triage", 3, "Three, {{name}}")
    yield running
    running.close()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def kept_files(spool: Path) -> list[Path]:
    return list(spool.glob("*/prompts/*"))


def test_a_prompt_is_what_the_server_says(server: PromptServer, make_client: ClientMaker) -> None:
    tool = {"type": "function", "function": {"name": "find"}}
    server.save(
        "support/triage",
        4,
        [{"role": "user", "content": "{{q}}"}],
        settings={"temperature": 0.2},
        tools=[tool],
        response_schema={"type": "object"},
        variables=[{"name": "q", "type": "text", "description": "", "example": "Why?"}],
    )

    prompt = make_client().get_prompt("support/triage")

    assert (prompt.name, prompt.version, prompt.label) == ("support/triage", 4, "production")
    assert (prompt.kind, prompt.is_fallback) == ("chat", False)
    assert prompt.settings == {"temperature": 0.2}
    assert prompt.tools == [tool]
    assert prompt.response_schema == {"type": "object"}
    assert [variable["name"] for variable in prompt.variables] == ["q"]
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.query) == ("GET", "/api/v1/prompts/support/triage", {})
    assert asked.headers["authorization"] == f"Bearer {KEY}"


def test_what_a_host_does_to_its_parts_stays_with_the_host(
    server: PromptServer, make_client: ClientMaker
) -> None:
    server.save("triage", 4, [{"role": "user", "content": "x"}], settings={"stop": ["a"]})
    client = make_client()
    prompt = client.get_prompt("triage")

    prompt.settings["stop"].append("b")
    prompt.compile()[0]["role"] = "system"

    assert client.get_prompt("triage").settings == {"stop": ["a"]}
    assert prompt.compile() == [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(
    ("ref", "said", "path", "query"),
    [
        ("triage", {}, "triage", {}),
        ("triage", {"label": "beta"}, "triage", {"label": "beta"}),
        ("triage", {"version": 3}, "triage", {"version": "3"}),
        ("triage", {"key": "ann & co"}, "triage", {"key": "ann & co"}),
        ("triage@beta", {}, "triage", {"label": "beta"}),
        ("triage:3", {}, "triage", {"version": "3"}),
        ("prompts:/triage@beta", {}, "triage", {"label": "beta"}),
        ("prompts:/triage/3", {}, "triage", {"version": "3"}),
        ("prompts:/a/b", {}, "a/b", {}),
        ("prompts:/a/b/3", {}, "a/b", {"version": "3"}),
        ("a/b/c@beta", {"key": "u"}, "a/b/c", {"label": "beta", "key": "u"}),
        ("ü b?", {}, "%C3%BC%20b%3F", {}),
        ("triage", {"key": "\udc80"}, "triage", {"key": "?"}),
    ],
)
def test_an_address_is_asked_for_in_the_contract_s_words(
    server: PromptServer,
    make_client: ClientMaker,
    ref: str,
    said: dict[str, Any],
    path: str,
    query: dict[str, str],
) -> None:
    make_client().get_prompt(ref, **said, fallback="none")

    assert server.asked[0].path == f"/api/v1/prompts/{path}"
    assert server.asked[0].query == query


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("", {}),
        ("@production", {}),
        ("prompts:/", {}),
        ("triage:", {}),
        ("triage:new", {}),
        ("triage@a@b", {}),
        ("triage@beta", {"label": "production"}),
        ("triage:3", {"version": 3}),
        ("triage", {"label": "beta", "version": 3}),
    ],
)
def test_an_address_that_cannot_be_read_is_refused_at_once(
    server: PromptServer, make_client: ClientMaker, ref: str, said: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"name@label|once"):
        make_client().get_prompt(ref, **said)

    assert server.asked == []


def test_a_second_look_up_asks_nobody(server: PromptServer, make_client: ClientMaker) -> None:
    client = make_client()

    assert client.get_prompt("triage") is client.get_prompt("triage")

    assert len(server.asked) == 1


def test_a_moved_label_is_served_after_the_lifetime_and_never_waited_for(
    server: PromptServer, make_client: ClientMaker
) -> None:
    client = make_client()
    client.get_prompt("triage")
    server.save("triage", 4, "Four")
    server.hold_prompts = threading.Event()

    while_asking = [client.get_prompt("triage", cache_ttl_seconds=AGED) for _ in range(5)]
    server.hold_prompts.set()

    assert [prompt.version for prompt in while_asking] == [3] * 5
    wait_for(lambda: client.get_prompt("triage", cache_ttl_seconds=3600).version == 4)
    assert client.get_prompt("triage").compile() == "Four"


def test_an_unchanged_prompt_is_asked_for_by_its_etag_and_fresh_again(
    server: PromptServer, make_client: ClientMaker
) -> None:
    client = make_client()
    first = client.get_prompt("triage")
    client.get_prompt("triage", cache_ttl_seconds=AGED)
    wait_for(lambda: len(server.asked) == 2)

    assert server.asked[1].headers["if-none-match"] == '"3"'
    assert client.get_prompt("triage") is first


def test_a_version_by_its_number_never_gets_old(
    server: PromptServer, make_client: ClientMaker
) -> None:
    client = make_client()

    for _ in range(3):
        client.get_prompt("triage", version=3, cache_ttl_seconds=AGED)

    assert len(server.asked) == 1


def test_one_thread_refreshes_whatever_the_number_of_callers(
    server: PromptServer, make_client: ClientMaker
) -> None:
    client = make_client()
    names = [f"prompt-{n}" for n in range(20)]
    for name in names:
        server.save(name, 1, "x")
        client.get_prompt(name)
    server.hold_prompts = threading.Event()

    def ask_for_all() -> None:
        for name in names:
            client.get_prompt(name, cache_ttl_seconds=AGED)

    threads = [threading.Thread(target=ask_for_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refreshing = [each for each in threading.enumerate() if each.name == "stillhouse-refresh"]
    server.hold_prompts.set()

    assert len(refreshing) == 1
    wait_for(lambda: len(server.asked) >= 2 * len(names))
    wait_for(lambda: not refreshing[0].is_alive())


def test_each_key_has_its_own_answer(server: PromptServer, make_client: ClientMaker) -> None:
    server.save("triage", 4, "Four")
    server.splits = {"ann": 3, "bob": 4}
    client = make_client()

    versions = [client.get_prompt("triage", key=key).version for key in ("ann", "bob", "ann")]

    assert versions == [3, 4, 3]
    assert len(server.asked) == 2


def test_any_number_of_keys_and_names_is_kept_within_bounds(
    server: PromptServer, make_client: ClientMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillhouse._cache.MOST_ENTRIES", 5)
    client = make_client()

    for number in range(10):
        client.get_prompt("triage", key=f"user-{number}")
        client.get_prompt(f"nobody-{number}", fallback="mine")
        server.save(f"many-{number}", 1, "x")
        client.get_prompt(f"many-{number}")

    prompts = client._prompts
    assert len(prompts._cache._entries) == 5
    assert len(prompts._cache._failures) == 5
    assert len(prompts._last) == 5
    assert client.get_prompt("triage", key="user-0").version == 3


def test_the_last_known_version_outlives_the_server(
    server: PromptServer, make_client: ClientMaker
) -> None:
    client = make_client()
    client.get_prompt("triage")
    server.refusal = Answer(500, {})

    prompts = [client.get_prompt("triage", cache_ttl_seconds=AGED) for _ in range(5)]
    wait_for(lambda: len(server.asked) > 1)
    prompts.append(client.get_prompt("triage", cache_ttl_seconds=AGED, fallback="mine"))

    assert {(prompt.version, prompt.is_fallback) for prompt in prompts} == {(3, False)}


def test_a_key_not_seen_yet_gets_the_last_known_version_when_the_server_is_away(
    server: PromptServer, make_client: ClientMaker
) -> None:
    client = make_client()
    client.get_prompt("triage", key="ann")
    server.refusal = Answer(503, {})

    assert client.get_prompt("triage", key="bob").version == 3
    assert client.get_prompt("triage", key="cleo", fallback="mine").version == 3


def test_a_deleted_prompt_goes_on_being_served_to_who_has_it(
    server: PromptServer, make_client: ClientMaker
) -> None:
    client = make_client()
    client.get_prompt("triage")
    server.versions.clear()

    client.get_prompt("triage", cache_ttl_seconds=AGED)
    wait_for(lambda: len(server.asked) == 2)

    assert client.get_prompt("triage", cache_ttl_seconds=AGED).version == 3


def test_without_server_and_memory_the_fallback_is_compiled_the_same_way(
    make_client: ClientMaker,
) -> None:
    client = make_client(dead_url())

    text = client.get_prompt("triage", fallback="Hello, {{name}}")
    chat = client.get_prompt(
        "triage@beta",
        fallback=[
            {"role": "system", "content": "Be {{mood}}"},
            {"type": "messages", "name": "history"},
        ],
    )

    assert (text.is_fallback, text.version, text.kind, text.label) == (True, None, "text", None)
    assert text.compile(name="Ann") == "Hello, Ann"
    assert (chat.is_fallback, chat.version, chat.kind, chat.label) == (True, None, "chat", "beta")
    said = {"role": "user", "content": "Hi"}
    system = {"role": "system", "content": "Be kind"}
    assert chat.compile(mood="kind", history=[said]) == [system, said]
    assert (chat.settings, chat.tools, chat.response_schema, chat.variables) == ({}, [], None, [])


def test_who_has_a_fallback_waits_once_only_and_gets_the_prompt_when_it_comes(
    server: PromptServer, make_client: ClientMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refusal = Answer(503, {})
    client = make_client()
    assert client.get_prompt("triage", fallback="mine").is_fallback
    server.refusal = None
    server.hold_prompts = threading.Event()
    monkeypatch.setattr("stillhouse._cache.RETRY_FAILED_AFTER_S", 0.0)

    while_asking = [client.get_prompt("triage", fallback="mine") for _ in range(5)]
    server.hold_prompts.set()

    assert all(prompt.is_fallback for prompt in while_asking)
    wait_for(lambda: client.get_prompt("triage", fallback="mine").version == 3)


def test_a_server_that_never_answers_costs_one_wait_only(make_client: ClientMaker) -> None:
    with black_hole() as url:
        client = make_client(url, resolve_timeout=0.3)
        client.get_prompt("triage", fallback="mine")
        started = time.monotonic()

        for _ in range(100):
            client.get_prompt("triage", fallback="mine")

        assert time.monotonic() - started < 5, "a hundred waits would take 30 s"


def test_neither_known_nor_fallback_says_what_to_do(make_client: ClientMaker) -> None:
    client = make_client(dead_url())

    with pytest.raises(StillhouseUnavailable, match=r"triage@beta.*fallback="):
        client.get_prompt("triage@beta")


def test_without_a_key_nobody_is_asked(server: PromptServer) -> None:
    client = stillhouse.Client(" ", server.url)

    with pytest.raises(StillhouseUnavailable, match="STILLHOUSE_API_KEY"):
        client.get_prompt("triage")

    assert server.asked == []


def test_an_unknown_prompt_is_told_in_the_server_s_words(
    server: PromptServer, make_client: ClientMaker
) -> None:
    client = make_client()

    with pytest.raises(PromptNotFound, match=r"no version of nobody.*Give it one first"):
        client.get_prompt("nobody")

    assert client.get_prompt("nobody", fallback="mine").is_fallback


def test_a_refused_key_is_told_in_the_server_s_words(
    server: PromptServer, make_client: ClientMaker
) -> None:
    message = "This key may not read prompts. Make one with the scope prompts."
    server.refusal = Answer(403, {"error": {"code": "forbidden", "message": message}})

    with pytest.raises(StillhouseUnavailable, match=r"403.*Make one with the scope"):
        make_client().get_prompt("triage")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[1]",
        b"{}",
        b'{"name": "triage", "kind": "text", "body": 5}',
        b'{"name": "triage", "kind": "chat", "body": null}',
        b'{"name": "triage", "kind": "chat", "body": [{"content": "no role"}]}',
        b'{"name": "triage", "kind": "chat", "body": ["x"], "few_shot": []}',
        b'{"name": "triage", "kind": "chat", "body": [], "few_shot": [1]}',
    ],
)
def test_an_answer_that_makes_no_sense_is_unavailable(
    server: PromptServer, make_client: ClientMaker, body: bytes
) -> None:
    server.refusal = Answer(200, body)

    with pytest.raises(StillhouseUnavailable, match="makes no sense"):
        make_client().get_prompt("triage")


@pytest.mark.parametrize("fallback", [5, {"role": "user"}, [{"content": "no role"}], ["x"]])
def test_a_fallback_that_is_no_prompt_is_a_mistake(make_client: ClientMaker, fallback: Any) -> None:
    with pytest.raises(ValueError, match="A fallback is a text or a list of messages"):
        make_client(dead_url()).get_prompt("triage", fallback=fallback)


def test_the_module_s_function_asks_the_default_client(
    server: PromptServer, monkeypatch: pytest.MonkeyPatch, make_client: ClientMaker
) -> None:
    monkeypatch.setattr("stillhouse.client._default", [make_client()])

    prompt = stillhouse.get_prompt("triage", label="production")

    assert isinstance(prompt, Prompt)
    assert prompt.version == 3


def test_with_a_spool_the_last_version_outlives_the_program(
    server: PromptServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    make_client(spool=tmp_path).get_prompt("triage@production")
    server.refusal = Answer(503, {})

    restarted = make_client(spool=tmp_path).get_prompt("triage@production", fallback="mine")

    assert (restarted.version, restarted.is_fallback) == (3, False)
    assert restarted.compile(name="Ann") == "Three, Ann"


def test_a_prompt_from_disk_is_replaced_once_the_server_is_back(
    server: PromptServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    make_client(spool=tmp_path).get_prompt("triage")
    server.refusal = Answer(503, {})
    client = make_client(spool=tmp_path)
    client.get_prompt("triage")
    server.refusal = None
    server.save("triage", 4, "Four")

    wait_for(lambda: client.get_prompt("triage", cache_ttl_seconds=0.01).version == 4)


def test_what_is_kept_is_its_owner_s_alone_and_whole(
    server: PromptServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    client = make_client(spool=tmp_path / "new")
    client.get_prompt("triage")
    client.get_prompt("triage:3")

    files = kept_files(tmp_path / "new")

    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700
    assert all(b"Three" in file.read_bytes() for file in files)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"name": "triage"}'])
def test_a_damaged_file_is_as_none(
    server: PromptServer, make_client: ClientMaker, tmp_path: Path, damage: bytes
) -> None:
    make_client(spool=tmp_path).get_prompt("triage")
    kept_files(tmp_path)[0].write_bytes(damage)
    server.refusal = Answer(503, {})

    assert make_client(spool=tmp_path).get_prompt("triage", fallback="mine").is_fallback


def test_a_disk_that_fails_costs_nothing_but_the_protection(
    server: PromptServer, make_client: ClientMaker, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no directory")
    client = make_client(spool=tmp_path / "file")

    assert client.get_prompt("triage").version == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_refreshes_what_its_parent_was_refreshing(server: PromptServer) -> None:
    """The fork falls into the parent's refresh, whose thread is not in the child."""
    server.save("triage", 3, "Three")
    program = """
import os, sys, time, urllib.request
from stillhouse import Client
client = Client()
client.get_prompt("triage")
urllib.request.urlopen(os.environ["STILLHOUSE_URL"] + "/hold-prompts").read()
client.get_prompt("triage", cache_ttl_seconds=0)
pid = os.fork()
if pid == 0:
    urllib.request.urlopen(os.environ["STILLHOUSE_URL"] + "/release-prompts").read()
    deadline = time.monotonic() + 60
    while client.get_prompt("triage", cache_ttl_seconds=0).version != 4:
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.01)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    env = {**os.environ, "STILLHOUSE_URL": server.url, "STILLHOUSE_API_KEY": KEY}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)

    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr
