"""Whether an answer is JSON of the form it should have."""

from __future__ import annotations

import json
from typing import Any

from evals.graders.structured import MISSING, SchemaUnusable, parsed, schema_problems
from workbench.core.errors import InvalidInput
from workbench.shell.playground.state import Document

MOST_CHARACTERS = 400_000
MOST_PROBLEMS = 20


def verdict(text: str, schema_text: str) -> Document:
    """`{"is_json", "pretty", "checked", "problems": [{"path", "message"}]}` of an answer.

    Raises:
        InvalidInput: the answer is too long to be checked, or the schema is none.
    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput(f"An answer of more than {MOST_CHARACTERS:,} characters is not checked.")
    found = parsed(text)
    if found is MISSING:
        return {"is_json": False, "pretty": "", "checked": bool(schema_text), "problems": []}
    pretty = json.dumps(found, ensure_ascii=False, indent=2)
    problems = _problems(schema_text, found) if schema_text.strip() else []
    return {
        "is_json": True,
        "pretty": pretty,
        "checked": bool(schema_text.strip()),
        "problems": problems,
    }


def _problems(schema_text: str, found: Any) -> list[Document]:
    try:
        schema = json.loads(schema_text)
    except (ValueError, RecursionError) as problem:
        raise InvalidInput(f"The schema is no JSON: {problem}.") from problem
    try:
        return [
            {"path": path, "message": message}
            for path, message in schema_problems(schema, found, most=MOST_PROBLEMS)
        ]
    except SchemaUnusable as problem:
        raise InvalidInput(str(problem)) from problem
