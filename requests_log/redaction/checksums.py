"""The check digits that tell a real card or account number from any other row of digits."""

from __future__ import annotations

import re

_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
IBAN_LENGTHS = {
    country: length for length, countries in _COUNTRIES.items() for country in countries.split()
}
"""Characters of an IBAN by country (SWIFT's IBAN registry)."""

# The leading digits and lengths that card networks give out.
_card = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}|(?:6011|64[4-9]\d|65\d\d|35(?:2[89]|[3-8]\d)|62\d\d)\d{12,15}"
    r"|(?:30[0-5]\d|3095|36\d\d|3[89]\d\d)\d{10,15}|(?:50\d\d|5[678]\d\d|63\d\d|67\d\d)\d{9,15}"
)


def is_card(digits: str) -> bool:
    """Whether a network gives out such numbers and the last digit is right (Luhn, ISO 7812-1)."""
    return len(set(digits)) > 1 and _card.fullmatch(digits) is not None and luhn(digits)


def luhn(digits: str) -> bool:
    """Whether every second digit from the right doubled, all summed, ends in zero."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether the letters and digits are an IBAN of its country's length (ISO 13616, mod 97)."""
    text = text.upper()
    if len(text) != IBAN_LENGTHS.get(text[:2]):
        return False
    number = "".join(str(int(sign, 36)) for sign in text[4:] + text[:4])
    return int(number) % 97 == 1
