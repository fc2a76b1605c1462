"""The job file, the event file, the order of training, and the CPU loss."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaForCausalLM

from finetunes.trainer.dataset import training_order
from finetunes.trainer.events import EventLog, Heartbeat, Metrics, Warned, read_events
from finetunes.trainer.job import JobProblem, parse_job
from finetunes.trainer.loss import can_score_supervised_only, supervised_loss

JOB: dict[str, Any] = {
    "version": 1,
    "run_id": "r",
    "base_model": {"path": "/models/base"},
    "train": {"file": "train.jsonl", "sha256": "0"},
}


def test_the_shared_modules_need_no_training_library() -> None:
    modules = "finetunes.trainer.job, finetunes.trainer.events, finetunes.trainer.exit_codes"
    heavy = "{'torch', 'transformers', 'django', 'numpy'}"
    code = f"import {modules}, sys; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_short_job_gets_the_defaults() -> None:
    job = parse_job(JOB)

    assert (job.adapter.r, job.adapter.alpha, job.adapter.targets) == (16, 32, "all-linear")
    assert job.checkpoint.keep == 2
    assert job.heldout is None
    assert job.base_model.name == "base"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": 2}, "version"),
        ({"run_id": ""}, "run_id"),
        ({"base_model": {"path": "relative"}}, "base_model.path"),
        ({"train": {"file": "../x", "sha256": "0"}}, "plain name"),
        ({"method": "dpo"}, "method"),
        ({"adapter": {"kind": "dora"}}, "adapter.kind"),
        ({"adapter": {"dropout": 1}}, "adapter.dropout"),
        ({"hyperparameters": {"epochs": 0}}, "hyperparameters.epochs"),
        ({"hyperparameters": {"learning_rate": "fast"}}, "hyperparameters.learning_rate"),
        ({"hyperparameters": {"batch_size": True}}, "hyperparameters.batch_size"),
        ({"hyperparameters": {"scheduler": "magic"}}, "hyperparameters.scheduler"),
        ({"checkpoint": {"every_steps": 0}}, "checkpoint.every_steps"),
        ({"render": {"thinking": "maybe"}}, "thinking"),
        ({"adapter": []}, "adapter"),
    ],
)
def test_a_bad_value_is_named_with_what_it_must_be(change: dict[str, Any], named: str) -> None:
    with pytest.raises(JobProblem, match=r"\.$") as problem:
        parse_job({**JOB, **change})

    assert named in str(problem.value)


def test_what_decides_the_weights_is_in_the_digest() -> None:
    digest = parse_job(JOB).digest()

    assert parse_job({**JOB, "attempt": 2, "log_every_steps": 5}).digest() == digest
    assert parse_job({**JOB, "hyperparameters": {"seed": 1}}).digest() != digest
    assert parse_job({**JOB, "train": {"file": "train.jsonl", "sha256": "1"}}).digest() != digest


def test_events_come_back_typed(tmp_path: Path) -> None:
    told = Metrics(1, 2, 0.5, 3.25, 0.1, None, 10.0, 1.0)
    log = EventLog(tmp_path / "events.jsonl")

    log.emit(told)

    [record] = read_events(tmp_path / "events.jsonl").records
    assert record.event == told
    assert record.seq == 1


def test_reading_goes_on_from_an_offset(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.emit(Heartbeat(1))
    page = read_events(path)
    log.emit(Heartbeat(2))

    later = read_events(path, page.offset)

    assert [record.fields for record in later.records] == [{"step": 2}]
    assert read_events(path, later.offset).records == []


def test_half_a_line_is_not_read_and_is_cut_off_by_the_next_writer(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).emit(Heartbeat(1))
    whole = path.stat().st_size
    with path.open("a") as file:
        file.write('{"seq": 2, "ts"')
    assert read_events(path).offset == whole

    EventLog(path).emit(Heartbeat(2))

    assert [record.seq for record in read_events(path).records] == [1, 2]


def test_a_damaged_line_does_not_stop_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('rubbish\n[]\n{"seq": 3, "ts": 1.0, "type": "new_kind", "x": 1}\n')

    [record] = read_events(path).records

    assert (record.seq, record.type, record.event) == (3, "new_kind", None)


def test_threads_never_mix_their_lines(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")

    def shout() -> None:
        for _ in range(200):
            log.emit(Warned("a" * 300))

    threads = [threading.Thread(target=shout) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    seqs = [record.seq for record in read_events(tmp_path / "events.jsonl").records]
    assert seqs == list(range(1, 801))


def test_any_text_can_be_told(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")

    log.emit(Warned("half \ud800 a pair, 東京\nand a line"))

    [record] = read_events(tmp_path / "events.jsonl").records
    assert "東京\nand a line" in str(record.fields["message"])


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=80),
    batch=st.integers(1, 9),
    seed=st.integers(0, 5),
)
def test_each_epoch_trains_every_example_once(lengths: list[int], batch: int, seed: int) -> None:
    order = training_order(lengths, epochs=2.0, batch_size=batch, seed=seed)

    size = len(lengths)
    assert sorted(order[:size]) == list(range(size))
    assert sorted(order[size:]) == list(range(size))


def test_part_of_an_epoch_trains_part_of_the_examples() -> None:
    order = training_order([5] * 10, epochs=0.5, batch_size=2, seed=0)

    assert len(set(order)) == 5


def test_batches_hold_examples_of_like_length() -> None:
    lengths = [(i * 37) % 100 + 1 for i in range(400)]

    order = training_order(lengths, epochs=1.0, batch_size=8, seed=1)

    spans = [
        max(lengths[i] for i in order[at : at + 8]) - min(lengths[i] for i in order[at : at + 8])
        for at in range(0, 400, 8)
    ]
    assert max(spans) <= 3


def test_the_cpu_loss_is_the_models_own_loss(base: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(base).eval()
    ids = torch.tensor([[5, 6, 7, 8, 9, 2], [11, 12, 13, 2, 0, 0]])
    labels = torch.tensor([[-100, -100, 7, 8, 9, 2], [-100, 12, 13, 2, -100, -100]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])

    with torch.no_grad():
        ours = supervised_loss(model, {"input_ids": ids, "labels": labels})
        theirs = model(input_ids=ids, labels=labels, attention_mask=mask).loss
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)


def test_models_that_change_their_logits_keep_their_own_loss(base: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(base)
    assert can_score_supervised_only(model, torch.device("cpu"))

    model.config.final_logit_softcapping = 30.0

    assert not can_score_supervised_only(model, torch.device("cpu"))


def test_the_lock_and_event_file_are_the_only_traces_of_a_bad_start(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps({"version": 9}))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-P", "-m", "finetunes.trainer", str(tmp_path)]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 10
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "events.jsonl", "job.json"]
