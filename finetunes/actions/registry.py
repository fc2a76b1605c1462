"""Registering models, moving aliases, looking models up."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from evals.models import Candidate, Cell
from finetunes.bases import check_model_folder, fetched
from finetunes.models import (
    Alias,
    AliasMove,
    ModelVersion,
    RegisteredModel,
    TrainingRun,
    next_number,
)
from finetunes.rendering import RenderSettings, render_fingerprint
from workbench.core.errors import DomainError, InvalidInput, NotFound
from workbench.core.models import Project, User

MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
ALIAS_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
RESERVED_ALIASES = frozenset({"latest"})


class RunNotSucceeded(DomainError):
    """Only a run that ended well has weights to register."""

    code = "run_not_succeeded"


class NoGrounds(InvalidInput):
    """An alias moves only for a reason."""

    code = "no_grounds"


class NothingToRollBackTo(DomainError):
    """The alias has pointed at one version only."""

    code = "nothing_to_roll_back_to"


def register_run(run: TrainingRun, *, name: str, by: User | None, note: str = "") -> ModelVersion:
    """Make the run's weights the next version of a registered model (made if it is new).

    Registering the same run under the same name twice gives the first version back.

    Raises:
        RunNotSucceeded: the run has not ended well.
        NotAModel: its weights cannot be read.
        InvalidInput: the name will not do.
    """
    if run.state != TrainingRun.State.SUCCEEDED:
        raise RunNotSucceeded(f"“{run}” has not succeeded. Wait for it to end, or start another.")
    _require_model_name(name)
    existing = ModelVersion.objects.in_project(run.project).filter(model__name=name, run=run)
    found = existing.select_related("model").first()
    if found is not None:
        return found
    kind = ModelVersion.Kind.FULL if run.adapter["kind"] == "full" else ModelVersion.Kind.ADAPTER
    fingerprint = _fingerprint(fetched(run.artifacts_path), run.render)
    with transaction.atomic():
        model = _model_locked(run.project, name)
        return model.versions.filter(run=run).first() or ModelVersion.objects.create(
            model=model,
            number=next_number(model),
            kind=kind,
            path=run.artifacts_path,
            base_model=run.base_model,
            base_path=run.base_path,
            render=run.render,
            render_fingerprint=fingerprint,
            artifacts=run.artifacts,
            run=run,
            dataset_version=run.dataset_version,
            note=note,
            created_by=by,
        )


def import_model(
    project: Project, *, name: str, path: Path | str, by: User | None, note: str = ""
) -> ModelVersion:
    """Register a full model from a folder on this machine, or from an address of the store.

    Importing the same folder with the same contents twice gives the first version back.

    Raises:
        NotAModel: the folder does not hold a model.
        InvalidInput: the name will not do.
    """
    _require_model_name(name)
    address, folder = str(path), fetched(str(path))
    check_model_folder(folder)
    artifacts, fingerprint = list_artifacts(folder), _fingerprint(folder, {})
    with transaction.atomic():
        model = _model_locked(project, name)
        existing = model.versions.filter(run=None, path=address, artifacts=artifacts).first()
        return existing or ModelVersion.objects.create(
            model=model,
            number=next_number(model),
            kind=ModelVersion.Kind.FULL,
            path=address,
            render={},
            render_fingerprint=fingerprint,
            artifacts=artifacts,
            note=note,
            created_by=by,
        )


def promote(
    version: ModelVersion,
    *,
    alias: str,
    by: User | None,
    at: datetime,
    reason: str = "",
    comparison_id: UUID | None = None,
) -> Alias:
    """Point an alias at a version and write the move into the history.

    An alias moves on grounds only: a finished comparison in which the version answered rows, or a
    reason in words. Promoting what the alias points at already changes nothing.

    Raises:
        InvalidInput: the alias' name will not do, or the comparison says nothing of this version.
        NoGrounds: neither a comparison nor a reason was given.
    """
    if not ALIAS_NAME.fullmatch(alias) or alias in RESERVED_ALIASES:
        raise InvalidInput(
            f"“{alias[:60]}” cannot be an alias. Use lower-case letters, digits, - and _, "
            "starting with a letter, such as production."
        )
    if comparison_id is not None:
        _require_part_in(comparison_id, version)
    elif not reason.strip():
        raise NoGrounds(
            f"Say why {alias} is to point at {version.ref}: send a reason, or the id of a finished "
            "comparison in which it took part."
        )
    with transaction.atomic():
        model = RegisteredModel.objects.select_for_update().get(pk=version.model_id)
        current = Alias.objects.filter(model=model, name=alias).select_related("version").first()
        if current is not None and current.version_id == version.pk:
            return current
        AliasMove.objects.create(
            model=model,
            alias=alias,
            from_version=current.version if current else None,
            to_version=version,
            by=by,
            at=at,
            reason=reason,
            comparison_id=comparison_id,
        )
        moved, _ = Alias.objects.update_or_create(
            model=model, name=alias, defaults={"version": version, "moved_at": at}
        )
    return moved


def roll_back(alias: Alias, *, by: User | None, at: datetime, reason: str = "") -> Alias:
    """Point an alias at the version it had before the current one; again goes further back.

    Raises:
        NothingToRollBackTo: there was no version before.
    """
    before = versions_before(alias.model).get(alias.name)
    if before is None:
        raise NothingToRollBackTo(f"{alias} points at the first version it ever had.")
    return promote(before, alias=alias.name, by=by, at=at, reason=reason or "Roll back")


def versions_before(model: RegisteredModel) -> dict[str, ModelVersion]:
    """The version a roll-back would choose, by alias; without the aliases that have none.

    A move to the version before the current one takes the current one off the alias' pile, so
    that rolling back twice never brings back what the first time took away.
    """
    piles: defaultdict[str, list[int]] = defaultdict(list)
    moves = AliasMove.objects.filter(model=model).order_by("pk")
    for alias, to_version in moves.values_list("alias", "to_version"):
        pile = piles[alias]
        if pile[-2:-1] == [to_version]:
            pile.pop()
        else:
            pile.append(to_version)
    before = {alias: pile[-2] for alias, pile in piles.items() if len(pile) > 1}
    versions = ModelVersion.objects.select_related("model__project").in_bulk(before.values())
    return {alias: versions[pk] for alias, pk in before.items()}


def find_version(project: Project, ref: str) -> ModelVersion:
    """The version that `name@alias`, `name:3` or `name@latest` means.

    Raises:
        NotFound: there is no such model, alias or version in the project.
    """
    versions = ModelVersion.objects.in_project(project).select_related("model")
    name, separator, rest = _split(ref)
    of_model = versions.filter(model__name=name)
    if separator == ":" and rest.isdecimal():
        found = of_model.filter(number=int(rest[:9])).first()
    elif separator == "@" and rest == "latest":
        found = of_model.newest_first().first()
    elif separator == "@":
        found = of_model.filter(aliases__name=rest).first()
    else:
        found = None
    if found is None:
        raise NotFound(_not_found_sentence(project, ref, name), code="model_not_found")
    return found


def list_artifacts(folder: Path) -> list[dict[str, Any]]:
    """Files of a model's folder with their SHA-256 and size in bytes, in order of their names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        {
            "path": str(path.relative_to(folder)),
            "sha256": _sha256(path),
            "bytes": path.stat().st_size,
        }
        for path in files
    ]


