"""A trace as a tree, laid out along its time.

Parents may be missing (not received yet, or never sent): what hangs below one is shown below a
placeholder in its place. Nothing here trusts the ids: a loop of parents is cut open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from requests_log.models import LoggedRequest, LoggedSpan
from workbench.core.models import Project

MOST_ROWS = 2000
"""Requests, and as many spans, that one page shows."""

DEEPEST_INDENT = 16
INDENT = 14
"""Pixels a level is moved to the right."""

THINNEST = 0.4
"""Percent of the width that a bar has at least, so that it is seen."""


class Form(StrEnum):
    """What a row of the tree stands for."""

    REQUEST = "request"
    SPAN = "span"
    MISSING = "missing"


@dataclass(slots=True, kw_only=True)
class Row:
    """One row of the tree. `left` and `width` are percent of the trace's duration."""

    form: Form
    name: str
    kind: str
    span_id: str
    parent_id: str | None
    begun: datetime
    duration_ms: float | None
    id: UUID | None = None
    status: str = ""
    detail: str = ""
    total_tokens: int | None = None
    cost: Decimal | None = None
    depth: int = 0
    left: float = 0.0
    width: float = 0.0

    @property
    def ended(self) -> datetime:
        return self.begun + timedelta(milliseconds=self.duration_ms or 0.0)

    @property
    def indent(self) -> int:
        """Pixels."""
        return INDENT * min(self.depth, DEEPEST_INDENT)


@dataclass(frozen=True, slots=True)
class Trace:
    """The rows of a trace in the order of the tree, and what they come to."""

    id: str
    rows: Sequence[Row]
    is_cut: bool

    @property
    def begun(self) -> datetime:
        return min(row.begun for row in self.rows)

    @property
    def duration_ms(self) -> float:
        ended = max(row.ended for row in self.rows)
        return (ended - self.begun).total_seconds() * 1000

    @property
    def requests(self) -> int:
        return sum(row.form is Form.REQUEST for row in self.rows)

    @property
    def spans(self) -> int:
        return sum(row.form is Form.SPAN for row in self.rows)

    @property
    def steps(self) -> int:
        """What is stored of it."""
        return self.requests + self.spans

    @property
    def missing(self) -> int:
        return sum(row.form is Form.MISSING for row in self.rows)

    @property
    def errors(self) -> int:
        return sum(row.status == "error" for row in self.rows)

    @property
    def total_tokens(self) -> int | None:
        counts = [row.total_tokens for row in self.rows if row.total_tokens is not None]
        return sum(counts) if counts else None

    @property
    def cost(self) -> Decimal | None:
        costs = [row.cost for row in self.rows if row.cost is not None]
        return sum(costs, Decimal()) if costs else None

    @property
    def name(self) -> str:
        """What the first row is called: the whole is known by where it begins."""
        return next((row.name for row in self.rows if row.form is not Form.MISSING), "Trace")


def read_trace(project: Project, trace_id: str) -> Trace | None:
    """The project's trace; None when nothing of it is stored."""
    requests = LoggedRequest.objects.in_project(project).in_trace(trace_id).order_by("id")
    spans = LoggedSpan.objects.in_project(project).in_trace(trace_id).order_by("id")
    rows = [
        *map(_of_request, requests.only(*_REQUEST_FIELDS)[: MOST_ROWS + 1]),
        *map(_of_span, spans.only(*_SPAN_FIELDS)[: MOST_ROWS + 1]),
    ]
    if not rows:
        return None
    is_cut = max(requests.count(), spans.count()) > MOST_ROWS if len(rows) > MOST_ROWS else False
    return Trace(trace_id, arranged(rows), is_cut)


_SPAN_FIELDS = (
    "id", "started_at", "duration_ms", "status", "name", "kind", "span_id", "parent_id",
    "error_message",
)  # fmt: skip
_REQUEST_FIELDS = (
    "id", "started_at", "duration_ms", "status", "operation", "model", "span_id", "parent_id",
    "input_preview", "error_message", "input_tokens", "output_tokens", "cost",
)  # fmt: skip


def _of_request(request: LoggedRequest) -> Row:
    return Row(
        form=Form.REQUEST,
        id=request.id,
        name=request.model or request.get_operation_display(),
        kind=request.operation,
        detail=request.error_message or request.input_preview or "",
        status=request.status,
        span_id=request.span_id or str(request.id),
        parent_id=request.parent_id,
        begun=request.started_at,
        duration_ms=request.duration_ms,
        total_tokens=request.total_tokens,
        cost=request.cost,
    )


def _of_span(span: LoggedSpan) -> Row:
    return Row(
        form=Form.SPAN,
        id=span.id,
        name=span.name,
        kind=span.kind,
        detail=span.error_message or "",
        status=span.status,
        span_id=span.span_id,
        parent_id=span.parent_id,
        begun=span.started_at,
        duration_ms=span.duration_ms,
    )


def arranged(rows: Sequence[Row]) -> list[Row]:
    """The rows in the order of the tree, oldest first on each level, with depths and bars."""
    by_age = sorted(rows, key=lambda row: (row.begun, row.form is Form.REQUEST))
    children: dict[str, list[Row]] = {}
    for row in by_age:
        children.setdefault(row.parent_id or "", []).append(row)
    present = {row.span_id for row in rows}
    absent = [parent for parent in children if parent and parent not in present]
    placeholders = [_placeholder(parent, children[parent]) for parent in absent]
    roots = sorted([*children.get("", []), *placeholders], key=lambda row: row.begun)
    ordered = _walked([*roots, *by_age], children)
    _place_bars(ordered)
    return ordered


def _placeholder(span_id: str, children: Sequence[Row]) -> Row:
    begun, ended = min(row.begun for row in children), max(row.ended for row in children)
    return Row(
        form=Form.MISSING,
        name=f"Step {span_id[:16]}",
        kind="",
        detail="not received",
        span_id=span_id,
        parent_id=None,
        begun=begun,
        duration_ms=(ended - begun).total_seconds() * 1000,
    )


def _walked(starts: Iterable[Row], children: dict[str, list[Row]]) -> list[Row]:
    """All rows below the starts, each once; a start that was reached from another is skipped."""
    found: list[Row] = []
    seen: set[int] = set()
    expanded: set[str] = set()
    for start in starts:
        waiting = [(start, 0)]
        while waiting:
            row, depth = waiting.pop()
            if id(row) in seen:
                continue
            seen.add(id(row))
            row.depth = depth
            found.append(row)
            if row.span_id not in expanded:
                expanded.add(row.span_id)
                waiting += [(one, depth + 1) for one in reversed(children.get(row.span_id, []))]
    return found


def _place_bars(rows: Sequence[Row]) -> None:
    first = min(row.begun for row in rows)
    whole = (max(row.ended for row in rows) - first).total_seconds() * 1000 or 1.0
    for row in rows:
        share = 100 * (row.duration_ms or 0.0) / whole
        row.width = round(min(100.0, max(THINNEST, share)), 2)
        start = 100 * (row.begun - first).total_seconds() * 1000 / whole
        row.left = round(min(start, 100.0 - row.width), 2)
