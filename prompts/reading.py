"""What the pages show of prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from prompts.actions import previous_shares
from prompts.content import Content, content_of
from prompts.models import LARGE, LabelMove, Prompt, PromptEvent, PromptLabel, PromptVersion
from prompts.names import LATEST, in_words
from prompts.resolving import version_of
from prompts.uses import Outcome, Use, outcomes_of, uses_of
from workbench.core.models import Project, User

MOST_PROMPTS = 300
VERSIONS_SHOWN = 25
MOST_MOVES = 50
MOST_NUMBERS = 500
MOST_SHARES = 5
"""Versions that the form can split a label among."""
PRODUCTION = "production"
"""Versions that a list of choices offers."""


@dataclass(frozen=True)
class Folder:
    """A folder directly below the one shown; `prompts` are all in it, however deep."""

    path: str
    name: str
    prompts: int


@dataclass(frozen=True)
class Listed:
    """A prompt of the list, with its requests of the last thirty days."""

    prompt: Prompt
    requests: int


@dataclass(frozen=True)
class Listing:
    """A folder's contents, or what a search found, by name."""

    folders: list[Folder]
    rows: list[Listed]
    total: int

    @property
    def is_cut(self) -> bool:
        """Whether there are more than fit."""
        return len(self.rows) == MOST_PROMPTS


def deleted_prompts(project: Project) -> list[PromptEvent]:
    """Who deleted which prompt, newest first."""
    events = PromptEvent.objects.filter(project=project, kind=PromptEvent.Kind.DELETED)
    return list(events.select_related("by").order_by("-pk")[:MOST_MOVES])


def listing(project: Project, *, folder: str, text: str, archived: bool, at: datetime) -> Listing:
    """What lies directly in a folder; with a text, everything below it that matches."""
    found = Prompt.objects.in_project(project).in_folder(folder)
    found = found.exclude(archived_at=None) if archived else found.current()
    if text or archived:
        shown = found.matching(text)
        return Listing([], _listed(project, shown, at), shown.count())
    start = f"{folder}/" if folder else ""
    names = [name.removeprefix(start) for name in found.values_list("name", flat=True)]
    below = Counter(name.partition("/")[0] for name in names if "/" in name)
    folders = [Folder(f"{start}{name}", name, below[name]) for name in sorted(below)]
    here = [f"{start}{name}" for name in names if "/" not in name]
    return Listing(folders, _listed(project, found.filter(name__in=here), at), len(names))


def _listed(project: Project, found: Any, at: datetime) -> list[Listed]:
    prompts = list(found.by_name().with_labels()[:MOST_PROMPTS])
    requests: Counter[str] = Counter()
    for use in uses_of(project, [prompt.name for prompt in prompts], at=at):
        requests[use.prompt] += use.requests
    return [Listed(prompt, requests[prompt.name]) for prompt in prompts]


@dataclass(frozen=True)
class ShownLabel:
    """A label, why it stands where it does, and where a roll-back would put it."""

    label: PromptLabel
    shares: list[dict[str, int]]
    last_move: LabelMove | None
    before: list[dict[str, int]] | None


@dataclass(frozen=True)
class Moving:
    """What the form that moves a label starts with.

    A split is shown as it is, to be changed; else the version looked at is offered.
    """

    label: str
    now: list[dict[str, int]]
    version: int
    others: list[dict[str, int]]


@dataclass(frozen=True)
class ShownVersion:
    """A line of the list of versions."""

    version: PromptVersion
    labels: list[str]
    use: Use | None
    outcome: Outcome | None


@dataclass(frozen=True)
class Deed:
    """A line of the history: a label that was moved, or something else that somebody did."""

    label: str
    what: str
    why: str
    by: User | None
    at: datetime


