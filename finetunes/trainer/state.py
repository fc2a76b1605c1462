"""A run's state on disk: weights, optimizer, random generators. No file of it is a pickle."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

_WEIGHTS, _OPTIMIZER, _RANDOM = "weights.safetensors", "optimizer.safetensors", "random.safetensors"
_STATE = "state.json"
_SCHEDULER_KEYS = ("last_epoch", "_step_count", "_last_lr", "base_lrs")


@dataclass
class Progress:
    """What a run carries over an interruption beside its tensors."""

    loss_first: float | None = None
    loss_last: float | None = None
    seconds: float = 0.0


def save_weights(folder: Path, model: torch.nn.Module) -> None:
    """Write the weights that are trained, under the names the model gives them."""
    trained = {
        name: parameter.detach().cpu().contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    save_file(trained, folder / _WEIGHTS)


def load_weights(folder: Path, model: torch.nn.Module) -> None:
    """Put saved weights back, bit for bit."""
    saved = load_file(folder / _WEIGHTS)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(saved[name])


def save_optimizer(folder: Path, optimizer: Any, scheduler: Any, progress: Progress) -> None:
    """Write optimizer, scheduler, random state and progress."""
    state = optimizer.state_dict()
    tensors = {
        f"{index}.{name}": value.detach().cpu().contiguous()
        for index, values in state["state"].items()
        for name, value in values.items()
    }
    save_file(tensors, folder / _OPTIMIZER)
    scheduled = scheduler.state_dict()
    told = {
        "groups": state["param_groups"],
        "scheduler": {key: scheduled[key] for key in _SCHEDULER_KEYS if key in scheduled},
        "random": _save_random(folder),
        "progress": asdict(progress),
    }
    (folder / _STATE).write_text(json.dumps(told))


def load_optimizer(folder: Path, optimizer: Any, scheduler: Any) -> None:
    """Put optimizer and scheduler back as they were."""
    told = _state(folder)
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in load_file(folder / _OPTIMIZER).items():
        index, name = key.split(".", 1)
        moments.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": moments, "param_groups": told["groups"]})
    kept = scheduler.state_dict()
    scheduler.load_state_dict({**kept, **told["scheduler"]})


def load_progress(folder: Path) -> Progress:
    """What the run had reached at this checkpoint."""
    return Progress(**_state(folder)["progress"])


def load_random(folder: Path) -> None:
    """Put every random generator back as it was."""
    told = _state(folder)["random"]
    tensors = load_file(folder / _RANDOM)
    version, state, gauss = told["python"]
    random.setstate((version, tuple(state), gauss))
    name, position, has_gauss, cached = told["numpy"]
    np.random.set_state((name, tensors["numpy"].numpy(), position, has_gauss, cached))
    torch.random.set_rng_state(tensors["cpu"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.random.set_rng_state(tensors["cuda"])


def _save_random(folder: Path) -> dict[str, object]:
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    tensors = {
        "cpu": torch.random.get_rng_state(),
        "numpy": torch.from_numpy(np.asarray(keys).astype(np.uint32)),
    }
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.random.get_rng_state()
    save_file(tensors, folder / _RANDOM)
    return {"python": random.getstate(), "numpy": [name, position, has_gauss, cached]}


def _state(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / _STATE).read_text())
    return value
