"""What a teacher is asked for pairs: an editable prompt with a worked example. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evals.documents.chunks import Chunk
from prompts.rendering import mustache
from prompts.rendering.problems import BadTemplate
from workbench.core.errors import InvalidInput

LONGEST_PROMPT = 20_000
MOST_PAIRS = 20
VARIABLES: Mapping[str, str] = {
    "chunk": "the text to ask about",
    "count": "how many pairs are wished for",
    "context": "the document, the headings above the text and the sentences before it",
    "document": "the name of the document",
    "heading": "the headings above the text",
}
SYSTEM = "You write questions and answers from documents, to train a model on. You use only what \
the text says."
_RULES = """Write {{count}} pairs of a question and its answer about the text below.

- Every answer follows from the text alone. Add nothing you know from elsewhere.
- A question makes sense to someone who does not see the text: it names what it is about, and \
never says “the text” or “this section”.
- Ask about different things in different ways: some for one fact, some that join two, some why \
or how.
- Answer in whole sentences, in the language of the text. Keep numbers, names and code exactly.
- If the text holds too little for {{count}} pairs, write fewer."""
_EXAMPLE = """For the text “The library opens at 9 on weekdays. A card costs 5 euros a year and is \
free for students.” two pairs are:"""
_TEXT = """{{context}}

The text:
\"\"\"
{{chunk}}
\"\"\""""
AS_TEXT = f"""{_RULES}

Write the pairs in this form, and nothing else. {_EXAMPLE}

**Q1:** When does the library open on weekdays?
**A1:** The library opens at 9 on weekdays.

**Q2:** What does a library card cost?
**A2:** A library card costs 5 euros a year; students get it free.

{_TEXT}"""
AS_JSON = f"""{_RULES}

Write a JSON array of objects with “question” and “answer”, and nothing else. {_EXAMPLE}

[
  {{"question": "When does the library open on weekdays?",
   "answer": "The library opens at 9 on weekdays."}},
  {{"question": "What does a library card cost?",
   "answer": "A library card costs 5 euros a year; students get it free."}}
]

{_TEXT}"""
FORMS: Mapping[str, str] = {"text": AS_TEXT, "json": AS_JSON}


@dataclass(frozen=True)
class Prompt:
    """What the teacher is told (`system`, which may be empty) and asked (`user`)."""

    system: str = SYSTEM
    user: str = AS_TEXT

    def messages(self, chunk: Chunk, *, document: str, count: int) -> list[dict[str, str]]:
        """The chat for one chunk."""
        values = {
            "chunk": chunk.text,
            "count": str(count),
            "context": context_of(chunk, document),
            "document": document,
            "heading": chunk.title,
        }
        told = [("system", self.system)] if self.system.strip() else []
        return [
            {"role": role, "content": mustache.render(text, values)}
            for role, text in [*told, ("user", self.user)]
        ]


def checked_prompt(system: str, user: str) -> Prompt:
    """The prompt, if it can be filled in for every chunk.

    Raises:
        InvalidInput: it is too long, does not take the text, or takes what there is not.
    """
    if len(system) + len(user) > LONGEST_PROMPT or "\x00" in system + user:
        raise InvalidInput(f"A prompt has at most {LONGEST_PROMPT:,} characters, and no NUL.")
    try:
        taken = {name for text in (system, user) for name in mustache.paths_in(text)}
    except BadTemplate as problem:
        raise InvalidInput(problem.sentence) from problem
    if unknown := sorted(taken - VARIABLES.keys()):
        known = ", ".join(f"{{{{{name}}}}}" for name in VARIABLES)
        raise InvalidInput(f"The prompt asks for {{{{{unknown[0]}}}}}, but it may use {known}.")
    if "chunk" not in mustache.paths_in(user):
        raise InvalidInput("The prompt must hold {{chunk}}: the text to ask about.")
    return Prompt(system, user)


def context_of(chunk: Chunk, document: str) -> str:
    """Where the text stands, in a few lines."""
    lines = [f"It is from the document “{document}”."]
    if chunk.title:
        lines.append(f"It stands under: {chunk.title}")
    if chunk.before:
        lines.append(f"Before it stands: … {chunk.before}")
    return "\n".join(lines)
