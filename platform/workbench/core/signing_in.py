"""Signing in with a password, which nobody can guess fast.

Attempts are counted in the database, so that several web processes count together and a restart
forgets nothing; each counts before its password is looked at, so that many at once get no further.
Keeping the counts ourselves takes a table of two columns that names nobody; the packages for it
keep addresses and names in the clear, in three.
"""

from __future__ import annotations

import hmac
import ipaddress
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction

from workbench.core.actions import one_at_a_time
from workbench.core.errors import DomainError
from workbench.core.models import SignInAttempt, User

WINDOW = timedelta(minutes=15)
MOST_OF_ACCOUNT = 10
"""Failed attempts for one account in a window, from wherever."""
MOST_OF_ADDRESS = 50
"""Failed attempts from one address in a window; an office may share one."""


class TooManyAttempts(DomainError):
    """Wait before signing in to this account, or from this address, again."""

    code = "too_many_attempts"
    status = 429

    def __init__(self, wait: timedelta) -> None:
        self.retry_after = ceil(wait.total_seconds())
        minutes = ceil(self.retry_after / 60)
        super().__init__(
            "Too many attempts to sign in have failed. "
            f"Try again in {minutes} minute{'' if minutes == 1 else 's'}."
        )


def sign_in_with_password(*, email: str, password: str, address: str, at: datetime) -> User | None:
    """Whose address and password these are; None when they are nobody's.

    Raises:
        TooManyAttempts: too many failed lately, for the account or from the network address;
            the password was not looked at.
    """
    account = _subject("account", email.strip().lower())
    mine = _count_attempt({account: MOST_OF_ACCOUNT, _network(address): MOST_OF_ADDRESS}, at=at)
    user = authenticate(username=email, password=password)
    if not isinstance(user, User):
        return None
    # Not those from the address: an account of one's own would buy guesses for all the others.
    SignInAttempt.objects.of(account).delete()
    SignInAttempt.objects.filter(pk__in=mine).delete()
    return user


def _count_attempt(most_of: dict[str, int], *, at: datetime) -> list[int]:
    """Note an attempt of each subject, unless one of them has none left."""
    with transaction.atomic():
        for subject in sorted(most_of):
            one_at_a_time(f"stillhouse-sign-in-{subject}")
        SignInAttempt.objects.filter(at__lte=at - WINDOW).delete()
        for subject, most in most_of.items():
            _require_attempts_left(subject, most, at)
        return [SignInAttempt.objects.create(subject=subject, at=at).pk for subject in most_of]


def _require_attempts_left(subject: str, most: int, at: datetime) -> None:
    earlier = list(SignInAttempt.objects.of(subject).newest_first()[:most])
    if len(earlier) == most:
        raise TooManyAttempts(earlier[-1].at + WINDOW - at)


def _network(address: str) -> str:
    """The address a person has: of IPv6 everybody has a whole /64 to choose from."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return _subject("network", address)
    bits = 64 if number.version == 6 else 32
    return _subject("network", str(ipaddress.ip_network((number, bits), strict=False)))


def _subject(kind: str, name: str) -> str:
    return hmac.digest(settings.SECRET_KEY.encode(), f"{kind}:{name}".encode(), "sha256").hex()
