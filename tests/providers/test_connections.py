"""Connections: kept safely, never shown, and changed without surprises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from tests.conftest import Cast
from tests.gateway.upstream import Upstream, UpstreamThread, whole
from workbench.core.errors import InvalidInput
from workbench.core.models import Project
from workbench.providers.actions import (
    check_connection,
    credential_of,
    remove_connection,
    reseal_credentials,
    save_connection,
)
from workbench.providers.limits import Limits
from workbench.providers.models import Connection
from workbench.providers.probe import ConnectionProblem
from workbench.providers.refs import resolve
from workbench.providers.sealing import SealBroken

CANARY = "sk-canary-1a2b3c4d"


@pytest.fixture(scope="session")
def _upstream() -> Iterator[Upstream]:
    thread = UpstreamThread()
    yield thread.start()
    thread.stop()


@pytest.fixture
def upstream(_upstream: Upstream) -> Upstream:
    _upstream.reset()
    return _upstream


def make_connection(project: Project, **fields: Any) -> Connection:
    values = {"name": "acme", "base_url": "https://api.example.com/v1", "credential": CANARY}
    return save_connection(project, by=None, **{**values, **fields})


def fresh(connection: Connection) -> Connection:
    return Connection.objects.get(pk=connection.pk)


def test_a_credential_is_sealed_and_opens_again(cast: Cast) -> None:
    connection = fresh(make_connection(cast.project))

    assert CANARY.encode() not in bytes(connection.sealed_credential or b"")
    assert credential_of(connection) == CANARY


def test_changing_the_host_clears_the_credential(cast: Cast) -> None:
    connection = make_connection(cast.project)

    changed = make_connection(
        cast.project, connection=connection, base_url="https://evil.example/v1", credential=""
    )

    assert not fresh(changed).has_credential


def test_changing_the_path_keeps_the_credential(cast: Cast) -> None:
    connection = make_connection(cast.project)

    make_connection(
        cast.project, connection=connection, base_url="https://api.example.com/v2", credential=""
    )

    assert credential_of(fresh(connection)) == CANARY


def test_a_sealed_credential_does_not_open_in_another_row_or_for_another_host(cast: Cast) -> None:
    ours = make_connection(cast.project)
    theirs = make_connection(cast.other_project, credential="")
    theirs.sealed_credential = ours.sealed_credential
    moved = fresh(ours)
    moved.base_url = "https://evil.example/v1"

    for connection in (theirs, moved):
        with pytest.raises(SealBroken):
            credential_of(connection)


def test_credentials_survive_a_change_of_keys(cast: Cast, settings: Any) -> None:
    connection = make_connection(cast.project)
    before = bytes(fresh(connection).sealed_credential or b"")
    settings.CREDENTIAL_KEYS = ["a newer key that is long enough to be one"]

    assert credential_of(fresh(connection)) == CANARY
    assert reseal_credentials() == 1
    settings.SECRET_KEY = "another secret key altogether, of some length"

    assert bytes(fresh(connection).sealed_credential or b"") != before
    assert credential_of(fresh(connection)) == CANARY


def test_the_wrong_keys_are_said_in_a_sentence(cast: Cast, settings: Any) -> None:
    connection = make_connection(cast.project)
    settings.SECRET_KEY = "another secret key altogether, of some length"

    with pytest.raises(SealBroken, match="CREDENTIAL_KEYS"):
        credential_of(connection)


def test_the_first_connection_is_the_default_until_another_is_chosen(cast: Cast) -> None:
    first = make_connection(cast.project)
    second = make_connection(cast.project, name="other", is_default=True)
    assert (fresh(first).is_default, fresh(second).is_default) == (False, True)

    remove_connection(second)

    assert fresh(first).is_default


def test_a_name_is_taken_once_in_a_project(cast: Cast) -> None:
    make_connection(cast.project)
    make_connection(cast.other_project)

    with pytest.raises(InvalidInput, match="called “acme” already"):
        make_connection(cast.project)


@pytest.mark.parametrize("name", ["", "Ac me", "a/b", "é", "-a", "a" * 41])
def test_a_name_that_a_ref_cannot_hold_is_refused(cast: Cast, name: str) -> None:
    with pytest.raises(InvalidInput):
        make_connection(cast.project, name=name)


def test_a_test_finds_the_models(cast: Cast, upstream: Upstream) -> None:
    connection = make_connection(
        cast.project, base_url=upstream.url, allow_private_network=True, model_names=["mine"]
    )
    upstream.answer = whole({"object": "list", "data": [{"id": "b"}, {"id": "a"}]})

    assert check_connection(connection, at=timezone.now()) == ["a", "b"]
    assert fresh(connection).model_names == ["mine", "a", "b"]
    assert upstream.last.headers["Authorization"] == f"Bearer {CANARY}"


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({}, 401, "refused the credential"),
        ({}, 404, "end in /v1"),
        ({}, 307, "redirects"),
        ({}, 500, "status 500"),
        (b"<html>", 200, "something other than a list"),
    ],
)
def test_a_failed_test_says_what_to_change(
    cast: Cast, upstream: Upstream, body: Any, status: int, sentence: str
) -> None:
    connection = make_connection(cast.project, base_url=upstream.url, allow_private_network=True)
    upstream.answer = whole(body, status=status, headers={"Location": upstream.url})

    with pytest.raises(ConnectionProblem, match=sentence):
        check_connection(connection, at=timezone.now())
    assert sentence in fresh(connection).problem
    assert len(upstream.seen) == 1


def test_a_test_of_a_private_address_is_stopped_without_the_flag(
    cast: Cast, upstream: Upstream
) -> None:
    connection = make_connection(cast.project, base_url=upstream.url, allow_private_network=True)
    connection.allow_private_network = False

    with pytest.raises(ConnectionProblem, match="private address"):
        check_connection(connection, at=timezone.now())
    assert upstream.seen == []


def test_pages_never_show_the_credential(cast: Cast, alice: Client) -> None:
    connection = make_connection(cast.project)
    base = f"/p/{cast.project.slug}/settings/connections/"

    for path in (base, f"{base}{connection.pk}/", f"{base}new/"):
        answer = alice.get(path)
        assert answer.status_code == 200
        assert CANARY not in answer.content.decode()


def test_the_form_makes_and_changes_a_connection(cast: Cast, alice: Client) -> None:
    base = f"/p/{cast.project.slug}/settings/connections/"
    sent = {"name": "acme", "base_url": "https://api.example.com/v1", "credential": CANARY,
            "model_names": "a\nb\n"}  # fmt: skip

    assert alice.post(f"{base}new/", sent).status_code == 302
    (connection,) = Connection.objects.in_project(cast.project)
    alice.post(f"{base}{connection.pk}/", {**sent, "credential": "", "model_names": "c"})

    assert fresh(connection).model_names == ["c"]
    assert credential_of(fresh(connection)) == CANARY


def test_a_bad_address_comes_back_with_a_sentence(cast: Cast, alice: Client) -> None:
    sent = {"name": "acme", "base_url": "http://10.0.0.1/v1"}

    answer = alice.post(f"/p/{cast.project.slug}/settings/connections/new/", sent)

    assert answer.status_code == 422
    assert "allow the private network" in answer.content.decode()


def test_a_viewer_sees_no_connections(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.victor)

    answer = client.get(f"/p/{cast.project.slug}/settings/connections/")

    assert answer.status_code == 403


def test_another_project_s_connection_is_not_there(cast: Cast, alice: Client) -> None:
    foreign = make_connection(cast.other_project)
    base = f"/p/{cast.project.slug}/settings/connections/{foreign.pk}/"

    assert alice.get(base).status_code == 404
    assert alice.post(f"{base}remove/").status_code == 404
    assert fresh(foreign).has_credential


def test_limits_are_kept_with_the_connection_and_reach_its_endpoints(
    cast: Cast, alice: Client
) -> None:
    base = f"/p/{cast.project.slug}/settings/connections/"
    limits = {"requests_per_minute": "500", "tokens_per_minute": "200000", "at_once": "8"}
    sent = {"name": "acme", "base_url": "https://api.example.com/v1", **limits}

    assert alice.post(f"{base}new/", sent).status_code == 302
    endpoint = resolve(cast.project, "acme/gpt")

    assert endpoint.requests_per_minute == 500
    assert endpoint.tokens_per_minute == 200_000
    assert endpoint.at_once == 8


def test_no_limits_are_none(cast: Cast) -> None:
    make_connection(cast.project)

    endpoint = resolve(cast.project, "acme/gpt")

    assert (endpoint.requests_per_minute, endpoint.tokens_per_minute) == (None, None)
    assert endpoint.at_once is None


@pytest.mark.parametrize("field", ["requests_per_minute", "tokens_per_minute", "at_once"])
def test_a_limit_of_none_at_all_is_refused_everywhere(cast: Cast, field: str) -> None:
    connection = make_connection(cast.project)
    none: dict[str, Any] = {field: 0}

    with pytest.raises(InvalidInput, match="or empty for no limit"):
        make_connection(cast.project, connection=connection, limits=Limits(**none))
    with pytest.raises(IntegrityError), transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(**{field: 0})
