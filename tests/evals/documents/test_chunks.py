"""Documents cut along their structure and by topic; nothing is ever lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evals.documents.chunks import Cutting, chunks_of, covers, cut
from evals.documents.topics import lines_of, numbered, split_by
from requests_log.datasets.imports.chunking import Span, about_tokens, blocks

NOTES = """# Handbook

Welcome to the shop.

## Refunds

We refund within two days. Write to us.

We need:

- the order

- the reason
  in one line

| day | open |
|-----|------|
| Mon | 9-17 |

```python
# no heading

x = 1
```

## Parcels

They travel at night.
"""
LINES = st.sampled_from(
    ["# A", "## B", "x y. Z", "```", "", "- item", "| a | b |", "1. one", "word " * 80, "字" * 70,
     "\fpage", "  indented", "as follows:", "\r", "é\u0301 😀"]
)  # fmt: skip
DOCUMENTS = st.lists(LINES, max_size=30).map("\n".join)


@given(DOCUMENTS, st.integers(50, 200), st.integers(50, 400), st.integers(0, 60))
def test_the_chunks_put_together_are_the_document(
    text: str, target: int, most: int, overlap: int
) -> None:
    cutting = Cutting(target, most, overlap)

    found = cut(text, cutting)

    assert covers(text, found)
    assert "".join(text[one.start : one.end] for one in found) == (text if text.strip() else "")
    assert all(one.text for one in found)
    assert all(one.tokens <= cutting.sizes.most for one in found)
    assert all(about_tokens(one.before) <= max(1, overlap) for one in found)


def test_what_belongs_together_stays_whole() -> None:
    kinds = [(block.kind, NOTES[block.start : block.end].strip()) for block in blocks(NOTES)]

    assert ("list", "- the order\n\n- the reason\n  in one line") in kinds
    assert ("code", "```python\n# no heading\n\nx = 1\n```") in kinds
    assert [kind for kind, _ in kinds].count("heading") == 3
    assert next(text for kind, text in kinds if kind == "table").count("\n") == 2


def test_a_list_larger_than_the_target_stays_with_the_line_that_leads_to_it() -> None:
    items = "\n".join(f"- item number {n} of the list" for n in range(30))
    text = f"# A\n\n{'Some words. ' * 60}\n\nThe parts are:\n\n{items}\n"

    found = cut(text, Cutting(target=100, most=400, overlap=0))

    whole = [one.text for one in found if items in one.text]
    assert len(whole) == 1
    assert "The parts are:" in whole[0]


def test_a_chunk_knows_its_headings_its_page_and_what_stands_before_it() -> None:
    text = f"# One\n\n{'First words here. ' * 30}\n\f# Two\n\nLast words."

    found = cut(text, Cutting(target=60, most=60, overlap=10))

    assert found[0].path == ("One",)
    assert (found[0].page, found[-1].page) == (1, 2)
    assert found[-1].title == "Two"
    assert found[1].before.startswith("First words here.")
    assert found[0].before == ""
    assert "\f" not in "".join(one.text for one in found)


def test_headings_of_one_level_do_not_stand_below_each_other() -> None:
    text = "\n\n".join(f"## {name}\n\n{'Some words here. ' * 10}" for name in ("One", "Two"))

    assert [one.title for one in cut(text, Cutting(60, 60, 0))] == ["One", "Two"]


def test_a_document_without_pages_names_none() -> None:
    assert {one.page for one in cut(NOTES, Cutting())} == {None}


TALK = "\n".join(f"Line {n} of the talk." for n in range(1, 11))
WHOLE = Span(0, len(TALK), ("Talk",))


def test_a_section_is_cut_at_the_lines_a_model_names() -> None:
    lines = lines_of(TALK, WHOLE)

    split = split_by("The topics begin at:\n[1, 4, 8]", lines, WHOLE)

    assert split.problem == ""
    assert [TALK[s.start : s.end].split("\n")[0] for s in split.spans] == [
        "Line 1 of the talk.",
        "Line 4 of the talk.",
        "Line 8 of the talk.",
    ]
    assert {span.path for span in split.spans} == {("Talk",)}
    assert numbered(lines).startswith("1: Line 1 of the talk.\n2: ")


def test_an_answer_that_names_no_lines_leaves_the_section_whole_and_says_so() -> None:
    lines = lines_of(TALK, WHOLE)

    answers = ["I cannot do that.", "", "[99]", "[3, 400]", "[0]"]
    found = [split_by(answer, lines, WHOLE) for answer in answers]

    assert all(split.spans == (WHOLE,) and split.problem for split in found)


def test_one_topic_is_an_answer_too() -> None:
    split = split_by("[1]", lines_of(TALK, WHOLE), WHOLE)

    assert (split.spans, split.problem) == ((WHOLE,), "")


def test_one_long_line_is_split_by_its_sentences() -> None:
    text = "Cats sleep. Dogs bark. Fish swim. Birds fly."
    span = Span(0, len(text))

    split = split_by("[1, 3]", lines_of(text, span), span)

    assert [text[s.start : s.end] for s in split.spans] == [
        "Cats sleep. Dogs bark. ",
        "Fish swim. Birds fly.",
    ]


@given(DOCUMENTS, st.one_of(st.text(max_size=60), st.lists(st.integers(-3, 50)).map(str)))
def test_no_answer_loses_any_of_the_text(text: str, answer: str) -> None:
    span = Span(0, len(text))

    split = split_by(answer, lines_of(text, span), span)

    assert covers(text, split.spans) or not text.strip()
    assert covers(text, list(chunks_of(text, split.spans, Cutting())))
