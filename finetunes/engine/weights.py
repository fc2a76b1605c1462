"""The torch side of a model: base weights once in memory, adapters swapped on them."""

from __future__ import annotations

import inspect
import itertools
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetunes.engine.manifest import ModelEntry
from finetunes.engine.problems import EngineProblem, model_refused
from finetunes.engine.prompting import LOADING, read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

GIB = 2**30

_DTYPE_BYTES = {"float32": 4, "float64": 8}


class Adapter:
    """One adapter on a base, under a name that the adapter library accepts."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.used_at = 0.0


class Base:
    """One set of base weights with the adapters loaded on it; all sizes are in bytes."""

    def __init__(self, path: Path, module: PreTrainedModel) -> None:
        self.path = path
        self.module = module
        self.adapters: dict[Path, Adapter] = {}
        self.own_size: int = sum(p.numel() * p.element_size() for p in module.parameters())
        self.used_at = 0.0
        self._peft: PeftModel | None = None
        self._active: Adapter | None = None
        self._names = itertools.count()
        self._accepts = frozenset(inspect.signature(module.forward).parameters)

    @property
    def size(self) -> int:
        return self.own_size + sum(adapter.size for adapter in self.adapters.values())

    @property
    def device(self) -> torch.device:
        device: torch.device = self.module.device
        return device

    def adapter(self, path: Path) -> Adapter:
        """The adapter in `path`, loaded if it is not yet."""
        if path not in self.adapters:
            adapter = Adapter(f"adapter{next(self._names)}", _file_bytes(path))
            self._load(path, adapter.name)
            self.adapters[path] = adapter
        return self.adapters[path]

    def activate(self, adapter: Adapter | None) -> None:
        """Make the next forward passes use this adapter, or the bare base."""
        if self._peft is None or adapter is self._active:
            return
        if adapter is None:
            self._peft.base_model.disable_adapter_layers()
        else:
            self._peft.base_model.enable_adapter_layers()
            self._peft.set_adapter(adapter.name, inference_mode=True)
        self._active = adapter

    def drop(self, path: Path) -> None:
        """Free one adapter's memory."""
        adapter = self.adapters.pop(path)
        if adapter is self._active:
            self._active = None
        if self._peft is not None:
            self._peft.delete_adapter(adapter.name)
            self._peft.base_model.disable_adapter_layers()
            self._active = None

    def forward(self, **inputs: Any) -> Any:
        """The model's own forward pass, given only the inputs its architecture knows."""
        return self.module(**{k: v for k, v in inputs.items() if k in self._accepts})

    def _load(self, path: Path, name: str) -> None:
        from peft import PeftModel

        if self._peft is None:
            self._peft = PeftModel.from_pretrained(
                self.module, str(path), adapter_name=name, is_trainable=False, local_files_only=True
            )
        else:
            self._peft.load_adapter(str(path), name, is_trainable=False, local_files_only=True)
        self._peft.eval()
        self._peft.base_model.disable_adapter_layers()
        self._active = None


class Served:
    """The weights behind one model: a base, and the adapter to activate on it."""

    def __init__(self, base: Base, adapter: Adapter | None) -> None:
        self.base = base
        self.adapter = adapter

    def activate(self) -> Base:
        """The base, ready for this model's forward passes."""
        self.base.used_at = time.monotonic()
        if self.adapter is not None:
            self.adapter.used_at = self.base.used_at
        self.base.activate(self.adapter)
        return self.base


