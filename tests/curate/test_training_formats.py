"""Formats of training files: recognised, and read into the one form datasets store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from requests_log.datasets.canonical import BadRow, read_row
from requests_log.datasets.imports.formats.pairs import filled
from requests_log.datasets.imports.recognising import FORMATS, Recognised, read_record, recognise
from requests_log.importers.records import BadFile, Problem, Record
from workbench.core.errors import InvalidInput

HELLO = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {}}}
CALL = {"name": "weather", "arguments": '{"city":"Bern"}'}


def looked(tmp_path: Path, *rows: object, **how: Any) -> Recognised:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return recognise(path, "rows.jsonl", **how)


def looked_at_csv(tmp_path: Path, content: bytes | str, **how: Any) -> Recognised:
    path = tmp_path / "rows.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return recognise(path, "rows.csv", **how)


def became(found: Recognised) -> list[dict[str, Any]]:
    rows, problems = found.shown()
    assert not problems, problems
    return [msgspec.json.decode(example.payload) for _, example in rows]


def problem_of(found: Recognised) -> str:
    rows, problems = found.shown()
    assert not rows
    return problems[0].sentence


@pytest.mark.parametrize(
    ("expected", "row"),
    [
        ("chat", {"messages": HELLO}),
        ("chat", {"messages": json.dumps(HELLO)}),
        ("sharegpt", {"conversations": [
            {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}),
        ("sharegpt", {"conversations": HELLO}),
        ("alpaca", {"instruction": "Hi", "input": "", "output": "Hello"}),
        ("prompt_completion", {"prompt": "Hi", "completion": "Hello"}),
        ("prompt_completion", {"prompt": HELLO[:1], "completion": HELLO[1:]}),
        ("prompt_completion", {"question": "Hi", "answer": "Hello"}),
        ("transcript", {"text": "### Human: Hi### Assistant: Hello"}),
        ("transcript", {"text": "\n\nHuman: Hi\n\nAssistant: Hello"}),
    ],
)  # fmt: skip
def test_one_conversation_is_the_same_from_every_format(
    tmp_path: Path, expected: str, row: dict[str, Any]
) -> None:
    found = looked(tmp_path, row)

    assert found.format.name == expected
    assert became(found) == [{"messages": HELLO}]


@pytest.mark.parametrize(
    ("expected", "row"),
    [
        ("preference", {"prompt": "Hi", "chosen": "Hello", "rejected": "Go away"}),
        ("preference", {"prompt": HELLO[:1], "chosen": HELLO[1:],
                        "rejected": [{"role": "assistant", "content": "Go away"}]}),
        ("preference", {"chosen": HELLO,
                        "rejected": [HELLO[0], {"role": "assistant", "content": "Go away"}]}),
        ("preference", {"prompt": "Hi", "chosen": HELLO,
                        "rejected": [HELLO[0], {"role": "assistant", "content": "Go away"}]}),
        ("preference", {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello",
                        "rejected": "\n\nHuman: Hi\n\nAssistant: Go away"}),
        ("openai_preference", {"input": {"messages": HELLO[:1]}, "preferred_output": HELLO[1:],
                               "non_preferred_output":
                                   [{"role": "assistant", "content": "Go away"}]}),
        ("chat", {"messages": HELLO, "rejected": {"role": "assistant", "content": "Go away"}}),
    ],
)  # fmt: skip
def test_one_pair_is_the_same_from_every_format(
    tmp_path: Path, expected: str, row: dict[str, Any]
) -> None:
    found = looked(tmp_path, row)

    assert found.format.name == expected
    assert became(found) == [
        {"messages": HELLO, "rejected": {"role": "assistant", "content": "Go away"}}
    ]


def test_tools_calls_and_their_results_survive(tmp_path: Path) -> None:
    chat = {
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "tool_calls": [{"id": "c1", "function": CALL}]},
            {"role": "tool", "tool_call_id": "c1", "content": "rain"},
            {"role": "assistant", "content": "It rains."},
        ],
        "tools": [TOOL],
    }
    sharegpt = {
        "conversations": [
            {"from": "human", "value": "Weather?"},
            {"from": "function_call", "value": json.dumps(CALL)},
            {"from": "observation", "value": "rain"},
            {"from": "gpt", "value": "It rains."},
        ],
        "tools": json.dumps([TOOL]),
    }
    legacy = {
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": None, "function_call": CALL},
            {"role": "function", "name": "weather", "content": "rain"},
            {"role": "assistant", "content": "It rains."},
        ],
        "functions": [TOOL["function"]],
    }

    for row in (chat, sharegpt, legacy):
        (made,) = became(looked(tmp_path, row))
        assert [one["role"] for one in made["messages"]] == [
            "user",
            "assistant",
            "tool",
            "assistant",
        ]
        assert made["messages"][1]["tool_calls"][0]["function"] == CALL
        assert made["tools"] == [TOOL]


def test_alpaca_puts_input_history_and_system_in_their_places(tmp_path: Path) -> None:
    row = {
        "instruction": "Add", "input": "2 and 2", "output": "4",
        "system": "Be brief.", "history": [["Hi", "Hello"]],
    }  # fmt: skip

    (made,) = became(looked(tmp_path, row))

    assert [(one["role"], one["content"]) for one in made["messages"]] == [
        ("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"),
        ("user", "Add\n\n2 and 2"), ("assistant", "4"),
    ]  # fmt: skip


@pytest.mark.parametrize("answer", ['{"label": "x"}', "[1, 2]", "{broken", " = padded = "])
def test_an_answer_that_is_json_stays_the_text_it_is(tmp_path: Path, answer: str) -> None:
    (made,) = became(looked(tmp_path, {"prompt": '{"a": 1}', "completion": answer}))

    assert [one["content"] for one in made["messages"]] == ['{"a": 1}', answer]


def test_an_answer_that_its_file_calls_bad_is_not_learned(tmp_path: Path) -> None:
    found = looked(tmp_path, {"prompt": "Hi", "completion": "Go away", "label": False})

    assert "marks this answer as a bad one" in problem_of(found)


def test_a_guess_can_be_changed(tmp_path: Path) -> None:
    row = {"prompt": "Hi", "completion": "nothing", "better": "Hello"}

    found = looked(tmp_path, row, mapping={"completion": "better"})

    assert found.mapping == {"prompt": "prompt", "completion": "better"}
    assert became(found) == [{"messages": HELLO}]


@pytest.mark.parametrize(
    ("columns", "guessed"),
    [
        ("question,worse", {"user": "{question}", "rejected": "{worse}"}),
        (
            "Ticket subject,Customer wrote,Agent replied,internal_notes",
            {"user": "{Customer wrote}", "assistant": "{Agent replied}"},
        ),
        ("createdAt,theQuery,botAnswer,id", {"user": "{theQuery}", "assistant": "{botAnswer}"}),
        ("id,date", {}),
    ],
)
def test_columns_are_guessed_by_their_names(
    tmp_path: Path, columns: str, guessed: dict[str, str]
) -> None:
    row = ",".join(f"text {n}" for n in range(columns.count(",") + 1))

    found = looked_at_csv(tmp_path, f"{columns}\n{row}\n")

    assert found.format.name == "columns"
    assert found.mapping == guessed


def test_a_worse_answer_alone_is_not_learned(tmp_path: Path) -> None:
    found = looked_at_csv(tmp_path, "question,worse\nWho?,Never you mind\n")

    assert "assistant's text is empty" in problem_of(found)


def test_a_better_and_a_worse_answer_are_a_pair(tmp_path: Path) -> None:
    found = looked_at_csv(tmp_path, "question,worse,better\nWho?,Go away,It is Ada\n")

    assert found.format.name == "preference"
    (made,) = became(found)
    assert (made["messages"][-1]["content"], made["rejected"]["content"]) == (
        "It is Ada",
        "Go away",
    )


def test_any_table_becomes_turns_by_a_template(tmp_path: Path) -> None:
    content = "place,letter\nBern,B\n"
    told = {"user": "What is the capital of {place}? {{x}}", "assistant": "{letter}"}

    guessed = looked_at_csv(tmp_path, content)
    found = looked_at_csv(tmp_path, content, wanted="columns", mapping=told)

    assert guessed.format.name == "columns"
    assert guessed.mapping == {"user": "{place}", "assistant": "{letter}"}
    (made,) = became(found)
    assert made["messages"][0]["content"] == "What is the capital of Bern? {x}"
    assert made["messages"][1]["content"] == "B"


def test_a_column_that_groups_rows_is_not_taken_for_the_answer(tmp_path: Path) -> None:
    found = looked_at_csv(tmp_path, "place,letter,group\nBern,B,ch\n")

    assert found.mapping == {"user": "{place}", "assistant": "{letter}", "group": "{group}"}


def test_a_template_that_names_no_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"“\{plce\}” is no column. The columns are: place, letter"
    ):
        looked_at_csv(
            tmp_path, "place,letter\nBern,B\n", wanted="columns", mapping={"user": "{plce}"}
        )


def test_texts_and_inputs_are_rows_without_an_answer(tmp_path: Path) -> None:
    text = looked(tmp_path, {"text": "Parcels travel at night.", "title": "Handbook"})
    inputs = looked(tmp_path, {"city": "Bern", "n": 2, "none": None}, wanted="inputs")

    assert text.format.name == "text"
    assert became(text) == [{"text": "Parcels travel at night.", "title": "Handbook"}]
    assert became(inputs) == [{"inputs": {"city": "Bern", "n": 2}}]
    assert read_row({"text": "x"}).turns == 0


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"messages": HELLO[:1]}, "last message must be the assistant's answer"),
        ({"messages": [*HELLO[:1], {"role": "assistant", "content": " "}]}, "answer is empty"),
        ({"messages": [{"role": "wizard", "content": "x"}, HELLO[1]]}, "'wizard' is unknown"),
        ({"prompt": "Hi", "chosen": "Hello", "rejected": "Hello"}, "are the same"),
        ({"chosen": HELLO, "rejected": [{"role": "user", "content": "Ho"}, HELLO[1]]},
         "differ before their last message"),
        ({"chosen": "Hello", "rejected": "Go"}, "Neither a prompt nor messages"),
        ({"prompt": "a\ud800b", "completion": "x"}, "not valid Unicode"),
        ({"prompt": "x", "completion": "y" * (17 << 20)}, "larger than 16 MiB"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_row_is_said(
    tmp_path: Path, row: dict[str, Any], sentence: str
) -> None:
    assert sentence in problem_of(looked(tmp_path, row))


def test_large_prompts_formulas_and_nul_are_stored_exactly(tmp_path: Path) -> None:
    for text in ("x" * (8 << 20), "=HYPERLINK(1)", "a\0b", "\u202eabc", "日本語"):
        (made,) = became(looked(tmp_path, {"prompt": text, "completion": "ok"}))
        assert made["messages"][0]["content"] == text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"prompt,prompt\na,b\n", "Two columns have the same name"),
        ("prompt,completion\na,b\n".encode("utf-16"), "UTF-16"),
        ("prompt,completion\na,b\n".encode("utf-16-le"), "UTF-16"),
        (b"SQLite format 3\x00\x10\x00", "neither UTF-8"),
        (b"PK\x03\x04zip", "zip archive"),
        (b"", "empty"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    with pytest.raises(BadFile, match=sentence):
        looked_at_csv(tmp_path, content)


def test_a_row_in_another_encoding_is_told_by_its_line(tmp_path: Path) -> None:
    found = looked_at_csv(tmp_path, b"prompt,completion\na,b\nGr\xfcezi,c\n")

    rows, problems = found.shown()

    assert [line for line, _ in rows] == [2]
    assert problems == [Problem(3, "The row is not UTF-8. Save the file as UTF-8.")]


def test_every_stored_row_reads_back_as_itself(tmp_path: Path) -> None:
    for row in (
        {"messages": HELLO, "tools": [TOOL]},
        {"messages": HELLO, "rejected": {"role": "assistant", "content": "Go"}},
        {"text": "Some text", "title": "There"},
    ):
        stored = read_row(row).payload
        found = looked(tmp_path, msgspec.json.decode(stored))
        assert [example.payload for _, example in found.shown()[0]] == [stored]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["role", "content", "from", "value", "messages", "prompt", "chosen", "x"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(value=JSON, name=st.sampled_from(sorted(FORMATS)))
def test_no_row_makes_a_format_fall_over(value: Any, name: str) -> None:
    one = FORMATS[name]
    row = {role.split()[0]: value for role in one.roles.values() if role} or {"x": value}

    read = read_record(one, one.columns(list(row)), Record(1, row, b"{}"))

    assert isinstance(read, Problem) or read.payload


@given(st.text(alphabet="{}ab ", max_size=30))
def test_doubled_braces_are_text_in_a_template(text: str) -> None:
    assert filled(text.replace("{", "{{").replace("}", "}}"), {"a": "1"}) == text


@pytest.mark.parametrize(
    "row",
    [{"text": " "}, {"text": 3}, {"inputs": {}}, {"inputs": "x"}, {"text": "x", "title": 3}],
)
def test_a_bad_row_without_an_answer_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(BadRow):
        read_row(row)
