"""Pairs checked by a judge of the project, beside the chunk they were made of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils.crypto import salted_hmac

from evals.judges.combining import combined
from evals.judges.models import JudgeVersion
from evals.judges.parsing import Reply, Unreadable, read_reply
from evals.judges.rubric import CODE_BYTES, messages_for, response_format
from evals.judges.settings import SINGLE
from evals.pipelines.steps.base import Asker, Question
from workbench.core.errors import InvalidInput
from workbench.core.models import Project
from workbench.providers.chat import ChatReply
from workbench.providers.failures import CallFailed, Kind

SALT = "evals.documents.judged"


def judge_of(project: Project, key: str) -> JudgeVersion:
    """The project's judge version of this id.

    Raises:
        InvalidInput: there is none, or it compares two answers.
    """
    try:
        found = JudgeVersion.objects.in_project(project).select_related("judge").get(pk=UUID(key))
    except (ValueError, JudgeVersion.DoesNotExist) as problem:
        raise InvalidInput("There is no such judge any more. Choose another one.") from problem
    if found.judge.kind != SINGLE:
        raise InvalidInput(f"{found} compares two answers. Choose a judge of one answer.")
    return found


def questions(version: JudgeVersion, texts: Mapping[str, str]) -> list[Question]:
    """What the judge is asked about a pair, once for each of its samples."""
    settings = version.settings
    parameters = dict(settings.parameters)
    if settings.structured:
        parameters["response_format"] = response_format(settings.scale)
    messages = messages_for(settings, texts, code=_code(version, texts))

    def check(reply: ChatReply) -> None:
        try:
            _read(version, texts, reply)
        except Unreadable as problem:
            raise CallFailed(str(problem), kind=Kind.UNFIT) from problem

    return [
        Question(version.model_ref, messages, parameters, sample=number, check=check)
        for number in range(settings.samples)
    ]


async def verdict(
    version: JudgeVersion, texts: Mapping[str, str], asker: Asker
) -> tuple[bool, str]:
    """Whether the judge lets the pair pass, and why.

    Raises:
        CallFailed: it cannot be asked, or says nothing that can be read.
    """
    replies = await asyncio.gather(*(asker.ask(one) for one in questions(version, texts)))
    settings = version.settings
    read: Sequence[Reply] = [_read(version, texts, reply) for reply in replies]
    whole = combined(read, settings.scale, settings.combine)
    return whole.score >= version.pass_mark, f"{whole.label}: {whole.reason}"


def _read(version: JudgeVersion, texts: Mapping[str, str], reply: ChatReply) -> Reply:
    content = reply.message.get("content")
    said = content if isinstance(content, str) else ""
    return read_reply(said, version.settings.scale, graded=[one for one in texts.values() if one])


def _code(version: JudgeVersion, texts: Mapping[str, Any]) -> str:
    """A code no text can know, which is the same when the same is asked again: so it is paid for
    once."""
    whole = json.dumps([str(version.pk), dict(sorted(texts.items()))])
    return salted_hmac(SALT, whole, algorithm="sha256").hexdigest()[: 2 * CODE_BYTES]