def _require_part_in(comparison_id: UUID, version: ModelVersion) -> None:
    """Evidence must be about the version: a finished comparison of the project in which it
    answered rows.
    """
    parts = Candidate.objects.filter(
        comparison=comparison_id,
        comparison__project=version.model.project_id,
        resolved=version.ref,
    )
    if not parts.exists():
        raise InvalidInput(
            f"That comparison did not ask {version.ref}. Choose one that did, or promote with a "
            "reason instead."
        )
    if not parts.exclude(comparison__finished_at=None).exists():
        raise InvalidInput(
            "That comparison has not finished. Wait for its end, or promote with a reason instead."
        )
    if not Cell.objects.graded().filter(candidate__in=parts).exists():
        raise InvalidInput(
            f"{version.ref} answered no row of that comparison. Choose another one, or promote "
            "with a reason instead."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _split(ref: str) -> tuple[str, str, str]:
    for separator in ("@", ":"):
        if separator in ref:
            return ref.partition(separator)
    return ref, "", ""


def _not_found_sentence(project: Project, ref: str, name: str) -> str:
    model = RegisteredModel.objects.in_project(project).filter(name=name).first()
    if model is None:
        return f"No model “{name[:80]}” is registered in this project. Register a run first."
    aliases = [f"{name}@{alias.name}" for alias in model.aliases.order_by("name")]
    versions = [v.ref for v in model.versions.select_related("model").newest_first()[:3]]
    return (
        f"There is no “{ref[:120]}”. There is: {', '.join(aliases + versions) or 'no version yet'}."
    )


def _require_model_name(name: str) -> None:
    if not MODEL_NAME.fullmatch(name):
        raise InvalidInput(
            f"“{name[:100]}” cannot name a model. Use lower-case letters, digits, dots, - and _."
        )


def _model_locked(project: Project, name: str) -> RegisteredModel:
    RegisteredModel.objects.get_or_create(project=project, name=name)
    return RegisteredModel.objects.select_for_update().get(project=project, name=name)


def _fingerprint(path: Path, render: dict[str, Any]) -> str:
    return render_fingerprint(path, RenderSettings.from_json(render))
