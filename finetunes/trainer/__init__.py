"""The training program: `python -P -m finetunes.trainer RUN_DIR`. Knows nothing of Django.

`job`, `events` and `exit_codes` are importable without any training library.
"""

from __future__ import annotations
