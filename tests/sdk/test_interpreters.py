"""The SDK on every supported Python that is on this machine, from its source, nothing installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sdk.conftest import KEY
from tests.sdk.prompt_server import PromptServer
from tests.sdk.servers import StillhouseServer

SOURCE = Path(__file__).resolve().parents[2] / "platform" / "sdk" / "src"
VERSIONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]

PROGRAM = """
import asyncio, os, pathlib, sys, tempfile
import stillhouse

modules = [p.stem for p in pathlib.Path(stillhouse.__file__).parent.glob("*.py")]
for name in modules:
    if name not in ("litellm", "langchain"):  # these need the package of that name
        __import__("stillhouse." + name)

spool = tempfile.mkdtemp()
client = stillhouse.Client(spool=spool, mask=stillhouse.mask_patterns())

@stillhouse.observe(client=client)
def add(a, b): return a + b

@stillhouse.observe(client=client)
def words():
    yield "a"
    yield "b"

@stillhouse.observe(client=client)
async def later(): return 1

@stillhouse.observe(client=client)
async def numbers():
    yield 1

class FakeResource:
    def __init__(self, client): self._post = client.post
    def create(self, **body): return self._post("/chat/completions", body=body, options={
        "headers": body.pop("extra_headers", {})})

class FakeClient:
    base_url = "https://api.openai.com/v1"
    def post(self, path, *, body, options): return {"choices": [], "got": options["headers"]}
    def with_options(self): return FakeClient()
    @property
    def completions(self): return self.__dict__.setdefault("_c", FakeResource(self))

async def main():
    await later()
    assert [n async for n in numbers()] == [1]

with stillhouse.context(user="ann@example.com", tags={"a": 1}):
    assert add(1, b=2) == 3
    assert list(words()) == ["a", "b"]
    asyncio.run(main())
    wrapped = stillhouse.wrap(FakeClient(), client=client)
    answer = wrapped.completions.create(model="m", messages=[], stillhouse={"session": "s"})
    assert answer["got"] == {}, answer
    client.log(request={"to": "ann@example.com"}, response=b"{}")
    client.feedback("thumbs", True)
if hasattr(os, "fork"):
    pid = os.fork()
    if pid == 0:
        client.log(request={"child": 1})
        os._exit(0 if client.flush(60) else 1)
    assert os.waitpid(pid, 0)[1] == 0
assert client.flush(60), client.stats()
stats = client.stats()
assert stats.sent == 7 and not stats.dropped, stats
client.close()
"""

PROMPTS = """
import copy, pickle, tempfile
import stillhouse

with stillhouse.Client(spool=tempfile.mkdtemp()) as client:
    prompt = client.get_prompt("support/triage@production")
    messages = prompt.compile(name={"first": "Ann"}, history=[])
    assert messages == [{"role": "user", "content": "Hi Ann"}], messages
    assert pickle.loads(pickle.dumps(messages)) == copy.deepcopy(messages) == messages
    try:
        prompt.compile()
    except stillhouse.MissingVariables as error:
        assert error.names == ["name.first", "history"]
    client.get_prompt("support/triage@production", cache_ttl_seconds=0)
    assert client.get_prompt("nobody", fallback="Hi {{name}}").compile(name="Ann") == "Hi Ann"
    with prompt.use(name={"first": "Ann"}, history=[]):
        client.log(request={"messages": messages})
    client.log(request={"messages": messages})
    assert client.flush(60), client.stats()
"""


def interpreter(version: str) -> str | None:
    """A Python of that version that runs; a manager's shim may stand for one that does not."""
    named = shutil.which(f"python{version}")
    folders = [Path.home() / ".pyenv"] + ([Path(named).parents[1]] if named else [])
    found = [
        str(path) for root in folders for path in root.glob(f"versions/{version}.*/bin/python")
    ]
    for program in [*found, named]:
        if program and not subprocess.run([program, "-c", ""], capture_output=True).returncode:
            return program
    return None


def run(version: str, program: str, server: StillhouseServer) -> None:
    found = interpreter(version)
    if found is None:
        pytest.skip(f"Python {version} is not on this machine.")
    env = {**os.environ, "STILLHOUSE_URL": server.url, "STILLHOUSE_API_KEY": KEY}
    env["PYTHONPATH"] = str(SOURCE)
    fork_warning = "ignore:This process"
    command = [found, "-W", "error", "-W", fork_warning, "-c", program]

    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=240, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_it_works_on(version: str, server: StillhouseServer) -> None:
    run(version, PROGRAM, server)

    assert len(server.events) == 8
    kinds = [event["type"] for event in server.events]
    assert (kinds.count("request"), kinds.count("span"), kinds.count("score")) == (3, 4, 1)
    assert all(
        b"ann@example.com" not in seen.raw.replace(b'"user":"ann@example.com"', b"")
        for seen in server.seen
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_prompts_work_on(version: str) -> None:
    body = [
        {"role": "user", "content": "Hi {{name.first}}"},
        {"type": "messages", "name": "history"},
    ]

    with contextlib.closing(PromptServer()) as server:
        server.save("support/triage", 3, body)
        run(version, PROMPTS, server)

    said = {"name": "support/triage", "version": 3}
    variables = {"name": {"first": "Ann"}, "history": []}
    assert [event["prompt"] for event in server.events] == [{**said, "variables": variables}] * 2
