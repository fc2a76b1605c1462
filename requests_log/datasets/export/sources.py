"""What can be exported: a dataset as it is now, a frozen version, selected requests of the log.

A source is read in chunks of bounded size, split by split, by key and never by offset; nothing is
held between two chunks, so that a slow reader costs the database nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db.models import Count

from requests_log.datasets.harvest import read_requests, reason_in_words
from requests_log.datasets.models import (
    READ_CHUNK,
    Dataset,
    DatasetVersion,
    Example,
    VersionRow,
    read_contents,
)
from requests_log.selection import Selection
from workbench.core.errors import InvalidInput
from workbench.core.models import Project

WHOLE = "train"
"""The one split of what was never split: what loaders call it when nothing is said."""


@dataclass(frozen=True)
class Chunk:
    """Some rows as canonical JSON, and how many could not be read, by reason."""

    payloads: list[bytes]
    unread: Mapping[str, int] = field(default_factory=dict)


class Source(Protocol):
    """Rows to export and what a card says about them."""

    @property
    def title(self) -> str: ...

    @property
    def stem(self) -> str:
        """The name of a file, without what follows the dot."""

    @property
    def splits(self) -> tuple[str, ...]: ...

    def count(self) -> int:
        """Rows in all, those included that cannot be read."""

    def chunks(self, split: str) -> Iterator[Chunk]: ...

    def facts(self) -> list[tuple[str, str]]:
        """What is known of where the rows come from: (name, text) pairs."""


def _sides(found: tuple[str, ...], wanted: str | None) -> tuple[str, ...]:
    """The splits to export.

    Raises:
        InvalidInput: there is no such split.
    """
    if wanted is None:
        return found
    if wanted not in found:
        raise InvalidInput(f"split must be one of: {', '.join(found)}; leave it out for all.")
    return (wanted,)


class VersionSource:
    """A frozen version, or one split of it."""

    def __init__(self, version: DatasetVersion, *, split: str | None = None) -> None:
        """Raises InvalidInput when the version has no such split."""
        self.version = version
        rows = {"train": version.train_rows, "heldout": version.heldout_rows}
        self._rows = {name: count for name, count in rows.items() if count}
        self.splits = _sides(tuple(self._rows), split)
        self.title = str(version)
        suffix = f"-{split}" if split else ""
        self.stem = f"{version.dataset.slug}-v{version.number}{suffix}"

    def count(self) -> int:
        return sum(self._rows[split] for split in self.splits)

    def chunks(self, split: str) -> Iterator[Chunk]:
        for chunk in self.version.chunks(split):
            yield Chunk([payload for _, _, payload in chunk])

    def facts(self) -> list[tuple[str, str]]:
        version = self.version
        rows = VersionRow.objects.filter(version=version, split__in=self.splits)
        return [
            ("Dataset", version.dataset.name),
            ("Version", f"{version.number}, frozen {_moment(version.created_at)}"),
            ("Content hash", f"{version.content_hash} (of the whole version)"),
            (
                "Split",
                f"{100 - version.heldout_percent:g} % train, {version.heldout_percent:g} % held "
                f"out; kept together: {version.dataset.get_group_by_display().lower()}",
            ),
            ("Provenance", _provenance(rows)),
            *_told("Filter", version.filter_text),
            *_told("Description", version.dataset.description),
            *_told("Notes", version.notes),
        ]


class DraftSource:
    """A dataset as it is now, oldest example first; what is added meanwhile is left out."""

    def __init__(self, dataset: Dataset, *, at: datetime, split: str | None = None) -> None:
        """Raises InvalidInput when a split is asked for that a draft does not have."""
        self._dataset = dataset
        self._at = at
        self.splits = _sides((WHOLE,), split)
        self.title = f"{dataset} (draft)"
        self.stem = f"{dataset.slug}-draft"
        newest = Example.objects.in_dataset(dataset).order_by("-pk").values_list("pk", flat=True)
        self._last: UUID | None = newest.first()

    def count(self) -> int:
        return int(self._rows().count())

    def chunks(self, split: str) -> Iterator[Chunk]:
        after: UUID | None = None
        while rows := self._after(after):
            yield Chunk([payload for _, payload in rows])
            after = rows[-1][0]

    def facts(self) -> list[tuple[str, str]]:
        return [
            ("Dataset", self._dataset.name),
            ("Version", f"none: the draft as it was {_moment(self._at)}"),
            ("Split", "none; freeze a version to have one"),
            ("Provenance", _provenance(self._rows())),
            *_told("Description", self._dataset.description),
        ]

    def _rows(self) -> Any:
        rows = Example.objects.in_dataset(self._dataset)
        return rows.none() if self._last is None else rows.filter(pk__lte=self._last)

    def _after(self, key: UUID | None) -> list[tuple[UUID, bytes]]:
        rows = self._rows().order_by("pk")
        if key is not None:
            rows = rows.filter(pk__gt=key)
        keys = list(rows.values_list("pk", "content")[:READ_CHUNK])
        found = read_contents([content for _, content in keys])
        return [(key, payload) for (key, _), (_, payload) in zip(keys, found, strict=False)]


class SelectionSource:
    """Selected requests of the log as conversations, newest first; equal ones are all kept."""

    def __init__(self, project: Project, selection: Selection, *, split: str | None = None) -> None:
        """Raises InvalidInput when the query has a problem, or a split is asked for."""
        selection.rows(project)
        self._project = project
        self._selection = selection
        self.splits = _sides((WHOLE,), split)
        self.title = f"Requests of {project}"
        self.stem = "requests"

    def count(self) -> int:
        return self._selection.count(self._project)

    def chunks(self, split: str) -> Iterator[Chunk]:
        for ids in self._selection.chunks(self._project):
            missing = len(ids)
            for run in read_requests(self._project.pk, ids, group_by=Dataset.GroupBy.PROMPT):
                missing -= len(run)
                unread = Counter(one.reason for one in run if one.example is None)
                yield Chunk([one.example.payload for one in run if one.example], _in_words(unread))
            if missing:
                yield Chunk([], _in_words({"missing": missing}))

    def facts(self) -> list[tuple[str, str]]:
        chosen = self._selection
        picked = f"{len(chosen.ids):,} requests picked by hand"
        matching = f"all that match “{chosen.query}”" if chosen.query else "all requests"
        but = f", but {len(chosen.excluded):,} of them" if chosen.excluded else ""
        return [
            ("Requests", picked if chosen.ids else f"{matching}{but}"),
            ("Version", f"none: the log as it was {_moment(chosen.at)}"),
            ("Provenance", "production: calls as they were logged"),
        ]


def _in_words(unread: Mapping[str, int]) -> dict[str, int]:
    return {reason_in_words(reason): many for reason, many in unread.items()}


def _provenance(rows: Any) -> str:
    """How many rows came from where."""
    counted = rows.order_by().values_list("provenance").annotate(n=Count("*"))
    return ", ".join(
        f"{Example.Provenance(name).label.lower()} {count:,}"
        for name, count in sorted(counted, key=lambda item: (-item[1], item[0]))
    )


def _told(name: str, text: str) -> list[tuple[str, str]]:
    return [(name, text.strip())] if text.strip() else []


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
