"""What people and programs can do with imports into datasets: upload, look, change, start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction

from requests_log.datasets.export.hub import checked_repository, reading_token
from requests_log.datasets.imports.chunking import DEFAULT_TOKENS, LEAST_TOKENS, MOST_TOKENS
from requests_log.datasets.imports.jobs import IMPORT_ROWS, PREPARE
from requests_log.datasets.imports.models import DatasetImport
from requests_log.datasets.imports.programs.documents import KINDS
from requests_log.datasets.imports.recognising import FORMATS, Recognised, recognise
from requests_log.datasets.models import Dataset, Example
from requests_log.importers.keeping import (
    FileRefused,
    ImportBusy,
    path_of,
    plain_name,
    written,
)
from requests_log.importers.records import BadFile
from workbench.core import blobs
from workbench.core.errors import InvalidInput
from workbench.core.models import User
from workbench.core.queue import cancel_job

KEEP_DRAFTS = timedelta(days=7)
MOST_TEMPLATE = 20_000
MOST_HUB_ROWS = 1_000_000
HUB_OPTIONS: dict[str, Any] = {
    "config": "",
    "split": "",
    "revision": "",
    "rows": 100_000,
    "connection": "",
}
FORMATS_TOLD = ", ".join(FORMATS)


@dataclass(frozen=True)
class Choices:
    """What the person importing says of a file; what is empty is found out.

    `mapping` gives columns by role, or texts with `{column}` in them for the format `columns`.
    """

    format: str = ""
    mapping: Mapping[str, str] | None = None
    provenance: str = Example.Provenance.IMPORT


def upload(
    dataset: Dataset,
    *,
    chunks: Iterable[bytes],
    name: str,
    by: User | None,
    at: datetime,
    choices: Choices | None = None,
) -> DatasetImport:
    """Keep a file and find out what it is; no example is added before `start_import`.

    Raises:
        FileRefused: it cannot be read; the sentence tells the line.
        InvalidInput: a choice makes no sense.
        FileNotKept: there is no room for it.
    """
    choices = checked(choices or Choices())
    forget_old_drafts(dataset, at)
    name = plain_name(name)
    made = DatasetImport(
        project=dataset.project, dataset=dataset, name=name, created_by=by, created_at=at
    )
    made.provenance = choices.provenance
    with written(chunks) as draft:
        made.size, made.sha256 = draft.size, draft.sha256
        if is_document(name):
            made.kind, made.options = DatasetImport.Kind.DOCUMENT, {"tokens": DEFAULT_TOKENS}
            made.original = draft.publish(f"dataset-imports/{made.pk}-original")
        else:
            _describe(made, _recognised(draft.path, name, choices), choices)
            made.address = draft.publish(f"dataset-imports/{made.pk}")
    made.save()
    return load(made, by=by) if made.original else made


def load_hub(
    dataset: Dataset, *, repository: str, by: User | None, at: datetime, **options: Any
) -> DatasetImport:
    """Load a dataset of the Hugging Face Hub, in the background: the likeliest config and split, or
    those of the options, which `HUB_OPTIONS` lists.

    Raises:
        InvalidInput: the name or an option makes no sense, or there is no such connection.
    """
    forget_old_drafts(dataset, at)
    options = HUB_OPTIONS | {name: value for name, value in options.items() if value}
    checked_options(options)
    reading_token(dataset.project, options["connection"])
    options["repository"] = checked_repository(repository)
    made = DatasetImport.objects.create(
        project=dataset.project,
        dataset=dataset,
        kind=DatasetImport.Kind.HUB,
        name=options["repository"],
        size=0,
        options=options,
        created_by=by,
        created_at=at,
    )
    return load(made, by=by)


def is_document(name: str) -> bool:
    """Whether a file of this name is cut into pieces of text."""
    return Path(name).suffix.lower() in KINDS


def load(found: DatasetImport, *, by: User | None, **options: Any) -> DatasetImport:
    """Make a document or a dataset of the Hub into records, in the background, with these options.

    What was loaded before is forgotten.

    Raises:
        InvalidInput: an option makes no sense.
        ImportBusy: it is being loaded, or its rows are being taken in.
    """
    checked_options(options)
    with transaction.atomic():
        locked = DatasetImport.objects.select_for_update().get(pk=found.pk)
        if locked.job is not None or locked.state == "preparing":
            raise ImportBusy("This import is under way. Cancel it first, or start another one.")
        if locked.kind == DatasetImport.Kind.FILE:
            raise InvalidInput("A file of records is read as it is. Change its format instead.")
        locked.options |= options
        locked.preparing = PREPARE.enqueue(
            project=locked.project,
            title=f"Load {locked.name}"[:200],
            by=by,
            payload={"import": str(locked.pk)},
        )
        locked.save(update_fields=["options", "preparing"])
    return locked


def checked_options(options: Mapping[str, Any]) -> None:
    """Raise InvalidInput unless the options of loading make sense."""
    tokens = options.get("tokens", DEFAULT_TOKENS)
    if not isinstance(tokens, int) or not LEAST_TOKENS <= tokens <= MOST_TOKENS:
        raise InvalidInput(f"A piece has {LEAST_TOKENS} to {MOST_TOKENS:,} tokens.")
    rows = options.get("rows", MOST_HUB_ROWS)
    if not isinstance(rows, int) or not 1 <= rows <= MOST_HUB_ROWS:
        raise InvalidInput(f"Load 1 to {MOST_HUB_ROWS:,} rows of a dataset.")
    for name in ("config", "split", "revision", "connection"):
        text = options.get(name, "")
        if not isinstance(text, str) or len(text) > 200 or not text.isprintable():
            raise InvalidInput(f"{name} must be a name of at most 200 characters.")


def look(found: DatasetImport) -> Recognised:
    """What the records seem to be, and the first of them.

    Raises:
        FileRefused: they cannot be read in the chosen format.
        NotFound: the file is gone.
    """
    choices = Choices(found.format, found.mapping)
    return _recognised(path_of(found.address), found.name, choices)


def change_import(found: DatasetImport, *, choices: Choices) -> DatasetImport:
    """Read the records in another format, or their columns in other roles; before it is started.

    Raises:
        FileRefused: they cannot be read so.
        InvalidInput: a role or a column is unknown.
        ImportBusy: it is started, or not loaded yet.
    """
    if not found.can_start:
        raise ImportBusy("Only an import that is loaded and not yet started can be changed.")
    choices = checked(choices)
    recognised = _recognised(path_of(found.address), found.name, choices)
    _describe(found, recognised, choices)
    found.save(update_fields=["format", "mapping", "provenance", "container"])
    return found


def start_import(found: DatasetImport, *, by: User | None) -> DatasetImport:
    """Add the rows, in the background; a cancelled or failed import goes on where it was.

    Raises:
        ImportBusy: it is under way, not loaded yet, or all of it was taken in.
    """
    with transaction.atomic():
        locked = DatasetImport.objects.select_for_update().get(pk=found.pk)
        if locked.job is not None and not locked.job.is_finished:
            raise ImportBusy("This import is under way.")
        if not locked.address:
            raise ImportBusy("There are no rows to take in: all were, or none was loaded yet.")
        locked.job = IMPORT_ROWS.enqueue(
            project=locked.project,
            title=f"Import {locked.name}"[:200],
            by=by,
            payload={"import": str(locked.pk)},
            total=locked.total,
        )
        locked.save(update_fields=["job"])
    return locked


def discard_import(found: DatasetImport, *, at: datetime) -> None:
    """Forget an import and its file; the examples that it added stay.

    Raises:
        ImportBusy: it is still being stopped.
    """
    for job in (found.preparing, found.job):
        if job is not None and not job.is_finished:
            cancel_job(job, at=at)
            job.refresh_from_db()
        if job is not None and not job.is_finished:
            raise ImportBusy("The import is being cancelled. Discard it when it has stopped.")
    for address in filter(None, (found.address, found.original)):
        blobs.withdraw(address)
    found.delete()


def checked(choices: Choices) -> Choices:
    """The choices as they were, if there are such formats, roles and provenances.

    Raises:
        InvalidInput: there are none.
    """
    if choices.format and choices.format not in FORMATS:
        raise InvalidInput(f"format must be one of: {FORMATS_TOLD}.")
    if choices.provenance not in Example.Provenance.values:
        raise InvalidInput(f"provenance must be one of: {', '.join(Example.Provenance.values)}.")
    known = {role for one in FORMATS.values() for role in one.roles}
    if choices.format:
        known = set(FORMATS[choices.format].roles)
    for role, told in (choices.mapping or {}).items():
        if role not in known:
            raise InvalidInput(f"“{role[:60]}” is no role here. Use: {', '.join(sorted(known))}.")
        if len(told) > MOST_TEMPLATE or "\x00" in told:
            raise InvalidInput(f"{role}: at most {MOST_TEMPLATE:,} characters, and no NUL.")
    return choices


def forget_old_drafts(dataset: Dataset, at: datetime) -> None:
    """Files that nobody went on with must not fill the disk."""
    old = DatasetImport.objects.in_project(dataset.project).filter(
        job=None, created_at__lt=at - KEEP_DRAFTS
    )
    for one in old.exclude(address="", original=""):
        discard_import(one, at=at)


def _recognised(path: Path, name: str, choices: Choices) -> Recognised:
    try:
        return recognise(path, name, wanted=choices.format, mapping=choices.mapping)
    except BadFile as problem:
        raise FileRefused.because(problem) from problem


def _describe(made: DatasetImport, found: Recognised, choices: Choices) -> None:
    made.format = found.format.name
    made.container = found.container.kind
    made.mapping = dict(choices.mapping or {})
    made.provenance = choices.provenance
