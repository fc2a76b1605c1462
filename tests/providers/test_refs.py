"""What a model ref stands for."""

from __future__ import annotations

import pytest

from tests.conftest import Cast
from tests.providers.test_connections import CANARY, make_connection
from workbench.core.errors import InvalidInput
from workbench.core.models import Project
from workbench.providers import refs
from workbench.providers.refs import Endpoint, ModelRef, UnknownModel, parse_ref, resolve


def test_refs_are_taken_apart() -> None:
    assert parse_ref("letters@production") == ModelRef(
        "letters@production", name="letters", alias="production"
    )
    assert parse_ref("letters:3") == ModelRef("letters:3", name="letters", version=3)
    assert parse_ref("llama3:8b") == ModelRef("llama3:8b")
    assert parse_ref("openrouter/meta/llama-3").head == "openrouter"
    assert parse_ref("openrouter/meta/llama-3").tail == "meta/llama-3"


@pytest.mark.parametrize("text", ["", " gpt", "a\nb", "x" * 301])
def test_what_is_no_ref_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_ref(text)


def test_the_first_part_that_names_a_connection_wins(cast: Cast) -> None:
    make_connection(cast.project, name="openrouter")
    make_connection(cast.project, name="openai", is_default=True)

    found = resolve(cast.project, "openrouter/meta/llama-3")

    assert (found.label, found.model, found.api_key) == ("openrouter", "meta/llama-3", CANARY)


def test_any_other_ref_is_a_model_of_the_default_connection(cast: Cast) -> None:
    make_connection(cast.project)

    for ref in ("gpt-5-mini", "meta/llama-3", "llama3:8b"):
        assert resolve(cast.project, ref).model == ref


def test_a_registered_name_is_never_sent_to_a_provider_by_mistake(cast: Cast) -> None:
    make_connection(cast.project)

    for ref in ("letters@prodution", "letters:99"):
        with pytest.raises(UnknownModel, match="no registered model"):
            resolve(cast.project, ref)


def test_a_project_without_connections_knows_no_model(cast: Cast) -> None:
    make_connection(cast.other_project)

    with pytest.raises(UnknownModel, match="Add a connection"):
        resolve(cast.project, "acme/gpt")


def test_a_resolver_is_asked_before_the_default_connection(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ours(project: Project, ref: ModelRef) -> Endpoint | None:
        known = project == cast.project and ref.name == "letters"
        return Endpoint("http://127.0.0.1:1/v1", "", "letters:3", kind="engine") if known else None

    monkeypatch.setattr(refs, "_resolvers", [ours])
    make_connection(cast.project)

    assert resolve(cast.project, "letters@production").is_engine
    assert resolve(cast.project, "gpt").model == "gpt"


def test_an_endpoint_does_not_print_its_credential(cast: Cast) -> None:
    make_connection(cast.project)

    assert CANARY not in repr(resolve(cast.project, "gpt"))
