"""What each format makes of a conversation, and what it refuses to bend."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from requests_log.datasets.export import shapes
from requests_log.datasets.export.files import Csv, Parquet, guarded, parquet_schema, unguarded
from requests_log.datasets.export.formats import FORMATS
from tests.exporting.rows import ODD, PAIR, PARTS, PLAIN, STORED, TOOLS, TURNS, canonical


@pytest.mark.parametrize("row", STORED)
def test_openai_lines_are_the_stored_bytes(row: dict[str, Any]) -> None:
    stored = canonical(row)

    assert msgspec.json.encode(shapes.openai(msgspec.json.decode(stored)), order="sorted") == stored


def test_trl_learns_the_last_answer_and_gets_arguments_as_objects() -> None:
    record = shapes.conversational(TOOLS)

    assert record["completion"] == [{"role": "assistant", "content": "In Bergen."}]
    assert record["prompt"][1]["tool_calls"][0]["function"]["arguments"] == {"id": 7}
    assert record["tools"] == TOOLS["tools"]
    assert all("weight" not in message for message in shapes.conversational(TURNS)["prompt"])


def test_a_pair_becomes_a_preference_row_of_either_kind() -> None:
    assert shapes.preference(PAIR) == {
        "prompt": PLAIN["messages"][:2],
        "chosen": PLAIN["messages"][2:],
        "rejected": [{"role": "assistant", "content": "5"}],
    }
    assert shapes.openai_preference(PAIR) == {
        "input": {"messages": PLAIN["messages"][:2]},
        "preferred_output": PLAIN["messages"][2:],
        "non_preferred_output": [{"role": "assistant", "content": "5"}],
    }


def test_sharegpt_names_the_speakers() -> None:
    said = shapes.sharegpt(TOOLS)["conversations"]

    assert [one["from"] for one in said] == ["human", "function_call", "observation", "gpt"]
    assert said[1]["value"] == '{"arguments":{"id":7},"name":"find"}'


def test_alpaca_keeps_what_came_before_as_history() -> None:
    assert shapes.alpaca(TURNS) == {
        "instruction": "Where is Oslo?",
        "input": "",
        "output": "In Norway.",
        "system": "",
        "history": [["Hello", "Hi!"]],
    }


def test_a_completion_has_the_system_text_in_front() -> None:
    assert shapes.completion(PLAIN) == {
        "prompt": "Answer briefly.\n\nWhat is 2+2?",
        "completion": "4",
    }


@pytest.mark.parametrize(
    ("name", "row", "code"),
    [
        ("alpaca", TOOLS, "tools"),
        ("alpaca", PARTS, "not_text"),
        ("completion", TURNS, "several_turns"),
        ("sharegpt", PARTS, "not_text"),
        ("preference", PLAIN, "no_rejected"),
        ("openai-preference", TURNS, "no_rejected"),
        ("alpaca", {"messages": PLAIN["messages"][2:]}, "no_question"),
        ("alpaca", {"messages": [*PLAIN["messages"][1:], *PLAIN["messages"][2:]]}, "odd_turns"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(name: str, row: dict[str, Any], code: str) -> None:
    with pytest.raises(shapes.Unfit) as refused:
        FORMATS[name].shape(row)

    assert refused.value.code == code


@pytest.mark.parametrize("row", [*STORED, PAIR])
def test_a_csv_line_says_all_there_is(row: dict[str, Any]) -> None:
    file = io.BytesIO()
    Csv(file).write(shapes.cells(row), 0)

    (cells,) = csv.DictReader(io.StringIO(file.getvalue().decode(), newline=""))
    assert conversation_in(cells) == row


def conversation_in(cells: dict[str, str]) -> dict[str, Any]:
    """What docs/exporting.md says a line means."""
    roles = ("system", "user", "assistant")
    plain = [{"role": role, "content": cells[role]} for role in roles if cells[role]]
    row: dict[str, Any] = {"messages": plain or msgspec.json.decode(cells["messages"])}
    more = {name: cells[name] for name in ("tools", "rejected") if cells[name]}
    return row | {name: msgspec.json.decode(text) for name, text in more.items()}


@pytest.mark.parametrize("row", [*STORED, PAIR])
def test_a_parquet_row_says_all_there_is(row: dict[str, Any]) -> None:
    from pyarrow import parquet

    file = io.BytesIO()
    writer = Parquet(file)
    writer.write(shapes.columns(row), 0)
    writer.close()

    table = parquet.read_table(io.BytesIO(file.getvalue()))
    assert table.schema.equals(parquet_schema())
    (read,) = table.to_pylist()
    found: dict[str, Any] = {"messages": [_said(message) for message in read["messages"]]}
    if read["tools"]:
        found["tools"] = msgspec.json.decode(read["tools"])
    if read["rejected"]:
        found["rejected"] = [_said(message) for message in read["rejected"]]
    assert found == row


def _said(message: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in message.items() if value is not None}
    if "parts" in said:
        said["content"] = msgspec.json.decode(said.pop("parts"))
    return said


@given(st.text())
def test_a_guarded_cell_starts_no_formula_and_is_undone(cell: str) -> None:
    shown = guarded(cell)

    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))  # noqa: RUF001
    assert unguarded(shown) == cell


def test_a_formula_in_a_csv_cell_is_kept_or_guarded_as_asked() -> None:
    exact, safe = io.BytesIO(), io.BytesIO()
    Csv(exact).write(shapes.cells(ODD), 0)
    Csv(safe, is_guarded=True).write(shapes.cells(ODD), 0)

    assert b',"=HYPERLINK(' in exact.getvalue()
    assert b",\"'=HYPERLINK(" in safe.getvalue()
