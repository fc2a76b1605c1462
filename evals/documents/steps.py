"""Steps of a pipeline: a section split by topic, a chunk asked about, a pair judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evals.documents import judged, support, topics
from evals.documents.asking import AS_TEXT, MOST_PAIRS, SYSTEM, Prompt, checked_prompt
from evals.documents.chunks import Chunk, Cutting, chunks_of, covers, too_large
from evals.documents.reading import read_pairs
from evals.pipelines.steps.base import (
    Asker,
    Given,
    Outcome,
    Place,
    Question,
    Ready,
    Settings,
    StepKind,
    Work,
)
from prompts.rendering import mustache
from requests_log.datasets.imports.chunking import BELOW, Span, spans
from workbench.providers.chat import ChatReply
from workbench.providers.failures import CallFailed, Kind
from workbench.providers.refs import parse_ref

SPLIT, GENERATE, SUPPORT = "split", "generate", "support"
_MODEL = {"type": "string", "title": "Model", "description": "A model ref."}
_CHUNK = frozenset({"chunk"})
LIKELY_PAIR = {"pair": 1, "question": "word " * 15, "answer": "word " * 40}
"""Stands for a pair that is not written yet."""


def row_of(document: str, number: int, chunk: Chunk) -> dict[str, Any]:
    """A chunk as the columns of a row."""
    return {
        "document": document,
        "number": number,
        "heading": chunk.title,
        "page": chunk.page,
        "start": chunk.start,
        "end": chunk.end,
        "before": chunk.before,
        "chunk": chunk.text,
    }


def chunk_of(columns: Mapping[str, Any]) -> Chunk:
    """The chunk that a row holds; a table that somebody sent needs only the text."""
    path = tuple(filter(None, str(columns.get("heading") or "").split(BELOW)))
    start = _whole(columns.get("start"))
    text = str(columns["chunk"])
    return Chunk(
        start, _whole(columns.get("end")) or start + len(text), text, path,
        columns.get("page"), str(columns.get("before") or ""),
    )  # fmt: skip


def _generate(place: Place, settings: Settings) -> Ready:
    parse_ref(settings["model"])
    prompt = checked_prompt(settings["system"], settings["user"])
    limits = {"max_tokens": settings["max_tokens"], "temperature": settings["temperature"]}

    def question(given: Given) -> Question:
        return Question(settings["model"], asked(prompt, given.columns, settings["count"]), limits)

    async def work(given: Given, asker: Asker) -> Outcome:
        reply = await asker.ask(question(given))
        return outcome_of(text_of(reply), was_cut=reply.finish_reason == "length")

    return Ready(
        work,
        needs=_CHUNK,
        models=(settings["model"],),
        questions=lambda given: [question(given)],
        likely=lambda _: [LIKELY_PAIR] * settings["count"],
    )


def asked(prompt: Prompt, columns: Mapping[str, Any], count: int) -> list[dict[str, str]]:
    """The chat that asks for pairs about a row's chunk."""
    document = str(columns.get("document") or "the document")
    return prompt.messages(chunk_of(columns), document=document, count=count)


def outcome_of(answer: str, *, was_cut: bool) -> Outcome:
    """The pairs of an answer as rows of their own; what is none is kept with its reason."""
    found = read_pairs(answer, was_cut=was_cut)
    value = {
        "pairs": len(found.pairs),
        "dropped": [{"reason": one.reason, "text": one.text} for one in found.dropped],
        "answer": answer,
    }
    children = [
        {"pair": number, "question": one.question, "answer": one.answer}
        for number, one in enumerate(found.pairs, start=1)
    ]
    return Outcome(value, children=children)


def _support(place: Place, settings: Settings) -> Ready:
    if settings["judge"]:
        return _judged(place, settings)
    parse_ref(settings["model"])
    limits = {"max_tokens": settings["max_tokens"], "temperature": 0}

    def question(given: Given) -> Question:
        known = _texts(given)
        messages = support.messages(known["context"], known["question"], known["answer"])
        return Question(settings["model"], messages, limits, check=_must_judge)

    async def work(given: Given, asker: Asker) -> Outcome:
        verdict = support.read_verdict(text_of(await asker.ask(question(given))))
        return _verdict(verdict.is_supported, verdict.reason)

    return _checking(work, settings["model"], lambda given: [question(given)])


def _judged(place: Place, settings: Settings) -> Ready:
    """As a judge of the project says."""
    version = judged.judge_of(place.project, settings["judge"])

    async def work(given: Given, asker: Asker) -> Outcome:
        return _verdict(*await judged.verdict(version, _texts(given), asker))

    return _checking(
        work, version.model_ref, lambda given: judged.questions(version, _texts(given))
    )


def _checking(work: Work, model: str, questions: Callable[[Given], Sequence[Question]]) -> Ready:
    needs = _CHUNK | {"question", "answer"}
    return Ready(work, needs=needs, models=(model,), questions=questions)


def _verdict(is_supported: bool, reason: str) -> Outcome:
    return Outcome({"supported": is_supported, "reason": reason}, keep=is_supported)


def _texts(given: Given) -> dict[str, str]:
    """A pair and its chunk, as judges call them."""
    known = {**given.columns, "question": "", "answer": "", **given.variables}
    texts = {name: str(known[name]) for name in ("question", "answer")}
    return {**texts, "context": str(known["chunk"])}


