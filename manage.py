#!/usr/bin/env python3
"""The one command of Stillhouse: `python manage.py help` lists what it can do."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - the sentence is for people with an older Python
    sys.exit(
        "Stillhouse needs Python 3.11 or newer; this is Python "
        f"{sys.version_info[0]}.{sys.version_info[1]}. "
        "Install Python 3.11 and run `make setup` with it."
    )

if __name__ == "__main__":
    sys.path.insert(1, str(Path(__file__).resolve().parent / "platform"))
    try:
        from workbench.cli import main
    except ModuleNotFoundError as missing:
        sys.exit(f"The package “{missing.name}” is not installed. Run `make setup` first.")
    sys.exit(main(sys.argv))
