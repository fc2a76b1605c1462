"""The dataset card: README.md with the YAML header that Hugging Face's loader and Hub read."""

from __future__ import annotations

from typing import Any

import yaml

from requests_log.datasets.export.plans import Plan, Tally

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
)
_MORE = "100M<n<1B"
_ESCAPED = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_{}[]<>#|"})


def card_of(plan: Plan, tally: Tally) -> str:
    """The card of an export whose files are written."""
    header = yaml.safe_dump(header_of(plan, tally), sort_keys=False, allow_unicode=True)
    return f"---\n{header}---\n\n{_text(plan, tally)}"


def header_of(plan: Plan, tally: Tally) -> dict[str, Any]:
    """The header: name, licence, size, which file holds which split, and the columns' types.

    With the number of rows per split in it, a loader notices a file that was cut short.
    """
    licence = {"license": plan.licence} if plan.licence else {}
    files = [{"split": file.split, "path": file.path} for file in tally.files]
    return {
        "pretty_name": plan.source.title,
        **licence,
        "task_categories": ["text-generation"],
        "size_categories": [_size(tally.rows)],
        "tags": ["stillhouse"],
        "configs": [{"config_name": "default", "data_files": files, **plan.format.reading}],
        "dataset_info": {
            "features": plan.format.features,
            "splits": [
                {"name": file.split, "num_bytes": file.size, "num_examples": file.rows}
                for file in tally.files
            ],
            "dataset_size": sum(file.size for file in tally.files),
        },
    }


def _size(rows: int) -> str:
    return next((name for limit, name in _SIZES if rows < limit), _MORE)


def _text(plan: Plan, tally: Tally) -> str:
    parts = [
        f"# {_plain(plan.source.title)}",
        f"{tally.rows:,} conversations to train or judge a language model on.",
        "## Files",
        _files(tally),
        f"Format: {plan.format.label}. {plan.format.sentence}",
        *_notes(plan),
        "## Where it comes from",
        "\n".join(f"- **{name}**: {_plain(text)}" for name, text in plan.source.facts()),
        "## How it was made",
        "Exported by Stillhouse. Every row is one conversation whose last message is the answer "
        "to learn; rows are in the order of the source.",
        *_left_out(plan, tally),
        "## How to read it",
        '```python\nimport datasets\n\nrows = datasets.load_dataset("path/to/this/folder")\n```',
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _files(tally: Tally) -> str:
    lines = ["| file | split | rows | bytes | SHA-256 |", "|---|---|---:|---:|---|"]
    lines += [
        f"| `{file.path}` | {file.split} | {file.rows:,} | {file.size:,} | `{file.sha256}` |"
        for file in tally.files
    ]
    return "\n".join(lines)


def _notes(plan: Plan) -> list[str]:
    if not plan.is_guarded:
        return []
    return [
        "Cells that a spreadsheet could take for a formula, and cells that begin with an "
        "apostrophe, have one apostrophe in front. Take one away from every cell that begins with "
        "one to have the exact text."
    ]


def _left_out(plan: Plan, tally: Tally) -> list[str]:
    if not tally.left_out:
        return ["No row was left out."]
    lines = [f"- {many:,} {_plain(reason)}" for reason, many in tally.left_out.most_common()]
    return ["Left out:", "\n".join(lines)]


def _plain(text: str) -> str:
    """Text of people's as one line of Markdown that means nothing but itself."""
    return " ".join(text.split()).translate(_ESCAPED)
