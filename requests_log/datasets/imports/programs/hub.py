"""A dataset of the Hugging Face Hub as a file of records: `python -m` this. No Django.

The Hub's own libraries find configs, splits and files and read them as a stream. A repository's
card may name files anywhere, so those outside of the repository are refused, before and after the
library has looked at it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from requests_log.datasets.imports.programs.bounds import Refused, Spec, run, say

MOST_BYTES = 2 << 30
SAY_EVERY = 2_000
_OUTSIDE = re.compile(r"^([a-z0-9+.-]+:|/|~|\\)|(^|/)\.\.(/|$)|::", re.IGNORECASE)


def main(spec: Spec) -> dict[str, Any]:
    """Read `config` and `split` (or the likeliest) of `repository`; up to `rows` go to `out`."""
    from datasets import get_dataset_config_names
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    say(progress="Looking at the repository")
    info = _info(spec)
    refuse_outside(info.card_data.to_dict() if info.card_data is not None else {})
    where = {"revision": info.sha, "token": spec["token"] or False}
    configs = get_dataset_config_names(info.id, **where)
    config = _chosen(spec["config"], configs, "default", "config")
    builder = _opened(info, config, where)
    known = builder.info.splits or {}
    splits = [str(name) for name in known or builder.config.data_files or ()]
    split = _chosen(spec["split"], splits, "train", "split")
    total = known[split].num_examples or None if split in known else None
    rows = builder.as_streaming_dataset(split=split).decode(False)  # pictures stay bytes
    written = _written(Path(spec["out"]), rows, spec["rows"], total)
    return {
        "repository": info.id,
        "revision": info.sha,
        "configs": configs[:200],
        "config": config,
        "splits": splits[:200],
        "split": split,
        "rows_there": total,
        **written,
    }


def _info(spec: Spec) -> Any:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=spec["endpoint"], token=spec["token"] or False)
    return api.dataset_info(spec["repository"], revision=spec["revision"] or None)


def _chosen(wanted: str, there: list[str], usual: str, what: str) -> str:
    if wanted and wanted not in there:
        raise Refused(f"There is no {what} “{wanted[:80]}”. There are: {', '.join(there[:20])}.")
    if not there:
        raise Refused("The repository has no data that can be read as rows.")
    return wanted or (usual if usual in there else there[0])


def refuse_outside(card: Mapping[str, Any]) -> None:
    """Raise Refused if a repository's card gives a path outside of it for data."""
    for path in _named_files(card):
        if _OUTSIDE.search(path):
            raise Refused(
                f"The repository's card names a file outside of it ({path[:80]}). That is not read."
            )


def _named_files(card: Mapping[str, Any]) -> Iterator[str]:
    configs = card.get("configs")
    for config in configs if isinstance(configs, list) else ():
        if isinstance(config, Mapping):
            yield from _texts(config.get("data_files"))
            yield from _texts(config.get("data_dir"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(value.get("path"))
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _opened(info: Any, config: str, where: Mapping[str, Any]) -> Any:
    """The library's builder of a config, all of whose files are the repository's own."""
    from datasets import load_dataset_builder

    builder = load_dataset_builder(info.id, config, **where)
    own = f"hf://datasets/{info.id}@"
    for files in (builder.config.data_files or {}).values():
        if any(not str(file).startswith(own) for file in files):
            raise Refused("The dataset has files outside of its repository. They are not read.")
    return builder


def _written(out: Path, rows: Any, most: int, total: int | None) -> dict[str, Any]:
    """One JSON object a line; what is no JSON (images, sounds) is left out and told."""
    columns: dict[str, None] = {}
    left_out: set[str] = set()
    count = size = 0
    with out.open("w", encoding="utf-8") as file:
        for row in islice(rows, most):
            kept = {name: value for name, value in row.items() if not _is_binary(value)}
            left_out |= row.keys() - kept.keys()
            columns |= dict.fromkeys(kept)
            line = json.dumps(kept, default=str)
            size += len(line) + 1
            if size > MOST_BYTES:
                break
            file.write(line + "\n")
            count += 1
            if count % SAY_EVERY == 0:
                say(progress=f"{count:,} rows", at=count, total=min(total, most) if total else None)
    if not count:
        raise Refused("This split holds no rows. Choose another one.")
    is_cut = (total is not None and count < total) or count == most or size > MOST_BYTES
    return {"rows": count, "is_cut": is_cut, "columns": list(columns), "left_out": sorted(left_out)}


def _is_binary(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_binary, value.values()))
    if isinstance(value, list):
        return any(map(_is_binary, value[:3]))
    return isinstance(value, bytes)


def _told(spec: Spec) -> dict[str, Any]:
    """As `main`, with the libraries' errors as sentences."""
    from datasets.exceptions import DatasetNotFoundError, DefunctDatasetError
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        return main(spec)
    except GatedRepoError as problem:
        raise Refused(
            "The owner lets only accepted accounts read it. Accept its terms on the Hub, and use a "
            "token of that account."
        ) from problem
    except (RepositoryNotFoundError, DatasetNotFoundError) as problem:
        raise Refused(
            f"The Hub knows no dataset “{spec['repository'][:100]}”, or the token may not read it. "
            "Check the path; a private one needs a connection with a token."
        ) from problem
    except HfHubHTTPError as problem:
        raise Refused(f"The Hub answered: {str(problem)[:200]}") from problem
    except DefunctDatasetError as problem:
        raise Refused("This dataset was taken down.") from problem
    except (OSError, ConnectionError) as problem:
        raise Refused(f"The Hub cannot be read: {str(problem)[:200]}") from problem
    except (RuntimeError, ValueError) as problem:  # scripts, odd features, damaged files
        raise Refused(f"The dataset cannot be loaded: {str(problem)[:300]}") from problem


if __name__ == "__main__":
    run(_told)
