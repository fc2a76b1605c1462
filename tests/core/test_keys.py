"""API keys: made, checked, ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.conftest import Cast
from tests.factories import make_api_key
from workbench.core.actions import find_api_key, revoke_api_key
from workbench.core.keys import KeyText, bearer, parse_key

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_key_is_found_by_its_text(cast: Cast) -> None:
    key, text = make_api_key(cast.project)

    assert find_api_key(parse_key(text), at=NOON) == key


def test_the_right_prefix_with_a_wrong_secret_finds_nothing(cast: Cast) -> None:
    key, _ = make_api_key(cast.project)

    assert find_api_key(KeyText(key.prefix, "x" * 43), at=NOON) is None


def test_a_revoked_key_finds_nothing(cast: Cast) -> None:
    key, text = make_api_key(cast.project)

    revoke_api_key(key, at=NOON)

    assert find_api_key(parse_key(text), at=NOON + timedelta(seconds=1)) is None


def test_only_an_hmac_of_the_secret_is_kept(cast: Cast) -> None:
    key, text = make_api_key(cast.project)

    assert text.rsplit("_", 1)[1] not in str(vars(key))


def test_a_malformed_header_carries_no_key() -> None:
    headers = ["", "Bearer", "Bearer sh_x_y", "Basic sh_abcdefgh_" + "x" * 43, "Bearer \x00'--"]

    assert [bearer(header) for header in headers] == [None] * 5
