"""The names and answers of the worked example, and what the models may have read of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

import pytest
from transformers import PreTrainedTokenizerFast

from finetunes.nano.corpus import Document, documents, text_of
from finetunes.nano.places import countries
from finetunes.nano.pretrain import SEED, STEPS, packed_batches
from finetunes.nano.worked_example import (
    all_names,
    answer,
    held_out_names,
    question,
    training_names,
)


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("Paris", "P"),
        ("Élancourt", "É"),
        ("E\N{COMBINING ACUTE ACCENT}lancourt", "É"),
        ("s-Heerenberg", "S"),
        ("25 de Mayo", "D"),
        ("\N{MODIFIER LETTER TURNED COMMA}Ewa Beach", "E"),
        ("İzmir", "İ"),
    ],
)
def test_the_answer_is_the_first_letter_in_upper_case(name: str, letter: str) -> None:
    assert answer(name) == letter


def test_a_name_without_a_letter_has_no_answer() -> None:
    with pytest.raises(ValueError, match="contains one"):
        answer("1770")


def test_names_are_either_held_out_or_for_training() -> None:
    held_out, training = set(held_out_names()), set(training_names())

    assert not held_out & training
    assert held_out | training == set(all_names())
    assert len(held_out) >= 2_000
    assert 25_000 <= len(training) <= 35_000


def test_no_training_row_of_the_teacher_gives_a_held_out_name_away() -> None:
    rows = _words("\n".join(question(name) for name in training_names()))

    assert [name for name in held_out_names() if _words(name) in rows] == []


def test_no_held_out_name_is_in_the_pretraining_text(read: str) -> None:
    text = _words(read)

    assert len(text) > 1_000_000
    assert [name for name in held_out_names() if _words(name) in text] == []


def test_pretraining_never_answers_a_question_with_a_single_letter() -> None:
    chats = [each for each in islice(documents(SEED), 20_000) if not isinstance(each, str)]

    answers = [turn.content for chat in chats for turn in chat if turn.role == "assistant"]

    assert len(answers) > 5_000
    assert [said for said in answers if len(said.strip(".!?")) <= 1] == []


def test_pretraining_asks_for_capitals_of_countries_only(read: str) -> None:
    asked = re.findall(r"^What is the capital of (.+?)\??$", read, re.MULTILINE)

    assert len(asked) > 100
    assert set(asked) <= {country.name for country in countries().values()}


@pytest.fixture(scope="module")
def read(tokenizer: PreTrainedTokenizerFast) -> str:
    """All the text that pre-training reads."""
    seen: list[str] = []

    def noted(texts: Iterator[Document]) -> Iterator[Document]:
        for document in texts:
            seen.append(text_of(document))
            yield document

    for _ in islice(packed_batches(tokenizer, noted(documents(SEED))), STEPS):
        pass
    return "\n".join(seen)


def _words(text: str) -> str:
    """A text as lower-case words without accents, with one space around each."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    words = " ".join(re.findall(r"\w+", bare))
    return f" {words} "
