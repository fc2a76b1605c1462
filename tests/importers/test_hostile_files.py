"""Whatever is in a file: a sentence with the line, and the good rows around it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from requests_log.calls import Call
from requests_log.importers import containers
from requests_log.importers.records import MAX_ROW, BadFile, Problem, Record
from requests_log.importers.tables import csv_rows
from tests.importers.golden import read_file

ROW = {"id": "1", "timestamp": "2025-03-04T10:00:00Z", "prompt": "Hi?", "completion": "Hello."}


def row(number: int, **changes: Any) -> bytes:
    return json.dumps(ROW | {"id": str(number)} | changes).encode() + b"\n"


def make_file(folder: Path, content: bytes, name: str = "calls.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def read(folder: Path, content: bytes, name: str = "calls.jsonl") -> tuple[int, list[Problem]]:
    """How many calls, and the problems."""
    _, outs, problems = read_file(make_file(folder, content, name))
    return len([out for out in outs if isinstance(out, Call)]), problems


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + row(1)) == (1, [])
    table = b"\xef\xbb\xbfid,prompt\n1,Hi\n"
    assert read(tmp_path, table, "calls.csv") == (1, [])


def test_a_line_that_is_not_utf8_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    broken = row(2).replace(b"Hi?", b"Gr\xfc\xdfe")

    calls, problems = read(tmp_path, row(1) + broken + row(3))

    assert calls == 2
    assert [problem.line for problem in problems] == [2]
    assert "UTF-8" in problems[0].sentence


def test_a_utf16_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="Save it as UTF-8"):
        read(tmp_path, "id,prompt\n1,Hi\n".encode("utf-16"), "calls.csv")


@pytest.mark.parametrize("line", [b"{", b"[]", b"1", b'{"a": }', b"nonsense", b'{"a":1}}'])
def test_a_broken_line_costs_only_itself(tmp_path: Path, line: bytes) -> None:
    calls, problems = read(tmp_path, row(1) + line + b"\n\n" + row(3))

    assert calls == 2
    assert [problem.line for problem in problems] == [2]


def test_deep_nesting_is_refused_by_line(tmp_path: Path) -> None:
    deep = b'{"id":"2","prompt":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"

    calls, problems = read(tmp_path, row(1) + deep + row(3))

    assert calls == 2
    assert problems == [Problem(2, "It is nested deeper than 128 levels.")]


def test_a_line_beyond_the_limit_is_passed_over(tmp_path: Path) -> None:
    calls, problems = read(tmp_path, row(1) + b"x" * (MAX_ROW + 5) + b"\n" + row(3))

    assert calls == 2
    assert problems == [Problem(2, "The line is longer than 20 MiB.")]


def test_nan_lone_surrogates_and_long_numbers_are_read(tmp_path: Path) -> None:
    odd = b'{"id":"1","prompt":"\\ud800","x":NaN,"y":123456789012345678901234567890}\n'

    assert read(tmp_path, odd) == (1, [])


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_compressed_file_that_was_cut_off_gives_what_is_there(
    tmp_path: Path, suffix: str
) -> None:
    whole = b"".join(row(number, note=f"x{number}") for number in range(20_000))
    packed = gzip.compress(whole) if suffix == "gz" else zstandard.compress(whole)
    path = make_file(tmp_path, packed[: len(packed) // 2], f"calls.jsonl.{suffix}")
    container = containers.look_at(path, path.name)
    seen = 0

    with pytest.raises(BadFile, match="cut off"):  # noqa: PT012 - what came before is counted
        for group in containers.groups(path, container):
            seen += len(group)

    assert seen > 1000


def test_what_is_called_gz_and_is_not_is_read_as_it_is(tmp_path: Path) -> None:
    path = make_file(tmp_path, row(1), "calls.jsonl.gz")

    assert "not" in containers.look_at(path, path.name).notice
    assert read(tmp_path, row(1), "calls.jsonl.gz") == (1, [])


def test_compressed_files_are_read_whatever_they_are_called(tmp_path: Path) -> None:
    two_members = gzip.compress(row(1)) + gzip.compress(row(2))
    two_frames = zstandard.compress(row(1)) + zstandard.compress(row(2))

    assert read(tmp_path, two_members, "calls") == (2, [])
    assert read(tmp_path, two_frames, "calls") == (2, [])


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b"BZh9", b"\xfd7zXZ\x00", b"7z\xbc\xaf\x27\x1c"])
def test_archives_are_refused_with_what_to_do(tmp_path: Path, magic: bytes) -> None:
    with pytest.raises(BadFile, match="Unpack it"):
        read(tmp_path, magic + b"\x00" * 100, "calls.zip")


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf", gzip.compress(b"")])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadFile, match="empty"):
        read(tmp_path, content)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_bomb_is_stopped(tmp_path: Path, pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "FREE_BYTES", 1 << 20)
    path = make_file(tmp_path, pack(row(1) + (b" " * 1000 + b"\n") * 60_000), "calls.jsonl.gz")
    container = containers.look_at(path, path.name)

    with pytest.raises(BadFile, match="times larger"):
        list(containers.groups(path, container))


def test_a_json_document_that_breaks_off_says_so(tmp_path: Path) -> None:
    path = make_file(tmp_path, b"[\n" + row(1) + b",\n" + row(2) + b',\n{"id": "3"', "c.json")
    seen = []

    with pytest.raises(BadFile, match="breaks off"):  # noqa: PT012
        for group in containers.groups(path, containers.look_at(path, "c.json")):
            seen += group

    assert [entry.line for entry in seen] == [2, 4]


def test_pages_are_opened_in_documents_and_in_lines(tmp_path: Path) -> None:
    rows = [ROW | {"id": "1"}, ROW | {"id": "2"}]
    page = {"object": "list", "data": rows, "has_more": False}

    pretty = json.dumps(page, indent=2).encode()
    assert read(tmp_path, pretty, "p.json") == (2, [])
    assert read(tmp_path, pretty + pretty, "p.json") == (4, [])
    assert read(tmp_path, json.dumps(page).encode() + b"\n" + row(3), "p.jsonl") == (3, [])


def test_rows_of_a_page_keep_their_bytes(tmp_path: Path) -> None:
    line = b'{"data": [ {"prompt":"x",  "n": 1e2} , {"prompt":"y"}]}\n'
    path = make_file(tmp_path, line)

    [group] = containers.groups(path, containers.look_at(path, path.name))

    assert [entry.raw for entry in group if isinstance(entry, Record)] == [
        b'{"prompt":"x",  "n": 1e2}',
        b'{"prompt":"y"}',
    ]


def test_a_csv_cell_may_be_a_mebibyte_and_hold_lines(tmp_path: Path) -> None:
    long = "line\n" * (1 << 18)
    content = f'id,prompt\n1,"{long}"\n2,Hi\n'.encode()
    path = make_file(tmp_path, content, "calls.csv")

    _, outs, problems = read_file(path)

    assert problems == []
    assert len(outs) == 2
    assert isinstance(outs[0], Call)
    assert len(outs[0].request) > 1 << 20


def test_csv_rows_tell_their_lines(tmp_path: Path) -> None:
    content = b'id,prompt\n1,"a\nb"\n2,x,y,z\n3,\xff\n4,fine\n'

    calls, problems = read(tmp_path, content, "calls.csv")

    assert calls == 2
    assert [problem.line for problem in problems] == [4, 5]


def test_a_quote_that_never_closes_ends_in_a_sentence() -> None:
    lines = [(1, b"id,prompt\n"), (2, b'1,"never\n')] + [
        (n, b"x" * (1 << 20) + b"\n") for n in range(3, 30)
    ]

    entries = list(csv_rows(lines))

    assert any(isinstance(entry, Problem) and "quotes" in entry.sentence for entry in entries)


def test_csv_with_semicolons_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, b"id;prompt;completion\n1;Hi, you;Hello\n", "calls.csv") == (1, [])


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="same name"):
        read(tmp_path, b"id,prompt,prompt\n1,a,b\n", "calls.csv")


def test_parquet_with_nested_types_is_read(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": ["1", "2"],
            "timestamp": pa.array([1741082400000000, 1741082401000000], pa.timestamp("us", "UTC")),
            "messages": [
                [{"role": "user", "content": "Hi?", "name": None}],
                [
                    {"role": "user", "content": "Hi?", "name": "ann"},
                    {"role": "assistant", "content": "Hello.", "name": None},
                ],
            ],
            "scores": [{"a": 1.5}, None],
            "blob": [b"\xff\x00", b""],
        }
    )
    path = tmp_path / "calls.parquet"
    parquet.write_table(table, path)

    _, outs, problems = read_file(path)

    calls = [out for out in outs if isinstance(out, Call)]
    assert problems == []
    assert calls[0].request == b'{"messages":[{"role":"user","content":"Hi?"}]}'
    assert calls[1].response is not None
    assert b"Hello." in calls[1].response


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="damaged"):
        read(tmp_path, b"PAR1" + b"\x00" * 200 + b"PAR1", "calls.parquet")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("yesterday", "no time"), (12, "before 2000"), ("2999-01-01T00:00:00Z", "future"),
        ([], "no time"), ("0001-01-01T00:00:00+14:00", "before 2000"), (1e300, "no time"),
    ],
)  # fmt: skip
def test_an_impossible_time_is_told(tmp_path: Path, value: Any, says: str) -> None:
    calls, problems = read(tmp_path, row(1) + row(2, timestamp=value))

    assert calls == 1
    assert problems[0].line == 2
    assert says in problems[0].sentence


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
NAMES = (
    "id", "type", "body", "traceId", "startTime", "timestamp", "input", "output", "usage", "value",
    "dataType", "reqPayload", "respPayload", "tags", "request_created_at", "request_body", "scores",
    "response_body", "call_type", "metadata", "messages", "response", "run_type", "inputs", "extra",
    "outputs", "feedback_stats", "object", "created", "choices", "prompt", "completion", "model",
    "observations", "parentObservationId", "usageDetails", "spend", "request", "status", "error",
)  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(value=st.dictionaries(st.sampled_from(NAMES), json_values, min_size=1))
def test_no_record_breaks_any_reader(value: dict[str, Any]) -> None:
    from requests_log.importers.formats import FORMATS
    from requests_log.importers.records import BadRecord, to_json
    from tests.importers.golden import make_context

    record = Record(1, value, to_json(value))
    for one in FORMATS.values():
        one.claims(value)
        context = make_context()
        try:
            if one.look is not None:
                one.look(record, context)
            one.read(record, context)
        except BadRecord:
            pass


def test_a_document_that_nests_without_end_is_stopped_early(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="nested too deeply"):
        read(tmp_path, b"[" * (4 << 20), "c.json")


def test_a_row_with_fields_without_end_is_refused(tmp_path: Path) -> None:
    many = {f"field {number}": 1 for number in range(3000)}

    calls, problems = read(tmp_path, row(1) + row(2, **many))

    assert calls == 1
    assert problems == [Problem(2, "It has more than 2,000 fields.")]
