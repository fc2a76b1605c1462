"""A draft of a version as a form holds it: plain fields, without any script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from prompts.content import PLACEHOLDER, ROLES, Content, needed_variables
from prompts.models import Prompt
from workbench.core.errors import InvalidInput

EXTRAS = (
    ("variables", "Variables", "[]", "What each is: name, type, description, example."),
    ("few_shot", "Examples", "[]", "Blocks of messages that stand after the system's."),
    ("tools", "Tools", "[]", "Tools that the app offers the model."),
    ("response_schema", "Answer schema", "null", "The JSON schema an answer must have."),
    ("settings", "Settings", "{}", "Model, temperature and the like; the app reads them."),
)
MAX_ROWS = 200
SPARE = 1
WHOLE = "json"
"""The role under which a message that is more than a text is edited as JSON."""
CHOICES = [*((role, role) for role in ROLES), (PLACEHOLDER, "list of messages"), (WHOLE, "as JSON")]


@dataclass(frozen=True)
class Row:
    """A message as a role and a text."""

    role: str
    text: str

    @property
    def lines(self) -> int:
        """How tall its field should be."""
        return min(24, max(3, self.text.count("\n") + len(self.text) // 90 + 2))


@dataclass(frozen=True)
class Extra:
    """One of the parts that are edited as JSON."""

    name: str
    label: str
    text: str
    help: str


@dataclass(frozen=True)
class Draft:
    """What stands in the form."""

    kind: str
    syntax: str = "mustache"
    text: str = ""
    rows: list[Row] = field(default_factory=list)
    extras: dict[str, str] = field(default_factory=dict)
    message: str = ""
    name: str = ""
    description: str = ""
    tags: str = ""

    @property
    def shown_rows(self) -> list[Row]:
        """The messages, and an empty one to write the next into."""
        first = [] if self.rows else [Row("system", "")]
        return [*first, *self.rows, *[Row("user", "")] * SPARE]

    @property
    def shown_extras(self) -> list[Extra]:
        return [
            Extra(name, label, self.extras.get(name, empty), told)
            for name, label, empty, told in EXTRAS
            if name != "few_shot" or self.kind == Prompt.Kind.CHAT
        ]

    def content(self) -> dict[str, Any]:
        """What the form says, for `prompts.content` to check.

        Raises:
            InvalidInput: a part that must be JSON is not.
        """
        parts = {name: _json(self.extras.get(name, ""), label) for name, label, _, _ in EXTRAS}
        messages = [_message(row, n) for n, row in enumerate(self.rows, start=1)]
        body = self.text if self.kind == Prompt.Kind.TEXT else messages
        return {"body": body, "syntax": self.syntax} | parts


def draft_of(content: Content) -> Draft:
    """A form filled with a version, without the variables that its templates tell of."""
    found = needed_variables(content)
    told = [{"name": name, "type": kind} for name, kind in found.items()]
    described = [one for one in content.variables if one not in told]
    values = {"variables": described, "few_shot": content.few_shot, "tools": content.tools,
              "response_schema": content.response_schema, "settings": content.settings}  # fmt: skip
    return Draft(
        kind=content.kind,
        syntax=content.syntax,
        text=content.body if isinstance(content.body, str) else "",
        rows=[] if isinstance(content.body, str) else [_row(one) for one in content.body],
        extras={name: json.dumps(v, ensure_ascii=False, indent=2) for name, v in values.items()},
    )


def draft_from(sent: QueryDict, *, kind: str) -> Draft:
    """What somebody typed; messages whose text is empty are gone."""
    pairs = zip(sent.getlist("role")[:MAX_ROWS], sent.getlist("content")[:MAX_ROWS], strict=False)
    return Draft(
        kind=kind,
        syntax=sent.get("syntax", "mustache"),
        text=_lines(sent.get("text", "")),
        rows=[Row(role, _lines(text)) for role, text in pairs if text.strip()],
        extras={name: sent.get(name, "") for name, _, _, _ in EXTRAS},
        **{name: sent.get(name, "") for name in ("message", "name", "description", "tags")},
    )


def _row(message: Mapping[str, Any]) -> Row:
    if message.get("type") == PLACEHOLDER:
        return Row(PLACEHOLDER, str(message["name"]))
    if set(message) == {"role", "content"} and isinstance(message["content"], str):
        return Row(message["role"], message["content"])
    return Row(WHOLE, json.dumps(message, ensure_ascii=False, indent=2))


def _message(row: Row, number: int) -> Any:
    if row.role == PLACEHOLDER:
        return {"type": PLACEHOLDER, "name": row.text.strip()}
    if row.role == WHOLE:
        return _json(row.text, f"Message {number}")
    return {"role": row.role, "content": row.text}


def _json(text: str, label: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        place = f" (line {problem.lineno})" if isinstance(problem, json.JSONDecodeError) else ""
        raise InvalidInput(f"{label}: this is not JSON{place}. Mend it, or empty it.") from problem


def _lines(text: str) -> str:
    """Browsers send line ends as CR LF."""
    return text.replace("\r\n", "\n")
