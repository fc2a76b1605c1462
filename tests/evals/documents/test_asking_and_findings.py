"""What a teacher is asked, which pairs say the same, and what is wrong with a set of them."""

from __future__ import annotations

import pytest

from evals.documents.asking import AS_JSON, AS_TEXT, Prompt, checked_prompt
from evals.documents.chunks import Chunk
from evals.documents.findings import Fact, findings, length_figure
from evals.documents.reading import Pair, read_pairs
from evals.documents.repeats import repeats
from workbench.core.errors import InvalidInput

CHUNK = Chunk(0, 20, "We refund {{chunk}} in two days.", ("Handbook", "Refunds"), 2, "Hello.")


@pytest.mark.parametrize("template", [AS_TEXT, AS_JSON])
def test_the_worked_example_is_in_the_form_that_is_read(template: str) -> None:
    found = read_pairs(template)

    assert [one.question for one in found.pairs] == [
        "When does the library open on weekdays?",
        "What does a library card cost?",
    ]


def test_the_prompt_takes_the_text_and_where_it_stands() -> None:
    system, user = Prompt().messages(CHUNK, document="handbook.md", count=3)

    assert system["role"] == "system"
    assert "Write 3 pairs" in user["content"]
    assert "We refund {{chunk}} in two days." in user["content"]
    assert "handbook.md" in user["content"]
    assert "Handbook \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} Refunds" in user["content"]
    assert "… Hello." in user["content"]


@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        ("Ask something.", "must hold {{chunk}}"),
        ("{{chunk}} {{topic}}", "asks for {{topic}}"),
        ("{{chunk", "no variable"),
        ("{{chunk}}" + "x" * 20_000, "20,000"),
    ],
)
def test_a_prompt_that_cannot_work_is_refused_with_a_sentence(user: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence.replace("{", r"\{")):
        checked_prompt("", user)


def test_repeated_pairs_are_found_over_all_chunks() -> None:
    long = "The shop on the corner refunds every order within two days of the letter."
    pairs = [
        Pair("How fast are refunds?", long),
        Pair("Where is the shop?", "On the corner."),
        Pair("how fast  are REFUNDS?", "In two days."),
        Pair("How fast are the refunds?", long),
    ]

    found = repeats(pairs)

    assert {place: one.first for place, one in found.items()} == {2: 0, 3: 0}
    assert found[2].likeness == 1.0
    assert 0.7 <= found[3].likeness < 1


def facts(many: int, *, answer: str = "It takes about two days to be done.") -> list[Fact]:
    ways = ["How", "When does", "Who", "Why is", "Where can"]
    return [Fact(f"{n % 3}.md", f"{ways[n % 5]} thing {n}?", answer) for n in range(many)]


def headings(*args: object, **kwargs: object) -> list[str]:
    return [one.heading for one in findings(*args, **kwargs)]  # type: ignore[arg-type]


def test_a_sound_set_gets_a_good_word() -> None:
    assert headings(facts(1_000), documents=3) == ["Looks sound."]


def test_too_few_pairs_are_told_with_the_sensible_number_and_its_source() -> None:
    few = findings(facts(12), documents=3)[0]

    assert (few.tone, few.heading) == ("bad", "Too few pairs.")
    assert "There are 12." in few.sentence
    assert "1,000" in few.sentence
    assert "LIMA" in few.sentence
    assert headings(facts(300), documents=3) == ["Rather few pairs."]


def test_few_very_long_answers_are_told() -> None:
    long = Fact("0.md", "What of the rest?", "word " * 4_000)

    found = findings([*facts(1_000), long], documents=3)

    assert [one.heading for one in found] == ["The lengths are skewed."]
    assert "1 answer is over 5 times" in found[0].sentence
    assert [trace["name"] for trace in length_figure([*facts(9), long])["data"]] == [
        "usual",
        "over 5 times the median",
    ]


def test_short_answers_like_questions_and_one_document_are_told() -> None:
    same = [Fact("a.md", f"What is thing {n}?", "Yes.") for n in range(1_000)]

    assert headings(same, documents=2) == [
        "The answers are very short.",
        "The questions are all alike.",
        "One document dominates.",
    ]
    assert "One document dominates." not in headings(same, documents=1)


def test_pairs_without_a_verdict_and_a_weak_teacher_are_told() -> None:
    found = headings(facts(1_000), documents=3, unsupported=2_000, unjudged=3)

    assert found == ["Some pairs are not judged.", "Most pairs were not supported."]


def test_the_figure_counts_every_pair_once() -> None:
    figure = length_figure(facts(20))

    assert sum(sum(trace["y"]) for trace in figure["data"]) == 20
    assert length_figure([])["data"] == []
