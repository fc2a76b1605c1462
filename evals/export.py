"""A comparison as a file: all of it as JSON, its report as one HTML page that needs no server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from evals.matrix import ROWS, WORSE, MatrixRow, matrix_page
from evals.models import Candidate, Cell, Comparison
from evals.reading import ComparisonReading
from evals.results import Summary, judging_of
from evals.slices import Slice
from requests_log.datasets.models import VersionRow

CHUNK = 500
SCRIPTS = ("core/vendor/plotly-basic.min.js", "evals/report.js")
# What the pages take from the theme; a file has no theme.
COLOURS = {"--accent": "#0f766e"}


def as_json(comparison: Comparison) -> Iterator[bytes]:
    """One JSON object in pieces: the comparison, its candidates' results, slices, every row."""
    reading = ComparisonReading(comparison)
    head = {
        **_about(comparison, reading),
        "candidates": [_candidate(summary) for summary in reading.summaries],
        "side_by_side": [one.as_json for one in reading.pairings],
        "slices": [_slice(one, reading.candidates) for one in reading.slices],
    }
    yield msgspec.json.encode(head)[:-1] + b',"rows":['
    first = True
    for row in _rows(comparison, reading.candidates):
        yield (b"" if first else b",") + b"\n" + msgspec.json.encode(row)
        first = False
    yield b"\n]}\n"


def as_html(comparison: Comparison) -> str:
    """The report: scores, plots, slices, and the first rows where each candidate loses."""
    reading = ComparisonReading(comparison)
    figures = {"scores": reading.figure, "tradeoff": reading.tradeoff}
    context = {
        "comparison": comparison,
        "reading": reading,
        "losses": _losses(reading),
        "figures": {name: _coloured(figure) for name, figure in figures.items() if figure},
        "scripts": _scripts(),
    }
    return render_to_string("evals/report.html", context)


def _about(comparison: Comparison, reading: ComparisonReading) -> dict[str, Any]:
    return {
        "id": str(comparison.pk),
        "name": comparison.name,
        "dataset": comparison.dataset_version.dataset.slug,
        "version": comparison.dataset_version.number,
        "content_hash": comparison.dataset_version.content_hash,
        "split": comparison.split,
        "rows_compared": comparison.rows,
        "grader": comparison.grader,
        "grader_settings": comparison.grader_settings,
        "judge": _judge(comparison, reading),
        "pass_mark": comparison.pass_mark,
        "parameters": comparison.parameters,
        "created_at": comparison.created_at,
        "finished_at": comparison.finished_at,
    }


def _judge(comparison: Comparison, reading: ComparisonReading) -> dict[str, Any] | None:
    """The judge's whole version, so that the file tells how scores came about."""
    version = comparison.judge_version
    if version is None:
        return None
    judging = judging_of(comparison)
    return {
        "name": version.judge.name,
        "version": version.number,
        "model_ref": version.model_ref,
        "template": version.template,
        "criteria": version.criteria,
        "scale": version.scale,
        "show_expected": version.show_expected,
        "samples": version.samples,
        "combine": version.combine,
        "parameters": version.parameters,
        "agreement": reading.calibrated.as_json if reading.calibrated else None,
        "took": asdict(judging) if judging else None,
    }


def _candidate(summary: Summary) -> dict[str, Any]:
    candidate, difference = summary.candidate, summary.difference
    apart = asdict(difference) | {"win_rate": difference.win_rate} if difference else None
    return {
        "label": candidate.label,
        "model_ref": candidate.model_ref,
        "resolved": candidate.resolved,
        "prompt": candidate.prompt,
        "few_shot": candidate.few_shot,
        "score": asdict(summary.score) if summary.score else None,
        "difference": apart,
        "answered": summary.answered,
        "wrong": summary.wrong,
        "failures": summary.failures,
        "milliseconds": {"median": summary.milliseconds, "p95": summary.slowest},
        "dollars_per_1000_calls": summary.cost,
    }


def _slice(one: Slice, candidates: Sequence[Candidate]) -> dict[str, Any]:
    scores = zip(candidates, one.scores, strict=True)
    return {
        "tag": one.tag,
        "value": one.value,
        "rows": one.rows,
        "scores": {c.label: asdict(score) if score else None for c, score in scores},
    }


def _rows(comparison: Comparison, candidates: Sequence[Candidate]) -> Iterator[dict[str, Any]]:
    asked = VersionRow.objects.filter(
        version=comparison.dataset_version, split=comparison.split
    ).order_by("position")
    labels = {candidate.pk: candidate.label for candidate in candidates}
    for start in range(0, comparison.rows, CHUNK):
        rows = list(asked[start : min(start + CHUNK, comparison.rows)].select_related("content"))
        answers = _answers(labels, [row.position for row in rows])
        for row in rows:
            *question, expected = row.content.body["messages"]
            yield {
                "position": row.position,
                "content": row.content.hash,
                "question": question,
                "expected": expected,
                "answers": answers.get(row.position, {}),
            }


def _answers(labels: dict[int, str], positions: Sequence[int]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    cells = Cell.objects.filter(candidate__in=labels, position__in=positions)
    for cell in cells.order_by("candidate__position"):
        found.setdefault(cell.position, {})[labels[cell.candidate_id]] = {
            "answer": cell.answer,
            "score": cell.score,
            "error": cell.error,
            "milliseconds": cell.milliseconds,
            "input_tokens": cell.input_tokens,
            "output_tokens": cell.output_tokens,
            **({"judgement": cell.judgement} if cell.judgement else {}),
        }
    return found


def _losses(reading: ComparisonReading) -> list[tuple[Summary, list[MatrixRow]]]:
    """For each candidate that loses rows to the first one, the first of them."""
    found = []
    for summary in reading.summaries:
        if summary.difference and summary.difference.worse:
            show = f"{WORSE}{summary.candidate.position}"
            page = matrix_page(reading.comparison, reading.candidates, show=show)
            found.append((summary, page.rows[:ROWS]))
    return found


def _coloured(figure: dict[str, Any]) -> dict[str, Any]:
    """The figure as the library takes it, which pages leave to their script."""
    text = json.dumps(figure)
    for name, colour in COLOURS.items():
        text = text.replace(f'"{name}"', f'"{colour}"')
    found: dict[str, Any] = json.loads(text)
    for name in ("xaxis", "yaxis"):
        axis = found["layout"][name]
        axis["title"] = {"text": axis.get("title", "")}
    return found


@cache
def _scripts() -> SafeString:
    """The plot library and what draws with it: a file cannot ask a server for them."""
    texts = (Path(str(finders.find(name))).read_text() for name in SCRIPTS)
    inline = (text.replace("</script", "<\\/script") for text in texts)
    elements = "".join(f"<script>{text}</script>" for text in inline)
    return mark_safe(elements)  # noqa: S308 - our own files
