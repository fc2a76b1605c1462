from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from requests_log.traces.tree import DEEPEST_INDENT, INDENT, Form, Row, arranged

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def make_row(span_id: str, parent_id: str | None = None, *, at: float = 0, **fields: Any) -> Row:
    """A step that began so many seconds after noon and took one."""
    defaults: dict[str, Any] = {
        "form": Form.SPAN,
        "name": span_id,
        "kind": "span",
        "duration_ms": 1000.0,
    }
    return Row(
        span_id=span_id,
        parent_id=parent_id,
        begun=NOON + timedelta(seconds=at),
        **defaults | fields,
    )


def outline(rows: list[Row]) -> list[tuple[str, int]]:
    return [(row.name, row.depth) for row in arranged(rows)]


def test_children_follow_their_parent_oldest_first_in_whatever_order_they_came() -> None:
    rows = [
        make_row("late", "root", at=5),
        make_row("leaf", "early", at=2),
        make_row("early", "root", at=1),
        make_row("root"),
    ]

    assert outline(rows) == [("root", 0), ("early", 1), ("leaf", 2), ("late", 1)]


def test_a_parent_that_was_not_received_is_shown_as_missing() -> None:
    first, *rest = arranged([make_row("b", "gone", at=3), make_row("a", "gone", at=1)])

    assert (first.form, first.depth, first.id) == (Form.MISSING, 0, None)
    assert (first.begun, first.duration_ms) == (NOON + timedelta(seconds=1), 3000.0)
    assert [(row.name, row.depth) for row in rest] == [("a", 1), ("b", 1)]


def test_a_loop_of_parents_is_cut_open_and_loses_nothing() -> None:
    rows = [make_row("a", "b"), make_row("b", "a", at=1), make_row("self", "self", at=2)]

    assert outline(rows) == [("a", 0), ("b", 1), ("self", 0)]


def test_two_steps_of_one_id_are_both_shown_and_their_children_once() -> None:
    rows = [make_row("x"), make_row("x", at=1), make_row("child", "x", at=2)]

    assert outline(rows) == [("x", 0), ("child", 1), ("x", 0)]


def test_bars_lie_along_the_time_of_the_whole() -> None:
    rows = arranged(
        [
            make_row("root", duration_ms=10_000.0),
            make_row("half", "root", at=5, duration_ms=2_500.0),
            make_row("instant", "root", at=10, duration_ms=None),
        ]
    )

    places = {row.name: (row.left, row.width) for row in rows}
    assert places["root"] == (0.0, 100.0)
    assert places["half"] == (50.0, 25.0)
    assert places["instant"][0] + places["instant"][1] <= 100.0
    assert places["instant"][1] > 0


def test_a_chain_of_a_thousand_steps_is_no_problem() -> None:
    rows = [make_row(f"s{n}", f"s{n - 1}" if n else None, at=n) for n in range(1000)]

    ordered = arranged(rows)

    assert [row.depth for row in ordered] == list(range(1000))
    assert ordered[-1].indent == INDENT * DEEPEST_INDENT
