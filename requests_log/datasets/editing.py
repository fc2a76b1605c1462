"""Changing single examples; what one was before stays beside it."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from requests_log.datasets.canonical import BadRow, ReadyExample, read_row
from requests_log.datasets.models import Content, Dataset, Example, ExampleEdit
from requests_log.models import Correction
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import User


class NothingChanged(DomainError):
    """What was sent is what the example holds already."""

    code = "nothing_changed"


class ThereAlready(DomainError):
    """Another example of the dataset has this content."""

    code = "there_already"


def edit_example(example: Example, *, row: object, by: User | None, at: datetime) -> Example:
    """Put another row in an example's place; its answer is a person's from now on.

    The split's group stays as it is when somebody named it, and follows the prompt otherwise.

    Raises:
        InvalidInput: the row is no conversation that ends with an answer, no text and no inputs.
        NothingChanged: it is what stands there.
        ThereAlready: the dataset holds it as another example.
    """
    try:
        ready = read_row(row)
    except BadRow as bad:
        raise InvalidInput(bad.sentence, code=bad.code) from bad
    with transaction.atomic():
        found = lock_example(example)
        fingerprint = bytes(found.fingerprint)
        if fingerprint == read_row(found.content.body).fingerprint:
            fingerprint = ready.fingerprint
        content = content_of(found.dataset, ready)
        return replace_content(found, content, fingerprint, Example.Provenance.HUMAN, by=by, at=at)


def restore_example(example: Example, *, by: User | None, at: datetime) -> Example:
    """Put an example back to what it was before its first edit; that is an edit, too.

    Raises:
        NothingChanged: it was never edited, or is what it was.
        ThereAlready: the dataset holds the original as another example meanwhile.
    """
    with transaction.atomic():
        found = lock_example(example)
        first = found.edits.select_related("content").order_by("pk").first()
        if first is None:
            raise NothingChanged("This example is as it was added.")
        return replace_content(
            found, first.content, bytes(first.fingerprint), first.provenance, by=by, at=at
        )


def lock_example(example: Example) -> Example:
    """The example, and its dataset's row, which freezing locks as well."""
    Dataset.objects.select_for_update().get(pk=example.dataset_id)
    rows = Example.objects.select_related("content", "dataset")
    return rows.select_for_update(of=("self",)).get(pk=example.pk)


def replace_content(
    example: Example,
    content: Content,
    fingerprint: bytes,
    provenance: str,
    *,
    by: User | None,
    at: datetime,
) -> Example:
    """Give a locked example another content; the old one stays beside it.

    Raises:
        NothingChanged: it is the same.
        ThereAlready: the dataset holds it as another example.
    """
    if content.pk == example.content_id:
        raise NothingChanged("Nothing was changed.")
    ExampleEdit.objects.create(
        example=example,
        content=example.content,
        fingerprint=example.fingerprint,
        provenance=example.provenance,
        edited_by=by,
        edited_at=at,
    )
    example.content, example.fingerprint, example.provenance = content, fingerprint, provenance
    example.correction = newest_correction(example)  # whoever edits it has settled that
    try:
        with transaction.atomic():
            example.save(update_fields=["content", "fingerprint", "provenance", "correction"])
    except IntegrityError as problem:
        raise ThereAlready(
            "The dataset holds exactly this as another example. Remove one of the two instead."
        ) from problem
    return example


def newest_correction(example: Example) -> int | None:
    """The number of the newest correction of the example's request, if there is any."""
    if example.request_id is None:
        return None
    newest = Correction.objects.newest(example.dataset.project_id, [example.request_id])
    return newest[example.request_id].number if example.request_id in newest else None


def content_of(dataset: Dataset, ready: ReadyExample) -> Content:
    """The project's one copy of this content, stored if it is new."""
    facts = {
        name: getattr(ready, name)
        for name in (
            "payload", "question", "answer", "turns", "prompt_characters", "answer_characters",
        )
    }  # fmt: skip
    content, _ = Content.objects.get_or_create(
        project_id=dataset.project_id, sha256=ready.sha256, defaults=facts
    )
    return content
