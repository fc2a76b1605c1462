"""Pairs read back from what models write, in every form they write them in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.documents.reading import NOTHING, Pair, read_pairs
from evals.documents.reading.found import CUT_OFF, NO_ANSWER, NO_QUESTION, NOT_TEXT

TWO = [("What is it?", "A shop."), ("When?", "At night.")]


def told(text: str, *, was_cut: bool = False) -> list[tuple[str, str]]:
    return [(one.question, one.answer) for one in read_pairs(text, was_cut=was_cut).pairs]


def reasons(text: str, *, was_cut: bool = False) -> list[str]:
    return [one.reason for one in read_pairs(text, was_cut=was_cut).dropped]


@pytest.mark.parametrize(
    "text",
    [
        "**Q1:** What is it?\n**A1:** A shop.\n\n**Q2:** When?\n**A2:** At night.",
        "**Q1**: What is it?\n**A1**: A shop.\n**Q2**: When?\n**A2**: At night.",
        "Q1: What is it?\r\nA1: A shop.\r\n\r\nQ2: When?\r\nA2: At night.\r\n",
        "Q: What is it?\nA: A shop.\n\nQ: When?\nA: At night.",
        "1. Q: What is it?\n   A: A shop.\n2. Q: When?\n   A: At night.",
        "1. **Question:** What is it?\n   **Answer:** A shop.\n2. **Question:** When?\n"
        "   **Answer:** At night.",
        "**1. Question:** What is it?\n**Answer:** A shop.\n**2. Question:** When?\n"
        "**Answer:** At night.",
        "### Question 1\nWhat is it?\n\n### Answer 1\nA shop.\n\n### Question 2\nWhen?\n"
        "### Answer 2\nAt night.",
        "Q1. What is it?\nA1. A shop.\nQ7) When?\nA7) At night.",
        "**Q1: What is it?**\nA1: A shop.\n\n---\n\n**Q2: When?**\nA2: At night.\n\n---",
        "**Q1:** What is it? **A1:** A shop. **Q2:** When? **A2:** At night.",
        "Q1: What is it? A1: A shop.\nQ2: When? A2: At night.",
        "Here are the pairs:\n\n```\nQ1: What is it?\nA1: A shop.\nQ2: When?\nA2: At night.\n```",
        "```markdown\n**Q1:** What is it?\n**A1:** A shop.\n**Q2:** When?\n**A2:** At night.\n```",
        "<think>Q1: What to ask?\nA1: Hm.</think>\nQ1: What is it?\nA1: A shop.\nQ2: When?\n"
        "A2: At night.",
        "- Q: What is it?\n- A: A shop.\n- Q: When?\n- A: At night.",
        "q1\uff1aWhat is it?\na1\uff1aA shop.\nq2\uff1aWhen?\na2\uff1aAt night.",
        "Frage 1: What is it?\nAntwort 1: A shop.\nFrage 2: When?\nAntwort 2: At night.",
    ],
)
def test_pairs_are_read_from_every_variant_of_marked_text(text: str) -> None:
    assert told(text) == TWO
    assert reasons(text) == []


OBJECTS = [{"question": question, "answer": answer} for question, answer in TWO]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OBJECTS),
        f"Sure! Here they are:\n\n```json\n{json.dumps(OBJECTS, indent=2)}\n```\nAnything else?",
        json.dumps({"pairs": OBJECTS}),
        "\n".join(json.dumps(one) for one in OBJECTS),
        json.dumps([{"Q": question, "A": answer} for question, answer in TWO]),
        '[{"question": "What is it?", "answer": "A shop."},'
        ' {"question": "When?", "answer": "At night.",},]',
        json.dumps({"pairs": OBJECTS})[:-2],
    ],
)
def test_pairs_are_read_from_json_however_it_is_wrapped(text: str) -> None:
    assert told(text) == TWO
    assert reasons(text) == []


def test_other_scripts_are_read_as_they_are() -> None:
    colon = "\N{FULLWIDTH COLON}"

    assert told(f"问题1{colon}什么\n答案1{colon}那个。\n\n问题2{colon}谁\n答案2{colon}我。") == [
        ("什么", "那个。"),
        ("谁", "我。"),
    ]
    assert told("**Q1:** Что это?\n**A1:** Магазин.") == [("Что это?", "Магазин.")]
    assert told("Вопрос 1: Когда?\n\N{CYRILLIC CAPITAL LETTER O}твет 1: Завтра утром.") == [
        ("Когда?", "Завтра утром.")
    ]


def test_an_answer_keeps_its_lines_and_its_code() -> None:
    answer = "Like this:\n\n```python\n# Q2: no question\nprint({'a': 1})\n```\n\n1. first\n2. then"

    found = told(f"**Q1:** How?\n**A1:** {answer}\n\n**Q2:** Why?\n**A2:** So.")

    assert found == [("How?", answer), ("Why?", "So.")]


def test_what_only_looks_like_a_marker_stays_in_the_text() -> None:
    text = "Q1: Which?\nA) cats\nB) dogs\nA1: Cats.\nQ: they purr\nA: and sleep\nQ2: x?\nA2: y"

    assert told(text) == [
        ("Which?\nA) cats\nB) dogs", "Cats.\nQ: they purr\nA: and sleep"),
        ("x?", "y"),
    ]


@pytest.mark.parametrize(
    ("text", "pairs", "why"),
    [
        ("Q1: What?\nQ2: When?\nA2: Now.", 1, [NO_ANSWER]),
        ("A1: Now.\nQ2: When?\nA2: Then.", 1, [NO_QUESTION]),
        ("Q1: What?\nA1:\nQ2: When?\nA2: Now.", 1, [NO_ANSWER]),
        ("Q1: What?\nA1: It.\nQ2: When?", 1, [NO_ANSWER]),
        ('[{"question": "What?"}, {"question": "When?", "answer": "Now."}]', 1, [NO_ANSWER]),
        ('[{"question": "What?", "answer": "It."}, {"question": "Wh', 1, [CUT_OFF]),
        ('[{"question": "What?", "answer": {"a": 1}}]', 0, [NOT_TEXT]),
        ("I would rather not.", 0, [NOTHING]),
        ("", 0, [NOTHING]),
    ],
)
def test_half_a_pair_is_dropped_with_its_reason(text: str, pairs: int, why: list[str]) -> None:
    assert len(told(text)) == pairs
    assert reasons(text) == why


def test_the_last_pair_of_an_answer_that_ran_out_of_room_is_dropped() -> None:
    text = "Q1: What?\nA1: It.\nQ2: When?\nA2: At ni"

    assert told(text, was_cut=True) == [("What?", "It.")]
    assert reasons(text, was_cut=True) == [CUT_OFF]


WORDS = st.text(st.sampled_from("abcz ЖЩ字好é😀.,?!()[]0123456789-'"), min_size=1, max_size=40).map(
    lambda text: f"w{text.strip()}w"
)
BODIES = st.lists(WORDS, min_size=1, max_size=4).map("\n".join)
PAIRS = st.lists(st.tuples(WORDS, BODIES), min_size=1, max_size=6)
STYLES = st.sampled_from(
    ["**Q{n}:** {q}\n**A{n}:** {a}", "**Q{n}**: {q}\n\n**A{n}**: {a}", "Q{n}: {q}\nA{n}: {a}",
     "Q: {q}\nA: {a}", "{n}. Q: {q}\n   A: {a}", "### Q{n}\n{q}\n### A{n}\n{a}",
     "**Question {n}:** {q}\n**Answer {n}:** {a}", "**Q{n}: {q}**\nA{n}: {a}"]
)  # fmt: skip


@given(PAIRS, STYLES, st.sampled_from(["\n", "\r\n"]), st.integers(1, 7), st.sampled_from([1, 3]))
def test_what_is_written_in_any_style_is_read_back(
    pairs: list[tuple[str, str]], style: str, end: str, first: int, step: int
) -> None:
    written = [
        style.format(n=first + step * place, q=question, a=answer)
        for place, (question, answer) in enumerate(pairs)
    ]

    found = read_pairs("\n\n".join(written).replace("\n", end))

    assert found.pairs == tuple(Pair(question, answer) for question, answer in pairs)
    assert found.dropped == ()


@given(PAIRS, st.booleans(), st.booleans())
def test_json_is_read_back(pairs: list[tuple[str, str]], fenced: bool, indented: bool) -> None:
    objects = [{"question": question, "answer": answer} for question, answer in pairs]
    text = json.dumps(objects, ensure_ascii=False, indent=2 if indented else None)

    found = read_pairs(f"Here you are:\n```json\n{text}\n```" if fenced else text)

    assert found.pairs == tuple(Pair(question, answer) for question, answer in pairs)


@given(PAIRS, st.floats(0, 1))
def test_json_cut_anywhere_gives_the_whole_pairs_before_and_tells_of_the_half(
    pairs: list[tuple[str, str]], share: float
) -> None:
    objects = [{"question": question, "answer": answer} for question, answer in pairs]
    text = json.dumps(objects, ensure_ascii=False)
    cut = text[: int(len(text) * share)]

    found = read_pairs(cut)

    assert found.pairs == tuple(Pair(q, a) for q, a in pairs)[: len(found.pairs)]
    assert len(found.pairs) >= cut.count('"}')
    assert len(found.dropped) <= 1
    if cut.count("{") > len(found.pairs):
        assert found.dropped


@given(st.lists(st.sampled_from(["Q", "A", "QA"]), min_size=1, max_size=8))
def test_every_marked_question_is_a_pair_or_dropped(parts: list[str]) -> None:
    lines = []
    for number, part in enumerate(parts, start=1):
        lines += [f"**Q{number}:** asked"] if "Q" in part else []
        lines += [f"**A{number}:** said"] if "A" in part else []

    found = read_pairs("\n".join(lines))

    if any("Q" in part for part in parts):
        assert len(found.pairs) == parts.count("QA")
        assert len(found.dropped) == len(parts) - parts.count("QA")


@given(st.text(st.sampled_from('QA12:*#`{}[]",\\\n\r question answer字\x00\ud800'), max_size=200))
def test_no_text_breaks_the_reading(text: str) -> None:
    found = read_pairs(text)

    assert found.pairs or found.dropped
    assert all(pair.question.strip() and pair.answer.strip() for pair in found.pairs)
    assert all("\x00" not in pair.question + pair.answer for pair in found.pairs)