def _must_judge(reply: ChatReply) -> None:
    try:
        support.read_verdict(text_of(reply))
    except support.Unreadable as problem:
        raise CallFailed(str(problem), kind=Kind.UNFIT, words=text_of(reply)[:300]) from problem


def _split(place: Place, settings: Settings) -> Ready:
    parse_ref(settings["model"])
    cutting = Cutting(settings["target"], settings["most"], settings["overlap"])

    def question(given: Given) -> Question | None:
        text = str(given.columns["chunk"])
        lines = topics.lines_of(text, Span(0, len(text)))
        if len(lines) < 2 or chunk_of(given.columns).tokens <= cutting.target:
            return None
        values = {"lines": topics.numbered(lines), "size": str(cutting.target * 3 // 4)}
        messages = [
            {"role": "system", "content": topics.SYSTEM},
            {"role": "user", "content": mustache.render(topics.USER, values)},
        ]
        return Question(settings["model"], messages, {"max_tokens": 1_000, "temperature": 0})

    async def work(given: Given, asker: Asker) -> Outcome:
        wanted = question(given)
        answer = text_of(await asker.ask(wanted)) if wanted is not None else None
        return _as_chunks(given.columns, answer, cutting)

    def likely(given: Given) -> list[dict[str, Any]]:
        """As its structure parts it: about as many chunks as by topic."""
        section = chunk_of(given.columns)
        found = spans(section.text, cutting.sizes)
        return _children(given.columns, section, list(found), cutting)

    return Ready(
        work,
        needs=_CHUNK,
        models=(settings["model"],),
        questions=lambda given: [one] if (one := question(given)) is not None else [],
        likely=likely,
    )


def _as_chunks(columns: Mapping[str, Any], answer: str | None, cutting: Cutting) -> Outcome:
    """The section as chunks; by structure where the answer cannot be used, and then saying so."""
    section = chunk_of(columns)
    whole = Span(0, len(section.text), section.path)
    lines = topics.lines_of(section.text, whole)
    split = topics.Split((whole,)) if answer is None else topics.split_by(answer, lines, whole)
    found = list(too_large(section.text, split.spans, cutting.sizes.most))
    if split.problem:
        found = [
            Span(one.start, one.end, section.path) for one in spans(section.text, cutting.sizes)
        ]
    assert covers(section.text, found), "a split loses nothing"  # noqa: S101 - a promise to ourselves
    value = {
        "by": "structure" if split.problem else "topic",
        "problem": split.problem,
        "chunks": len(found),
    }
    return Outcome(value, children=_children(columns, section, found, cutting))


def _children(
    columns: Mapping[str, Any], section: Chunk, found: Sequence[Span], cutting: Cutting
) -> list[dict[str, Any]]:
    made = []
    for part, chunk in enumerate(chunks_of(section.text, found, cutting), start=1):
        made.append(
            {
                "part": part,
                "chunk": chunk.text,
                "before": chunk.before or columns.get("before", ""),
                "start": section.start + chunk.start,
                "end": section.start + chunk.end,
            }
        )
    return made


def text_of(reply: ChatReply) -> str:
    """What a model said, where it said text."""
    content = reply.message.get("content")
    return content if isinstance(content, str) else json.dumps(content) if content else ""


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _number(title: str, default: float, least: float, most: float, kind: str = "integer") -> Any:
    return {"type": kind, "title": title, "description": "", "default": default,
            "minimum": least, "maximum": most}  # fmt: skip


def _text(title: str, default: str) -> Any:
    return {"type": "string", "title": title, "description": "", "default": default}


KINDS = (
    StepKind(
        SPLIT, "Split by topic",
        "A model names the lines where a topic begins; each part goes on as a row of its own.",
        _split,
        {
            "model": _MODEL,
            "target": _number("Fill a chunk up to, tokens", 400, 50, 4_000),
            "most": _number("At most, tokens", 800, 50, 8_000),
            "overlap": _number("Of the text before, tokens", 40, 0, 400),
        },
        makes_rows=True,
    ),
    StepKind(
        GENERATE, "Question and answer pairs",
        "A model writes pairs about the column “chunk”; each goes on as a row of its own.",
        _generate,
        {
            "model": _MODEL,
            "count": _number("Pairs per chunk", 5, 1, MOST_PAIRS),
            "system": _text("What it is told", SYSTEM),
            "user": _text("What it is asked", AS_TEXT),
            "max_tokens": _number("Longest answer, tokens", 4_000, 1, 100_000),
            "temperature": _number("Temperature", 0.3, 0, 2, "number"),
        },
        makes_rows=True,
    ),
    StepKind(
        SUPPORT, "Supported by its text",
        "A judge reads a pair beside its chunk; a pair that the chunk does not support ends here.",
        _support,
        {
            "model": {**_MODEL, "default": ""},
            "judge": {
                "type": "string", "title": "Judge", "default": "",
                "description": "The id of a judge's version, which then says whether a pair "
                "passes: its question, its answer, and its chunk as the context.",
            },
            "max_tokens": _number("Longest answer, tokens", 1_000, 1, 100_000),
        },
    ),
)  # fmt: skip
