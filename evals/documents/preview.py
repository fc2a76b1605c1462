"""Documents and their first chunks, as pages and the API show them before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from evals.documents.chunks import Chunk, Cutting
from evals.documents.models import Document, DocumentSet
from requests_log.datasets.imports.chunking import sizes

MOST_CHARACTERS = 400_000
"""That are cut to be looked at; the rest is only counted."""
SHOWN = 40


@dataclass(frozen=True)
class Shown:
    """A chunk and the document it is of; `number` counts from 1 over all documents."""

    number: int
    document: Document
    chunk: Chunk


class Preview:
    """The documents of a set, and the chunks they are cut into."""

    def __init__(self, found: DocumentSet, cutting: Cutting | None = None) -> None:
        self.collection = found
        self.cutting = cutting or found.cutting

    @cached_property
    def documents(self) -> list[Document]:
        """All of them, without their texts."""
        return list(self.collection.documents.defer("text").order_by("position"))

    @property
    def read(self) -> int:
        return sum(one.characters > 0 for one in self.documents)

    @property
    def refused(self) -> int:
        return sum(bool(one.error) for one in self.documents)

    @property
    def share(self) -> float:
        """Of the documents, those that are done with."""
        return (self.read + self.refused) / max(1, len(self.documents))

    @cached_property
    def chunks(self) -> list[Shown]:
        """The chunks of the first documents, up to `MOST_CHARACTERS` of text."""
        return list(self._cut())

    @property
    def rows(self) -> list[Shown]:
        return self.chunks[:SHOWN]

    @cached_property
    def is_whole(self) -> bool:
        """Every document was cut to be counted."""
        return sum(one.characters for one in self.documents) <= MOST_CHARACTERS

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many chunks there are and how large: `pieces`, `tokens`, `shortest` …"""
        return sizes([one.chunk.tokens for one in self.chunks])

    @property
    def count(self) -> int:
        """How many chunks there are; about, unless `is_whole`."""
        whole = sum(one.characters for one in self.documents)
        seen = sum(one.chunk.end - one.chunk.start for one in self.chunks)
        return (
            round(len(self.chunks) * whole / seen)
            if seen and not self.is_whole
            else len(self.chunks)
        )

    def _cut(self) -> Iterator[Shown]:
        left, number = MOST_CHARACTERS, 0
        for document in self.collection.documents.readable().iterator(chunk_size=1):
            if left <= 0:
                return
            text = document.text[:left]
            left -= len(text)
            document.text = text
            for chunk in document.chunks(self.cutting):
                number += 1
                yield Shown(number, document, chunk)
