"""Prompts as files for a repository: one YAML file each, laid out so that changes can be read.

A file holds what one version says and what is said of the prompt; labels, numbers and authors stay
where they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from django.db import transaction

from prompts import actions
from prompts.content import Content, checked, content_of
from prompts.models import Prompt, PromptVersion
from prompts.names import LATEST, Ref, require_name
from prompts.rendering.snippets import refs_in
from prompts.resolving import choose
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project

SUFFIX = ".yaml"
MAX_BYTES = 8 << 20
_ODD_BREAKS = re.compile("[\r\x85\u2028\u2029\ufeff]")
"""Line ends to YAML, which would come back as others; in double quotes they are written out."""
_EMPTY: tuple[Any, ...] = ("", None, [], {})
_PARTS = ("syntax", "body", "few_shot", "variables", "tools", "response_schema", "settings")
_KEYS = {"description", "tags", "message", *_PARTS}


class BadFile(InvalidInput):
    """A file cannot be taken in; the sentence begins with its path."""

    code = "bad_file"


@dataclass(frozen=True)
class Outcome:
    """What became of a file: new, version (a new one), described, or same."""

    name: str
    what: str
    version: int

    def __str__(self) -> str:
        said = {"new": "made", "version": f"version {self.version}", "same": "unchanged",
                "described": "description or tags changed"}  # fmt: skip
        return f"{self.name}: {said[self.what]}"


@dataclass(frozen=True)
class _File:
    """A file, read and checked."""

    path: Path
    name: str
    given: dict[str, Any]
    content: Content

    @property
    def takes_in(self) -> set[str]:
        return {ref.name for _, text in self.content.templates() for ref in refs_in(text)}


def write_files(project: Project, folder: Path, *, label: str = LATEST) -> list[Path]:
    """Write every prompt that is not archived as `folder/NAME.yaml`; returns the paths.

    Of each, the version that the label means (of a split, the one with the most); a prompt without
    the label is left out. Files of other names are left alone.

    Raises:
        BadFile: a prompt's name is another's folder, which no file system can hold.
    """
    prompts = Prompt.objects.in_project(project).current().by_name().select_related("project")
    return [
        _write(folder, prompt, version)
        for prompt in prompts
        if (version := _version(prompt, label)) is not None
    ]


def read_files(project: Project, folder: Path, *, at: datetime, dry_run: bool) -> list[Outcome]:
    """Make prompts of the files, and new versions where what a file says is not the newest.

    Everything or, with a problem or in a dry run, nothing. Content that an older version has makes
    no new one; labels do not move.

    Raises:
        BadFile: a file makes no sense, or what it says cannot be saved.
    """
    files = [_read(path, folder) for path in sorted(folder.rglob(f"*{SUFFIX}"))]
    with transaction.atomic():
        outcomes = [_take_in(project, file, at=at) for file in _in_order(files)]
        if dry_run:
            transaction.set_rollback(True)
    return sorted(outcomes, key=lambda one: one.name)


def as_yaml(prompt: Prompt, version: PromptVersion) -> str:
    """The text of a prompt's file; what is empty is left out."""
    said = {"description": prompt.description, "tags": prompt.tags, "message": version.message}
    content = asdict(content_of(version))
    whole = said | {name: content[name] for name in _PARTS}
    kept = {name: value for name, value in whole.items() if value not in _EMPTY}
    return yaml.dump(kept, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 30)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stand as they are, so that a diff shows the line that changed."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Loader(yaml.SafeLoader):
    """Without references, which could make much of little, and without dates, unknown to JSON."""

    yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("references (*name) are not taken")
        return super().compose_node(parent, index)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = "|" if "\n" in text else None
    style = '"' if _ODD_BREAKS.search(text) else plain
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _version(prompt: Prompt, label: str) -> PromptVersion | None:
    if label == LATEST:
        return choose(prompt, Ref(prompt.name, label=LATEST))[0]
    targets = prompt.labels.filter(name=label, targets__isnull=False)
    first = targets.order_by("-targets__percent", "-targets__version__number")
    number = first.values_list("targets__version__number", flat=True).first()
    return None if number is None else prompt.versions.get(number=number)


def _write(folder: Path, prompt: Prompt, version: PromptVersion) -> Path:
    path = folder / f"{prompt.name}{SUFFIX}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(as_yaml(prompt, version), encoding="utf-8", newline="\n")
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as problem:
        raise BadFile(
            f"{path}: a file and a folder cannot have one name. Export into an empty folder."
        ) from problem
    return path


def _read(path: Path, folder: Path) -> _File:
    name = path.relative_to(folder).as_posix().removesuffix(SUFFIX)
    try:
        require_name(name)
        given = _loaded(path)
        unknown = sorted(set(map(str, given)) - _KEYS)
        if unknown:
            raise InvalidInput(f"a prompt has no {', '.join(unknown)[:80]}.")
        return _File(path, name, given, checked(given))
    except DomainError as problem:
        raise BadFile(f"{path}: {problem.sentence}") from problem


def _loaded(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_BYTES:
        raise InvalidInput("the file is larger than 8 MiB.")
    try:
        given = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as problem:
        raise InvalidInput(f"this is not YAML: {str(problem)[:300]}") from problem
    if not isinstance(given, dict):
        raise InvalidInput("a prompt's file begins with its keys, such as body.")
    return given


def _in_order(files: Iterable[_File]) -> Iterator[_File]:
    """Each after those it takes in, however deep; round in a circle in any order."""
    waiting = {file.name: file for file in files}
    while waiting:
        free = [
            file for file in waiting.values() if not (file.takes_in - {file.name}) & set(waiting)
        ]
        for file in free or list(waiting.values()):
            yield waiting.pop(file.name)


def _take_in(project: Project, file: _File, *, at: datetime) -> Outcome:
    found = Prompt.objects.in_project(project).filter(name=file.name).select_related("project")
    prompt = found.first()
    try:
        if prompt is None:
            return _made(project, file, at=at)
        return _saved(prompt, file, at=at)
    except DomainError as problem:
        raise BadFile(f"{file.path}: {problem.sentence}") from problem


def _made(project: Project, file: _File, *, at: datetime) -> Outcome:
    saved = actions.create_prompt(
        project, name=file.name, content=asdict(file.content), by=None, at=at, **_said(file)
    )
    return Outcome(file.name, "new", saved.version.number)


def _saved(prompt: Prompt, file: _File, *, at: datetime) -> Outcome:
    said = _said(file)
    message = said.pop("message")
    saved = actions.save_version(
        prompt, content=asdict(file.content), by=None, at=at, message=message
    )
    before = (prompt.description, prompt.tags)
    after = actions.describe(prompt, by=None, at=at, **said)
    changed = before != (after.description, after.tags)
    what = "version" if saved.is_new else "described" if changed else "same"
    return Outcome(file.name, what, saved.version.number)


def _said(file: _File) -> dict[str, Any]:
    tags = file.given.get("tags") or []
    if not isinstance(tags, list):
        raise InvalidInput("tags must be a list.")
    return {
        "description": str(file.given.get("description") or ""),
        "message": str(file.given.get("message") or ""),
        "tags": [str(tag) for tag in tags],
    }
