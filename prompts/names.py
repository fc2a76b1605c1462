"""How prompts, labels and variables are called, and what a ref such as `name@label` means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.core.errors import InvalidInput

MAX_NAME = 200
PART = re.compile(r"[A-Za-z0-9._-]+")
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
NUMBER = re.compile(r"[1-9][0-9]{0,8}")
RESERVED_PARTS = frozenset({"versions", "labels", "diff", "compile"})
"""Ends of addresses below a prompt's own."""
LATEST = "latest"
PRODUCTION = "production"


@dataclass(frozen=True)
class Ref:
    """A prompt by name, and at most one of a label and a version number."""

    name: str
    label: str = ""
    version: int | None = None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.name}:{self.version}"
        return f"{self.name}@{self.label}" if self.label else self.name


def parse_ref(text: str) -> Ref:
    """Read `name`, `name@label`, `name:3`, `prompts:/name@label` or `prompts:/name/3`.

    Raises:
        InvalidInput: what stands behind : is no version number, or behind @ no label.
    """
    uri = text.startswith("prompts:/")
    rest = text.removeprefix("prompts:/") if uri else text
    name, at, label = rest.partition("@")
    if at:
        return Ref(name, label=require_label(label))
    folder, slash, last = rest.rpartition("/")
    if uri and slash and NUMBER.fullmatch(last):
        return Ref(folder, version=int(last))
    name, colon, number = rest.partition(":")
    return Ref(name, version=read_number(number)) if colon else Ref(rest)


def read_number(text: str) -> int:
    """A version number.

    Raises:
        InvalidInput: it is not a whole number from 1.
    """
    if not NUMBER.fullmatch(text):
        raise InvalidInput(f"version must be a whole number from 1, not “{text[:40]}”.")
    return int(text)


def require_name(name: str) -> str:
    """The name, if a prompt can be called so.

    Raises:
        InvalidInput: it cannot; the sentence says what may be used.
    """
    parts = name.split("/")
    if len(name) > MAX_NAME or not all(PART.fullmatch(part) for part in parts):
        raise InvalidInput(
            f"“{name[:80]}” cannot name a prompt. Use letters, digits, dots, - and _, with single "
            f"slashes between folders, such as support/triage; at most {MAX_NAME} characters."
        )
    reserved = next((part for part in parts if part.lower() in RESERVED_PARTS), None)
    if reserved or not set(parts).isdisjoint({".", ".."}):
        raise InvalidInput(
            f"No part of a prompt's name may be {', '.join(sorted(RESERVED_PARTS))}, . or .. ; "
            f"choose another word in “{name[:80]}”."
        )
    if parts[-1].isdigit():
        raise InvalidInput(
            f"The last part of “{name[:80]}” is a number, which would read as a version. "
            "Add a letter."
        )
    return name


def require_label(label: str) -> str:
    """The label, if it can be one; `latest` is one that moves by itself.

    Raises:
        InvalidInput: it cannot be one.
    """
    if not LABEL.fullmatch(label):
        raise InvalidInput(
            f"“{label[:60]}” cannot be a label. Use letters, digits, - and _, such as production."
        )
    return label


def require_movable_label(label: str) -> str:
    """The label, if people may move it.

    Raises:
        InvalidInput: it cannot be a label, or is `latest`.
    """
    if require_label(label) == LATEST:
        raise InvalidInput("latest always means the newest version. Choose another label to move.")
    return label


def in_words(shares: Sequence[Mapping[str, int]]) -> str:
    """Shares: 3, or 3 (90 %) and 4 (10 %); a dash for none."""
    if len(shares) < 2:
        return str(shares[0]["version"]) if shares else "\N{EN DASH}"
    told = [f"{one['version']} ({one['percent']} %)" for one in shares]
    return f"{', '.join(told[:-1])} and {told[-1]}"
