"""Templates: what they need, what they become, and what stops those that would never end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.names import Ref, parse_ref, require_name
from prompts.rendering import jinja, mustache, render_all, variables_in
from prompts.rendering.problems import BadTemplate, MissingVariables, Place, RenderingStopped
from prompts.rendering.snippets import DEPTH, Expansion, SnippetCycle
from workbench.core.errors import InvalidInput

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def escaped(text: str) -> str:
    return text.replace("{{", mustache.ESCAPE)


@given(TEXTS.filter(lambda text: "{{" not in text))
def test_a_text_without_variables_stays_as_it_is(text: str) -> None:
    assert mustache.render(text, {}) == text


@given(NAMES, TEXTS, TEXTS.filter(lambda text: "{" not in text and "\\" not in text))
def test_a_value_is_put_in_as_it_is_and_read_no_further(name: str, value: str, around: str) -> None:
    template = f"{around}{{{{ {name} }}}}{around}"

    assert mustache.render(template, {name: value}) == around + value + around


@given(TEXTS.filter(lambda text: "\\" not in text and "{{{" not in text))
def test_escaped_braces_come_back(text: str) -> None:
    assert mustache.render(escaped(text), {}) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [(3, "3"), (2.5, "2.5"), (True, "true"), (None, "null"), ("é", "é"), (["é", 1], '["é", 1]')],
)
def test_what_is_not_text_is_written_as_json(value: Any, written: str) -> None:
    assert mustache.render("{{x}}", {"x": value}) == written


def test_paths_reach_into_objects_and_lists() -> None:
    values = {"user": {"names": ["Ada", "Lovelace"]}}

    assert mustache.render("{{user.names.1}}, {{ user.names.0 }}", values) == "Lovelace, Ada"
    assert mustache.variables_in("{{user.names.1}} {{a}}") == {"user": "object", "a": "text"}


@pytest.mark.parametrize("syntax", ["mustache", "jinja"])
def test_all_that_is_missing_is_named_at_once(syntax: str) -> None:
    with pytest.raises(MissingVariables) as caught:
        render_all(["{{b}} {{a}}", "{{c}}"], syntax, {"a": "1"})

    assert caught.value.names == ["b", "c"]


@pytest.mark.parametrize(
    ("template", "place"),
    [
        ("{{#each x}}", Place(1, 1)),
        ("fine\nalso {{ a b }}", Place(2, 6)),
        ("{{open", Place(1, 1)),
        ("{{}}", Place(1, 1)),
        ('{{{"a": 1}}}', Place(1, 1)),
    ],
)
def test_braces_that_open_no_variable_are_shown(template: str, place: Place) -> None:
    with pytest.raises(BadTemplate, match="no variable") as caught:
        variables_in(template, "mustache")

    assert caught.value.place == place


def test_jinja_renders_loops_and_conditions() -> None:
    template = "{% for x in xs if x > 1 %}{{ x }};{% endfor %}{{ name|default('nobody') }}\n"

    assert render_all([template], "jinja", {"xs": [1, 2, 3]}) == ["2;3;nobody\n"]
    assert variables_in(template, "jinja") == {"xs": "text", "name": "text"}


@pytest.mark.parametrize(
    ("template", "place"),
    [
        ("one\n  {% for %}", Place(2, 3)),
        ("{{ a +", Place(1, 1)),
        ("{% include 'x' %}", Place(1, 1)),
    ],
)
def test_jinja_that_cannot_be_read_is_shown(template: str, place: Place) -> None:
    with pytest.raises(BadTemplate) as caught:
        variables_in(template, "jinja")

    assert caught.value.place == place


def test_jinja_that_fails_with_its_values_says_where() -> None:
    with pytest.raises(BadTemplate, match=r"Line 2, column 1: .*ZeroDivision"):
        render_all(["one\n{{ 1 / n }}"], "jinja", {"n": 0})


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ x.append(1) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ '{0.__class__}'.format(x) }}",
    ],
)
def test_the_sandbox_keeps_what_is_inside_python_shut(template: str) -> None:
    with pytest.raises(BadTemplate):
        render_all([template], "jinja", {"x": []})


@pytest.mark.parametrize(
    "bomb",
    [
        "{% for i in range(10**9) %}x{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 9 ** 99999999 }}",
        "{{ 'a' * 10**10 }}",
        "{{ 'a'|center(10**10) }}",
        "{{ '%099999999999d' % 1 }}",
        "{{ '{:>9999999999}'.format(1) }}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
        "{{ [1]*10**9 }}",
    ],
)
def test_bombs_are_stopped(bomb: str) -> None:
    with pytest.raises((RenderingStopped, BadTemplate)):
        render_all([bomb], "jinja", {})


def test_looking_for_variables_runs_nothing() -> None:
    hungry = [
        "{{ 'a'|center(10**12) }}",
        "{{ 9 ** 9999999999 }}",
        "{{ 'a' * 10**12 }}",
        "{{ 'a'|center(1000000000000) }}",
        "{% if 'a'|center(1000000000000) %}{% endif %}",
    ]

    for template in hungry:
        assert variables_in(template, "jinja") == {}


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    with pytest.raises(BadTemplate):
        variables_in("{{ " + "(" * 20_000 + ")" * 20_000 + " }}", "jinja")


@given(st.dictionaries(NAMES.filter(lambda n: n not in {"self", "loop"}), TEXTS, max_size=3))
def test_variables_found_are_those_written(values: dict[str, str]) -> None:
    template = "".join(f"{{{{ {name} }}}}" for name in values)

    assert list(mustache.variables_in(template)) == list(values)
    assert mustache.render(template, values) == "".join(values.values())


def expand(texts: dict[str, str], text: str) -> str:
    return Expansion(lambda ref: texts[str(ref)]).text(text, ("start",))


def test_snippets_are_put_in_with_theirs() -> None:
    texts = {"a@production": "A({{> b:3}})", "b:3": "B {{x}}"}

    assert expand(texts, "{{> a@production }} and \\{{> b}}") == "A(B {{x}}) and \\{{> b}}"


def test_a_cycle_is_told_with_its_way() -> None:
    with pytest.raises(SnippetCycle, match="start → a → b → start"):
        expand({"a": "{{> b}}", "b": "{{> start}}"}, "{{> a}}")


def test_snippets_have_a_depth_and_a_size() -> None:
    deep = {f"n{n}": f"{{{{> n{n + 1}}}}}" for n in range(DEPTH + 2)}
    wide = {"a": "{{> b}}" * 30, "b": "{{> c}}" * 30, "c": "x" * 1000}

    with pytest.raises(InvalidInput, match="deep"):
        expand(deep, "{{> n0}}")
    with pytest.raises(InvalidInput):
        expand(wide, "{{> a}}")


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("support/triage", Ref("support/triage")),
        ("triage@staging", Ref("triage", label="staging")),
        ("triage:3", Ref("triage", version=3)),
        ("prompts:/support/triage@production", Ref("support/triage", label="production")),
        ("prompts:/support/triage/3", Ref("support/triage", version=3)),
        ("prompts:/triage", Ref("triage")),
    ],
)
def test_refs_are_read_in_every_manner(text: str, ref: Ref) -> None:
    assert parse_ref(text) == ref


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", "a b", "a@b", "a:3", "é", "a/versions", "labels/x/..", "x" * 201,
     "a/3", "a/labels/b", "Diff"],
)  # fmt: skip
def test_names_that_would_be_read_otherwise_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        require_name(name)


@given(st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, st.lists, max_leaves=5))
def test_json_put_in_is_read_back(value: Any) -> None:
    text = mustache.render("{{v}}", {"v": [value]})

    assert json.loads(text) == [value]


def test_the_program_knows_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden")

    assert "hidden" not in jinja.render_all(["{{ self }}{{ lipsum }}"], {})[0]
