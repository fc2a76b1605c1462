"""The named detectors: what each one finds, with examples that it does and does not find.

A pattern finds candidates in linear time; what a pattern cannot say (check digits, neighbours,
which years a number cannot be) is decided by a check of the candidate. Patterns read bytes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import re2  # type: ignore[import-untyped]

from requests_log.redaction.checksums import IBAN_LENGTHS, is_card, is_iban
from requests_log.redaction.escapes import Span
from requests_log.redaction.secret_shapes import BEARER, SECRETS

Check = Callable[[bytes, int, int], Iterator[Span]]
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@dataclass(frozen=True)
class Detector:
    """One kind of value that can be told by its shape.

    `label` is what is written in its place. `needs` are texts one of which is in every find: a
    text without them is not searched, nor is one of fewer than `shortest` bytes,
    or with fewer than `digits` digits.
    """

    name: str
    label: str
    title: str
    description: str
    pattern: str
    examples: tuple[str, ...]
    counterexamples: tuple[str, ...]
    check: Check | None = None
    needs: tuple[bytes, ...] = ()
    shortest: int = 1
    digits: int = 0

    def find(self, text: bytes) -> Iterator[Span]:
        """Where such values lie, front to back, none of them empty."""
        if self.needs and not any(need in text for need in self.needs):
            return
        for found in _compiled(self.pattern).finditer(text):
            start, end = found.span()
            if self.check is None:
                yield start, end
            else:
                yield from self.check(text, start, end)


def _compiled(pattern: str) -> re2._Regexp:
    found = _patterns.get(pattern)
    if found is None:
        found = _patterns[pattern] = re2.compile(pattern.encode(), _OPTIONS)
    return found


_patterns: dict[str, re2._Regexp] = {}

_FILE_ENDINGS = frozenset(
    b"bmp css csv dll docx exe gif gz html ico jpeg jpg js json jsx lock map mjs pdf png rb svg "
    b"tar ts tsx txt webp xlsx xml yaml yml".split()
)


def _email(text: bytes, start: int, end: int) -> Iterator[Span]:
    found = text[start:end]
    local, _, domain = found.replace(b"%40", b"@").rpartition(b"@")
    if domain.rpartition(b".")[2].lower() in _FILE_ENDINGS:
        return  # image@2x.png
    if local == b"git" and text[end : end + 1] == b":":
        return  # git@host:owner/repository
    yield start, end


def _is_word(text: bytes, at: int) -> bool:
    """Whether a letter, digit or underscore of ASCII stands there.

    Other letters do not count: Chinese, say, is written without spaces around a number.
    """
    return 0 <= at < len(text) and (text[at : at + 1].isalnum() or text[at] == 0x5F)


def _stands_alone(text: bytes, start: int, end: int) -> bool:
    return not _is_word(text, start - 1) and not _is_word(text, end)


def _goes_on(text: bytes, start: int, end: int, joints: bytes) -> bool:
    """Whether digits go on behind a joint, as in 1.2.3.4.5, on either side."""
    before = text[start - 1 : start] in _each(joints) and _is_digit(text, start - 2)
    return before or (text[end : end + 1] in _each(joints) and _is_digit(text, end + 1))


def _each(joints: bytes) -> tuple[bytes, ...]:
    return tuple(bytes([joint]) for joint in joints)


def _is_digit(text: bytes, at: int) -> bool:
    return 0 <= at < len(text) and 0x30 <= text[at] <= 0x39


def _phone(text: bytes, start: int, end: int) -> Iterator[Span]:
    if not _stands_alone(text, start, end) or _goes_on(text, start, end, b".-/:,"):
        return
    if start and text[start - 1 : start] in {b"+", b"-", b"#", b"$", b"/"}:
        return
    grouped = text[start : start + 1] == b"0" and text[start - 1 : start] == b" "
    if grouped and _is_digit(text, start - 2):
        return  # a group in the middle of a longer number
    digits = sum(0x30 <= byte <= 0x39 for byte in text[start:end])
    if 8 <= digits <= 15:
        yield start, end


_digits = re.compile(rb"\d+")


def _card(text: bytes, start: int, end: int) -> Iterator[Span]:
    """Card numbers among the groups of digits of one run."""
    groups = [found.span() for found in _digits.finditer(text, start, end)]
    at = 0
    while at < len(groups):
        last = _card_from(text, groups, at)
        if last is None:
            at += 1
        else:
            yield groups[at][0], groups[last][1]
            at = last + 1


def _card_from(text: bytes, groups: list[Span], first: int) -> int | None:
    """The last group of the card number that starts with group `first`."""
    if not _is_clear(text, groups[first][0] - 1, -1):
        return None
    number, best = "", None
    for index in range(first, len(groups)):
        number += text[slice(*groups[index])].decode()
        if len(number) > 19:
            break
        clear = _is_clear(text, groups[index][1], 1)
        if len(number) >= 13 and clear and is_card(number):
            best = index
    return best


def _is_clear(text: bytes, at: int, step: int) -> bool:
    """Whether the number ends here: no letter or digit, no decimal point with digits behind."""
    if _is_word(text, at):
        return False
    return not (text[at : at + 1] == b"." and at >= 0 and _is_digit(text, at + step))


def _iban(text: bytes, start: int, end: int) -> Iterator[Span]:
    """The IBAN that starts here; its country says how long it is."""
    wanted = IBAN_LENGTHS.get(text[start : start + 2].decode().upper())
    if wanted is None or _is_word(text, start - 1):
        return
    signs = [at for at in range(start, end) if chr(text[at]).isalnum()][:wanted]
    last = signs[-1] + 1
    if not _is_word(text, last) and is_iban(bytes(text[at] for at in signs).decode()):
        yield start, last


_WILDCARDS = frozenset({"0.0.0.0", "255.255.255.255", "::", "::1"})  # noqa: S104 - not bound to


def _ip(text: bytes, start: int, end: int) -> Iterator[Span]:
    while end > start and text[end - 1] in b".:" and text[end - 2 : end] != b"::":
        end -= 1
    found = text[start:end].decode()
    joint = b":" if ":" in found else b"."  # 203.0.113.7:80 is an address and a port
    if not _stands_alone(text, start, end) or _goes_on(text, start, end, joint):
        return
    if start and text[start - 1 : start] in {b":", b"."}:
        return
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return
    told = found in _WILDCARDS or address.is_loopback or found.startswith("255.")
    groups = sum(map(bool, found.split(":"))) if ":" in found else 4
    if not told and groups > 1 and any(sign.isdigit() for sign in found):
        yield start, end


def _ssn(text: bytes, start: int, end: int) -> Iterator[Span]:
    area, group, serial = text[start : start + 3], text[start + 4 : start + 6], text[end - 4 : end]
    same = text[start + 3] == text[start + 6]
    given = area not in {b"000", b"666"} and area < b"900" and group != b"00" and serial != b"0000"
    alone = _stands_alone(text, start, end) and not _goes_on(text, start, end, b"-.")
    if same and given and alone:
        yield start, end


def _secret(text: bytes, start: int, end: int) -> Iterator[Span]:
    """A key: it stands alone and has digits, unlike a name that happens to begin like one."""
    if _is_word(text, start - 1) or not any(map(bytes.isdigit, _singles(text[start:end]))):
        return
    named = BEARER.match(text[start:end])
    yield (start + named.end() if named else start), end


def _singles(text: bytes) -> Iterator[bytes]:
    return (bytes([byte]) for byte in text)


def _url_credentials(text: bytes, start: int, end: int) -> Iterator[Span]:
    """What stands between `://` and the last `@` of the authority."""
    yield text.index(b"://", start, end) + 3, end - 1


_ORDERED = (
    Detector(
        "private_key",
        "PRIVATE_KEY",
        "Private-key blocks",
        "PEM and OpenSSH private keys, also cut off before their end line; not public keys.",
        r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?s:.*?)-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\]+)",
        (
            "-----BEGIN EC PRIVATE KEY-----\nMIIBOgIBAAJBAKj34Gk\n-----END EC PRIVATE KEY-----",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5v",
        ),
        (
            "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQAD\n-----END PUBLIC KEY-----",
            "Paste your private key here.",
        ),
        needs=(b"PRIVATE KEY",),
        shortest=27,
    ),
    Detector(
        "jwt",
        "JWT",
        "JSON web tokens",
        "Signed or encrypted tokens in compact form.",
        r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+){0,2}",
        (
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1g",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        ),
        ("eyJhbGciOiJIUzI1NiJ9", "a.b.c"),
        needs=(b"eyJ",),
        shortest=11,
    ),
    Detector(
        "url_credentials",
        "URL_CREDENTIALS",
        "Credentials in URLs",
        "User name and password in front of a URL's host; the rest of the URL stays.",
        r"[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s/?#@:\"'<>\[\]]*:[^\s/?#\"'<>\[\]]+@",
        ("postgres://app:s3cret@db.example.com/main", "https://bob:p@ss@example.com/"),
        ("https://example.com:8443/@bob", "https://bob@example.com/"),
        _url_credentials,
        needs=(b"://",),
        shortest=7,
    ),
    Detector(
        "secret",
        "SECRET",
        "API keys and tokens",
        "Keys of OpenAI, Anthropic, Google, AWS, GitHub, GitLab, Slack, Stripe, Hugging Face and "
        "others by their prefixes, Bearer tokens, and this product's own keys.",
        SECRETS,
        (
            "sk-proj-Zx81Kq0mVb3NcR7tYw2LpQ5s",
            "ghp_1234567890abcdefghijABCDEFGHIJ123456",
            "AKIAIOSFODNN7EXAMPL3",
            "Authorization: Bearer 9f86d081884c7d659a2feaa0c55ad015",
        ),
        (
            "sk-learn-contrib-extras-and-more",
            "ghp_short",
            "The bearer of this letter",
            "9f86d081884c7d659a2feaa0c55ad015",
        ),
        _secret,
        shortest=19,
        digits=1,
    ),
    Detector(
        "email",
        "EMAIL",
        "E-mail addresses",
        "Addresses with a domain that has a dot, in any script, also with %40 for the @.",
        r"[\pL\pN._+'-]+(?:@|%40)[\pL\pN-]+(?:\.[\pL\pN-]+)*\.\pL\pL+",
        ("ann.o'hara+news@mail.example.co.uk", "grüße@müller.example", "bob%40example.com"),
        ("@ann", "ann@localhost", "react@18.2.0", "image@2x.png", "git@github.com:o/r"),
        _email,
        needs=(b"@", b"%40"),
        shortest=6,
    ),
    Detector(
        "iban",
        "IBAN",
        "Bank accounts (IBAN)",
        "International account numbers of the right length for their country, with right check "
        "digits, in one piece or in groups.",
        r"[A-Za-z]{2}\d\d(?:[ -]?[A-Za-z0-9]){11,30}",
        ("DE89 3704 0044 0532 0130 00", "gb82west12345698765432", "NO93-8601-1117-947"),
        ("DE88 3704 0044 0532 0130 00", "DE89 3704", "XX89370400440532013000"),
        _iban,
        shortest=15,
        digits=2,
    ),
    Detector(
        "credit_card",
        "CARD",
        "Payment cards",
        "13 to 19 digits in one piece or in groups, given out by a card network, with a right "
        "last digit (Luhn).",
        r"\d(?:[ -]?\d){12,}",
        ("4111 1111 1111 1111", "378282246310005", "5555-5555-5555-4444"),
        ("4111 1111 1111 1112", "1234567890123", "0.4111111111111111"),
        _card,
        shortest=13,
        digits=13,
    ),
    Detector(
        "us_ssn",
        "SSN",
        "US social security numbers",
        "Nine digits as 3-2-4 with hyphens or spaces, from numbers that are given out.",
        r"\d{3}[- ]\d{2}[- ]\d{4}",
        ("536-90-4399", "536 90 4399"),
        ("536904399", "000-12-3456", "666-12-3456", "987-65-4321", "536-90 4399"),
        _ssn,
        shortest=11,
        digits=9,
    ),
    Detector(
        "ip_address",
        "IP",
        "IP addresses",
        "IPv4 and IPv6, not loopback, wildcards and netmasks. A version number of four parts looks "
        "the same.",
        r"(?:\d{1,3}\.){3}\d{1,3}|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f:.]{0,39}",
        ("203.0.113.7", "2001:db8::8a2e:370:7334", "fe80::1"),
        ("127.0.0.1", "256.1.1.1", "1.2.3", "1.2.3.4.5", "12:34:56", "std::vector", "::1"),
        _ip,
        shortest=4,
        digits=1,
    ),
    Detector(
        "phone",
        "PHONE",
        "Phone numbers",
        "With + or 00 and a country code, the North American form, and national numbers in groups "
        "that begin with 0. A number without any separator or + is not told from others.",
        r"(?:\+|\b00)[1-9]\d{0,3}(?:[ ./-]?\(?\d{1,5}\)?){2,6}"
        r"|(?:\b1[ .-])?(?:\([2-9]\d{2}\) ?|\b[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}"
        r"|\b0[1-9](?:[ .]\d{2}){4}|\b0\d{2,4}[ /-]\d{3,8}(?:[ -]\d{2,4}){0,2}",
        ("+44 20 7946 0958", "(415) 555-2671", "06 12 34 56 78", "0171/2345678", "+14155552671"),
        ("2024-01-31", "1,234,567.89", "415-555-26", "4155552671", "3.14159265", "100 200 3000"),
        _phone,
        shortest=8,
        digits=8,
    ),
)
DETECTORS = {detector.name: detector for detector in _ORDERED}
"""By name, in the order in which one wins over another that finds the same."""
