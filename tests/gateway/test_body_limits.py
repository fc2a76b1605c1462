"""No request makes the server keep more of it than it may have."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2 as httpx
import pytest

from tests.gateway.conftest import World
from workbench.core import bodylimit

MIB = 1 << 20


def sent_in_pieces(size: int) -> Iterator[bytes]:
    """A body that does not say how long it is."""
    for _ in range(size // MIB):
        yield b" " * MIB


def post(world: World, path: str, content: bytes | Iterator[bytes]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {world.key}", "Content-Type": "application/json"}
    return httpx.post(world.url + path, content=content, headers=headers, timeout=120)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_long_body_is_answered_413_in_the_api_s_error_document(
    world: World, chunked: bool
) -> None:
    pieces = sent_in_pieces(26 * MIB)

    answer = post(world, "/api/v1/datasets/", pieces if chunked else b"".join(pieces))

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert "25 MiB" in answer.json()["error"]["message"]


def test_a_long_form_is_answered_413_in_words(world: World) -> None:
    answer = post(world, "/sign-in/", sent_in_pieces(26 * MIB))

    assert answer.status_code == 413
    assert answer.text.startswith("The request is longer than 25 MiB.")


def test_rows_of_a_dataset_may_be_longer(world: World) -> None:
    path = "/api/v1/datasets/none/examples"

    assert post(world, path, sent_in_pieces(26 * MIB)).status_code == 404
    assert bodylimit.limit_of(path) == 64 * MIB
    assert bodylimit.limit_of("/api/v1/datasets/none/examples/../select") == 25 * MIB
