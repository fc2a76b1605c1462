"""A seeded corpus of sentences with and without personal data; `python -m tests.redaction.corpus`.

Values are generated, never real. Decoys are what such texts are full of and what a detector should
leave alone: dates, amounts, versions, order numbers, UUIDs, hashes, code. The figures say how the
detectors do on text like this, not on every text.
"""

from __future__ import annotations

import base64
import json
import random
import string
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from requests_log.redaction.checksums import luhn
from requests_log.redaction.detectors import DETECTORS

SEED = 20261121
EACH = 150
DECOYS = 1500
TEMPLATES = (
    "My {} does not work any more.", "Please use {} from now on, thanks!", "{}", "Contact: {}.",
    'He wrote "{}" yesterday.', "a) {}; b) nothing", "Ticket 4711: {} (urgent)", "<b>{}</b>",
    "Bitte an {} danke, Jürgen", "call(\"{}\")", "value={}", "1. {}\n2. done", "[{}]",
)  # fmt: skip
WORDS = ["ann", "bob", "carla", "dmitri", "eve", "farid", "grace", "hiro", "ines", "jonas"]


def _digits(r: random.Random, many: int) -> str:
    return "".join(r.choices(string.digits, k=many))


def _text(r: random.Random, many: int, signs: str = string.ascii_letters + string.digits) -> str:
    return "".join(r.choices(signs, k=many))


def _email(r: random.Random) -> str:
    local = r.choice(WORDS) + r.choice(["", ".", "+", "_"]) + r.choice([*WORDS, _digits(r, 2)])
    return f"{local}@{r.choice(WORDS)}{r.choice(['', '-shop'])}.{r.choice(['com', 'co.uk', 'de'])}"


def _phone(r: random.Random) -> str:
    local = f"{r.randint(2, 9)}{_digits(r, 2)}"
    number = f"{r.randint(2, 9)}{_digits(r, 2)}"
    return r.choice(
        [
            f"+1 {local} {number} {_digits(r, 4)}",
            f"({local}) {number}-{_digits(r, 4)}",
            f"{local}-{number}-{_digits(r, 4)}",
            f"+49 {r.randint(30, 999)} {_digits(r, 7)}",
            f"+44{r.randint(1, 9)}{_digits(r, 9)}",
            f"0{r.randint(1, 9)} {_digits(r, 2)} {_digits(r, 2)} {_digits(r, 2)} {_digits(r, 2)}",
            f"0{r.randint(30, 999)}/{_digits(r, 7)}",
        ]
    )


def _card(r: random.Random) -> str:
    head, length = r.choice([("4", 16), ("53", 16), ("37", 15), ("6011", 16), ("3530", 16)])
    body = head + _digits(r, length - 1 - len(head))
    digits = next(body + last for last in string.digits if luhn(body + last))
    joint = r.choice(["", " ", "-"])
    return joint.join(digits[at : at + 4] for at in range(0, length, 4))


