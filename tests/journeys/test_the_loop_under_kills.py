"""The loop over HTTP, once, while its worker, its runner and its trainer are killed."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import stillhouse
from finetunes.nano.worked_example import answer, held_out_names, question, training_names
from stillhouse import ResolvedModel
from tests.gateway.upstream import COMPLETION, Upstream, whole
from tests.journeys.calls import ask_all, ask_streaming
from tests.journeys.installation import Installation, wait_until
from tests.journeys.visitor import Visitor
from workbench.shell.demo.client import Api

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
CALLS, ROWS = 200, 40
# Some 180 small steps: long enough to be killed in the middle, on any machine.
SETTINGS = {"epochs": 8, "learning_rate": 3e-3, "batch_size": 8, "r": 16, "alpha": 32}
CHECKPOINTED = 55
PATIENCE = 600.0


class Gate:
    """A provider that answers ten questions and then keeps everybody waiting until it opens."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.asked = 0
        self.answered: Counter[str] = Counter()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        late = self.asked > 10
        while late and not self.opened.is_set():
            await asyncio.sleep(0.05)
        body = await request.json()
        self.answered[body["messages"][-1]["content"]] += 1
        return await whole(COMPLETION)(request)


@dataclass
class Turn:
    """What one turn of the loop left behind."""

    installation: Installation
    api: Api
    sent: list[str]
    killed: dict[str, int] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    interrupted: dict[str, Any] = field(default_factory=dict)
    compared: dict[str, Any] = field(default_factory=dict)
    resolved: ResolvedModel | None = None
    logged: list[dict[str, Any]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.installation.var / "runs" / str(self.run["id"])


@pytest.fixture(scope="module")
def turn(installation: Installation, provider: Upstream) -> Turn:
    """Capture, curate, train and compare under kills, promote, resolve."""
    visitor = Visitor(installation.url)
    visitor.set_up(project="Place names")
    api = Api(installation.url, installation.make_key("Place names"))
    done = Turn(installation, api, _names())
    for name, base in (("nano-base", "nano-base"), ("teacher", "nano-teacher")):
        _promote(api, name, api.post(f"models/{name}/versions", {"base_model": base}))
    ask_all(api.url, api.key, "teacher@production", ["Rome"])
    ask_all(api.url, api.key, "teacher@production", done.sent)
    gate = Gate()
    provider.answer = gate.answer
    _connect(visitor, provider.url)
    _train_and_compare(done, gate)
    _promote(api, "pupil", api.post("models/pupil/versions", {"run": done.run["id"]}))
    done.compared = _finished(api, _compare(api, ["nano-base@production", "pupil:1"]))
    done.logged = _all_requests(api, "tag.app:atlas")
    with stillhouse.Client(api.key, api.url) as sdk:
        done.resolved = sdk.resolve_model("pupil@production")
    return done


def _names() -> list[str]:
    names = list(training_names())
    random.Random(7).shuffle(names)
    return names[:CALLS]


def _promote(api: Api, name: str, made: dict[str, Any]) -> None:
    api.put(f"models/{name}/aliases/production", {"version": made["version"], "reason": "Journey."})


def _connect(visitor: Visitor, url: str) -> None:
    page = visitor.send(
        "/p/place-names/settings/connections/new/?provider=other",
        name="slow",
        base_url=url,
        credential="secret",
        model_names="gpt-test",
        allow_private_network="on",
    )
    assert "slow" in page


def _train_and_compare(done: Turn, gate: Gate) -> None:
    """Kill the worker amid its job, then the runner, then the trainer; wait for both to finish."""
    run = _launch(done.api)
    held_out = _held_out(done.api)
    assert held_out == ROWS
    comparison = _compare(done.api, ["slow/gpt-test"])
    done.run = {"id": run}
    _wait_for_step(done, 1)
    wait_until(lambda: gate.asked > 10, what="the comparison's calls", seconds=PATIENCE)
    done.killed["worker"] = done.installation.kill("worker")
    done.killed["runner"] = done.installation.kill("runner")
    trainer = done.installation.find("finetunes.trainer", str(done.folder))
    assert trainer is not None
    _wait_for_step(done, CHECKPOINTED)
    trainer.kill()  # at once: looking for it among all processes takes longer than some steps
    done.killed["trainer"] = trainer.pid
    gate.opened.set()
    done.run = _finished(done.api, f"training-runs/{run}")
    done.events = done.api.get(f"training-runs/{run}/events")
    done.interrupted = _finished(done.api, comparison)
    done.interrupted["answered"] = gate.answered


def _launch(api: Api) -> str:
    api.post("datasets", {"name": "Letters"})
    wait_until(lambda: _stored(api) == CALLS + 1, what="the calls in the log")
    query = "prompt:capital-letter status:ok tag.app:atlas"
    chosen = api.post("datasets/letters/select", {"query": query})
    if chosen.get("job"):
        _finished(api, f"jobs/{chosen['job']['id']}")
    version = api.post("datasets/letters/versions", {"heldout": 10})
    made = api.post(
        "training-runs",
        {
            "name": "Pupil",
            "dataset": "letters",
            "version": version["number"],
            "base_model": "nano-base",
            "hyperparameters": SETTINGS,
        },
    )
    return str(made["id"])


def _stored(api: Api) -> int:
    """How many of the app's calls can be found."""
    return len(_all_requests(api, "tag.app:atlas"))


def _all_requests(api: Api, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    before = ""
    while True:
        page = api.get(f"requests/?q={query}&limit=100&before={before}")
        rows += page["requests"]
        if not page["next"]:
            return rows
        before = page["next"]


def _held_out(api: Api) -> int:
    rows = [
        {
            "messages": [
                {"role": "user", "content": question(name)},
                {"role": "assistant", "content": answer(name)},
            ]
        }
        for name in list(held_out_names())[:ROWS]
    ]
    api.post("datasets", {"name": "Unseen"})
    api.post("datasets/unseen/examples", {"rows": rows})
    made = api.post("datasets/unseen/versions", {"heldout": 100})
    return int(made["splits"]["heldout"])


def _compare(api: Api, refs: list[str]) -> str:
    """Start a comparison on the unseen names; returns its path."""
    made = api.post(
        "comparisons",
        {
            "name": "Unseen names",
            "dataset": "unseen",
            "version": 1,
            "parameters": {"max_tokens": 8},
            "candidates": [{"label": ref, "model_ref": ref} for ref in refs],
        },
    )
    return f"comparisons/{made['id']}"


def _wait_for_step(done: Turn, step: int) -> None:
    """Wait until the trainer itself has noted this step; nobody else need be alive."""

    def reached() -> bool:
        if not (done.folder / "events.jsonl").exists():
            return False
        lines = (done.folder / "events.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines if line.endswith("}")]
        return any(e["type"] == "metrics" and e["step"] >= step for e in events)

    wait_until(reached, what=f"step {step}", seconds=PATIENCE)


def _finished(api: Api, path: str) -> dict[str, Any]:
    found: dict[str, Any] = api.wait(path, seconds=PATIENCE, show=lambda _: "")
    return found


def test_every_call_is_stored_once_with_its_answer(turn: Turn) -> None:
    asked = Counter(row["input_preview"] for row in turn.logged)
    assert asked == Counter(question(name) for name in [*turn.sent, "Rome"])
    assert {row["status"] for row in turn.logged} == {"ok"}


def test_a_run_whose_processes_were_killed_finishes_by_itself(turn: Turn) -> None:
    assert set(turn.killed) == {"worker", "runner", "trainer"}
    assert turn.run["state"] == "succeeded"
    assert turn.run["step"] == turn.run["total_steps"] > CHECKPOINTED
    assert turn.run["parity_mismatches"] == 0
    assert turn.run["loss_last"] < turn.run["loss_first"]


def test_the_run_goes_on_from_its_checkpoint_and_tells_each_thing_once(turn: Turn) -> None:
    kinds = Counter(event["type"] for event in turn.events)
    starts = [event["body"] for event in turn.events if event["type"] == "started"]

    sequence = [event["seq"] for event in turn.events]
    assert sequence == sorted(set(sequence))
    assert kinds["finished"] == 1
    assert [bool(start["resumed_from_step"]) for start in starts] == [False, True]


def test_one_set_of_artifacts_is_kept(turn: Turn) -> None:
    paths = [artifact["path"] for artifact in turn.run["artifacts"]]
    manifests = list(turn.folder.glob("manifest.json*"))
    runs = turn.api.get("training-runs")["runs"]

    assert len(paths) == len(set(paths)) > 0
    assert [one.name for one in manifests] == ["manifest.json"]
    assert [(run["name"], run["state"]) for run in runs] == [("Pupil", "succeeded")]


def test_a_comparison_survives_the_kill_of_its_worker(turn: Turn) -> None:
    (candidate,) = turn.interrupted["candidates"]

    assert candidate["failures"] == 0
    assert candidate["score"]["n"] == ROWS
    assert len(turn.interrupted["answered"]) == ROWS


def test_the_pupil_is_compared_on_every_unseen_row(turn: Turn) -> None:
    scores = {c["label"]: c["score"] for c in turn.compared["candidates"]}

    assert scores["nano-base@production"]["n"] == scores["pupil:1"]["n"] == ROWS
    assert scores["pupil:1"]["mean"] > scores["nano-base@production"]["mean"]


def test_the_promoted_pupil_resolves_and_answers_streamed_or_not(turn: Turn) -> None:
    assert turn.resolved is not None
    assert (turn.resolved.ref, turn.resolved.version) == ("pupil:1", 1)

    whole_answer = ask_all(turn.api.url, turn.api.key, turn.resolved.model, ["Rome"])
    pieces = ask_streaming(turn.api.url, turn.api.key, turn.resolved.model, "Rome")

    assert whole_answer == ["".join(pieces)]
    assert len(whole_answer[0]) >= 1


def test_a_kill_is_told_in_a_line_and_mended(turn: Turn) -> None:
    said = turn.installation.said()

    assert "worker | ended with code -9; starting again" in said
    assert "runner | ended with code -9; starting again" in said
    assert "Traceback" not in said, said
