"""What the page of one request shows beside the request itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from requests_log.feedback.correcting import plain_answer
from requests_log.models import Comment, Correction, LoggedRequest, LoggedScore
from requests_log.redaction.items import WITHHELD_BODY, WITHHELD_TEXT
from workbench.core.models import Project
from workbench.core.worddiff import Piece, word_diff

KNOWN_NAMES = 200
"""The latest scores whose names are offered when somebody types one."""
_TEXTS = ("error_message", "end_user", "session", "prompt_name", "model", "provider")


@dataclass(frozen=True)
class Said:
    """What people and programs said about a request."""

    logged: LoggedRequest
    scores: list[LoggedScore]
    comments: list[Comment]
    corrections: list[Correction]
    score_names: list[str]

    @property
    def correction(self) -> Correction | None:
        """The correction in force."""
        newest = self.corrections[0] if self.corrections else None
        return None if newest is None or newest.is_withdrawal else newest

    @cached_property
    def change(self) -> list[Piece]:
        """How the correction in force differs from what was logged."""
        answer = self.correction.answer if self.correction else None
        return word_diff(answer_words(self.logged.output), answer_words(answer))

    @property
    def thumbs(self) -> dict[str, bool]:
        """Who set the thumb, and whether up."""
        human = [one for one in self.scores if one.origin == "human" and one.name == "thumbs"]
        return {one.author or "": bool(one.number) for one in human}


def said_about(project: Project, logged: LoggedRequest) -> Said:
    """Scores of the request and of its trace, comments, corrections."""
    scores = LoggedScore.objects.in_project(project)
    latest = scores.newest_first().values_list("name", flat=True)[:KNOWN_NAMES]
    return Said(
        logged=logged,
        scores=list(scores.about(logged.id, logged.trace_id)),
        comments=list(Comment.objects.of_request(project, logged.id)),
        corrections=list(Correction.objects.of_request(project, logged.id)),
        score_names=sorted(set(latest)),
    )


def answer_words(answer: object) -> str:
    """An answer as one text to compare: its content, then a line for each tool it calls."""
    message = plain_answer(answer) or {}
    content = message.get("content")
    lines = [content if isinstance(content, str) else _parts(content)]
    for call in message.get("tool_calls") or []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            lines.append(f"{function.get('name')}({function.get('arguments')})")
    return "\n".join(line for line in lines if line)


def history(said: Said) -> list[dict[str, Any]]:
    """The corrections, newest first, each with what it changed in the answer before it."""
    steps = []
    before = answer_words(said.logged.output)
    for correction in reversed(said.corrections):
        after = answer_words(correction.answer or said.logged.output)
        steps.append({"correction": correction, "change": word_diff(before, after)})
        before = after
    return steps[::-1]


def withheld_parts(logged: LoggedRequest) -> list[str]:
    """Names of the parts that could not be redacted and were therefore not kept."""
    parameters = logged.parameters if isinstance(logged.parameters, dict) else {}
    found = ["request"] if "withheld" in parameters and not logged.messages else []
    if logged.response_size == len(WITHHELD_BODY) and logged.is_digested and logged.output is None:
        found.append("response")
    found += [name for name in _TEXTS if getattr(logged, name) == WITHHELD_TEXT]
    return found + (["tags"] if logged.tags.get("withheld") == WITHHELD_TEXT else [])


def _parts(content: object) -> str:
    texts = (
        [part.get("text") for part in content if isinstance(part, dict)]
        if isinstance(content, list)
        else []
    )
    return "\n".join(text for text in texts if isinstance(text, str))