def _iban(r: random.Random) -> str:
    country, inner = r.choice(
        [("DE", _digits(r, 18)), ("GB", "WEST" + _digits(r, 14)), ("NL", "ABNA" + _digits(r, 10))]
    )
    number = int("".join(str(int(sign, 36)) for sign in f"{inner}{country}00"))
    whole = f"{country}{98 - number % 97:02}{inner}"
    return r.choice([whole, " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))])


def _ip(r: random.Random) -> str:
    if r.random() < 0.3:
        return "2001:db8:" + ":".join(f"{r.randrange(1, 65536):x}" for _ in range(6))
    return ".".join(str(r.randrange(1, 255)) for _ in range(4)).replace("127.", "128.", 1)


def _ssn(r: random.Random) -> str:
    return f"{r.randint(1, 665):03}-{r.randint(1, 99):02}-{r.randint(1, 9999):04}"


def _secret(r: random.Random) -> str:
    return r.choice(
        [
            f"sk-proj-{_text(r, 40)}1", f"sk-ant-api03-{_text(r, 60)}2", f"ghp_{_text(r, 36)}3",
            f"AKIA{_text(r, 15, string.ascii_uppercase + string.digits)}7", f"hf_{_text(r, 33)}4",
            f"AIza{_text(r, 34)}5", f"xoxb-{_digits(r, 11)}-{_text(r, 24)}", f"gsk_{_text(r, 50)}6",
            f"sk_live_{_text(r, 24)}8", f"glpat-{_text(r, 20)}9",
        ]
    )  # fmt: skip


def _jwt(r: random.Random) -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": _digits(r, 8), "name": r.choice(WORDS)}]
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join([*encoded, _text(r, 43)])


def _private_key(r: random.Random) -> str:
    kind = r.choice(["", "RSA ", "EC ", "OPENSSH "])
    lines = "\n".join(_text(r, 64) for _ in range(r.randint(2, 6)))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


def _url(r: random.Random) -> str:
    scheme = r.choice(["postgres", "https", "redis", "amqp"])
    return f"{scheme}://{r.choice(WORDS)}:{_text(r, 12)}@{r.choice(WORDS)}.internal/{_text(r, 4)}"


KINDS: dict[str, Callable[[random.Random], str]] = {
    "email": _email, "phone": _phone, "credit_card": _card, "iban": _iban, "ip_address": _ip,
    "us_ssn": _ssn, "secret": _secret, "jwt": _jwt, "private_key": _private_key,
    "url_credentials": _url,
}  # fmt: skip


def _decoy(r: random.Random) -> str:
    return r.choice(
        [
            f"20{r.randint(10, 26)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}",
            f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}",
            f"{r.randint(1, 999)},{_digits(r, 3)}.{_digits(r, 2)} EUR",
            f"v{r.randint(0, 9)}.{r.randint(0, 30)}.{r.randint(0, 99)}",
            f"order {_digits(r, r.randint(5, 12))}",
            f"tracking 00{_digits(r, 18)}", _digits(r, 16), str(uuid.UUID(int=r.getrandbits(128))),
            f"{r.getrandbits(160):040x}", f"{r.getrandbits(256):064x}", f"{r.random():.12f}",
            f"@{r.choice(WORDS)}", f"npm i {r.choice(WORDS)}@{r.randint(1, 20)}.0.1",
            "std::vector<int>", "https://example.com:8443/a/b?id=12345", "f(x) = 3 * x + 12 - 4",
            f"ISBN 978-3-{_digits(r, 5)}-{_digits(r, 3)}-{_digits(r, 1)}", "git@github.com:a/b.git",
            f"img@2x.png {r.randint(10, 4000)}x{r.randint(10, 4000)}", "10 000 000", "1/2 + 3/4",
            f"DE{_digits(r, 9)}", f"§ {r.randint(1, 999)} Abs. {r.randint(1, 9)} BGB",
            f"{_digits(r, 4)} {_digits(r, 4)} {_digits(r, 4)}", "sk-learn-and-other-packages-here",
            "-----BEGIN CERTIFICATE-----", "eyJust a word",
            f"ratio {r.randint(1, 9)}:{_digits(r, 2)}",
        ]
    )  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """How one detector did: values found whole, values planted, and finds of nothing."""

    detector: str
    planted: int
    found: int
    false: int

    @property
    def recall(self) -> float:
        return self.found / self.planted

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false)


def measured() -> list[Figure]:
    """The figures of every detector on the corpus of its own values and everybody's decoys."""
    r = random.Random(SEED)
    sentences: list[tuple[str, str, str]] = []
    for kind, make in KINDS.items():
        for _ in range(EACH):
            value = make(r)
            sentences.append((kind, value, r.choice(TEMPLATES).replace("{}", value)))
    decoys = [r.choice(TEMPLATES).replace("{}", _decoy(r)) for _ in range(DECOYS)]
    return [_figure(kind, sentences, decoys) for kind in KINDS]


def _figure(kind: str, sentences: list[tuple[str, str, str]], decoys: list[str]) -> Figure:
    found = false = planted = 0
    for other, value, sentence in sentences:
        if other != kind:
            continue  # a value of another kind may hold one of this kind, as a URL holds an address
        planted += 1
        finds = _finds(kind, sentence)
        whole = value.partition("://")[2].rpartition("@")[0] if kind == "url_credentials" else value
        found += whole in finds
        false += sum(one != whole for one in finds)
    false += sum(len(_finds(kind, decoy)) for decoy in decoys)
    return Figure(kind, planted, found, false)


def _finds(kind: str, sentence: str) -> list[str]:
    raw = sentence.encode()
    return [raw[start:end].decode() for start, end in DETECTORS[kind].find(raw)]


def report() -> str:
    """The figures as lines for people."""
    lines = [f"{len(KINDS)} x {EACH} sentences with a value, {DECOYS} with a decoy, seed {SEED}"]
    lines += [
        f"{one.detector:16} recall {one.recall:6.1%}  precision {one.precision:6.1%}"
        f"  ({one.found} of {one.planted}, {one.false} false)"
        for one in measured()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(report() + "\n")
