"""A judge grades what an earlier step made: one answer, or each of several samples."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.utils.crypto import salted_hmac

from evals.judges.actions import judge_named
from evals.judges.asking import is_about_format, text_of_message
from evals.judges.combining import Combined, combined
from evals.judges.models import JudgeVersion
from evals.judges.parsing import Reply, Unreadable, read_reply
from evals.judges.rubric import messages_for, response_format
from evals.judges.settings import JudgeSettings
from evals.pipelines.steps.base import (
    Asker,
    BadStep,
    CallFailed,
    CellFailed,
    Given,
    Outcome,
    Place,
    Question,
    Ready,
    Settings,
    StepKind,
)
from evals.pipelines.steps.grading import known_step, question_of, text_of
from workbench.core.errors import DomainError
from workbench.providers.chat import ChatReply

TRIES = 2
MARK_CHARACTERS = 16
Texts = Mapping[str, str]


@dataclass
class _Judge:
    """One version of a judge at work. `takes_format` is None until its model was asked once."""

    version: JudgeVersion
    settings: JudgeSettings
    reuse: bool
    takes_format: bool | None = None
    first: asyncio.Lock = field(default_factory=asyncio.Lock)

    def question(self, texts: Texts, sample: int, *, again: bool = False) -> Question:
        parameters = dict(self.settings.parameters)
        if self.settings.structured and self.takes_format is not False:
            parameters["response_format"] = response_format(self.settings.scale)
        messages = messages_for(self.settings, texts, code=self._code(texts), again=again)
        return Question(self.version.model_ref, messages, parameters, sample, self.reuse)

    def _code(self, texts: Texts) -> str:
        """The code of the markers: nobody who wrote the texts can know it, and asking the same
        again gives the same call, so that a paid one is found."""
        said = msgspec.json.encode([str(self.version.pk), texts], order="deterministic")
        return salted_hmac("pipelines.judge", said, algorithm="sha256").hexdigest()[
            :MARK_CHARACTERS
        ]

    async def verdict(self, texts: Texts, asker: Asker) -> Combined:
        """What the judge says of one answer, of all its samples.

        Raises:
            CellFailed: half of the samples or more have no verdict.
            CallFailed: the model could not be asked.
        """
        asked = (self._sample(texts, sample, asker) for sample in range(self.settings.samples))
        found = await asyncio.gather(*asked)
        replies = [one for one in found if isinstance(one, Reply)]
        if 2 * len(replies) <= len(found):
            problem = next(one for one in found if isinstance(one, str))
            raise CellFailed(
                "not_judged", f"The judge was asked twice and gave no verdict. {problem}"
            )
        return combined(replies, self.settings.scale, self.settings.combine)

    async def _sample(self, texts: Texts, sample: int, asker: Asker) -> Reply | str:
        """One judgement, or why there is none."""
        problem = ""
        for attempt in range(TRIES):
            reply = await self._ask(texts, sample, asker, again=attempt > 0)
            try:
                return read_reply(
                    text_of_message(reply.message), self.settings.scale, graded=texts.values()
                )
            except Unreadable as unreadable:
                problem = str(unreadable)
        return problem

    async def _ask(self, texts: Texts, sample: int, asker: Asker, *, again: bool) -> ChatReply:
        """The first call finds out whether the model takes a schema; the others wait for it."""
        if self.takes_format is None and self.settings.structured:
            async with self.first:
                if self.takes_format is None:
                    return await self._find_out(texts, sample, asker, again=again)
        return await asker.ask(self.question(texts, sample, again=again))

    async def _find_out(self, texts: Texts, sample: int, asker: Asker, *, again: bool) -> ChatReply:
        try:
            reply = await asker.ask(self.question(texts, sample, again=again))
        except CallFailed as refusal:
            if not is_about_format(refusal):
                raise
            self.takes_format = False
            return await asker.ask(self.question(texts, sample, again=again))
        self.takes_format = True
        return reply


def _version(place: Place, settings: Settings) -> JudgeVersion:
    """The version that the run began with, else the one the settings name.

    Raises:
        BadStep: there is none that judges one answer.
    """
    named: dict[str, Any] = {"judge": settings["judge"], "version": settings["version"] or None}
    if isinstance(place.pinned, Mapping):
        named = dict(place.pinned)
    try:
        return judge_named(place.project, named)
    except DomainError as problem:
        raise BadStep(problem.sentence) from problem


def _prepare(place: Place, settings: Settings) -> Ready:
    version = _version(place, settings)
    judge = _Judge(version, version.settings, settings["reuse"])
    answer, expected = known_step(place, settings["answer"]), settings["expected"]

    def texts_of(given: Given, said: object) -> Texts:
        return {
            "question": question_of(given),
            "answer": text_of(said),
            "expected": text_of(given.variables.get(expected)),
            "context": text_of(given.variables.get(settings["context"])),
        }

    async def work(given: Given, asker: Asker) -> Outcome:
        said = given.variables[answer]
        if not isinstance(said, list):
            return Outcome(_one(await judge.verdict(texts_of(given, said), asker)))
        asked = (judge.verdict(texts_of(given, one), asker) for one in said)
        return Outcome(_several(await asyncio.gather(*asked)))

    def questions(given: Given) -> Sequence[Question]:
        said = given.variables.get(answer)
        each = said if isinstance(said, list) else [said]
        return [
            judge.question(texts_of(given, one), sample)
            for one in each
            for sample in range(judge.settings.samples)
        ]

    return Ready(
        work,
        needs=frozenset({answer, expected, settings["context"]} - {""}),
        models=(version.model_ref,),
        questions=questions,
        pinned={"judge": version.judge.name, "version": version.number},
    )


def _one(found: Combined) -> dict[str, Any]:
    return {"score": found.score, "label": found.label, "reason": found.reason}


def _several(found: Sequence[Combined]) -> dict[str, Any]:
    """In the shape that “Best of” takes its scores from."""
    return {
        "scores": [one.score for one in found],
        "labels": [one.label for one in found],
        "reasons": [one.reason for one in found],
    }


JUDGE = StepKind(
    name="judge",
    label="Judge",
    help="A judge of yours scores an earlier answer, or each of several samples: its score is "
    "STEP.score, and “Best of” takes a step that judged samples.",
    prepare=_prepare,
    fields={
        "judge": {
            "type": "string", "minLength": 1, "maxLength": 60, "title": "Judge",
            "description": "The name of a judge of one answer, as under Evals, Judges.",
        },
        "version": {
            "type": "integer", "minimum": 0, "title": "Version",
            "description": "0 is its newest when the run starts.", "default": 0,
        },
        "answer": {
            "type": "string", "minLength": 1, "maxLength": 100, "title": "Answer",
            "description": "The step whose answer, or samples, it judges.", "format": "step",
        },
        "expected": {
            "type": "string", "maxLength": 100, "title": "Expected answer",
            "description": "The column or step that holds it. Left empty, the judge sees none.",
            "default": "", "format": "variable",
        },
        "context": {
            "type": "string", "maxLength": 100, "title": "Context",
            "description": "The column or step with what the answer must keep to, for a rubric "
            "that shows it.",
            "default": "", "format": "variable",
        },
        "reuse": {
            "type": "boolean", "title": "Reuse answers",
            "description": "Take verdicts that were paid for before in this project.",
            "default": True,
        },
    },
)  # fmt: skip
