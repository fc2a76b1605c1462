"""How a candidate asks about a row: as the row stands, through a prompt of the registry, and after
worked examples of the same dataset version."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from typing import Any

from evals.graders.questions import asked_text
from evals.models import Candidate, Comparison
from evals.pipelines.steps.prompting import response_format
from prompts.content import PLACEHOLDER, Content, needed_variables
from prompts.resolving import compiled, fetch
from requests_log.datasets.canonical import text_of
from requests_log.datasets.models import VersionRow
from workbench.core.errors import InvalidInput
from workbench.core.models import Project

MOST_SHOTS = 16
SPARE = 64
"""Examples read beyond those wanted, as some may be of a row's own group."""
MESSAGES, QUESTION, ANSWER = "messages", "question", "answer"
BRIEFING = ("system", "developer")
# Keys of our own in a stored message, which a provider might refuse.
OURS = frozenset({"weight", "reasoning_content"})
JINJA = "jinja"
Message = dict[str, Any]


@dataclass(frozen=True)
class Shot:
    """A worked example: what was asked, what was answered, and the group it is of."""

    asked: list[Message]
    answer: Message
    group: bytes

    @property
    def question(self) -> str:
        return asked_text(_talk(self.asked))


@dataclass(frozen=True)
class Way:
    """The way a candidate asks: `content` is its prompt, `shots` those it may show `many` of."""

    content: Content | None = None
    shots: Sequence[Shot] = ()
    many: int = 0

    @property
    def parameters(self) -> dict[str, Any]:
        """What the prompt asks for beside its messages; its own settings do not count, so that all
        candidates are asked alike."""
        schema = self.content.response_schema if self.content else None
        return {"response_format": response_format(schema)} if schema else {}

    async def messages(self, asked: list[Message], group: bytes) -> list[Message]:
        """What is sent about a row. Jinja works in a process of its own, which a thread waits for.

        Raises:
            MissingVariables, BadTemplate, RenderingStopped: the prompt fails with this row.
        """
        if self.content is not None and self.content.syntax == JINJA:
            return await asyncio.to_thread(self._messages, asked, group)
        return self._messages(asked, group)

    def _messages(self, asked: list[Message], group: bytes) -> list[Message]:
        whole = prompted(self.content, asked)
        briefing = [one for one in whole if one["role"] in BRIEFING]
        return [*briefing, *self._worked(asked, group), *_talk(whole)]

    def _worked(self, asked: list[Message], group: bytes) -> Iterator[Message]:
        """The examples, none of the row's own group and none that asks the same."""
        question = asked_text(_talk(asked))
        fitting = (one for one in self.shots if one.group != group and one.question != question)
        for shot in islice(fitting, self.many):
            yield from _talk(prompted(self.content, shot.asked))
            yield shot.answer


def way_of(candidate: Candidate) -> Way:
    """How a candidate of a comparison asks."""
    kept = candidate.prompt_content
    content = Content(**kept) if kept else None
    if not candidate.few_shot:
        return Way(content)
    shots = islice(shots_of(candidate.comparison), candidate.few_shot + SPARE)
    return Way(content, list(shots), candidate.few_shot)


def shots_of(comparison: Comparison) -> Iterator[Shot]:
    """Rows to show as examples, in the frozen order: those of the other side of the split, which
    shares no group with the rows asked, then those of the same side."""
    rows = VersionRow.objects.filter(version=comparison.dataset_version).order_by("position")
    other = rows.exclude(split=comparison.split).select_related("content")
    same = rows.filter(split=comparison.split).select_related("content")
    for row in chain(other.iterator(), same.iterator()):
        *asked, answer = cleaned(row.content.body["messages"])
        yield Shot(asked, answer, bytes(row.fingerprint))


def pinned_prompt(project: Project, text: str) -> tuple[str, dict[str, Any] | None]:
    """A prompt's version with its number and what it says now, snippets put in; nothing for none.

    Raises:
        NotFound: no such prompt, version or label.
        InvalidInput: it takes variables that rows of a dataset do not have.
    """
    if not text:
        return "", None
    found = fetch(project, text)
    ref = f"{found.prompt}:{found.version.number}"
    own = sorted(_own_variables(found.content))
    if len(own) > 1 or ANSWER in own:
        named = ", ".join(f"“{name}”" for name in own)
        raise InvalidInput(
            f"“{ref}” takes {named}. A row of a dataset brings its "
            "question and its messages: let the prompt take “question”, “messages”, one other "
            "variable that the question is put in for, or none."
        )
    return ref, asdict(found.content)


def prompted(content: Content | None, asked: list[Message]) -> list[Message]:
    """The row's messages through a prompt: its question put in for the prompt's variable; where the
    prompt has none, the prompt first and the row's conversation after it."""
    if content is None:
        return asked
    talk = _talk(asked)
    said: Message = next((one for one in reversed(talk) if one["role"] == "user"), {})
    question = text_of(said.get("content"))
    names = dict.fromkeys([QUESTION, *_own_variables(content)], question)
    made = compiled(content, {**names, MESSAGES: talk})
    if _needs(content):
        return [{"role": "user", "content": made}] if isinstance(made, str) else made
    briefing = [{"role": "system", "content": made}] if isinstance(made, str) else made
    return [*briefing, *talk]


def cleaned(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Stored messages as a provider takes them."""
    return [{k: v for k, v in one.items() if k not in OURS} for one in messages]


def _needs(content: Content) -> set[str]:
    placeholders = {one["name"] for one in content.messages if one.get("type") == PLACEHOLDER}
    return set(needed_variables(content)) | placeholders


def _own_variables(content: Content) -> set[str]:
    """Variables that a row does not bring by name."""
    return _needs(content) - {QUESTION, MESSAGES}


def _talk(messages: Sequence[Message]) -> list[Message]:
    """The messages but for those that brief the model."""
    return [one for one in messages if one["role"] not in BRIEFING]
