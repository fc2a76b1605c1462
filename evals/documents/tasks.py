"""How this app's background jobs are done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evals.documents.jobs import READ_DOCUMENTS
from evals.documents.models import Document, DocumentSet
from requests_log.datasets.imports.child import NotLoaded, run_program
from requests_log.importers.keeping import FILE_NAME, draft_folder, path_of
from workbench.core import blobs
from workbench.core.errors import DomainError
from workbench.core.queue import RunningJob

PROGRAM = "requests_log.datasets.imports.programs.documents"
MOST_CHARACTERS = 8 << 20
SECONDS = 180


@READ_DOCUMENTS.handler
def read_documents(running: RunningJob) -> dict[str, Any]:
    """Read every document that is not read yet; a second delivery finds nothing to do."""
    found = DocumentSet.objects.get(pk=running.payload["documents"])
    whole = found.documents.count()
    for document in found.documents.unread().order_by("position"):
        running.progress(document.position, whole, note=f"Reading {document.name}")
        try:
            _read(document, running)
        except DomainError as problem:
            document.error = problem.sentence[:500]
        address, document.original = document.original, ""
        document.save()
        if address:
            blobs.withdraw(address)
    refused = found.documents.exclude(error="").count()
    return {"read": whole - refused, "refused": refused}


def _read(document: Document, running: RunningJob) -> None:
    """Take in the text of the file, by a program of its own.

    Raises:
        NotLoaded, NotFound: it cannot be read; the sentence says why.
    """
    with draft_folder() as folder:
        out = folder / FILE_NAME
        spec = {
            "path": str(path_of(document.original)),
            "extension": Path(document.name).suffix.lower(),
            "out": str(out),
        }
        told = run_program(PROGRAM, spec, running=running, seconds=SECONDS)
        if told["characters"] > MOST_CHARACTERS:
            raise NotLoaded(f"It has more than {MOST_CHARACTERS >> 20} million letters. Split it.")
        document.text = out.read_text(encoding="utf-8")
    document.characters, document.pages = len(document.text), told["pages"]
