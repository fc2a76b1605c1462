"""Base models: what a run may start from, by the name people give it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from finetunes.models import ModelVersion
from workbench.core import blobs
from workbench.core.errors import InvalidInput
from workbench.core.models import Project

BUILT_IN = {
    "nano-base": Path(__file__).parent / "nano" / "base",
    "nano-teacher": Path(__file__).parent / "nano" / "teacher",
}


class NotAModel(InvalidInput):
    """The folder does not hold a model this product can train or serve."""

    code = "not_a_model"


@dataclass(frozen=True)
class Base:
    """A base model found: its name for people, its context length in tokens, where it is kept
    (`address`: a folder, or a URL of the artifact store), and its folder on this machine.
    """

    name: str
    address: str
    path: Path
    context: int | None


def find_base(project: Project, name: str) -> Base:
    """The model that `name` means: a built-in one, `name:2` of the registry, or a folder.

    Raises:
        InvalidInput: nothing has this name, or the folder lies outside MODEL_DIRS.
        NotAModel: the folder is not a model.
    """
    name = name.strip()
    address = str(BUILT_IN.get(name) or _registered(project, name) or _folder(name))
    path = fetched(address)
    return Base(name=name, address=address, path=path, context=check_model_folder(path))


def fetched(address: str) -> Path:
    """The folder at an address, fetched first if it is kept in a remote store.

    Raises:
        NotAModel: the store cannot be read, or holds nothing there.
    """
    try:
        return blobs.local_copy(address)
    except (OSError, ImportError, ValueError) as problem:
        raise NotAModel(
            f"The weights at {address} cannot be read ({problem}). Check that they are there and "
            "that the store's credentials are right."
        ) from problem


def check_model_folder(path: Path) -> int | None:
    """Check that a folder holds config, tokenizer and safetensors weights; return the context.

    Raises:
        NotAModel: a part is missing or unreadable.
    """
    needed = {
        "config.json": (path / "config.json").is_file(),
        "tokenizer.json": (path / "tokenizer.json").is_file(),
        "weights as *.safetensors": any(path.glob("*.safetensors")) if path.is_dir() else False,
    }
    missing = [part for part, there in needed.items() if not there]
    if missing:
        raise NotAModel(
            f"{path} is not a model: it lacks {', '.join(missing)}. "
            "Choose the folder of a model in Hugging Face layout."
        )
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise NotAModel(f"{path / 'config.json'} cannot be read: {problem}.") from problem
    context = config.get("max_position_embeddings")
    return context if isinstance(context, int) else None


def _registered(project: Project, name: str) -> str | None:
    model, _, number = name.partition(":")
    if not number.isdecimal():
        return None
    version = (
        ModelVersion.objects.in_project(project)
        .filter(model__name=model, number=int(number[:9]))
        .first()
    )
    if version is None:
        return None
    if version.kind == ModelVersion.Kind.ADAPTER:
        raise InvalidInput(f"{name} is an adapter. Choose a full model as the base.")
    return version.path


def _folder(name: str) -> Path:
    path = Path(name)
    allowed = [Path(folder).resolve() for folder in settings.MODEL_DIRS]
    if not path.is_absolute():
        raise InvalidInput(
            f"There is no base model called “{name[:100]}”. Choose one of "
            f"{', '.join(BUILT_IN)}, a registered full model such as name:1, or a folder."
        )
    resolved = path.resolve()
    if not any(folder == resolved or folder in resolved.parents for folder in allowed):
        raise InvalidInput(
            f"{path} lies outside the folders models may be read from. "
            "Add its folder to MODEL_DIRS."
        )
    return resolved
