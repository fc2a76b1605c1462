"""API keys as text: `sh_<8 characters>_<43 characters>`.

The secret part carries 256 random bits, so a fast keyed hash is enough; a slow password hash
would cost a quarter of a second on every logged call.
"""

from __future__ import annotations

import hmac
import re
import secrets
import string
from dataclasses import dataclass

from django.conf import settings

PREFIX_ALPHABET = string.ascii_lowercase + string.digits
PREFIX_LENGTH = 8
SECRET_BYTES = 32
_SHAPE = re.compile(r"sh_([a-z0-9]{8})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class KeyText:
    """A key taken apart."""

    prefix: str
    secret: str

    def __str__(self) -> str:
        return f"sh_{self.prefix}_{self.secret}"

    @property
    def digest(self) -> str:
        """HMAC-SHA256 of the secret under SECRET_KEY, as 64 hexadecimal characters."""
        pepper = settings.SECRET_KEY.encode()
        return hmac.digest(pepper, f"{self.prefix}.{self.secret}".encode(), "sha256").hex()

    def matches(self, digest: str) -> bool:
        return hmac.compare_digest(self.digest, digest)


def new_key() -> KeyText:
    prefix = "".join(secrets.choice(PREFIX_ALPHABET) for _ in range(PREFIX_LENGTH))
    return KeyText(prefix, secrets.token_urlsafe(SECRET_BYTES))


def parse_key(text: str) -> KeyText | None:
    """The parts of a well-formed key, or None."""
    found = _SHAPE.fullmatch(text)
    return KeyText(*found.groups()) if found else None


def bearer(header: str) -> KeyText | None:
    """The key in an `Authorization` header, or None."""
    scheme, _, value = header.partition(" ")
    return parse_key(value.strip()) if scheme.lower() == "bearer" else None
