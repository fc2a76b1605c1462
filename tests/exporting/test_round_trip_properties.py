"""Any text survives every format: into a file and back, and from a file to the stored form."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from requests_log.datasets.canonical import read_row
from requests_log.datasets.export.formats import FORMATS as EXPORTED
from requests_log.datasets.export.shapes import Unfit, shaped
from requests_log.datasets.imports.formats.turns import is_transcript
from requests_log.datasets.imports.recognising import FORMATS, read_record, recognise
from requests_log.importers import containers
from requests_log.importers.records import Problem

Body = dict[str, Any]
TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\t\x00,;'\"{}[]=\u2028\ufeff"),
    min_size=1,
    max_size=30,
).filter(str.strip)
CALL = st.builds(
    lambda name, value: {
        "type": "function",
        "function": {"name": name, "arguments": msgspec.json.encode({"of": value}).decode()},
        "id": "c1",
    },
    TEXT,
    TEXT,
)
WHOLE = {"openai", "parquet", "csv"}
PAIRED = {"parquet", "csv"}


def said(role: str, content: str) -> Body:
    return {"role": role, "content": content}


def asked_and_answered(question: str, answer: str) -> list[Body]:
    return [said("user", question), said("assistant", answer)]


@st.composite
def conversations(draw: st.DrawFn) -> Body:
    """A row with any of what a conversation may have."""
    messages = [said("system", draw(TEXT))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 2))):
        messages += asked_and_answered(draw(TEXT), draw(TEXT))
        messages[-1] |= {"weight": 0} if draw(st.booleans()) else {}
    messages.append(said("user", draw(TEXT)))
    if draw(st.booleans()):
        call = {"role": "assistant", "tool_calls": [draw(CALL)]}
        messages += [call, said("tool", draw(TEXT)) | {"tool_call_id": "c1"}]
    answer, worse = draw(TEXT), draw(TEXT)
    row: Body = {"messages": [*messages, said("assistant", answer)]}
    if draw(st.booleans()) and worse != answer:
        row["rejected"] = said("assistant", worse)
    if draw(st.booleans()):
        row["tools"] = [{"type": "function", "function": {"name": draw(TEXT), "parameters": {}}}]
    body: Body = msgspec.json.decode(read_row(row).payload)
    return body


def taken_in(content: bytes, name: str, **how: Any) -> tuple[str, list[Body]]:
    """The format that was recognised, and what its rows are stored as."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        found = recognise(path, name, **how)
        entries = [one for group in containers.groups(path, found.container) for one in group]
    rows = []
    for entry in entries:
        assert not isinstance(entry, Problem), entry
        read = read_record(found.format, found.mapping, entry)
        assert not isinstance(read, Problem), read
        rows.append(msgspec.json.decode(read.payload))
    return found.format.name, rows


def written(bodies: Sequence[Body], name: str) -> tuple[bytes, list[Body]]:
    """The rows that fit as a file of an export format, and which they are."""
    file, kept = io.BytesIO(), []
    writer = EXPORTED[name].writer(file)
    for body in bodies:
        try:
            record = shaped(EXPORTED[name].shape, body)
        except Unfit:
            continue
        writer.write(record, 1)
        kept.append(body)
    writer.close()
    return file.getvalue(), kept


@pytest.mark.parametrize("name", EXPORTED)
@settings(max_examples=60)
@given(bodies=st.lists(conversations(), min_size=1, max_size=4))
def test_any_conversations_exported_and_taken_in_make_the_same_file(
    name: str, bodies: list[Body]
) -> None:
    first, kept = written(bodies, name)
    assume(kept)

    _, again = taken_in(first, f"rows.{EXPORTED[name].extension}")

    assert written(again, name) == (first, again)
    if name in WHOLE:
        left_out = set() if name in PAIRED else {"rejected"}
        assert again == [
            {key: value for key, value in body.items() if key not in left_out} for body in kept
        ]


Shape = Callable[[str, str, str], tuple[Mapping[str, Any], Body]]
"""Three texts to a row of an import format, and to what is stored of it."""


def _alike(*messages: Body, worse: str = "") -> Body:
    pair = {"rejected": said("assistant", worse)} if worse else {}
    return {"messages": list(messages)} | pair


SHAPES: dict[str, Shape] = {
    "chat": lambda q, a, _: (
        {"messages": asked_and_answered(q, a)},
        _alike(*asked_and_answered(q, a)),
    ),
    "preference": lambda q, a, worse: (
        {"prompt": q, "chosen": a, "rejected": worse},
        _alike(*asked_and_answered(q, a), worse=worse),
    ),
    "openai_preference": lambda q, a, worse: (
        {
            "input": {"messages": [said("user", q)]},
            "preferred_output": [said("assistant", a)],
            "non_preferred_output": [said("assistant", worse)],
        },
        _alike(*asked_and_answered(q, a), worse=worse),
    ),
    "sharegpt": lambda q, a, _: (
        {"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]},
        _alike(*asked_and_answered(q, a)),
    ),
    "alpaca": lambda q, a, given_: (
        {"instruction": q, "input": given_, "output": a},
        _alike(*asked_and_answered(f"{q}\n\n{given_}", a)),
    ),
    "prompt_completion": lambda q, a, _: (
        {"prompt": q, "completion": a},
        _alike(*asked_and_answered(q, a)),
    ),
    "transcript": lambda q, a, _: (
        {"text": f"### Human: {q}### Assistant: {a}"},
        _alike(*asked_and_answered(q.strip(), a.strip())),
    ),
    "text": lambda text, title, _: (
        {"text": text, "title": title},
        {"text": text, "title": title},
    ),
    "columns": lambda q, a, _: (
        {"one": q, "two": a},
        _alike(*asked_and_answered(f"{{Tell}}: {q}", a)),
    ),
    "inputs": lambda q, a, _: ({"one": q, "two": a}, {"inputs": {"one": q, "two": a}}),
}
TOLD: dict[str, Body] = {
    "columns": {
        "wanted": "columns",
        "mapping": {"user": "{{Tell}}: {one}", "assistant": "{two}"},
    },
    "inputs": {"wanted": "inputs"},
}
"""What a person says of files that nothing tells apart from other tables."""


def as_jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def as_json(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps(list(rows), indent=1).encode()


def as_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Objects and lists as JSON in their cell."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(rows[0]))
    table.writeheader()
    for row in rows:
        cells = {k: v if isinstance(v, str) else json.dumps(v) for k, v in row.items()}
        table.writerow(cells)
    return text.getvalue().encode()


def as_parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist([dict(row) for row in rows]), file)
    return file.getvalue()


WRITERS = {"jsonl": as_jsonl, "json": as_json, "csv": as_csv, "parquet": as_parquet}


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60)
@given(
    texts=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=3),
    kind=st.sampled_from(sorted(WRITERS)),
)
def test_any_texts_are_stored_as_they_stand_in_every_import_format(
    name: str, texts: list[tuple[str, str, str]], kind: str
) -> None:
    assume(all(answer != worse for _, answer, worse in texts))
    assume(not any(is_transcript(text) for three in texts for text in three))
    made = [SHAPES[name](*three) for three in texts]

    found, rows = taken_in(
        WRITERS[kind]([row for row, _ in made]), f"rows.{kind}", **TOLD.get(name, {})
    )

    assert found == name
    assert rows == [stored for _, stored in made]
