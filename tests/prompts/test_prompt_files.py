"""Prompts as files: read back they are what they were, and only what differs is saved."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from prompts import actions
from prompts.content import checked
from prompts.files import BadFile, _Loader, as_yaml, read_files, write_files
from prompts.models import Prompt, PromptVersion
from tests.conftest import Cast
from tests.factories import make_project
from tests.prompts.factories import CHAT, NOON, make_prompt, make_version, point
from workbench.core.errors import OperatorProblem
from workbench.core.models import Project

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e300, 1e300) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def take_in(project: Project, folder: Path, *, dry_run: bool = False) -> dict[str, str]:
    told = read_files(project, folder, at=NOON, dry_run=dry_run)
    return {one.name: one.what for one in told}


def fill(project: Project) -> None:
    make_prompt(
        project, "tone", "Be kind.\nAlways.\n", description="How we\nspeak", tags=["b", "a"]
    )
    make_prompt(
        project, "support/triage", [{"role": "system", "content": "{{> tone}}"}, *CHAT],
        settings={"temperature": 0.2, "stop": ["\n", " x ", "no", "2026-01-01"]}, message="First",
        response_schema={"z": {"type": "null"}, "a": 1}, few_shot=[{"messages": CHAT[:1]}],
        variables=[{"name": "question", "type": "text", "example": "Why?"}],
    )  # fmt: skip
    make_prompt(project, "b.c/d_e-f", "{% if x %}{{ x }}{% endif %}", syntax="jinja")


def test_files_go_round_without_a_difference(cast: Cast, tmp_path: Path) -> None:
    fill(cast.project)

    write_files(cast.project, tmp_path / "a")
    made = take_in(cast.other_project, tmp_path / "a")
    write_files(cast.other_project, tmp_path / "b")

    assert made == dict.fromkeys(["b.c/d_e-f", "support/triage", "tone"], "new")
    names = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.yaml"))
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    hashes = [
        list(
            PromptVersion.objects.in_project(project)
            .order_by("prompt__name")
            .values_list("content_hash", flat=True)
        )
        for project in (cast.project, cast.other_project)
    ]
    assert hashes[0] == hashes[1]
    assert set(take_in(cast.project, tmp_path / "b").values()) == {"same"}


def test_texts_stand_in_the_file_line_by_line(cast: Cast, tmp_path: Path) -> None:
    make_prompt(cast.project, "tone", "Be kind.\n\n{{who}}: fair.\n", tags=["a"])

    [path] = write_files(cast.project, tmp_path)

    assert path.read_text() == (
        "tags:\n- a\nsyntax: mustache\nbody: |\n  Be kind.\n\n  {{who}}: fair.\n"
        "variables:\n- name: who\n  type: text\n"
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@example(text="0\x85", extra={"\u2028 a": "\r\n b\ufeff"})
@example(text="a\n\n b \n\tc", extra=["yes", "2026-01-01", "~", "1e3", 1e22, -0.0])
@given(text=TEXTS.filter(lambda t: "{{" not in t and t.strip()), extra=JSON)
def test_whatever_is_said_is_read_back(text: str, extra: Any) -> None:
    content = checked({"body": [{"role": "user", "content": text}], "settings": {"x": extra}})
    version = PromptVersion(
        body=content.body, syntax=content.syntax, settings=content.settings, variables=[],
        few_shot=[], tools=[],
    )  # fmt: skip

    written = as_yaml(Prompt(description=text), version)

    assert checked({k: v for k, v in _loaded(written).items() if k != "description"}) == content
    assert _loaded(written)["description"] == text


def _loaded(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(text.encode(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    return loaded


def test_only_what_differs_is_saved(cast: Cast, tmp_path: Path) -> None:
    fill(cast.project)
    write_files(cast.project, tmp_path)
    tone, letter = tmp_path / "tone.yaml", tmp_path / "b.c/d_e-f.yaml"
    tone.write_text(tone.read_text().replace("kind", "fair"))
    letter.write_text("description: New\n" + letter.read_text())

    tried = take_in(cast.project, tmp_path, dry_run=True)
    untouched = PromptVersion.objects.count()
    done = take_in(cast.project, tmp_path)

    assert tried == done == {"b.c/d_e-f": "described", "support/triage": "same", "tone": "version"}
    assert untouched == 3
    assert Prompt.objects.get(name="tone").versions_made == 2


def test_a_label_chooses_what_is_written(cast: Cast, tmp_path: Path) -> None:
    prompt = make_prompt(cast.project, "a", "one")
    make_version(prompt, "two")
    make_prompt(cast.project, "unlabelled", "x")
    actions.archive(make_prompt(cast.project, "old", "x"), by=None, at=NOON)
    point(prompt, "production", 1)

    written = write_files(cast.project, tmp_path, label="production")

    assert [path.name for path in written] == ["a.yaml"]
    assert "body: one\n" in written[0].read_text()
    assert [p.name for p in write_files(cast.project, tmp_path)] == ["a.yaml", "unlabelled.yaml"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("body: {{x}}", "not YAML"),
        ("body: 3", "body must be a text"),
        ("body: [", "not YAML"),
        ("- x", "begins with its keys"),
        ("body: x\nlabels: []", "has no labels"),
        ("body: '{{#x}}'", "Line 1, column 1"),
        ("a: &a [x]\nbody: *a", "references"),
        ("body: x\nsettings: {x: !!binary aGk=}", "no JSON can"),
        ("body: '{{> gone}}'", "no prompt “gone”"),
        ("body: !!python/object:os.system x", "not YAML"),
    ],
)
def test_a_bad_file_saves_nothing_at_all(
    cast: Cast, tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "a.yaml").write_text("body: fine")
    (tmp_path / "b.yaml").write_text(text)

    with pytest.raises(BadFile, match=r"b\.yaml") as caught:
        take_in(cast.project, tmp_path)

    assert sentence in caught.value.sentence
    assert not Prompt.objects.exists()


def test_files_that_take_each_other_in_are_told(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("body: '{{> b}}'")
    (tmp_path / "b.yaml").write_text("body: '{{> a}}'")

    with pytest.raises(BadFile, match=r"a\.yaml"):
        take_in(cast.project, tmp_path)


def test_the_command_writes_and_reads(tmp_path: Path, db: None) -> None:
    project, other = make_project(name="Support"), make_project(name="Elsewhere")
    fill(project)
    told = io.StringIO()

    call_command("prompts", "export", str(tmp_path), "--project", project.slug, stdout=told)
    for more in (["--dry-run"], []):
        call_command(
            "prompts", "import", str(tmp_path), "--project", other.slug, *more, stdout=told
        )

    lines = told.getvalue().splitlines()
    assert lines[0] == f"Wrote 3 prompts to {tmp_path}."
    assert lines[1:5] == [
        "b.c/d_e-f: made", "support/triage: made", "tone: made", "A dry run: nothing was saved.",
    ]  # fmt: skip
    assert Prompt.objects.in_project(other).count() == 3
    with pytest.raises(OperatorProblem, match="no project nobody"):
        call_command("prompts", "export", str(tmp_path), "--project", "nobody")