class Shelf:
    """Weights loaded on first use, within a memory budget; used by one thread only."""

    def __init__(self, *, budget: int | None = None, device: str = "auto") -> None:
        self._budget = budget
        self._device = device
        self._bases: dict[Path, Base] = {}

    def loaded(self) -> list[dict[str, object]]:
        """Which weights are in memory, for the health page."""
        return [
            {
                "path": str(base.path),
                "bytes": base.size,
                "adapters": [str(path) for path in list(base.adapters)],
            }
            for base in list(self._bases.values())
        ]

    def served(self, entry: ModelEntry, *, busy: set[Base]) -> Served:
        """The entry's weights, loaded if they are not; what is `busy` is never unloaded.

        Raises:
            EngineProblem: the files are missing or unsafe, or there is no room for them.
        """
        try:
            base = self._bases.get(entry.base) or self._load_base(entry, busy)
            base.used_at = time.monotonic()
            return Served(base, None if entry.kind == "full" else self._adapter(entry, base, busy))
        except EngineProblem:
            raise
        except Exception as error:
            # Weight files are written by others and fail in any way; the engine must live on.
            logger.exception("A model could not be loaded", extra={"model": entry.id})
            raise model_refused(
                "model_load_failed",
                f"The weights of “{entry.id}” cannot be loaded: {error}. Check its files in "
                f"{entry.path}, or register the model again.",
            ) from error

    def _load_base(self, entry: ModelEntry, busy: set[Base]) -> Base:
        _require_safetensors(entry, entry.base, "*.safetensors")
        self._make_room(entry, _bytes_in_memory(entry.base, self.device()), busy)
        with LOADING:
            base = Base(entry.base, _load_module(entry.base, self.device()))
        self._bases[entry.base] = base
        logger.info("Base model loaded", extra={"path": str(entry.base), "bytes": base.size})
        return base

    def _adapter(self, entry: ModelEntry, base: Base, busy: set[Base]) -> Adapter:
        if entry.path not in base.adapters:
            _require_safetensors(entry, entry.path, "adapter_model.safetensors")
            self._make_room(entry, _file_bytes(entry.path), busy | {base})
        with LOADING:
            adapter = base.adapter(entry.path)
        adapter.used_at = time.monotonic()
        return adapter

    def device(self) -> str:
        """Where models run: the GPU when there is one, unless told otherwise."""
        import torch

        if self._device == "auto":
            self._device = "cuda" if torch.cuda.is_available() else "cpu"
        return self._device

    def budget(self) -> int:
        """Bytes that weights may take: half of the machine's memory unless told otherwise.

        The other half is for caches, the rest of Stillhouse and its database.
        """
        if self._budget is None:
            self._budget = _total_memory(self.device()) // 2
        return self._budget

    def _make_room(self, entry: ModelEntry, needed: int, busy: set[Base]) -> None:
        free = self.budget() - sum(base.size for base in self._bases.values())
        for _, base, path in sorted(self._unloadable(busy), key=lambda row: row[0]):
            if free >= needed:
                return
            free += self._unload(base, path)
        if free < needed:
            raise model_refused(
                "no_memory_for_model",
                f"“{entry.id}” needs {needed / GIB:.2f} GiB and {max(free, 0) / GIB:.2f} of "
                f"{self.budget() / GIB:.2f} GiB can be freed now. Start the engine with a larger "
                "--memory-gib, or ask again when other models are idle.",
            )

    def _unloadable(self, busy: set[Base]) -> Iterator[tuple[float, Base, Path | None]]:
        for base in self._bases.values():
            if base not in busy:
                yield base.used_at, base, None
                for path, adapter in base.adapters.items():
                    yield adapter.used_at, base, path

    def _unload(self, base: Base, adapter: Path | None) -> int:
        """Drop a base, or one adapter of it; return the bytes that are free now."""
        if base.path not in self._bases:
            return 0
        if adapter is None:
            logger.info("Base model unloaded", extra={"path": str(base.path)})
            return self._bases.pop(base.path).size
        size = base.adapters[adapter].size
        base.drop(adapter)
        return size


def _load_module(path: Path, device: str) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    # float32 on a CPU: few CPUs multiply 16-bit floats at speed, and training there is float32.
    dtype: Any = torch.float32 if device == "cpu" else "auto"
    module: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        str(path),
        dtype=dtype,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
    )
    return module.to(device).eval().requires_grad_(False)


def _require_safetensors(entry: ModelEntry, folder: Path, pattern: str) -> None:
    if not any(folder.glob(pattern)):
        raise model_refused(
            "model_files_missing",
            f"“{entry.id}” has no {pattern} in {folder}. Only safetensors weights are loaded: "
            "restore the files, or convert them and register the model again.",
        )


def _file_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def _bytes_in_memory(folder: Path, device: str) -> int:
    stored = _file_bytes(folder)
    config = read_json(folder / "config.json")
    dtype = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return stored * 4 // _DTYPE_BYTES.get(dtype, 2) if device == "cpu" else stored


def _total_memory(device: str) -> int:
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    import os

    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
