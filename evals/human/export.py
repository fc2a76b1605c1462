"""A finished study as a file: its results and ratings as JSON, or a line a rating as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from evals.human.disputes import disputed
from evals.human.models import Rating, Study
from evals.human.results import (
    FieldResult,
    GroupResult,
    PairOfRaters,
    Reliability,
    SidesResult,
    StudyResults,
)

FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def results_of(study: Study) -> dict[str, Any]:
    """The results as JSON."""
    results = StudyResults(study)
    found: dict[str, Any] = {
        "id": str(study.pk),
        "name": study.name,
        "kind": study.kind,
        "ratings": len(results.judged),
        "raters": [
            {
                "rater": one.progress.user.email,
                "ratings": one.progress.done,
                "skipped": one.progress.skipped,
                "per_hour": one.progress.pace,
                "left": asdict(one.left) if one.left else None,
            }
            for one in results.raters
        ],
        "disputed": [
            {"item": one.position, "apart": one.apart, "said": one.said}
            for one in disputed(results)
        ],
    }
    if study.is_side_by_side:
        reliability, pairs = results.preference
        return found | {
            "candidates": [_side(one) for one in results.sides],
            "ties": results.ties,
            "both_bad": results.both_bad,
            "agreement": _reliability(reliability, pairs),
        }
    return found | {"questions": [_field(one) for one in results.fields]}


def as_json(study: Study) -> str:
    """Everything: results and every rating."""
    return json.dumps(
        results_of(study) | {"items": list(_ratings(study))},
        indent=1, ensure_ascii=False, default=str,
    )  # fmt: skip


class _Line:
    """A file for `csv.writer` that gives each line back."""

    def write(self, line: str) -> str:
        return line


def as_csv(study: Study) -> Iterator[str]:
    """A line a rating, behind one with the columns' names."""
    writer = csv.writer(_Line())
    keys = [field.key for field in study.questions]
    fixed = ["item", "row", "request", "group", "left", "right", "rater", "at", "choice"]
    yield writer.writerow([*fixed, *keys, "comment"])
    for one in _ratings(study):
        answers = [_cell(one["answers"].get(key)) for key in keys]
        yield writer.writerow(
            [*(_cell(one[name]) for name in fixed), *answers, _cell(one["comment"])]
        )


def _cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula is kept from being one."""
    if isinstance(value, list):
        value = "|".join(value)
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(FORMULAS):
        return f"'{value}"
    return "" if value is None else value


def _ratings(study: Study) -> Iterator[dict[str, Any]]:
    rows = Rating.objects.of_study(study).given().order_by("pk")
    wanted = rows.select_related("user", "slot__item__left", "slot__item__right")
    for rating in wanted.iterator(chunk_size=500):
        item = rating.slot.item
        yield {
            "item": item.position,
            "row": item.row,
            "request": str(item.request_id) if item.request_id else None,
            "group": item.group,
            "left": item.left.label if item.left else None,
            "right": item.right.label if item.right else None,
            "rater": rating.user.email,
            "at": rating.at.isoformat(),
            "choice": rating.choice,
            "answers": rating.answers,
            "comment": rating.comment,
        }


def _field(result: FieldResult) -> dict[str, Any]:
    return {
        "key": result.field.key,
        "title": result.field.title,
        "kind": result.field.kind.value,
        "candidates": [_group(group) for group in result.groups],
        "agreement": _reliability(result.reliability, result.pairs),
    }


def _group(group: GroupResult) -> dict[str, Any]:
    return {
        "label": group.label,
        "ratings": group.ratings,
        "mean": asdict(group.mean) if group.mean else None,
        "difference": asdict(group.difference) if group.difference else None,
        "counts": dict(group.counts),
    }


def _side(one: SidesResult) -> dict[str, Any]:
    return {
        "label": one.candidate.label,
        "model_ref": one.candidate.model_ref,
        "wins": one.wins,
        "losses": one.losses,
        "win_rate": asdict(one.rate),
    }


def _reliability(found: Reliability, pairs: list[PairOfRaters]) -> dict[str, Any]:
    return {
        "units": found.units,
        "share": found.share,
        "krippendorff_alpha": found.alpha,
        "pairs": [
            {
                "raters": [pair.first.email, pair.second.email],
                "units": pair.found.many,
                "share": pair.found.share,
                "cohen_kappa": pair.found.kappa,
            }
            for pair in pairs
        ],
    }
