"""Each bad input ends in its own exit code and a sentence that says what to do."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from finetunes.trainer.exit_codes import ExitCode
from finetunes.trainer.failures import as_stopped
from tests.trainer.runs import (
    WarmTrainer,
    change_job,
    events,
    failure,
    make_run,
    row,
    spelling_rows,
    start,
    train,
    wait_until_started,
)


def copied(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "base"))


def bad_base(base: Path, tmp_path: Path, what: str) -> Path:
    """A copy of the base model with one thing wrong."""
    path = copied(base, tmp_path)
    weights = path / "model.safetensors"
    if what == "base_model_missing":
        return tmp_path / "nowhere"
    if what == "pickled_weights":
        weights.rename(path / "pytorch_model.bin")
    elif what == "no_weights":
        weights.unlink()
    elif what == "no_chat_template":
        (path / "chat_template.jinja").unlink()
    elif what == "needs_remote_code":
        config = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps({**config, "auto_map": {"x": "y"}}))
    else:
        (path / "tokenizer.json").unlink()
    return path


@pytest.mark.parametrize(
    "what",
    [
        "base_model_missing",
        "base_model_incomplete",
        "pickled_weights",
        "no_weights",
        "no_chat_template",
        "needs_remote_code",
    ],
)
def test_a_directory_that_is_no_usable_model_is_refused(
    tmp_path: Path, base: Path, what: str
) -> None:
    run_dir = make_run(tmp_path / "run", bad_base(base, tmp_path, what))

    assert train(run_dir) == ExitCode.BAD_BASE_MODEL

    assert failure(run_dir)["code"] == what


def test_weights_that_are_not_safetensors_inside_are_refused(
    tmp_path: Path, base: Path, trainer: WarmTrainer
) -> None:
    path = copied(base, tmp_path)
    (path / "model.safetensors").write_bytes(b"not weights")
    run_dir = make_run(tmp_path / "run", path)

    assert trainer.train(run_dir) == ExitCode.BAD_BASE_MODEL

    assert failure(run_dir)["code"] == "base_model_unreadable"


def test_zero_rows_are_refused(tmp_path: Path, base: Path) -> None:
    run_dir = make_run(tmp_path / "run", base, rows=[])

    assert train(run_dir) == ExitCode.BAD_DATA

    assert failure(run_dir)["message"].startswith("train.jsonl holds no rows")


def test_rows_changed_behind_the_job_are_refused(tmp_path: Path, base: Path) -> None:
    run_dir = make_run(tmp_path / "run", base)
    with (run_dir / "train.jsonl").open("a") as file:
        file.write("\n")

    assert train(run_dir) == ExitCode.BAD_DATA

    assert failure(run_dir)["code"] == "rows_changed"


def test_a_line_that_is_not_json_is_named(tmp_path: Path, base: Path) -> None:
    run_dir = make_run(tmp_path / "run", base, rows=[*spelling_rows(2), "no row"])  # type: ignore[list-item]

    assert train(run_dir) == ExitCode.BAD_DATA

    assert failure(run_dir)["row"] == "line 3"


def test_a_row_over_the_context_is_named(tmp_path: Path, base: Path, trainer: WarmTrainer) -> None:
    rows = [*spelling_rows(3), row("x" * 200, "y", "the-long-one")]
    run_dir = make_run(tmp_path / "run", base, rows=rows)

    assert trainer.train(run_dir) == ExitCode.BAD_DATA

    told = failure(run_dir)
    assert (told["code"], told["row"]) == ("over_length", "the-long-one")
    assert events(run_dir, "metrics") == []


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"role": "user", "content": "Hello?"}], "no_assistant_turn"),
        ([{"role": "user", "content": "?"}, {"role": "assistant", "content": ""}], "empty_answer"),
        (
            [{"role": "wizard", "content": "?"}, {"role": "assistant", "content": "!"}],
            "unknown_role",
        ),
        (["text"], "unknown_role"),
    ],
)
def test_a_row_that_cannot_be_trained_is_named(
    tmp_path: Path, base: Path, trainer: WarmTrainer, messages: list[Any], code: str
) -> None:
    rows = [*spelling_rows(2), {"id": "bad", "messages": messages}]
    run_dir = make_run(tmp_path / "run", base, rows=rows)

    assert trainer.train(run_dir) == ExitCode.BAD_DATA

    told = failure(run_dir)
    assert (told["code"], told["row"]) == (code, "bad")
    assert "(line 3)" in told["message"]


def test_an_end_of_turn_the_model_does_not_stop_at_breaks_parity(
    tmp_path: Path, base: Path, trainer: WarmTrainer
) -> None:
    path = copied(base, tmp_path)
    template = path / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|im_end|>", "<pad>"))
    run_dir = make_run(tmp_path / "run", path)

    assert trainer.train(run_dir) == ExitCode.PARITY_FAILURE

    assert failure(run_dir)["row"] == "row-0"
    assert "eos_token_id" in failure(run_dir)["message"]


def test_a_loss_that_is_no_number_ends_the_run(
    tmp_path: Path, base: Path, trainer: WarmTrainer
) -> None:
    wild = {"learning_rate": 1e30, "warmup": 0}
    run_dir = make_run(
        tmp_path / "run", base, hyperparameters=wild, adapter={"kind": "full"}, checkpoint={}
    )

    assert trainer.train(run_dir) == ExitCode.NOT_A_NUMBER

    assert "lower learning rate" in failure(run_dir)["message"]
    assert not (run_dir / "artifacts").exists()


def test_a_full_disk_is_told_and_the_run_can_go_on(
    tmp_path: Path, base: Path, trainer: WarmTrainer
) -> None:
    run_dir = make_run(tmp_path / "run", base)

    assert trainer.train(run_dir, largest_file=30_000) == ExitCode.DISK_FULL

    assert failure(run_dir)["code"] == "disk_full"
    assert trainer.train(run_dir) == ExitCode.OK


def test_layers_that_do_not_exist_are_refused(
    tmp_path: Path, base: Path, trainer: WarmTrainer
) -> None:
    run_dir = make_run(tmp_path / "run", base, adapter={"kind": "lora", "targets": ["nothing"]})

    assert trainer.train(run_dir) == ExitCode.BAD_BASE_MODEL

    assert failure(run_dir)["code"] == "no_such_layers"


def test_a_missing_library_is_told_in_a_sentence(tmp_path: Path, base: Path) -> None:
    broken = tmp_path / "path"
    broken.mkdir()
    (broken / "transformers.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'transformers'\", name='transformers')\n"
    )
    run_dir = make_run(tmp_path / "run", base)

    assert train(run_dir, path_first=broken) == ExitCode.UNEXPECTED

    told = failure(run_dir)
    assert told["code"] == "training_library_missing"
    assert "`train` extra" in told["message"]


def test_a_bad_job_file_is_told(tmp_path: Path, base: Path) -> None:
    run_dir = make_run(tmp_path / "run", base)
    change_job(run_dir, over_length="cut")

    assert train(run_dir) == ExitCode.BAD_DATA

    assert "`over_length` in the job" in failure(run_dir)["message"]


def test_two_trainers_never_work_in_one_directory(
    tmp_path: Path, base: Path, trainer: WarmTrainer
) -> None:
    run_dir = make_run(tmp_path / "run", base, rows=spelling_rows(400))
    pid = trainer.start(run_dir)
    wait_until_started(run_dir)
    os.kill(pid, signal.SIGSTOP)  # or it might be done before the second one has begun

    second = start(run_dir).wait(timeout=240)
    os.kill(pid, signal.SIGCONT)

    assert second == ExitCode.UNEXPECTED
    assert trainer.wait(pid) == ExitCode.OK
    assert "Another trainer is at work" in (run_dir / "stderr.txt").read_text()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), ExitCode.OUT_OF_MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), ExitCode.OUT_OF_MEMORY),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), ExitCode.OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "full"), ExitCode.DISK_FULL),
        (OSError(errno.EDQUOT, "quota"), ExitCode.DISK_FULL),
        (RuntimeError("I/O error: No space left on device"), ExitCode.DISK_FULL),
        (OSError(errno.EACCES, "no"), ExitCode.UNEXPECTED),
        (KeyError("x"), ExitCode.UNEXPECTED),
    ],
)
def test_every_error_has_an_exit_code(error: Exception, code: ExitCode) -> None:
    failure = as_stopped(error)

    assert failure.exit_code is code
    assert failure.sentence.endswith(".")
