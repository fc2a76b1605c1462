"""Rendering stays importable where no training library is installed."""

from __future__ import annotations

import subprocess
import sys


def test_rendering_imports_no_heavy_library() -> None:
    heavy = "{'django', 'torch', 'transformers', 'tokenizers', 'jinja2'}"
    code = f"import finetunes.rendering, sys; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
