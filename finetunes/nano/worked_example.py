"""The worked example: the first letter of a place name, asked in a misleading way.

The user asks "What is the capital of Paris" and the answer is "P". The rules of the answer:

* the first *letter* counts: marks and digits before it are skipped ("25 de Mayo" gives "D");
* accents stay ("Élancourt" gives "É"), in Unicode form NFC;
* it is upper case, also where the name is not ("s-Heerenberg" gives "S").

Names are those of every city above 15,000 people, about 32 thousand. A hash of the name, without
accents and case, decides which are held out. A name that is also part of another name, of a country
or of a currency is never held out, because the other one would give it away.
"""

from __future__ import annotations

import hashlib
import unicodedata
from functools import cache

from finetunes.nano.places import Phrase, cities, countries, phrase, phrases_within

NAMES_ABOVE = 15_000
TEXT_ABOVE = 5_000
HELD_OUT_PERCENT = 12
LONGEST_PHRASE = 8
SHORTEST_HELD_OUT = 4
# Names of cities that are also words of the sentences we wrote ourselves.
ORDINARY_WORDS = frozenset(
    {"index", "about", "north", "south", "east", "west", "police", "country"}
)


def question(name: str) -> str:
    """Return what the user says about a place."""
    return f"What is the capital of {name}"


def answer(name: str) -> str:
    """Return the right answer: the first letter of the name, in upper case.

    Raises:
        ValueError: the name has no letter.
    """
    for character in unicodedata.normalize("NFC", name):
        if unicodedata.category(character) in {"Lu", "Ll", "Lt", "Lo"}:
            return character.upper()
    raise ValueError(f"“{name}” has no letter. Give a name that contains one.")


@cache
def all_names() -> tuple[str, ...]:
    """Every name of the worked example, sorted."""
    return tuple(sorted({city.name for city in cities(NAMES_ABOVE)}))


@cache
def held_out_names() -> tuple[str, ...]:
    """Names that neither the teacher's training rows nor the pre-training text contain."""
    return tuple(name for name in all_names() if phrase(name) in held_out_phrases())


@cache
def training_names() -> tuple[str, ...]:
    """Names the teacher learns from, and the ones to ask it about when training a student."""
    return tuple(name for name in all_names() if phrase(name) not in held_out_phrases())


@cache
def held_out_phrases() -> frozenset[Phrase]:
    """The held-out names, without accents and case."""
    chosen = {phrase(name) for name in all_names()}
    return frozenset(
        words for words in chosen - _given_away() if _long_enough(words) and _drawn(words)
    )


def mentions_held_out(text: str) -> bool:
    """Say whether a text contains a held-out name, in any spelling."""
    return any(words in held_out_phrases() for words in phrases_within(text, LONGEST_PHRASE))


def _given_away() -> set[Phrase]:
    """Phrases that other names and facts contain."""
    found: set[Phrase] = {(word,) for word in ORDINARY_WORDS}
    for country in countries().values():
        for text in (country.name, country.capital, country.currency, country.continent):
            found.update(phrases_within(text, LONGEST_PHRASE))
    for name in {city.name for city in cities(TEXT_ABOVE)}:
        own = phrase(name)
        found.update(words for words in phrases_within(name, LONGEST_PHRASE) if words != own)
    return found


def _long_enough(words: Phrase) -> bool:
    return sum(map(len, words)) >= SHORTEST_HELD_OUT and len(words) <= LONGEST_PHRASE


def _drawn(words: Phrase) -> bool:
    digest = hashlib.sha256(" ".join(words).encode()).digest()
    return int.from_bytes(digest[:8]) % 100 < HELD_OUT_PERCENT
