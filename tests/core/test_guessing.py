"""Passwords cannot be guessed fast: failed sign-ins are counted by account and by address."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.factories import PASSWORD
from workbench.core.actions import create_user
from workbench.core.models import SignInAttempt, User
from workbench.core.signing_in import (
    MOST_OF_ACCOUNT,
    MOST_OF_ADDRESS,
    WINDOW,
    TooManyAttempts,
    sign_in_with_password,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WRONG = "something else"


@pytest.fixture
def ada(db: None, settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # made to be fast
    return create_user(email="ada@example.com", password=PASSWORD, name="Ada")


def attempt(
    *,
    email: str = "ada@example.com",
    password: str = WRONG,
    address: str = "203.0.113.7",
    at: datetime = NOON,
) -> User | None:
    return sign_in_with_password(email=email, password=password, address=address, at=at)


def test_an_account_takes_a_few_wrong_passwords_from_wherever_they_come(ada: User) -> None:
    for number in range(MOST_OF_ACCOUNT):
        assert attempt(address=f"203.0.113.{number}") is None

    with pytest.raises(TooManyAttempts, match=r"Try again in 15 minutes\."):
        attempt(password=PASSWORD, address="198.51.100.1")


def test_an_address_is_refused_after_wrong_passwords_for_many_accounts(ada: User) -> None:
    for number in range(MOST_OF_ADDRESS):
        assert attempt(email=f"nobody-{number}@example.com") is None

    with pytest.raises(TooManyAttempts):
        attempt(password=PASSWORD)
    assert attempt(password=PASSWORD, address="198.51.100.1") == ada


def test_one_network_of_the_new_protocol_is_one_address(ada: User) -> None:
    for number in range(MOST_OF_ADDRESS):
        attempt(email=f"nobody-{number}@example.com", address=f"2001:db8:0:1::{number:x}")

    with pytest.raises(TooManyAttempts):
        attempt(password=PASSWORD, address="2001:db8:0:1:ffff::1")
    assert attempt(password=PASSWORD, address="2001:db8:0:2::1") == ada


def test_the_sentence_says_when_the_oldest_failure_is_forgotten(ada: User) -> None:
    for number in range(MOST_OF_ACCOUNT):
        attempt(at=NOON + timedelta(seconds=number))

    with pytest.raises(TooManyAttempts) as refused:
        attempt(at=NOON + timedelta(minutes=9))

    assert refused.value.retry_after == 6 * 60
    assert refused.value.sentence.endswith("Try again in 6 minutes.")
    assert attempt(password=PASSWORD, at=NOON + WINDOW) == ada


def test_the_right_password_forgets_the_wrong_ones(ada: User) -> None:
    for _ in range(3):
        for _ in range(MOST_OF_ACCOUNT - 1):
            attempt()
        assert attempt(email="ADA@example.com", password=PASSWORD) == ada


def test_an_account_of_ones_own_frees_no_address(ada: User) -> None:
    for number in range(MOST_OF_ADDRESS - 1):
        attempt(email=f"nobody-{number}@example.com")
    attempt(password=PASSWORD)
    attempt(email="nobody@example.com")

    with pytest.raises(TooManyAttempts):
        attempt(email="somebody@example.com")


def test_what_is_kept_names_nobody_and_goes(ada: User) -> None:
    attempt()

    kept = SignInAttempt.objects.values_list("subject", flat=True)
    assert all(re.fullmatch("[0-9a-f]{64}", subject) for subject in kept)

    attempt(email="eve@example.com", address="198.51.100.1", at=NOON + WINDOW)
    assert not SignInAttempt.objects.filter(at=NOON).exists()


def test_the_page_refuses_with_the_sentence_and_keeps_the_address(ada: User) -> None:
    form = {"email": "ada@example.com", "password": WRONG}
    for _ in range(MOST_OF_ACCOUNT):
        assert Client().post("/sign-in/", form).status_code == 422

    answer = Client().post("/sign-in/", form | {"password": PASSWORD})

    page = answer.content.decode()
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= WINDOW.total_seconds()
    assert "Too many attempts to sign in have failed. Try again in" in page
    assert 'value="ada@example.com"' in page


@pytest.mark.django_db(transaction=True)
def test_guesses_at_the_same_time_are_counted_all(ada: User) -> None:
    answers: list[str] = []
    ready = threading.Barrier(MOST_OF_ACCOUNT + 4)

    def guess() -> None:
        ready.wait()
        try:
            attempt()
            answers.append("wrong")
        except TooManyAttempts:
            answers.append("refused")
        connection.close()

    threads = [threading.Thread(target=guess) for _ in range(MOST_OF_ACCOUNT + 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == ["refused"] * 4 + ["wrong"] * MOST_OF_ACCOUNT
