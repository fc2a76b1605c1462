"""What becomes of what people tried: it is kept, or made a version, an example, a correction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from prompts.actions import Saved, create_prompt, save_version
from prompts.content import Content
from prompts.models import Prompt
from requests_log.datasets.actions import Added, add_answered
from requests_log.datasets.models import Dataset, Example
from requests_log.digest.conversations import reading_of
from requests_log.feedback.correcting import correct_answer, plain_answer, read_message
from requests_log.feedback.texts import redacted_answer
from requests_log.models import Correction, Operation, RequestRow
from workbench.core.errors import InvalidInput, NotFound
from workbench.core.models import Project, User
from workbench.shell.playground.asking import content_for
from workbench.shell.playground.models import Trial
from workbench.shell.playground.state import State

Message = dict[str, Any]


def save_trial(project: Project, *, state: State, by: User, at: datetime, trial: str = "") -> Trial:
    """Keep a state under a short id; `trial` names the one it is the next state of.

    Only its maker changes a trial; a state that somebody else made of it is a new one. What the
    project's redaction policy takes out of answers is taken out of it, too.

    Raises:
        NotRedactable: the policy cannot be applied.
    """
    kept = redacted_answer(project, state.as_json())
    shown = replace(state, messages=kept["messages"], prompt=kept["prompt"])
    # Postgres keeps no NUL, not even written as JSON.
    clean = json.loads(json.dumps(kept).replace("\\u0000", "\\ufffd"))
    values = {
        "state": clean,
        "title": shown.title,
        "saved_at": at,
        "request_id": _uuid_or_none(state.origin.get("request")),
    }
    own = Trial.objects.in_project(project).of(by).filter(pk=trial)
    if trial and own.update(**values):
        return own.for_list().get()
    return Trial.objects.create(project=project, created_by=by, created_at=at, **values)


def save_as_version(
    project: Project,
    *,
    state: State,
    name: str,
    message: str,
    with_model: bool,
    by: User,
    at: datetime,
) -> Saved:
    """Save the messages, tools, schema and parameters as a prompt's next version, or a new prompt.

    Raises:
        Unready, InvalidInput: it is no prompt.
        Archived: the prompt is put away.
    """
    content = content_for(project, state)
    settings = dict(content.settings)
    if with_model and state.columns and state.columns[0]["model"]:
        settings = {"model": state.columns[0]["model"], **settings}
    prompt = Prompt.objects.in_project(project).filter(name=name.strip()).first()
    given = {**_as_given(content, prompt), "settings": settings}
    if prompt is None:
        return create_prompt(project, name=name, content=given, by=by, at=at, message=message)
    return save_version(prompt, content=given, by=by, at=at, message=message)


def save_as_example(
    project: Project, *, request_id: UUID, dataset: Dataset, text: str | None, by: User
) -> Added:
    """Add a call of the playground to a dataset, read from the log; the example names the call.

    `text` is the answer as somebody rewrote it: the example is then a person's, else a teacher's.

    Raises:
        NotFound: the call is not in the log.
        InvalidInput: it holds no conversation with an answer.
    """
    facts = _call(project, request_id)
    if facts.operation == Operation.COMPLETION:
        raise InvalidInput(
            "A prompt typed by hand is no conversation. Run it in chat mode, then save the answer."
        )
    reading = reading_of(project.pk, request_id, facts.operation)
    answer = _answer(plain_answer(reading.output), text)
    row = {"messages": [*reading.messages, answer], "tools": reading.tools}
    is_rewritten = answer != plain_answer(reading.output)
    provenance = Example.Provenance.HUMAN if is_rewritten else Example.Provenance.TEACHER
    row = redacted_answer(project, row)
    return add_answered(dataset, row=row, provenance=provenance, request_id=request_id)


def save_as_correction(
    project: Project,
    *,
    corrected: UUID,
    request_id: UUID,
    text: str | None,
    note: str,
    by: User,
    at: datetime,
) -> Correction:
    """Say that the answer of a call of the playground is what `corrected` should have answered.

    Raises:
        NotFound: one of the calls is not in the log.
        InvalidInput: there is no answer.
        NothingChanged: it is the answer that is in force.
    """
    facts = _call(project, request_id)
    output = plain_answer(reading_of(project.pk, request_id, facts.operation).output)
    answer = read_message(_answer(output, text))
    return correct_answer(project, corrected, answer=answer, by=by, at=at, note=note)


def _uuid_or_none(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None


def _as_given(content: Content, prompt: Prompt | None) -> Mapping[str, Any]:
    """The content as a program would send it; one message of a text prompt is its text."""
    given = {
        "body": content.body,
        "syntax": content.syntax,
        "variables": content.variables,
        "few_shot": content.few_shot,
        "tools": content.tools,
        "response_schema": content.response_schema,
    }
    is_text = prompt is not None and prompt.kind == Prompt.Kind.TEXT
    if is_text and isinstance(content.body, list) and len(content.body) == 1:
        given["body"] = content.body[0].get("content")
    return given


def _call(project: Project, request_id: UUID) -> RequestRow:
    found = RequestRow.objects.in_project(project).filter(id=request_id).first()
    if found is None:
        raise NotFound("This call is not in the log yet, or was deleted. Try again in a moment.")
    return found


def _answer(output: Message | None, text: str | None) -> Message:
    """The logged answer, with the text that somebody put in its place."""
    if text is None or (output is not None and text == output.get("content")):
        if output is None:
            raise InvalidInput("This call has no answer. Write one, or run it again.")
        return output
    kept = {} if output is None else output
    if not text.strip() and not kept.get("tool_calls"):
        raise InvalidInput("The answer is empty. Write it.")
    return {**kept, "role": "assistant", "content": text}
