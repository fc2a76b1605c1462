"""Prompts taken into others: `{{> name}}`, `{{> name@label}}`, `{{> name:3}}`, in either syntax."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from prompts.names import Ref, parse_ref
from prompts.rendering.problems import BadTemplate, place_of
from workbench.core.errors import DomainError, InvalidInput

SNIPPET = re.compile(r"(?P<escape>\\)?\{\{>(?P<ref>[^{}]*)\}\}")
DEPTH = 8
MOST_CHARACTERS = 1 << 20
MOST_SNIPPETS = 500

Find = Callable[[Ref], str]
"""The text of the prompt a ref means; raises a DomainError when it is none to take in."""


class SnippetCycle(DomainError):
    """Prompts take each other in without end; the sentence names the way round."""

    code = "snippet_cycle"


def refs_in(text: str) -> list[Ref]:
    """The prompts a template takes in, in order, each once.

    Raises:
        BadTemplate: a ref cannot be read.
    """
    found = (_ref(text, tag) for tag in SNIPPET.finditer(text) if not tag["escape"])
    return list(dict.fromkeys(found))


@dataclass
class Expansion:
    """Puts snippets in; what all texts of one prompt become together is bounded."""

    find: Find
    left: int = MOST_CHARACTERS
    snippets_left: int = MOST_SNIPPETS
    taken: set[Ref] = field(default_factory=set)

    def text(self, text: str, path: tuple[str, ...]) -> str:
        """The text with its snippets put in, and theirs; `path` are the prompts it is part of.

        Raises:
            SnippetCycle: a snippet takes in a prompt it is part of.
            BadTemplate: a ref cannot be read.
            InvalidInput: too deep, or too much text.
        """
        done = SNIPPET.sub(lambda tag: self._filled(text, tag, path), text)
        self.left -= len(done)
        if self.left < 0:
            raise InvalidInput(
                "With its snippets it is longer than 1 MiB, or 128 KiB of Jinja. Shorten it."
            )
        return done

    def _filled(self, text: str, tag: re.Match[str], path: tuple[str, ...]) -> str:
        if tag["escape"]:
            return tag[0]
        ref = _ref(text, tag)
        self._check(ref, path)
        self.taken.add(ref)
        return self.text(self.find(ref), (*path, ref.name))

    def _check(self, ref: Ref, path: tuple[str, ...]) -> None:
        if ref.name in path:
            circle = " → ".join([*path[path.index(ref.name) :], ref.name])
            raise SnippetCycle(f"These prompts take each other in without end: {circle}.")
        self.snippets_left -= 1
        if len(path) > DEPTH or self.snippets_left < 0:
            way = " → ".join([*path, ref.name])
            raise InvalidInput(
                f"Snippets may lie {DEPTH} deep and be {MOST_SNIPPETS} in all: {way[:300]}."
            )


def _ref(text: str, tag: re.Match[str]) -> Ref:
    try:
        return parse_ref(tag["ref"].strip())
    except InvalidInput as problem:
        raise BadTemplate(problem.sentence, place_of(text, tag.start())) from problem
