"""Measuring datasets' rows in a base model's tokens, for the checks of datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetunes.bases import find_base
from finetunes.forms import base_names
from finetunes.rendering import RenderSettings, RowProblem, render_examples, stop_token_ids
from finetunes.tokenizers import load_tokenizer
from requests_log.datasets.measuring import Length, Ruler
from workbench.core.errors import InvalidInput
from workbench.core.models import Project


def ruler_names(project: Project) -> list[str]:
    """What a run can start from, by name."""
    return list(base_names(project))


def ruler_of(project: Project, name: str) -> Ruler:
    """Measure rows exactly as a run on this base would render them.

    Raises:
        InvalidInput: there is no such model, or its tokenizer cannot be read.
    """
    base = find_base(project, name)
    try:
        tokenizer = load_tokenizer(base.path)
    except Exception as problem:  # the library raises many kinds; each means the same
        raise InvalidInput(f"The tokenizer of {name} cannot be read: {problem}") from problem
    ends, settings = stop_token_ids(base.path, tokenizer), RenderSettings()

    def measure(row: Mapping[str, Any]) -> Length:
        try:
            made = render_examples(
                tokenizer, row["messages"], tools=row.get("tools"), settings=settings, eos_ids=ends
            )
        except RowProblem as problem:
            return Length(problem=problem.sentence)
        return Length(max(len(example.input_ids) for example in made))

    return Ruler(name, base.context, measure)
