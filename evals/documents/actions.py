"""What people and programs can do with documents: send, cut, forget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction

from evals.documents.chunks import (
    LEAST_TARGET,
    MOST_OVERLAP,
    MOST_SIZE,
    MOST_TARGET,
    Cutting,
)
from evals.documents.jobs import READ_DOCUMENTS
from evals.documents.models import Document, DocumentSet
from requests_log.datasets.imports.programs.documents import KINDS
from requests_log.importers.keeping import plain_name, written
from workbench.core import blobs
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project, User
from workbench.core.queue import cancel_job

MOST_DOCUMENTS = 200
KNOWN = ", ".join(sorted(KINDS))


class DocumentsBusy(DomainError):
    """The documents are being read."""

    code = "documents_busy"


@dataclass(frozen=True)
class Sent:
    """A file on its way in: what it is called, and its bytes."""

    name: str
    chunks: Iterable[bytes]


def send_documents(
    project: Project, *, files: Sequence[Sent], by: User | None, at: datetime, name: str = ""
) -> DocumentSet:
    """Keep the files and read them in the background; one that cannot be read is told with the
    reason and holds up none of the others.

    Raises:
        InvalidInput: there is no file, or too many.
        FileNotKept: there is no room.
    """
    if not files:
        raise InvalidInput("Choose at least one document first.")
    if len(files) > MOST_DOCUMENTS:
        raise InvalidInput(f"Send at most {MOST_DOCUMENTS} documents at once.")
    shown = plain_name(name.strip() or _named_after(files))[:120]
    made = DocumentSet(project=project, name=shown, created_by=by, created_at=at)
    documents = [_kept(made, place, file) for place, file in enumerate(files)]
    with transaction.atomic():
        made.save()
        Document.objects.bulk_create(documents)
        if any(one.original for one in documents):
            made.job = READ_DOCUMENTS.enqueue(
                project=project,
                title=f"Read {made.name}"[:200],
                by=by,
                payload={"documents": str(made.pk)},
                total=len(documents),
            )
            made.save(update_fields=["job"])
    return made


def change_cutting(found: DocumentSet, *, cutting: Cutting) -> DocumentSet:
    """Cut the documents in another way.

    Raises:
        InvalidInput: the sizes make no sense.
    """
    checked_cutting(cutting)
    found.target, found.most, found.overlap = cutting.target, cutting.most, cutting.overlap
    found.save(update_fields=["target", "most", "overlap"])
    return found


def checked_cutting(cutting: Cutting) -> Cutting:
    """The cutting as it is, if it can be done.

    Raises:
        InvalidInput: it cannot; the sentence names the number.
    """
    if not LEAST_TARGET <= cutting.target <= MOST_TARGET:
        raise InvalidInput(f"A chunk is filled up to {LEAST_TARGET} to {MOST_TARGET:,} tokens.")
    if not cutting.target <= cutting.most <= MOST_SIZE:
        raise InvalidInput(
            "The largest chunk has at least as many tokens as the others, and at most "
            f"{MOST_SIZE:,}."
        )
    if not 0 <= cutting.overlap <= min(MOST_OVERLAP, cutting.target):
        raise InvalidInput(
            f"Of the text before, 0 to {MOST_OVERLAP} tokens are shown, and no more than a chunk "
            "has."
        )
    return cutting


def forget_documents(found: DocumentSet, *, at: datetime) -> None:
    """Forget the documents and their texts; examples that were made of them stay.

    Raises:
        DocumentsBusy: they are still being read.
    """
    if found.job is not None and not found.job.is_finished:
        cancel_job(found.job, at=at)
        found.job.refresh_from_db()
        if not found.job.is_finished:
            raise DocumentsBusy("The reading is being cancelled. Forget them when it has stopped.")
    for address in found.documents.exclude(original="").values_list("original", flat=True):
        with suppress(OSError):
            blobs.withdraw(address)
    found.delete()


def _kept(made: DocumentSet, place: int, file: Sent) -> Document:
    """The file in the store, or why it is not there."""
    document = Document(collection=made, position=place, name=plain_name(file.name))
    extension = Path(document.name).suffix.lower()
    if extension not in KINDS:
        document.error = f"A file of the kind “{extension[:20]}” is not read. Send {KNOWN}."
        return document
    with written(file.chunks) as draft:
        document.size = draft.size
        if draft.size:
            document.original = draft.publish(f"documents/{document.pk}")
        else:
            document.error = "The file is empty."
    return document


def _named_after(files: Sequence[Sent]) -> str:
    first = plain_name(files[0].name)
    return first if len(files) == 1 else f"{first[:90]} and {len(files) - 1} more"
