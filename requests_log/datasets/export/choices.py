"""What people and programs may say of an export, read from a form or an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.http import QueryDict

from requests_log.datasets.export.formats import Format, format_named
from requests_log.datasets.export.plans import Plan
from requests_log.datasets.export.sources import DraftSource, Source, VersionSource
from requests_log.datasets.models import Dataset, DatasetVersion
from workbench.core.errors import InvalidInput, NotFound

DEFAULT_FORMAT = "openai"
FORMULAS = ("exact", "text")
SHAPES = ("zip", "file")
NAMES = ("format", "split", "licence", "formulas", "as")
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}")


@dataclass(frozen=True)
class Choices:
    """How to export; `split` None means all of them, `is_file` the data alone, without a card."""

    format: Format
    split: str | None = None
    licence: str = ""
    is_guarded: bool = False
    is_file: bool = False

    def plan(self, source: Source) -> Plan:
        return Plan(source, self.format, self.licence, self.is_guarded)


def told_by(form: QueryDict) -> dict[str, str]:
    """The choices that a form or an address holds; of several values the last."""
    return {name: str(form.get(name, "")) for name in NAMES}


def read_choices(told: Mapping[str, str]) -> Choices:
    """The choices in `format`, `split`, `licence`, `formulas` and `as`.

    Raises:
        InvalidInput: one of them makes no sense; the sentence says what may be written.
    """
    chosen = format_named(told.get("format") or DEFAULT_FORMAT)
    formulas = _one_of("formulas", told.get("formulas") or "exact", FORMULAS)
    shape = _one_of("as", told.get("as") or "zip", SHAPES)
    return Choices(
        chosen,
        told.get("split") or None,
        _licence(told.get("licence", "")),
        is_guarded=formulas == "text" and chosen.name == "csv",
        is_file=shape == "file",
    )


def source_of(dataset: Dataset, number: str, choices: Choices, *, at: datetime) -> Source:
    """A version by its number, or the draft when none is given.

    Raises:
        InvalidInput: it has no such split.
        NotFound: there is no such version.
    """
    if not number:
        return DraftSource(dataset, at=at, split=choices.split)
    versions = DatasetVersion.objects.filter(dataset=dataset).select_related("dataset")
    known = number.isascii() and number.isdigit() and len(number) < 10
    version = versions.filter(number=int(number)).first() if known else None
    if version is None:
        raise NotFound(f"“{dataset}” has no version {number[:20]}. Look at its Versions tab.")
    return VersionSource(version, split=choices.split)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise InvalidInput(f"{name} must be one of: {', '.join(allowed)}.")
    return value


def _licence(text: str) -> str:
    """An identifier such as the Hub uses: `apache-2.0`, `cc-by-4.0`, `other`."""
    text = text.strip().lower()
    if text and not _LICENCE.fullmatch(text):
        raise InvalidInput("Write the licence as its identifier, such as apache-2.0 or cc-by-4.0.")
    return text
