"""Two tiny language models, and the recipe that made them.

`BASE` and `TEACHER` are ordinary Hugging Face model folders that load offline. They let the demo
and the tests run the whole loop, from logged calls to a served student, on two CPU cores.
"""

from __future__ import annotations

from pathlib import Path

BASE = Path(__file__).parent / "base"
TEACHER = Path(__file__).parent / "teacher"
