"""Running a comparison: ask every candidate every row, once, and grade the answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.utils import timezone

from evals.asking import CHUNK, asked_about, priced_name, resolved_patiently
from evals.candidates import Way, cleaned, way_of
from evals.graders.base import Answered
from evals.graders.questions import asked_text
from evals.graders.registry import GRADERS, grade_with
from evals.models import Candidate, Cell, Comparison
from evals.scoring import GradeScorer, JudgeScorer, Scored, Scorer
from evals.storing import storable, storable_json
from requests_log.datasets.canonical import BadRow, answer_text, canonical_message
from requests_log.datasets.models import VersionRow
from workbench.core.errors import DomainError
from workbench.providers.chat import ChatCaller
from workbench.providers.refs import Endpoint, parse_ref

JUDGED = ("score", "error", "judgement", "judge_input_tokens", "judge_output_tokens")
"""The columns of a cell that a judge fills in."""
NOT_ASKED = "Not asked, as no answer to this row can be graded."
Report = Callable[[int, int | None, str], None]


class NoAnswers(DomainError):
    """A candidate answered no row at all."""

    code = "no_answers"


@dataclass(frozen=True)
class Row:
    """A frozen row as a question and the answer that was expected.

    `kept` is a cell whose answer is there and only its judge failed: the candidate is not asked
    again.
    """

    position: int
    content_id: int
    messages: list[dict[str, Any]]
    expected: str
    tools: list[Any]
    expected_message: dict[str, Any]
    group: bytes = b""
    kept: Cell | None = None

    def graded_as(self, answer: str, message: dict[str, Any]) -> Answered:
        """What a grader is given of an answer to it."""
        return Answered(
            answer, self.expected, message, self.expected_message, asked_text(self.messages)
        )


def run_comparison(comparison: Comparison, *, report: Report) -> dict[str, Any]:
    """Ask for the missing cells of every candidate; returns how many were asked.

    What failed before is asked again. Where only the judge failed, only the judge is.

    Raises:
        NoAnswers: a candidate failed on every row; the sentence carries its first error.
    """
    candidates = list(comparison.candidates.order_by("position"))
    total = comparison.rows * len(candidates)
    done = Cell.objects.of_comparison(comparison).graded().count()
    _forget_failures(comparison)
    asked = 0
    judge = _judge_of(comparison, partial(report, done, total))
    for candidate in candidates:
        report(done, total, f"Asking {candidate.label}")
        waiting = partial(report, done, total)
        endpoint = _resolve_patiently(comparison, candidate, waiting)
        Candidate.objects.filter(pk=candidate.pk).update(
            resolved=endpoint.label,
            provider=endpoint.provider[:300],
            model=priced_name(endpoint)[:300],
        )
        with closing(_answers(comparison, candidate, endpoint, judge)) as answers:
            for cells in answers:
                _store(cells)
                asked, done = asked + len(cells), done + len(cells)
                report(done, total, f"Asking {candidate.label}")
        _require_answers(candidate)
    Comparison.objects.filter(pk=comparison.pk).update(finished_at=timezone.now())
    return {"asked": asked, "cells": total}


def _forget_failures(comparison: Comparison) -> None:
    """Answers that only lack their judge's verdict are paid for, and stay."""
    failed = Cell.objects.of_comparison(comparison).exclude(error="")
    if comparison.judge_version is not None:
        failed = failed.unanswered()
    failed.delete()


def _store(cells: list[Cell]) -> None:
    """Write what came in: new cells, and new verdicts on cells that were there."""
    judged = [cell for cell in cells if cell.pk]
    Cell.objects.bulk_create([cell for cell in cells if not cell.pk], ignore_conflicts=True)
    if judged:
        Cell.objects.bulk_update(judged, JUDGED)


def _judge_of(comparison: Comparison, waiting: Callable[[str], None]) -> Endpoint | None:
    """Where the comparison's judge is asked; None where a rule grades."""
    version = comparison.judge_version
    if version is None:
        return None
    endpoint = resolved_patiently(
        comparison.project, version.model_ref, f"the judge {version}", waiting
    )
    Comparison.objects.filter(pk=comparison.pk).update(
        judge_provider=endpoint.provider[:300], judge_model=priced_name(endpoint)[:300]
    )
    return endpoint


def _answers(
    comparison: Comparison, candidate: Candidate, endpoint: Endpoint, judge: Endpoint | None
) -> Generator[list[Cell]]:
    """Cells as they come in."""
    way = way_of(candidate)
    parameters = {**comparison.parameters, **way.parameters}

    def ask_with(callers: list[ChatCaller]) -> Callable[[Row], Coroutine[Any, Any, Cell]]:
        by = _scorer(comparison, callers[1:])
        return partial(_cell, callers[0], candidate, way=way, parameters=parameters, by=by)

    endpoints = [endpoint, judge] if judge else [endpoint]
    rows = _missing(comparison, candidate)
    return asked_about(comparison.project, endpoints, rows, ask_with)


