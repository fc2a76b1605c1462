"""What a run leaves: an adapter or a whole model that any engine can load, and its papers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from finetunes.rendering import render_fingerprint
from finetunes.rendering.fingerprint import chat_template_text
from finetunes.trainer.exit_codes import ExitCode, TrainingStopped
from finetunes.trainer.files import FileRecord, records_of, sync_tree
from finetunes.trainer.job import TrainingJob

FOLDER = "artifacts"
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
)
_MODEL_FILES = ("config.json", "generation_config.json")
_LIBRARIES = ("torch", "transformers", "trl", "peft")


def save_artifacts(
    run_dir: Path, job: TrainingJob, model: Any, results: Mapping[str, object]
) -> list[FileRecord]:
    """Write the artifacts aside, check them, and rename them into place.

    Tokenizer files are copied byte for byte, so that the render fingerprint stays the base's.

    Raises:
        TrainingStopped: the weights are not finite or did not change; or the fingerprint would.
    """
    aside = run_dir / f"{FOLDER}.tmp"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    if job.adapter.kind == "lora":
        _save_adapter(aside, job, model)
    else:
        _save_full(aside, job, model)
    _copy_tokenizer(aside, job.base_model.path)
    fingerprint = _render_papers(aside, job)
    _write(aside / "training.json", _training_papers(job, fingerprint, results))
    sync_tree(aside)
    final = run_dir / FOLDER
    shutil.rmtree(final, ignore_errors=True)
    aside.rename(final)
    return records_of(final)


def check_adapter(path: Path) -> None:
    """Check that an adapter changes the model, by finite amounts.

    Raises:
        TrainingStopped: a weight is not a number, or every B matrix is still zero.
    """
    tensors = load_file(path)
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise TrainingStopped(
            ExitCode.NOT_A_NUMBER,
            "not_a_number",
            "The trained adapter holds values that are not numbers. Start a new run with a lower "
            "learning rate.",
        )
    if not any(bool(tensor.any()) for name, tensor in tensors.items() if "lora_B" in name):
        raise TrainingStopped(
            ExitCode.UNEXPECTED,
            "nothing_learned",
            "The trained adapter changes nothing. Train for more steps or at a higher learning "
            "rate.",
        )


def _save_adapter(aside: Path, job: TrainingJob, model: Any) -> None:
    model.peft_config["default"].base_model_name_or_path = str(job.base_model.path)
    model.save_pretrained(aside, safe_serialization=True, save_embedding_layers=False)
    (aside / "README.md").unlink(missing_ok=True)
    check_adapter(aside / "adapter_model.safetensors")
    config_path = aside / "adapter_config.json"
    config = json.loads(config_path.read_text())
    if isinstance(config["target_modules"], list):
        # A set by nature; sorted, the same training writes the same bytes.
        config["target_modules"].sort()
    _write(config_path, config)


def _save_full(aside: Path, job: TrainingJob, model: Any) -> None:
    base = job.base_model.path
    kept_dtype = json.loads((base / "config.json").read_text()).get("dtype")
    if isinstance(kept_dtype, str) and isinstance(getattr(torch, kept_dtype, None), torch.dtype):
        model = model.to(getattr(torch, kept_dtype))
    if not all(bool(torch.isfinite(p).all()) for p in model.parameters()):
        raise TrainingStopped(
            ExitCode.NOT_A_NUMBER,
            "not_a_number",
            "The trained model holds values that are not numbers. Start a new run with a lower "
            "learning rate.",
        )
    model.save_pretrained(aside, safe_serialization=True)
    # Training changes the configuration in memory (cache off, padding id); the base's is right.
    for name in _MODEL_FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, aside / name)


def _copy_tokenizer(aside: Path, base: Path) -> None:
    for name in _TOKENIZER_FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, aside / name)
    own_file = base / "chat_template.jinja"
    if own_file.is_file():
        shutil.copyfile(own_file, aside / own_file.name)
    else:
        text = chat_template_text(base) or ""
        (aside / own_file.name).write_text(text, encoding="utf-8", newline="")


def _render_papers(aside: Path, job: TrainingJob) -> str:
    """Write `render.json`; the fingerprint must still be the base model's."""
    fingerprint = render_fingerprint(aside, job.render)
    if fingerprint != render_fingerprint(job.base_model.path, job.render):
        raise TrainingStopped(
            ExitCode.PARITY_FAILURE,
            "fingerprint_changed",
            "The base model's tokenizer files changed during the run. Start the run again.",
        )
    _write(aside / "render.json", {"settings": job.render.to_json(), "fingerprint": fingerprint})
    return fingerprint


def _training_papers(
    job: TrainingJob, fingerprint: str, results: Mapping[str, object]
) -> dict[str, object]:
    chosen = job.hyperparameters
    return {
        "run_id": job.run_id,
        "base_model": {"name": job.base_model.name, "path": str(job.base_model.path)},
        "method": job.method,
        "adapter": vars(job.adapter),
        "hyperparameters": vars(chosen),
        "train_sha256": job.train.sha256,
        "heldout_sha256": job.heldout.sha256 if job.heldout else None,
        "render_fingerprint": fingerprint,
        "versions": {name: version(name) for name in _LIBRARIES},
        **results,
    }


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
