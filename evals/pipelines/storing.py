"""Writing many lines and cells at once, in one statement each.

A run writes a few hundred of them a second, each with a dozen columns: made by the ORM they cost as
much processor time as the calls themselves. Here columns travel as arrays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection

if TYPE_CHECKING:
    from evals.pipelines.ledger import Line
    from evals.pipelines.models import Cell

_COPY = """
COPY pipelines_call (id, project_id, run_id, row_id, step, sample, key, model, state, request,
    reserved, provider_request_id, error_kind, error, batch_id) FROM STDIN
"""
_SETTLE = """
UPDATE pipelines_call AS line SET state = told.state, answer = told.answer, message = told.message,
    cost = told.cost, input_tokens = told.input_tokens, output_tokens = told.output_tokens,
    milliseconds = told.milliseconds, provider_request_id = told.request_id,
    error_kind = told.error_kind, error = told.error, finished_at = now()
FROM unnest(%s::text[], %s::bytea[], %s::bytea[], %s::numeric[], %s::int[], %s::int[], %s::float8[],
    %s::text[], %s::text[], %s::text[], %s::uuid[])
    AS told (state, answer, message, cost, input_tokens, output_tokens, milliseconds, request_id,
        error_kind, error, id)
WHERE line.id = told.id
"""
_CELLS = """
INSERT INTO pipelines_cell (run_id, row_id, step, state, value, kept, error_kind, error, calls,
    reused, cost, milliseconds, input_tokens, output_tokens)
SELECT run_id, row_id, step, state, value::json, kept, error_kind, error, calls::uuid[], reused,
    cost, milliseconds, input_tokens, output_tokens
FROM unnest(%s::uuid[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::bool[], %s::text[],
    %s::text[], %s::text[], %s::bool[], %s::numeric[], %s::float8[], %s::int[], %s::int[])
    AS made (run_id, row_id, step, state, value, kept, error_kind, error, calls, reused, cost,
        milliseconds, input_tokens, output_tokens)
ON CONFLICT (row_id, step) DO UPDATE SET state = excluded.state, value = excluded.value,
    kept = excluded.kept, error_kind = excluded.error_kind, error = excluded.error,
    calls = excluded.calls, reused = excluded.reused, cost = excluded.cost,
    milliseconds = excluded.milliseconds, input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens
"""


def write_lines(
    run_id: UUID, project_id: int, lines: Iterable[Line], *, batch_id: UUID | None = None
) -> None:
    """Add lines of calls that are about to go out, perhaps with a batch."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for one in lines:
            copy.write_row((
                one.id, project_id, run_id, one.row_id, one.step, one.sample, one.key, one.model,
                "sent", one.body, one.reserved, "", "", "", batch_id,
            ))  # fmt: skip


def settle_lines(rows: Sequence[tuple[Any, ...]]) -> None:
    """Complete lines: the columns of `_SETTLE` in its order."""
    _by_columns(_SETTLE, rows)


def write_cells(cells: Sequence[Cell]) -> None:
    """Add cells, in place of those that are there of the same row and step."""
    _by_columns(_CELLS, [_columns(cell) for cell in cells])


def _by_columns(statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _columns(cell: Cell) -> tuple[Any, ...]:
    calls = "{" + ",".join(map(str, cell.calls)) + "}"
    return (
        cell.run_id, cell.row_id, cell.step, str(cell.state), json.dumps(cell.value), cell.kept,
        cell.error_kind, cell.error, calls, cell.reused, cell.cost, cell.milliseconds,
        cell.input_tokens, cell.output_tokens,
    )  # fmt: skip