def _scorer(comparison: Comparison, judges: list[ChatCaller]) -> Scorer:
    if comparison.judge_version is not None:
        return JudgeScorer(judges[0], comparison.judge_version.settings)
    grade = grade_with(comparison.grader, comparison.grader_settings)
    return GradeScorer(grade, is_slow=GRADERS[comparison.grader].is_slow)


async def _cell(
    caller: ChatCaller,
    candidate: Candidate,
    row: Row,
    *,
    way: Way,
    parameters: dict[str, Any],
    by: Scorer,
) -> Cell:
    if row.kept is not None:
        answer = row.kept.answer
        message = {"role": "assistant", "content": answer}
        _grade(row.kept, await by.score(row.graded_as(answer, message)))
        return row.kept
    cell = Cell(candidate=candidate, position=row.position, content_id=row.content_id)
    # before anything is paid for
    if problem := await by.why_not(row.graded_as(row.expected, row.expected_message)):
        cell.error = storable(f"{NOT_ASKED} {problem}")[:2000]
        return cell
    try:
        messages = await way.messages(row.messages, row.group)
        reply = await caller.ask(messages, **parameters, **_tools(row, way))
        answer = answer_of(reply.message)
    except (DomainError, BadRow) as refusal:
        cell.error = storable(refusal.sentence)[:2000]
        return cell
    cell.answer = storable(answer)
    _grade(cell, await by.score(row.graded_as(answer, reply.message)))
    cell.milliseconds = reply.milliseconds
    cell.input_tokens, cell.output_tokens = reply.input_tokens, reply.output_tokens
    return cell


def _grade(cell: Cell, scored: Scored) -> None:
    cell.score = scored.score
    failed = f"Answered, but not graded. {scored.error}" if scored.error else ""
    cell.error = storable(failed)[:2000]
    cell.judgement = storable_json(scored.judgement)
    cell.judge_input_tokens = _both(cell.judge_input_tokens, scored.input_tokens)
    cell.judge_output_tokens = _both(cell.judge_output_tokens, scored.output_tokens)


def _both(before: int | None, now: int | None) -> int | None:
    """What a judge took that was asked before; None where nobody counted."""
    return now if before is None else before + (now or 0)


def _missing(comparison: Comparison, candidate: Candidate) -> Iterator[list[Row]]:
    """The candidate's unanswered rows, a chunk at a time, in the frozen order; and those whose
    answer was not judged."""
    answered = set(candidate.cells.graded().values_list("position", flat=True))
    rows = VersionRow.objects.filter(
        version=comparison.dataset_version, split=comparison.split
    ).order_by("position")
    wanted = rows.values_list("position", flat=True)[: comparison.rows]
    left = [position for position in wanted if position not in answered]
    for start in range(0, len(left), CHUNK):
        positions = left[start : start + CHUNK]
        kept = {cell.position: cell for cell in candidate.cells.filter(position__in=positions)}
        chunk = rows.filter(position__in=positions).select_related("content")
        yield [_row(row, kept.get(row.position)) for row in chunk]


def _row(row: VersionRow, kept: Cell | None) -> Row:
    body = row.content.body
    *context, last = body["messages"]
    tools = body.get("tools") or []
    return Row(
        row.position, row.content_id, cleaned(context), answer_text(last), tools, last,
        bytes(row.fingerprint), kept,
    )  # fmt: skip


def _tools(row: Row, way: Way) -> dict[str, Any]:
    tools = row.tools or (way.content.tools if way.content else [])
    return {"tools": tools} if tools else {}


def answer_of(message: dict[str, Any]) -> str:
    """A model's answer as the text that is compared: its content, or its tool calls as JSON.

    Raises:
        BadRow: the message is of no known shape.
    """
    return answer_text(canonical_message({**message, "role": "assistant"}))


def _resolve_patiently(
    comparison: Comparison, candidate: Candidate, waiting: Callable[[str], None]
) -> Endpoint:
    """Resolve a ref, giving an engine time to come up.

    A comparison that goes on after a crash stays with the version its alias meant at the start.
    """
    is_pinned = candidate.resolved and parse_ref(candidate.model_ref).alias
    ref = candidate.resolved if is_pinned else candidate.model_ref
    return resolved_patiently(comparison.project, ref, candidate.label, waiting)


def _require_answers(candidate: Candidate) -> None:
    if candidate.cells.filter(error="").exists():
        return
    failed = candidate.cells.exclude(error="").order_by("position").first()
    if failed is not None and failed.error.startswith(NOT_ASKED):
        raise NoAnswers(f"{failed.error} So it is with every row: choose another grader.")
    if failed is not None and failed.milliseconds is not None:
        raise NoAnswers(
            f"No answer of {candidate.label} could be graded. {failed.error} Check the grader, "
            "then go on: nobody is asked again whose answer is there."
            if candidate.comparison.judge_version_id
            else f"No answer of {candidate.label} could be graded. {failed.error}"
        )
    raise NoAnswers(
        f"{candidate.label} answered no row. {failed.error if failed else ''} "
        "Check the model ref, then start the comparison again."
    )
