"""Trainers as child processes of this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.conf import settings

from finetunes.hosts.processes import Child, find, spawn

# What a trainer may see of our environment: paths and locale, no URL, key or password.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
FIXED = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTORCH_ALLOC_CONF": "expandable_segments:True",
    "PYTHONUNBUFFERED": "1",
}


class LocalHost:
    """The machine the runner runs on."""

    def start(self, folder: Path) -> Child:
        return spawn(
            folder,
            [sys.executable, "-P", "-m", "finetunes.trainer", str(folder)],
            env=child_environment(),
            cwd=folder,
            log=folder / "trainer.log",
        )

    def adopt(self, folder: Path) -> Child | None:
        return find(folder)


def child_environment() -> dict[str, str]:
    """The environment of a trainer or engine: scrubbed, with our source roots on the path."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    roots = os.pathsep.join([str(settings.ROOT), str(settings.ROOT / "platform")])
    return {**kept, **FIXED, "PYTHONPATH": roots}
