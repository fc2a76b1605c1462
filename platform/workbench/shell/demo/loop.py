"""The steps of the loop, each one an ordinary use of the product."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import openai
from django.conf import settings

from finetunes.nano.worked_example import answer, held_out_names, question, training_names
from finetunes.supervision.engine import TOKEN_FILE, engine_folder
from requests_log.models import LoggedRequest
from workbench.core.errors import OperatorProblem
from workbench.core.models import Project
from workbench.shell.demo.client import Api, teller

TEACHER, BASE, STUDENT = "capital-letter-teacher", "nano-base", "capital-letter"
HELD_OUT_ROWS = 400
CAPTURE_SECONDS = 240.0
DIGEST_SECONDS = 120.0
TRAIN_SECONDS = 900.0
JOB_SECONDS = 300.0
# Robust over seeds for students of two million weights: finetunes/nano/base/MODEL_CARD.md.
STUDENT_SETTINGS = {"epochs": 2, "learning_rate": 3e-3, "batch_size": 32, "r": 16, "alpha": 32}


@dataclass
class Demo:
    """One turn of the loop; `report` fills up as it goes."""

    api: Api
    project: Project
    calls: int
    sdk_calls: int
    run: str
    report: dict[str, Any] = field(default_factory=lambda: {"seconds": {}})

    def turn(self) -> dict[str, Any]:
        """Do every step in order; returns the report."""
        steps = (
            ("Register the teacher and the base model", self.register),
            (f"Capture {self.calls:,} calls of a production app", self.capture),
            ("Select by query and freeze a dataset version", self.curate),
            ("Train a student with LoRA", self.train),
            ("Compare base, student and teacher on unseen names", self.compare),
            ("Promote the student and look it up", self.promote),
            ("Ask it", self.ask),
        )
        for number, (title, work) in enumerate(steps, start=1):
            teller.step(number, title)
            started = time.perf_counter()
            work()
            self.report["seconds"][work.__name__] = round(time.perf_counter() - started, 1)
        return self.report

    def register(self) -> None:
        for name, base in ((BASE, "nano-base"), (TEACHER, "nano-teacher")):
            made = self.api.post(f"models/{name}/versions", {"base_model": base})
            self.api.put(
                f"models/{name}/aliases/production",
                {"version": made["version"], "reason": f"The {base} as it came."},
            )
            teller.tell(f"{made['ref']} registered")
        self._wake_the_engine()

    def capture(self) -> None:
        names = list(training_names())
        random.Random(self.run).shuffle(names)  # noqa: S311 - a sample, not a secret
        folder = settings.VAR_DIR / "demo"
        listing = folder / "names.txt"
        listing.write_text("\n".join(names[: self.calls]), encoding="utf-8")
        sent = self._run_app(listing)
        stored = self._wait_for_digests(sent)
        self.report["captured"] = {"sent": sent, "stored": stored}

    def curate(self) -> None:
        dataset = self.api.post("datasets", {"name": f"Capital letters {self.run}"})
        query = f"prompt:capital-letter status:ok tag.demo_run:{self.run}"
        chosen = self.api.post(f"datasets/{dataset['slug']}/select", {"query": query})
        if chosen.get("job"):
            done = self.api.wait(f"jobs/{chosen['job']['id']}", seconds=JOB_SECONDS, show=_job)
            chosen = done["result"]
        self.report["selected"] = chosen["added"] + chosen["duplicates"]
        version = self.api.post(
            f"datasets/{dataset['slug']}/versions", {"heldout": 5, "filter_text": query}
        )
        teller.tell(
            f"version {version['number']}: {version['splits']}, {version['content_hash'][:12]}"
        )
        self.report["dataset_version"] = {
            key: version[key] for key in ("dataset", "number", "content_hash", "splits")
        }
        self.report["held_out"] = self._held_out()

    def train(self) -> None:
        chosen = self.report["dataset_version"]
        run = self.api.post(
            "training-runs",
            {
                "name": f"Student {self.run}",
                "dataset": chosen["dataset"],
                "version": chosen["number"],
                "base_model": "nano-base",
                "hyperparameters": STUDENT_SETTINGS,
            },
        )
        done = self.api.wait(f"training-runs/{run['id']}", seconds=TRAIN_SECONDS, show=_training)
        self.report["training"] = {
            "run": run["id"],
            **{key: done[key] for key in ("seconds", "loss_first", "loss_last")},
        }
        self.report["parity"] = {
            "rows_checked": done["rows_checked"],
            "mismatches": done["parity_mismatches"],
        }
        made = self.api.post(f"models/{STUDENT}/versions", {"run": run["id"]})
        self.report["registered"] = made["ref"]

    def compare(self) -> None:
        held_out = self.report["held_out"]
        made = self.api.post(
            "comparisons",
            {
                "name": f"Unseen names {self.run}",
                "dataset": held_out["dataset"],
                "version": held_out["number"],
                "parameters": {"max_tokens": 8},
                "candidates": [
                    {"label": "base", "model_ref": f"{BASE}@production"},
                    {"label": "student", "model_ref": self.report["registered"]},
                    {"label": "teacher", "model_ref": f"{TEACHER}@production"},
                ],
            },
        )
        done = self.api.wait(f"comparisons/{made['id']}", seconds=JOB_SECONDS, show=_job)
        self.report["comparison_id"] = made["id"]
        self.report["comparison"] = {c["label"]: _score(c) for c in done["candidates"]}

    def promote(self) -> None:
        number = int(self.report["registered"].partition(":")[2])
        reason = "Compared with base and teacher on names it never saw."
        self.api.put(
            f"models/{STUDENT}/aliases/production",
            {"version": number, "reason": reason, "comparison": self.report["comparison_id"]},
        )
        self.report["alias"] = f"{STUDENT}@production"
        found = self.api.get(f"models/{STUDENT}@production")
        self.report["resolved"] = {key: found[key] for key in ("ref", "model", "base_url")}
        teller.tell(f"{self.report['alias']} is {found['ref']}")

    def ask(self) -> None:
        client = openai.OpenAI(base_url=f"{self.api.url}/v1", api_key=self.api.key)
        served = []
        for name in list(held_out_names())[:: len(held_out_names()) // 5][:5]:
            reply = client.chat.completions.create(
                model=self.report["alias"],
                messages=[{"role": "user", "content": question(name)}],
                temperature=0,
                max_tokens=8,
            )
            text = reply.choices[0].message.content
            served.append({"prompt": question(name), "answer": text})
            teller.tell(f"{question(name)} → {text}")
        self.report["served"] = served

    def _run_app(self, listing: Any) -> int:
        """Run the app as its own process; returns how many calls it made."""
        command = [
            sys.executable, str(settings.ROOT / "docs" / "demo" / "production_app.py"),
            "--names", str(listing), "--sdk-calls", str(self.sdk_calls), "--run", self.run,
            "--gateway", self.api.url, "--api-key", self.api.key,
            "--model", f"{TEACHER}@production",
            "--provider", self._provider_url(), "--provider-model", self._provider_model(),
            "--provider-key", str(engine_folder(settings.RUNNER_HOST) / TOKEN_FILE),
        ]  # fmt: skip
        sent: dict[str, Any] = {"sent": 0, "failed": 0}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as app:
            for line in app.stdout or ():
                sent = json.loads(line)
                rate = sent["sent"] / max(sent["seconds"], 0.01)
                teller.tell(f"{sent['sent']:,} of {self.calls:,} calls, {rate:.0f} a second")
        if app.returncode != 0 or sent["failed"]:
            raise OperatorProblem(f"The app failed on {sent['failed']} of {sent['sent']} calls.")
        return int(sent["sent"])

    def _wait_for_digests(self, sent: int) -> int:
        """Wait until what was captured can be found; returns how many calls are stored."""
        mine = LoggedRequest.objects.in_project(self.project).filter(
            tags__contains={"demo_run": self.run}
        )
        end = time.monotonic() + DIGEST_SECONDS
        while (ready := mine.filter(digested_at__isnull=False).count()) < sent:
            teller.tell(f"{ready:,} of {sent:,} calls indexed")
            if time.monotonic() > end:
                break
            time.sleep(0.5)
        teller.tell(f"{ready:,} of {sent:,} calls indexed")
        return mine.count()

    def _held_out(self) -> dict[str, Any]:
        """A dataset of unseen names with the right answers, frozen as held-out rows."""
        names = list(held_out_names())
        random.Random(self.run).shuffle(names)  # noqa: S311 - a sample, not a secret
        rows = [
            {
                "messages": [
                    {"role": "user", "content": question(name)},
                    {"role": "assistant", "content": answer(name)},
                ]
            }
            for name in names[:HELD_OUT_ROWS]
        ]
        dataset = self.api.post("datasets", {"name": f"Unseen names {self.run}"})
        self.api.post(f"datasets/{dataset['slug']}/examples", {"rows": rows})
        version = self.api.post(f"datasets/{dataset['slug']}/versions", {"heldout": 100})
        return {"dataset": dataset["slug"], "number": version["number"]}

    def _wake_the_engine(self) -> None:
        """The first call starts the engine; the gateway waits for it."""
        client = openai.OpenAI(base_url=f"{self.api.url}/v1", api_key=self.api.key, max_retries=5)
        client.chat.completions.create(
            model=f"{TEACHER}@production",
            messages=[{"role": "user", "content": question("Rome")}],
            max_tokens=8,
        )

    def _provider_url(self) -> str:
        """The teacher's own address: to the SDK it is a provider like any other."""
        notice = engine_folder(settings.RUNNER_HOST) / "engine.json"
        return str(json.loads(notice.read_text())["url"]) + "/v1"

    def _provider_model(self) -> str:
        version = self.api.get(f"models/{TEACHER}@production")["ref"]
        return f"{self.project.slug}/{version}"


def _score(candidate: dict[str, Any]) -> dict[str, Any]:
    score = candidate["score"]
    return {
        "exact_match": round(score["mean"], 4),
        "low": round(score["low"], 4),
        "high": round(score["high"], 4),
        "n": score["n"],
    }


def _job(job: dict[str, Any]) -> str:
    return f"{job['state']}: {job['done'] or 0:,} of {job['total'] or 0:,}"


def _training(run: dict[str, Any]) -> str:
    if not run["total_steps"]:
        return f"{run['state']}: {run['phase'] or 'waiting for the runner'}"
    return (
        f"{run['phase'] or run['state']}: step {run['step']} of {run['total_steps']}, "
        f"loss {run['loss_last'] or 0:.3f}, {run['eta_seconds'] or 0:.0f} s to go"
    )
