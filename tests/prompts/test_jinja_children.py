"""Jinja over many rows: one process for all of them, and a row that ends it hurts no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from prompts.rendering import jinja
from prompts.rendering.jinja_children import Child, Children, Ended
from prompts.rendering.problems import BadTemplate, RenderingStopped

BUSY = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
GREETING = (f"Hello {{{{ name }}}}{{% if n < 0 %}}{BUSY}{{% endif %}}!",)
BOUNDS = {"cpu_seconds": 0.5, "wait_seconds": 60.0}


def test_many_rows_are_rendered_by_one_process() -> None:
    child = Child(GREETING, **BOUNDS)

    texts = [child.render({"name": str(n), "n": n})["texts"] for n in range(200)]

    child.close()
    assert texts == [[f"Hello {n}!"] for n in range(200)]


def test_a_row_that_never_ends_is_stopped_and_the_others_are_not_lost() -> None:
    rows = [{"name": "x", "n": -1 if n == 5 else n} for n in range(20)]

    def made(row: dict[str, object]) -> str:
        try:
            return jinja.render_all(GREETING, row)[0]
        except RenderingStopped as problem:
            return problem.sentence

    with ThreadPoolExecutor(4) as threads:
        texts = list(threads.map(made, rows))

    assert texts[5] == jinja.STOPPED
    assert texts[:5] + texts[6:] == ["Hello x!"] * 19


def test_too_much_text_ends_the_process_and_is_told_as_that() -> None:
    child = Child(["{{ 'x' * n }}" * 3], **BOUNDS)
    assert child.render({"n": 2})["texts"] == ["xxxxxx"]

    with pytest.raises(Ended):
        child.render({"n": 1 << 20})

    assert child.is_over


def test_a_row_that_fails_leaves_the_process_for_the_next_one() -> None:
    child = Child(["{{ 1 / n }}"], **BOUNDS)

    failed, fine = child.render({"n": 0}), child.render({"n": 1})

    child.close()
    assert failed["kind"] == "failed"
    assert fine["texts"] == ["1.0"]


def test_values_that_are_no_json_do_not_spoil_the_process() -> None:
    child = Child(GREETING, **BOUNDS)

    with pytest.raises(TypeError):
        child.render({"name": object(), "n": 1})

    assert child.render({"name": "Ada", "n": 1})["texts"] == ["Hello Ada!"]
    child.close()


def test_only_so_many_processes_are_kept() -> None:
    children = Children()
    kinds = [(f"{{{{ x }}}} {n}",) for n in range(6)]
    used = [(kind, children.take(kind, **BOUNDS)) for kind in kinds]
    for kind, child in used:
        child.render({"x": 1})
        children.give_back(kind, child)

    again = children.take(kinds[-1], **BOUNDS)

    assert again is used[-1][1]
    assert [child.is_over for _, child in used] == [True, True, False, False, False, False]
    children.close()
    again.close()


def test_what_a_template_does_wrong_is_said_with_its_place_every_time() -> None:
    for _ in range(2):
        with pytest.raises(BadTemplate, match=r"Line 2, column 1: .*ZeroDivision"):
            jinja.render_all(["one\n{{ 1 / n }}"], {"n": 0})
