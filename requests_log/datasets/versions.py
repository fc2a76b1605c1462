"""What people and programs can do with frozen versions: annotate, delete."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import ProtectedError

from requests_log.datasets.downstream import Dependent, dependents_of
from requests_log.datasets.models import Dataset, DatasetVersion
from workbench.core.errors import DomainError, InvalidInput

MAX_NOTES = 2_000
NAMED = 5


class VersionInUse(DomainError):
    """Something that was made of the version needs it."""

    code = "version_in_use"


def annotate_version(version: DatasetVersion, *, notes: str) -> None:
    """Write other notes; they are the one thing about a version that may change.

    Raises:
        InvalidInput: the notes are too long or hold a NUL character.
    """
    notes = notes.strip()
    if len(notes) > MAX_NOTES or "\x00" in notes:
        raise InvalidInput(f"Notes have at most {MAX_NOTES:,} characters and no NUL. Shorten them.")
    DatasetVersion.objects.filter(pk=version.pk).update(notes=notes)
    version.notes = notes


def delete_version(version: DatasetVersion) -> None:
    """Delete a frozen version for good; its number is not given again.

    Raises:
        VersionInUse: a run, a model or a comparison stands on it.
    """
    with transaction.atomic():
        Dataset.objects.select_for_update().get(pk=version.dataset_id)
        using = dependents_of([version.pk])
        if using:
            raise VersionInUse(_told(version, using))
        try:
            version.delete()
        except ProtectedError as problem:  # it came into use between the look and the delete
            raise VersionInUse(f"{version} just came into use. Reload the page.") from problem


def _told(version: DatasetVersion, using: Sequence[Dependent]) -> str:
    names = ", ".join(f"“{one.name}”" for one in using[:NAMED])
    more = f" and {len(using) - NAMED:,} more" if len(using) > NAMED else ""
    return (
        f"{version} cannot be deleted: {names}{more} stand on it, and could no longer be traced to "
        "their examples. Keep it, or delete them first."
    )
