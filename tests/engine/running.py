"""An engine process of its own for tests and benches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from openai import OpenAI

ROOT = Path(__file__).resolve().parents[2]
LONGEST_START = 120.0


@dataclass(frozen=True)
class RunningEngine:
    """Where an engine listens, its directory and its process."""

    folder: Path
    url: str
    child: subprocess.Popen[bytes]

    def openai(self) -> OpenAI:
        """A client of the real SDK that does not try again."""
        return OpenAI(base_url=f"{self.url}/v1", api_key="unused", max_retries=0, timeout=120)

    def post(self, body: Mapping[str, object], **headers: str) -> httpx2.Response:
        url = f"{self.url}/v1/chat/completions"
        return httpx2.post(url, json=body, headers=headers, timeout=120)

    def get(self, path: str) -> Any:
        return httpx2.get(self.url + path, timeout=120).json()

    def write_models(self, text: str) -> None:
        draft = self.folder / "models.tmp"
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.folder / "models.json")

    def stop(self) -> int:
        """Ask the process to end as a supervisor does; return its exit code."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(60)


@contextmanager
def running_engine(
    folder: Path, models: str, *options: str, token: str = ""
) -> Iterator[RunningEngine]:
    """An engine serving `models` (the text of models.json) from `folder` until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models.json").write_text(models, encoding="utf-8")
    command = [sys.executable, "-P", "-m", "finetunes.engine", str(folder), *options]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "platform")])
    env = {**os.environ, "PYTHONPATH": paths, "ENGINE_TOKEN": token}
    with (folder / "log.txt").open("wb") as log:
        child = subprocess.Popen(command, env=env, stderr=log)
        try:
            yield RunningEngine(folder, _url(folder, child), child)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()


def _url(folder: Path, child: subprocess.Popen[bytes]) -> str:
    notice = folder / "engine.json"
    deadline = time.monotonic() + LONGEST_START
    while not notice.exists():
        if child.poll() is not None or time.monotonic() > deadline:
            raise AssertionError((folder / "log.txt").read_text(encoding="utf-8"))
        time.sleep(0.02)
    return str(json.loads(notice.read_text(encoding="utf-8"))["url"])
