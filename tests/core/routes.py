"""Every route the resolver knows, with addresses made for a project of the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from workbench.core.models import Role, Scope

SAMPLES = {
    "slug": "sample",
    "uuid": "0192f0c0-0000-7000-8000-00000000dead",
    "str": "sample",
    "path": "sample",
    "model_name": "sample",
    "alias_name": "production",
}
NAMED_SAMPLES = {
    "name": "sample",
    "alias": "production",
    "part": "request",
    "position": "7",
    "step": "0",
}
CONVERTER = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>")
GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()\[\]]|\[[^\]]*\])*\)")
FOREIGN_ACCESS = {"schema": "anybody"}


@dataclass(frozen=True)
class Route:
    """One address, who may open it, and how it is asked."""

    name: str
    template: str
    view: Any

    @property
    def access(self) -> Any:
        return getattr(self.view, "access", FOREIGN_ACCESS.get(self.name))

    @property
    def is_api(self) -> bool:
        return isinstance(self.access, dict)

    @property
    def roles(self) -> dict[str, Role]:
        """The role that whoever made a key needs, for each method that asks for one."""
        return getattr(getattr(self.view, "cls", None), "roles", {})

    @property
    def is_of_project(self) -> bool:
        return isinstance(self.access, Role)

    @property
    def scopes(self) -> dict[str, Scope]:
        return dict(self.access) if self.is_api else {}

    def address(self, project: str = "sample", number: str = "987654321") -> str:
        """The address in a project, with things that do not exist."""

        def fill(found: re.Match[str]) -> str:
            name, kind = found["name"], found["kind"] or "str"
            if name == "project":
                return project
            if name == "number" or kind == "int":
                return number
            return NAMED_SAMPLES.get(name, SAMPLES[kind])

        return "/" + CONVERTER.sub(fill, self.template)


def routes() -> list[Route]:
    return list(_walk(get_resolver().url_patterns, "", ""))


def _walk(patterns: list[Any], before: str, names: str) -> Iterator[Route]:
    for pattern in patterns:
        template = before + _as_template(pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{names}{pattern.namespace}:" if pattern.namespace else names
            yield from _walk(pattern.url_patterns, template, inner)
        elif isinstance(pattern, URLPattern):
            yield Route(f"{names}{pattern.name}", template, pattern.callback)


def _as_template(pattern: Any) -> str:
    text = str(pattern.pattern)
    if not text.startswith("^") and "(?P" not in text:
        return text
    return GROUP.sub(_converter, text.removeprefix("^").removesuffix("$").removesuffix("/?"))


def _converter(group: re.Match[str]) -> str:
    return f"<uuid:{group[1]}>" if group[1].endswith("_id") else f"<{group[1]}>"
