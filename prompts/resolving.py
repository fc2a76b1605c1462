"""From a ref to what an app gets: the version a label means now, snippets put in."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from prompts.content import PLACEHOLDER, Content, content_of, texts_of, with_texts
from prompts.models import Prompt, PromptLabel, PromptVersion
from prompts.names import LATEST, PRODUCTION, Ref, parse_ref, require_label
from prompts.rendering import jinja, render_all
from prompts.rendering.problems import MissingVariables
from prompts.rendering.snippets import MOST_CHARACTERS, Expansion
from workbench.core.errors import InvalidInput, NotFound
from workbench.core.models import Project


@dataclass(frozen=True)
class Fetched:
    """A version as apps get it. `label` is the one it was found by, None when by its number."""

    prompt: Prompt
    version: PromptVersion
    label: str | None
    split: list[dict[str, int]] | None
    content: Content


def fetch(
    project: Project, text: str, *, label: str = "", version: int | None = None, key: str = ""
) -> Fetched:
    """The version that a ref, a label or a number means, with its snippets put in.

    Without any, the label production; the newest version where there is no such label. A label that
    is split chooses by the key, always the same for the same key, or at random without one.

    Raises:
        NotFound: no such prompt, label or version; the sentence names those there are.
        SnippetCycle, InvalidInput: its snippets cannot be put in.
    """
    ref = parse_ref(text)
    if label or version is not None:
        if ref.label or ref.version is not None or (label and version is not None):
            raise InvalidInput("Ask for one of: a label, a version, or a name such as triage:3.")
        ref = replace(ref, label=label and require_label(label), version=version)
    prompt = find_prompt(project, ref.name)
    found, chosen, split = choose(prompt, ref, key=key)
    content = expanded(prompt, content_of(found), key=key)
    return Fetched(prompt, found, chosen, split, content)


def find_prompt(project: Project, name: str) -> Prompt:
    """The project's prompt of this name.

    Raises:
        NotFound: there is none.
    """
    known = name.isascii() and "\x00" not in name
    found = Prompt.objects.in_project(project).select_related("project").filter(name=name)
    prompt = found.first() if known else None
    if prompt is None:
        raise NotFound(
            f"There is no prompt “{name[:80]}” in this project. Make it, or see the list for "
            "those there are.",
            code="prompt_not_found",
        )
    return prompt


def choose(
    prompt: Prompt, ref: Ref, *, key: str = ""
) -> tuple[PromptVersion, str | None, list[dict[str, int]] | None]:
    """The version, the label it was found by, and the shares if that label is split.

    Raises:
        NotFound: no such label or version.
    """
    if ref.version is not None:
        return version_of(prompt, ref.version), None, None
    wanted = ref.label or PRODUCTION
    shares = _shares(prompt, wanted)
    if shares:
        number = drawn(shares, key=key, salt=f"{prompt.pk}@{wanted}")
        return version_of(prompt, number), wanted, shares if len(shares) > 1 else None
    if ref.label in ("", LATEST) and prompt.versions_made:
        return version_of(prompt, prompt.versions_made), LATEST, None
    raise NotFound(_not_there(prompt, f"label “{wanted[:60]}”"), code="label_not_found")


def version_of(prompt: Prompt, number: int) -> PromptVersion:
    """The prompt's version of this number.

    Raises:
        NotFound: there is none.
    """
    found = prompt.versions.filter(number=number).first()
    if found is None:
        raise NotFound(_not_there(prompt, f"version {number}"), code="version_not_found")
    return found


def drawn(shares: list[dict[str, int]], *, key: str, salt: str) -> int:
    """The version a key gets: its place on a line of 100, which the shares divide in order.

    The same key gets the same version as long as the shares stay; salted, so that another label's
    split does not choose the same people.
    """
    if key:
        digest = hashlib.sha256(f"{salt}\n{key}".encode("utf-8", "surrogatepass")).digest()
        place = int.from_bytes(digest[:8]) * 100 >> 64
    else:
        place = secrets.randbelow(100)
    for share in shares:
        place -= share["percent"]
        if place < 0:
            return share["version"]
    raise AssertionError("shares sum to 100")


def expanded(prompt: Prompt, content: Content, *, key: str = "") -> Content:
    """The content with its snippets put in, and the variables they need described after its own.

    Raises:
        NotFound: a snippet that is not there.
        SnippetCycle, InvalidInput: snippets that cannot be put in.
    """
    variables = {one["name"]: one for one in content.variables}
    known: dict[Ref, str] = {}

    def find(ref: Ref) -> str:
        if ref not in known:
            taken = find_prompt(prompt.project, ref.name)
            version, _, _ = choose(taken, ref, key=key)
            known[ref] = _as_snippet(version, ref, content.syntax)
            for one in version.variables:
                variables.setdefault(one["name"], one)
        return known[ref]

    is_jinja = content.syntax == PromptVersion.Syntax.JINJA
    expansion = Expansion(find, left=jinja.MOST_CHARACTERS if is_jinja else MOST_CHARACTERS)
    done = content.with_texts(lambda text: expansion.text(text, (prompt.name,)))
    return replace(done, variables=list(variables.values()))


def compiled(content: Content, values: Mapping[str, Any]) -> str | list[dict[str, Any]]:
    """The text, or the messages, with the values put in; examples stand after the first messages
    that are the system's.

    Raises:
        MissingVariables: all that are missing.
        BadTemplate, RenderingStopped: the template fails with these values.
        InvalidInput: what is to be put in as messages is no list of messages.
    """
    if isinstance(content.body, str):
        return render_all([content.body], content.syntax, values)[0]
    messages = _in_order(content)
    names = [one["name"] for one in messages if one.get("type") == PLACEHOLDER]
    texts = [text for message in messages for text in texts_of(message)]
    done = iter(_rendered(texts, content.syntax, values, lists=names))
    inserted = {name: _message_list(name, values[name]) for name in names}
    out: list[dict[str, Any]] = []
    for message in messages:
        if message.get("type") == PLACEHOLDER:
            out += inserted[message["name"]]
        else:
            out.append(with_texts(message, lambda _text: next(done)))
    return out


def _in_order(content: Content) -> list[dict[str, Any]]:
    body = list(content.body) if isinstance(content.body, list) else []
    shots = [message for shot in content.few_shot for message in shot["messages"]]
    at = 0
    while at < len(body) and body[at].get("role") in ("system", "developer"):
        at += 1
    return [*body[:at], *shots, *body[at:]]


def _rendered(
    texts: list[str], syntax: str, values: Mapping[str, Any], *, lists: list[str]
) -> list[str]:
    """The texts rendered; lists of messages that are missing are told with the variables."""
    missing = [name for name in lists if name not in values]
    try:
        done = render_all(texts, syntax, values)
    except MissingVariables as problem:
        raise MissingVariables(dict.fromkeys([*problem.names, *missing])) from problem
    if missing:
        raise MissingVariables(dict.fromkeys(missing))
    return done


def _message_list(name: str, rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput(f"{name} must be a list of messages.")
    return rows


def _as_snippet(version: PromptVersion, ref: Ref, syntax: str) -> str:
    if not isinstance(version.body, str):
        raise InvalidInput(f"{ref} is a list of messages; only a text can be taken in.")
    if version.syntax != syntax:
        raise InvalidInput(
            f"{ref} is written in {version.syntax}, what takes it in is in {syntax}. "
            "Write both in one syntax."
        )
    return version.body


def _shares(prompt: Prompt, label: str) -> list[dict[str, int]]:
    found = PromptLabel.objects.filter(prompt=prompt, name=label)
    rows = found.order_by("targets__version__number").values_list(
        "targets__version__number", "targets__percent"
    )
    return [{"version": number, "percent": percent} for number, percent in rows]


def _not_there(prompt: Prompt, what: str) -> str:
    labels = [*prompt.labels.order_by("name").values_list("name", flat=True), LATEST]
    newest = prompt.versions_made
    versions = "version 1" if newest == 1 else f"versions 1 to {newest}"
    return f"“{prompt}” has no {what}. It has {versions}, and the labels {', '.join(labels)}."
