"""Credentials at rest: sealed with the installation's keys and bound to the row they belong to.

The plain text is sealed together with project, connection and origin and compared when opened, so
that somebody who can write to the database still cannot move a credential to a host of theirs.
"""

from __future__ import annotations

import base64
import json
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from workbench.core.errors import DomainError

PURPOSE = b"stillhouse provider credential 1"


class SealBroken(DomainError):
    """The credential cannot be opened here: other keys, or it was moved."""

    code = "credential_unreadable"
    status = 503


def seal(secret: str, *, project: int, connection: UUID, origin: str) -> bytes:
    """The secret as ciphertext that opens for the same project, connection and origin only."""
    plain = json.dumps([project, str(connection), origin, secret]).encode()
    return _keys().encrypt(plain)


def unseal(token: bytes, *, project: int, connection: UUID, origin: str) -> str:
    """The secret.

    Raises:
        SealBroken: sealed with keys we do not have, altered, or sealed for something else.
    """
    try:
        *place, secret = json.loads(_keys().decrypt(token))
    except InvalidToken as problem:
        raise SealBroken(
            "The credential of this connection cannot be read with the current SECRET_KEY. "
            "Put the earlier key into CREDENTIAL_KEYS, or enter the credential again."
        ) from problem
    if place != [project, str(connection), origin]:
        raise SealBroken("The credential belongs to another connection. Enter it again.")
    return str(secret)


def reseal(token: bytes) -> bytes:
    """The same secret under the newest key."""
    return _keys().rotate(token)


def _keys() -> MultiFernet:
    """CREDENTIAL_KEYS in their order, then SECRET_KEY: the first seals, all of them open."""
    texts = [*getattr(settings, "CREDENTIAL_KEYS", ()), settings.SECRET_KEY]
    return MultiFernet([Fernet(_derived(text)) for text in texts])


def _derived(text: str) -> bytes:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(text.encode())
    return base64.urlsafe_b64encode(key)
