"""Asking a judge about an answer: the calls, the retry of what cannot be read, the samples."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from evals.graders.base import Answered
from evals.judges.combining import combined
from evals.judges.parsing import Reply, Unreadable, read_reply
from evals.judges.rubric import messages_for, new_code, response_format
from evals.judges.settings import JudgeSettings
from workbench.providers.chat import ChatCaller, ChatReply, ModelRefused

TRIES = 2
LONGEST_RAW = 20_000
# Callers whose model refused a response_format: their next calls go without it at once.
_without_format: WeakSet[ChatCaller] = WeakSet()


@dataclass(frozen=True)
class Sample:
    """One judgement; `error` is a sentence where the reply could not be read twice."""

    raw: str
    label: str = ""
    score: float | None = None
    reason: str = ""
    error: str = ""


@dataclass(frozen=True)
class Spent:
    """What the calls took; tokens are None where a server did not count."""

    milliseconds: float = 0.0
    input_tokens: int | None = 0
    output_tokens: int | None = 0

    def plus(self, other: Spent | ChatReply) -> Spent:
        return Spent(
            self.milliseconds + other.milliseconds,
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
        )


@dataclass(frozen=True)
class Verdict:
    """What a judge said of an answer.

    `score` is 0 to 1, `raw` what the model sent word by word (of all samples), `spread` how far
    the samples' scores lie apart and `agreed` the share of them that say `label`.
    """

    score: float
    label: str
    reason: str
    raw: str
    spent: Spent
    samples: tuple[Sample, ...]
    spread: float = 0.0
    agreed: float = 1.0

    @property
    def tokens(self) -> int | None:
        """Tokens in and out together; None where a server did not count."""
        return _sum(self.spent.input_tokens, self.spent.output_tokens)

    @property
    def milliseconds(self) -> float:
        return self.spent.milliseconds


class NotJudged(Exception):
    """The judge gave no verdict; a sentence. `raw` is what it sent, `spent` what that took."""

    def __init__(self, sentence: str, *, raw: str = "", spent: Spent | None = None) -> None:
        super().__init__(sentence)
        self.sentence, self.raw, self.spent = sentence, raw, spent or Spent()


async def judge_answer(caller: ChatCaller, settings: JudgeSettings, answered: Answered) -> Verdict:
    """Ask the judge's model about one answer, `settings.samples` times at once.

    A reply that cannot be read is asked for once more, and is then a failure, never a score.

    Raises:
        NotJudged: more than half of the samples have no verdict, or the model refused.
    """
    texts = {
        "question": answered.question,
        "answer": answered.answer,
        "expected": answered.expected,
        "context": answered.context,
    }
    return await judge_texts(caller, settings, texts)


async def judge_texts(
    caller: ChatCaller, settings: JudgeSettings, texts: Mapping[str, str]
) -> Verdict:
    """`judge_answer` of the graded material by variable."""
    asked = [_sampled(caller, settings, texts) for _ in range(settings.samples)]
    results = await asyncio.gather(*asked)
    samples = tuple(sample for sample, _, _ in results)
    replies = [reply for _, reply, _ in results if reply is not None]
    spent = Spent()
    for _, _, one in results:
        spent = spent.plus(one)
    raw = "\n---\n".join(sample.raw for sample in samples if sample.raw)[:LONGEST_RAW]
    if 2 * len(replies) <= settings.samples:
        error = next(sample.error for sample in samples if sample.error)
        raise NotJudged(error, raw=raw, spent=spent)
    whole = combined(replies, settings.scale, settings.combine)
    return Verdict(
        whole.score, whole.label, whole.reason, raw, spent, samples, whole.spread, whole.agreed
    )


async def _sampled(
    caller: ChatCaller, settings: JudgeSettings, texts: Mapping[str, str]
) -> tuple[Sample, Reply | None, Spent]:
    """One judgement, asked for a second time when the first reply cannot be read."""
    spent, raw, problem = Spent(), "", ""
    graded = [text for text in texts.values() if text]
    for attempt in range(TRIES):
        messages = messages_for(settings, texts, code=new_code(), again=attempt > 0)
        try:
            answer = await _asked(caller, settings, messages)
        except ModelRefused as refusal:
            return Sample(raw, error=f"The judge did not answer. {refusal.sentence}"), None, spent
        spent = spent.plus(answer)
        raw = text_of_message(answer.message)[:LONGEST_RAW]
        try:
            reply = read_reply(raw, settings.scale, graded=graded)
        except Unreadable as unreadable:
            problem = str(unreadable)
            continue
        level = reply.level
        return Sample(raw, level.label, level.score, reply.reason), reply, spent
    return (
        Sample(raw, error=f"The judge was asked twice and gave no verdict. {problem}"),
        None,
        spent,
    )


async def _asked(
    caller: ChatCaller, settings: JudgeSettings, messages: list[dict[str, str]]
) -> ChatReply:
    """One call, held to the form by the server where it can."""
    if settings.structured and caller not in _without_format:
        held = {**settings.parameters, "response_format": response_format(settings.scale)}
        try:
            return await caller.ask(messages, **held)
        except ModelRefused as refusal:
            if not is_about_format(refusal):
                raise
            _without_format.add(caller)
    return await caller.ask(messages, **settings.parameters)


def is_about_format(refusal: ModelRefused) -> bool:
    """Whether the server's words are about the schema it was sent."""
    said = refusal.sentence.lower()
    return any(word in said for word in ("response_format", "json_schema", "schema", "structured"))


def text_of_message(message: Mapping[str, Any]) -> str:
    """What a model said, whether in one text or in parts."""
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text", "") for part in content if isinstance(part, Mapping)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
