r"""Values put into templates, as the server does it.

Mustache: `{{variable}}` and dotted paths, `\{{` for two braces as they are; what is not text is
written as JSON. Jinja: by the host's own jinja2, sandboxed, where it is installed.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any, Mapping, Sequence

from stillhouse._snapshot import dump
from stillhouse.errors import MissingVariables, PromptError

TAG = re.compile(r"\\\{\{|\{\{\s*(?P<path>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\s*\}\}")
JINJA = "jinja"


def can_render(syntax: str) -> bool:
    """Whether it can be done here, and need not be asked of the server."""
    return syntax == "mustache" or (syntax == JINJA and _environment() is not None)


def names_in(texts: Sequence[str], syntax: str) -> set[str]:
    """The names of the variables that templates take from outside."""
    if syntax == JINJA:
        return _jinja_names(texts)
    return {path.partition(".")[0] for path in _paths(texts)}


def render_all(texts: Sequence[str], syntax: str, values: Mapping[str, Any]) -> list[str]:
    """The templates with the values put in.

    Raises:
        MissingVariables: all that are missing in all of them.
        PromptError: a Jinja template cannot be read, or fails with these values.
    """
    if syntax == JINJA:
        return _render_jinja(texts, values)
    missing = [path for path in _paths(texts) if not _holds(values, path)]
    if missing:
        raise MissingVariables(missing)
    fill = functools.partial(_filled, values)
    return [TAG.sub(fill, text) for text in texts]


def _paths(texts: Sequence[str]) -> list[str]:
    paths = (tag["path"] for text in texts for tag in TAG.finditer(text) if tag["path"])
    return list(dict.fromkeys(paths))


def _holds(values: Mapping[str, Any], path: str) -> bool:
    try:
        _value(values, path)
    except Exception:  # a host's mapping may raise anything
        return False
    return True


def _value(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = values[int(part)] if isinstance(values, (list, tuple)) else values[part]
    return values


def _filled(values: Mapping[str, Any], tag: re.Match[str]) -> str:
    return _written(_value(values, tag["path"])) if tag["path"] else "{{"


def _written(value: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except Exception:  # what JSON cannot hold is marked, as in the log
        return dump(value).decode()


def _render_jinja(texts: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    from jinja2 import UndefinedError

    try:
        return [str(_template(text).render(values)) for text in texts]
    except Exception as error:  # filters and operators raise what they like
        missing = sorted(_jinja_names(texts) - set(values))
        if isinstance(error, UndefinedError) and missing:
            raise MissingVariables(missing) from error
        said = f"{type(error).__name__}: {error}"
        raise PromptError(f"The template fails with these variables. {said}") from error


def _jinja_names(texts: Sequence[str]) -> set[str]:
    """None of a template that cannot be read."""
    from jinja2 import TemplateError, meta

    environment = _environment()
    names: set[str] = set()
    for text in texts:
        try:
            names |= meta.find_undeclared_variables(environment.parse(text))
        except TemplateError:
            continue
    return names - set(environment.globals)


@functools.lru_cache(maxsize=256)
def _template(text: str) -> Any:
    return _environment().from_string(text)


@functools.lru_cache(maxsize=1)
def _environment() -> Any:
    """A sandbox as the server's, or None where jinja2 is not installed."""
    try:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        return None
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )
