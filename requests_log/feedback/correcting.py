"""Correcting answers: what was logged stays, and what it should have been is kept beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from requests_log.encoding import LONG_TEXT_LIMIT
from requests_log.exact_json import MAX_DEPTH, is_deeper_than
from requests_log.feedback.models import Correction
from requests_log.feedback.texts import checked, redacted_answer, redacted_words
from requests_log.models import LoggedRequest, RequestRow
from workbench.core.errors import DomainError, InvalidInput, NotFound
from workbench.core.models import Project, User

MAX_ANSWER = 1_000_000
Message = dict[str, Any]


class NothingChanged(DomainError):
    """The answer is the one that is in force."""

    code = "nothing_changed"


class CorrectedMeanwhile(DomainError):
    """Somebody else corrected the answer after it was opened for editing."""

    code = "corrected_meanwhile"


def read_answer(content: str, tool_calls: str = "") -> Message:
    """An assistant's message from a text and, as JSON, the tools it calls.

    Raises:
        InvalidInput: there is neither, it is too long, or the calls are not ones.
    """
    calls = tool_calls.strip()
    found: Message = {"role": "assistant"}
    if content.strip() or not calls:
        _require_storable(content)
        checked("answer", content, most=MAX_ANSWER)
        found["content"] = content
    if calls:
        checked("tool calls", calls, most=MAX_ANSWER)
        found["tool_calls"] = _calls(_json(calls))
    return found


def read_message(given: object) -> Message:
    """An answer as a program sends it: a text, or an assistant's message in OpenAI's shape.

    Raises:
        InvalidInput: it is neither.
    """
    if isinstance(given, str):
        return read_answer(given)
    if not isinstance(given, Mapping) or given.get("role", "assistant") != "assistant":
        raise InvalidInput("answer: send a text, or a message of the assistant.")
    content, calls = given.get("content"), given.get("tool_calls")
    if content is not None and not isinstance(content, str):
        raise InvalidInput("answer.content must be a text, or null beside tool calls.")
    return read_answer(content or "", json.dumps(calls) if calls else "")


def correct_answer(
    project: Project,
    request_id: UUID,
    *,
    answer: Message,
    by: User | None,
    at: datetime,
    note: str = "",
    based_on: int | None = None,
) -> Correction:
    """Say how the answer should have been; the new correction is in force.

    `answer` comes from `read_answer` or `read_message`. `based_on` is the number of the correction
    that the writer saw, 0 for none; give None to overrule whatever is there.

    Raises:
        NotFound: the request is not in the log.
        NothingChanged: the answer in force is the same.
        CorrectedMeanwhile: there is a newer correction than the writer saw.
    """
    before = answer_in_force(project, request_id)
    answer = redacted_answer(project, answer)
    if before == answer:
        raise NothingChanged("This is the answer that is there already. Change something first.")
    return _add(project, request_id, answer=answer, note=note, by=by, at=at, based_on=based_on)


def withdraw_correction(
    project: Project, request_id: UUID, *, by: User | None, at: datetime, note: str = ""
) -> Correction:
    """Let the answer that was logged stand again; the corrections stay in the history.

    Raises:
        NotFound: the request is not in the log.
        NothingChanged: no correction is in force.
    """
    require_request(project, request_id)
    newest = Correction.objects.of_request(project, request_id).first()
    if newest is None or newest.is_withdrawal:
        raise NothingChanged("No correction is in force; the answer that was logged stands.")
    return _add(project, request_id, answer=None, note=note, by=by, at=at)


def answer_in_force(project: Project, request_id: UUID) -> Message | None:
    """The corrected answer, else the one that was logged, if there is one.

    Raises:
        NotFound: the request is not in the log.
    """
    corrected = Correction.objects.in_force(project.pk, [request_id])
    if request_id in corrected:
        require_request(project, request_id)
        return corrected[request_id]
    found = LoggedRequest.objects.in_project(project).for_list().filter(id=request_id).first()
    if found is None:
        raise _missing()
    return plain_answer(found.output)


def plain_answer(output: object) -> Message | None:
    """A logged answer as an editor shows it: its text and its tool calls."""
    if not isinstance(output, Mapping):
        return None
    content, calls = output.get("content"), output.get("tool_calls")
    found: Message = {"role": "assistant"}
    if content is not None:
        found["content"] = content
    if calls:
        found["tool_calls"] = calls
    return found


def require_request(project: Project, request_id: UUID) -> None:
    """
    Raises:
        NotFound: the request is not in the log.
    """
    if not RequestRow.objects.in_project(project).filter(id=request_id).exists():
        raise _missing()


def _add(
    project: Project,
    request_id: UUID,
    *,
    answer: Message | None,
    note: str,
    by: User | None,
    at: datetime,
    based_on: int | None = None,
) -> Correction:
    note = redacted_words(project, checked("note", note, least=0, most=LONG_TEXT_LIMIT))
    newest = Correction.objects.of_request(project, request_id).first()
    number = newest.number if newest else 0
    if based_on is not None and based_on != number:
        raise _overtaken(newest)
    try:
        with transaction.atomic():
            return Correction.objects.create(
                project=project,
                request_id=request_id,
                number=number + 1,
                answer=answer,
                note=note,
                author=by,
                created_at=at,
            )
    except IntegrityError as problem:
        raise _overtaken(None) from problem


def _overtaken(newest: Correction | None) -> CorrectedMeanwhile:
    who = f"{newest.author}" if newest and newest.author else "Somebody else"
    return CorrectedMeanwhile(
        f"{who} corrected this answer meanwhile. Copy your text, open the request again, and "
        "start from the newest answer."
    )


def _missing() -> NotFound:
    return NotFound("There is no such request in this project.")


def _require_storable(content: str) -> None:
    """Blanks around an answer are part of it, so they are looked at but kept."""
    if len(content) > MAX_ANSWER:
        raise InvalidInput(f"answer: write at most {MAX_ANSWER:,} characters.")


def _json(text: str) -> object:
    if is_deeper_than(text.encode("utf-8", "surrogatepass"), MAX_DEPTH):
        raise InvalidInput(f"tool calls: nest at most {MAX_DEPTH} levels.")
    try:
        return json.loads(text)
    except ValueError as problem:
        raise InvalidInput(f"tool calls: this is not JSON ({problem}).") from problem


def _calls(given: object) -> list[Message]:
    if not isinstance(given, list) or not given:
        raise InvalidInput("tool calls: write a list, such as " + _EXAMPLE)
    return [_call(one) for one in given]


def _call(given: object) -> Message:
    function = given.get("function") if isinstance(given, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(given, Mapping) or not isinstance(function, Mapping):
        raise InvalidInput("tool calls: each one is an object with a function: " + _EXAMPLE)
    if not isinstance(name, str) or not name:
        raise InvalidInput("tool calls: each function has a name: " + _EXAMPLE)
    arguments = function.get("arguments", "{}")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    made: Message = {"type": "function", "function": {"name": name, "arguments": arguments}}
    for text in (name, arguments, given.get("id", "x")):
        checked("tool calls", str(text), least=0, most=MAX_ANSWER)
    return made | {"id": given["id"]} if isinstance(given.get("id"), str) else made


_EXAMPLE = '[{"function": {"name": "search", "arguments": "{}"}}].'
