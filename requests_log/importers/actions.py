"""What people and programs can do with imports: upload, look, change, start, discard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction

from requests_log.importers.formats import FORMATS, Previewed, Recognised, preview, recognise
from requests_log.importers.jobs import IMPORT_FILE
from requests_log.importers.keeping import (
    FileRefused,
    ImportBusy,
    path_of,
    plain_name,
    written,
)
from requests_log.importers.models import Import
from requests_log.importers.plain import FIELDS
from requests_log.importers.records import BadFile
from requests_log.importers.run import context_of
from requests_log.importers.values import OLDEST
from workbench.core import blobs
from workbench.core.errors import InvalidInput
from workbench.core.models import Project, User
from workbench.core.queue import cancel_job

KEEP_DRAFTS = timedelta(days=7)
FORMATS_TOLD = ", ".join(FORMATS)


@dataclass(frozen=True)
class Choices:
    """What the person importing says of a file; what is empty is found out.

    `undated` is the time of records that carry none.
    """

    format: str = ""
    mapping: Mapping[str, str] | None = None
    undated: datetime | None = None


@dataclass(frozen=True)
class Looked:
    """A file as it was recognised, and its first rows as they would be stored."""

    found: Recognised
    preview: Previewed


def upload(
    project: Project,
    *,
    chunks: Iterable[bytes],
    name: str,
    by: User | None,
    at: datetime,
    choices: Choices | None = None,
) -> Import:
    """Keep a file and find out what it is; nothing is stored in the log before `start_import`.

    Raises:
        FileRefused: it cannot be read, or looks like no format; the sentence tells the line.
        InvalidInput: a choice makes no sense.
        FileNotKept: there is no room for it.
    """
    choices = _checked(choices or Choices(), at)
    _forget_old_drafts(project, at)
    name = plain_name(name)
    with written(chunks) as draft:
        found = _recognised(draft.path, name, choices)
        made = _row(project, name, by, choices, found, at)
        made.size, made.sha256 = draft.size, draft.sha256
        made.undated = choices.undated or _undated_before(project, draft.sha256) or at
        made.address = draft.publish(f"imports/{made.pk}")
    made.save()
    return made


def look(found: Import, *, at: datetime) -> Looked:
    """What the file seems to be, and its first rows as they would be stored.

    Raises:
        FileRefused: it cannot be read in the chosen format.
    """
    choices = Choices(found.format, found.mapping)
    recognised = _recognised(path_of(found.address), found.name, choices)
    return Looked(recognised, preview(recognised, context_of(found, now=at)))


def change_import(found: Import, *, choices: Choices, at: datetime) -> Import:
    """Read the file in another format, or its columns in another way; before it is started.

    Raises:
        FileRefused: it cannot be read so.
        ImportBusy: it is started.
    """
    choices = _checked(choices, at)
    if found.state != "draft":
        raise ImportBusy("This import is started already. Upload the file again to change it.")
    recognised = _recognised(path_of(found.address), found.name, choices)
    found.format = recognised.format.name
    found.mapping = dict(choices.mapping or {})
    if choices.undated is not None:
        found.undated = choices.undated
    found.save(update_fields=["format", "mapping", "undated"])
    return found


def start_import(found: Import, *, by: User | None) -> Import:
    """Take the file in, in the background; a cancelled or failed import goes on where it was.

    Raises:
        ImportBusy: it is under way, or its file is gone because all of it was taken in.
    """
    with transaction.atomic():
        found = Import.objects.select_for_update().get(pk=found.pk)
        if not found.address:
            raise ImportBusy("This import is done. Upload the file to import it again.")
        if found.job is not None and not found.job.is_finished:
            raise ImportBusy("This import is under way.")
        found.job = IMPORT_FILE.enqueue(
            project=found.project,
            title=f"Import {found.name}"[:200],
            by=by,
            payload={"import": str(found.pk)},
            total=found.total,
        )
        found.save(update_fields=["job"])
    return found


def discard_import(found: Import, *, at: datetime) -> None:
    """Forget an import and its file; what it stored in the log stays there."""
    if found.job is not None and not found.job.is_finished:
        cancel_job(found.job, at=at)
        raise ImportBusy("The import is being cancelled. Discard it when it has stopped.")
    if found.address:
        blobs.withdraw(found.address)
    found.delete()


def _checked(choices: Choices, at: datetime) -> Choices:
    if choices.format and choices.format not in FORMATS:
        raise InvalidInput(f"format must be one of: {FORMATS_TOLD}.")
    unknown = sorted(set(choices.mapping or {}) - set(FIELDS))
    if unknown:
        raise InvalidInput(f"“{unknown[0]}” is no field of a call. Use: {', '.join(FIELDS)}.")
    if choices.undated is not None and not OLDEST <= choices.undated <= at:
        raise InvalidInput("The time for rows without one must lie between 2000 and now.")
    return choices


def _forget_old_drafts(project: Project, at: datetime) -> None:
    """Files that nobody went on with must not fill the disk."""
    old = Import.objects.in_project(project).filter(job=None, created_at__lt=at - KEEP_DRAFTS)
    for one in old.exclude(address=""):
        discard_import(one, at=at)


def _recognised(path: Path, name: str, choices: Choices) -> Recognised:
    try:
        return recognise(path, name, wanted=choices.format or None, mapping=choices.mapping)
    except BadFile as problem:
        raise FileRefused.because(problem) from problem


def _row(
    project: Project,
    name: str,
    by: User | None,
    choices: Choices,
    found: Recognised,
    at: datetime,
) -> Import:
    return Import(
        project=project,
        name=name,
        created_by=by,
        created_at=at,
        format=found.format.name,
        container=found.container.kind,
        mapping=dict(choices.mapping or {}),
    )


def _undated_before(project: Project, sha256: str) -> datetime | None:
    """The time that rows without one got when this very file was imported first."""
    before = Import.objects.in_project(project).filter(sha256=sha256).order_by("pk").first()
    return None if before is None else before.undated
