"""Which answers enter a study, in which order, on which side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random
from uuid import UUID

from evals.human.models import Item, Study
from evals.models import Candidate, Cell
from requests_log.datasets.models import Example
from requests_log.models import LoggedRequest
from requests_log.selection import Selection
from workbench.core.errors import DomainError

MOST_ITEMS = 2_000
CONSIDERED = 20_000
"""Requests or examples, the newest, out of which those of a study are drawn."""


class NothingToRate(DomainError):
    """Nothing fits what was asked for."""

    code = "nothing_to_rate"


def draw_items(
    study: Study, candidates: Sequence[Candidate], *, limit: int, at: datetime
) -> list[Item]:
    """The items of a study that is being made, shuffled by its seed; nothing is stored.

    Raises:
        NothingToRate: there is no answer to judge.
        InvalidInput: the query has a problem.
    """
    random = Random(study.seed)  # noqa: S311 - an order that can be made again, no secret
    if study.source == Study.Source.COMPARISON:
        items = _of_comparison(study, candidates, limit, random)
    elif study.source == Study.Source.LOG:
        items = _of_log(study, limit, at, random)
    else:
        items = _of_dataset(study, limit, random)
    if not items:
        raise NothingToRate(_NOTHING[Study.Source(study.source)])
    random.shuffle(items)
    for position, item in enumerate(items):
        item.position = position
    return items


_NOTHING = {
    Study.Source.COMPARISON: "These candidates have not answered the same rows yet. Wait for the "
    "comparison, or choose others.",
    Study.Source.LOG: "No request that succeeded matches this query. Change the query.",
    Study.Source.DATASET: "The dataset has no example that ends with an answer. Choose another.",
}


def _of_comparison(
    study: Study, candidates: Sequence[Candidate], limit: int, random: Random
) -> list[Item]:
    """Rows that all candidates answered, so that each is judged on the same ones."""
    answered = Cell.objects.filter(candidate__in=candidates, error="")
    cells = answered.values_list("position", "candidate", "content")
    contents: dict[int, int] = {}
    whose: dict[int, set[int]] = {}
    for row, candidate, content in cells:
        contents[row] = content
        whose.setdefault(row, set()).add(candidate)
    rows = sorted(row for row, by in whose.items() if len(by) == len(candidates))
    each = 1 if study.is_side_by_side else len(candidates)
    chosen = random.sample(rows, min(len(rows), max(1, limit // each)))
    items = []
    for row in chosen:
        at = {"study": study, "row": row, "content_id": contents[row]}
        if study.is_side_by_side:
            left, right = random.sample(list(candidates), 2)
            items.append(Item(left=left, right=right, **at))
        else:
            items += [Item(left=one, group=one.label, **at) for one in candidates]
    return items


def _of_log(study: Study, limit: int, at: datetime, random: Random) -> list[Item]:
    matching: list[UUID] = []
    for ids in Selection(at=at, query=study.query).chunks(study.project):
        matching += ids
        if len(matching) >= CONSIDERED:
            break
    rows = LoggedRequest.objects.in_project(study.project).filter(id__in=matching, status="ok")
    found = sorted(rows.filter(output_preview__isnull=False).values_list("id", "model"))
    chosen = random.sample(found, min(len(found), limit))
    return [
        Item(study=study, request_id=id_, group=(model or "no model")[:300])
        for id_, model in chosen
    ]


def _of_dataset(study: Study, limit: int, random: Random) -> list[Item]:
    if study.dataset is None:
        return []
    answered = Example.objects.in_dataset(study.dataset).filter(content__turns__gt=0)
    found = list(answered.newest_first().values_list("content", flat=True)[:CONSIDERED])
    chosen = random.sample(found, min(len(found), limit))
    return [Item(study=study, content_id=content, group=study.dataset.name) for content in chosen]
