"""Making a document or a dataset of the Hub into a file of records, by a program of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from requests_log.datasets.export.hub import reading_token
from requests_log.datasets.imports.child import run_program
from requests_log.datasets.imports.models import DatasetImport
from requests_log.datasets.imports.recognising import recognise
from requests_log.importers.keeping import FILE_NAME, FileRefused, draft_folder, path_of
from requests_log.importers.records import BadFile
from workbench.core import blobs
from workbench.core.errors import NotFound
from workbench.core.queue import RunningJob

PROGRAMS = "requests_log.datasets.imports.programs"


def prepare(running: RunningJob) -> dict[str, Any]:
    """Run the program and keep the records it wrote; doing it again replaces them."""
    rows = DatasetImport.objects.select_related("project", "dataset")
    found = rows.filter(pk=UUID(running.payload["import"])).first()
    if found is None:
        raise NotFound("The import is gone. Upload the document again.")
    with draft_folder() as folder:
        out = folder / FILE_NAME
        is_hub = found.kind == DatasetImport.Kind.HUB
        told = (_of_hub if is_hub else _document)(found, out, running)
        try:
            looked = recognise(out, "rows.jsonl")
        except BadFile as problem:
            raise FileRefused.because(problem) from problem
        found.found = {"columns": list(looked.columns)} | told
        found.size = out.stat().st_size if is_hub else found.size
        found.format, found.container = looked.format.name, looked.container.kind
        found.mapping, found.total = {}, None
        found.address = blobs.publish(folder, f"dataset-imports/{found.pk}")
    fields = ["found", "size", "format", "container", "mapping", "total", "address"]
    found.save(update_fields=fields)
    return dict(found.found)


def _of_hub(found: DatasetImport, out: Path, running: RunningJob) -> dict[str, Any]:
    options = found.options
    spec = {
        "endpoint": settings.HUB_URL,
        "token": reading_token(found.project, options["connection"]),
        "repository": options["repository"],
        "revision": options["revision"],
        "config": options["config"],
        "split": options["split"],
        "rows": options["rows"],
        "out": str(out),
    }
    env = {
        "HF_ENDPOINT": settings.HUB_URL,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    }
    return run_program(f"{PROGRAMS}.hub", spec, running=running, env=env)


def _document(found: DatasetImport, out: Path, running: RunningJob) -> dict[str, Any]:
    spec = {
        "path": str(path_of(found.original)),
        "extension": Path(found.name).suffix.lower(),
        "tokens": found.options["tokens"],
        "out": str(out),
    }
    return run_program(f"{PROGRAMS}.documents", spec, running=running)
