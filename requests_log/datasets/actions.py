"""What people and programs can do with datasets: make, fill, prune, freeze."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from requests_log.datasets import freezing
from requests_log.datasets.canonical import BadRow, read_row
from requests_log.datasets.hygiene.models import Fix
from requests_log.datasets.models import Dataset, DatasetVersion, Example
from requests_log.datasets.splits import heldout_share, threshold
from requests_log.datasets.storing import CHUNK, Incoming, store
from requests_log.datasets.tags import in_words
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project, User

MAX_ROWS = 20_000
MAX_PROBLEMS = 100
RESERVED_SLUGS = frozenset({"new", "pick", "add-selected", "of-request", "export-selected"})


class NothingToFreeze(DomainError):
    """The dataset has no examples."""

    code = "nothing_to_freeze"


class NameTaken(DomainError):
    """Another dataset of the project has this name."""

    code = "name_taken"


@dataclass(frozen=True)
class RowError:
    """Why one row of a call was not stored."""

    index: int
    code: str
    message: str


@dataclass(frozen=True)
class Added:
    """What became of the rows: new, there already, or not usable (the first problems are told)."""

    added: int = 0
    duplicates: int = 0
    rejected: int = 0
    problems: list[RowError] = field(default_factory=list)


def create_dataset(
    project: Project,
    *,
    name: str,
    by: User | None,
    description: str = "",
    group_by: str = Dataset.GroupBy.PROMPT,
) -> Dataset:
    """Make an empty dataset; its slug comes from the name.

    Raises:
        InvalidInput: no name, or an unknown grouping.
        NameTaken: the project has a dataset of that name.
    """
    name = name.strip()[:120]
    if not name:
        raise InvalidInput("Give the dataset a name, such as “checkout answers”.")
    if "\x00" in name + description:
        raise InvalidInput("The name or the description holds a NUL character. Remove it.")
    if group_by not in Dataset.GroupBy.values:
        raise InvalidInput(f"group_by must be one of: {', '.join(Dataset.GroupBy.values)}.")
    slug = slugify(name)[:60].strip("-") or "dataset"
    if slug in RESERVED_SLUGS:
        slug = f"{slug}-dataset"
    try:
        with transaction.atomic():
            return Dataset.objects.create(
                project=project,
                slug=slug,
                name=name,
                description=description.strip(),
                group_by=group_by,
                created_by=by,
            )
    except IntegrityError as problem:
        raise NameTaken(
            f"There is a dataset “{slug}” already. Add to it, or choose another name."
        ) from problem


def add_examples(
    dataset: Dataset,
    *,
    rows: Iterable[object],
    provenance: str = Example.Provenance.IMPORT,
) -> Added:
    """Store rows `{"messages": […], "tools"?: […], "group"?: "…"}`; good rows are kept, bad told.

    Rows the dataset holds already are counted as duplicates. At most 20,000 rows a call; they are
    read a few hundred at a time.

    Raises:
        InvalidInput: too many rows (none is stored), or an unknown provenance.
    """
    if provenance not in Example.Provenance.values:
        raise InvalidInput(f"provenance must be one of: {', '.join(Example.Provenance.values)}.")
    added = count = rejected = 0
    problems: list[RowError] = []
    chunk: list[Incoming] = []
    with transaction.atomic():
        for count, row in enumerate(rows, start=1):
            if count > MAX_ROWS:
                raise InvalidInput(f"Send at most {MAX_ROWS:,} rows a call; split the rest.")
            try:
                chunk.append(Incoming(read_row(row), provenance))
            except BadRow as bad:
                rejected += 1
                if len(problems) < MAX_PROBLEMS:
                    problems.append(RowError(count - 1, bad.code, bad.sentence))
            if len(chunk) == CHUNK:
                added += store(dataset, chunk)
                chunk = []
        added += store(dataset, chunk)
    return Added(added, count - rejected - added, rejected, problems)


def add_answered(dataset: Dataset, *, row: object, provenance: str, request_id: UUID) -> Added:
    """Store one row whose answer came of a logged call; the example names the call.

    Raises:
        InvalidInput: the row is no conversation that ends with an answer.
    """
    try:
        ready = read_row(row)
    except BadRow as bad:
        raise InvalidInput(bad.sentence, code=bad.code) from bad
    with transaction.atomic():
        added = store(dataset, [Incoming(ready, provenance, request_id)])
    return Added(added, 1 - added)


def remove_examples(dataset: Dataset, *, ids: Sequence[UUID]) -> int:
    """Take examples out of the dataset; frozen versions keep theirs. Returns how many went."""
    with transaction.atomic():
        Dataset.objects.select_for_update().get(pk=dataset.pk)
        removed, _ = Example.objects.in_dataset(dataset).filter(pk__in=ids).delete()
    return removed


def freeze_version(
    dataset: Dataset,
    *,
    by: User | None,
    at: datetime,
    split: tuple[float, float] = (90, 10),
    notes: str = "",
    filter_text: str = "",
    tags: Mapping[str, str] | None = None,
) -> DatasetVersion:
    """Write down which contents the dataset holds now, each on its side of the split.

    `split` is (train %, held-out %). With `tags`, only examples that have all of them; the
    version's filter text then begins with them. Freezing the same contents again gives a new
    number with the same content hash.

    Raises:
        NothingToFreeze: the dataset has no examples, or none with these tags.
        InvalidInput: the split does not make 100 %.
    """
    share = heldout_share(split)
    with transaction.atomic():
        # FOR UPDATE: whoever adds an example needs a share of this row in order to commit.
        dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
        cut: dict[str, Any] = {"threshold": threshold(share), "tags": tags or {}}
        facts = freezing.facts_of(dataset, **cut)
        if facts.content_hash is None:
            raise _nothing(dataset, tags or {})
        dataset.versions_made += 1
        dataset.save(update_fields=["versions_made"])
        fixes = Fix.objects.filter(dataset=dataset).in_force().order_by("pk")
        chosen_by = f"{in_words(tags or {})} {filter_text.strip()}".strip()
        values: dict[str, Any] = {"notes": notes.strip(), "filter_text": chosen_by}
        version = DatasetVersion.objects.create(
            dataset=dataset,
            number=dataset.versions_made,
            transforms=[fix.as_transform() for fix in fixes],
            content_hash=facts.content_hash,
            train_rows=facts.train_rows,
            heldout_rows=facts.heldout_rows,
            heldout_percent=share,
            created_by=by,
            created_at=at,
            **values,
        )
        freezing.write_rows(version, **cut)
    return version


def _nothing(dataset: Dataset, tags: Mapping[str, str]) -> NothingToFreeze:
    if tags:
        told = in_words(tags)
        return NothingToFreeze(f"No example of “{dataset}” has {told}. Choose other tags.")
    return NothingToFreeze(f"“{dataset}” has no examples yet. Add some, then freeze it.")