class PromptReading:
    """A prompt with its labels, versions and history; one version is shown whole.

    Of the versions, those from number `top` down are listed; the newest without one.
    """

    def __init__(
        self, prompt: Prompt, *, number: int | None, at: datetime, top: int | None = None
    ) -> None:
        self.prompt, self._at = prompt, at
        self.top = min(top or prompt.versions_made, prompt.versions_made)
        self.uses = uses_of(prompt.project, [prompt.name], at=at)
        rows = PromptVersion.objects.filter(prompt=prompt).select_related("created_by")
        shown = rows.filter(number__lte=self.top).newest_first().defer(*LARGE)
        self._versions = list(shown[:VERSIONS_SHOWN])
        labelled = Prompt.objects.with_labels().get(pk=prompt.pk)
        self._labels = list(labelled.labels.all())
        self.moves = self._moves()
        self.chosen = version_of(prompt, number or self._first_shown())

    @property
    def content(self) -> Content:
        return content_of(self.chosen)

    @property
    def numbers(self) -> Sequence[int]:
        """The versions to choose from; numbers have no gap."""
        newest = self.prompt.versions_made
        offered = {*range(newest, max(0, newest - MOST_NUMBERS), -1), self.chosen.number}
        pointed_at = {share["version"] for label in self._labels for share in label.shares}
        return sorted(offered | pointed_at, reverse=True)

    @property
    def newer(self) -> int | None:
        """Where the page of newer versions begins."""
        newest = self.prompt.versions_made
        return min(self.top + VERSIONS_SHOWN, newest) if self.top < newest else None

    @property
    def older(self) -> int | None:
        """Where the page of older versions begins."""
        return self.top - VERSIONS_SHOWN if self.top > VERSIONS_SHOWN else None

    @cached_property
    def labels(self) -> list[ShownLabel]:
        before = previous_shares(self.prompt)
        last = {move.label: move for move in reversed(self.moves)}
        return [
            ShownLabel(label, label.shares, last.get(label.name), before.get(label.name))
            for label in self._labels
        ]

    @property
    def moving(self) -> Moving:
        """How the form that moves a label begins: with production if it is there."""
        at_hand = sorted(self._labels, key=lambda label: label.name != PRODUCTION)
        if not at_hand:
            return Moving(PRODUCTION, [], self.chosen.number, [{}] * (MOST_SHARES - 1))
        now = sorted(at_hand[0].shares, key=lambda share: -share["percent"])
        version = now[0]["version"] if len(now) > 1 else self.chosen.number
        others = [*now[1:], *[{}] * (MOST_SHARES - len(now))]
        return Moving(at_hand[0].name, at_hand[0].shares, version, others)

    @property
    def versions(self) -> list[ShownVersion]:
        uses = {use.version: use for use in self.uses}
        outcomes = outcomes_of(self.prompt.project, self.prompt.name, at=self._at) if uses else {}
        return [
            ShownVersion(one, self._names_on(one.number), uses.get(one.number),
                         outcomes.get(one.number))
            for one in self._versions
        ]  # fmt: skip

    @cached_property
    def history(self) -> list[Deed]:
        """What was done to the labels and to the prompt itself, newest first."""
        events = PromptEvent.objects.filter(prompt=self.prompt).select_related("by")
        deeds = [
            Deed(move.label, f"{in_words(move.before)} \N{RIGHTWARDS ARROW} {in_words(move.after)}",
                 move.reason, move.by, move.at)
            for move in self.moves
        ]  # fmt: skip
        deeds += [
            Deed(event.label, event.get_kind_display(), "", event.by, event.at)
            for event in events.order_by("-pk")[:MOST_MOVES]
        ]
        return sorted(deeds, key=lambda deed: deed.at, reverse=True)[:MOST_MOVES]

    def _names_on(self, number: int) -> list[str]:
        names = [
            label.name
            for label in self._labels
            if any(share["version"] == number for share in label.shares)
        ]
        return [*names, LATEST] if number == self.prompt.versions_made else names

    def _first_shown(self) -> int:
        """What production means, or the newest."""
        production = next((one for one in self._labels if one.name == PRODUCTION), None)
        most = max(production.shares, key=lambda one: one["percent"]) if production else None
        return most["version"] if most else self.prompt.versions_made

    def _moves(self) -> list[LabelMove]:
        moves = LabelMove.objects.filter(prompt=self.prompt).select_related("by")
        return list(moves.order_by("-pk")[:MOST_MOVES])
