"""A store of artifacts, `slow://…`, whose transfers wait until a test lets them go."""

from __future__ import annotations

import threading
from typing import Any

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

downloads, uploads = threading.Event(), threading.Event()
uploads.set()


class SlowStore(MemoryFileSystem):  # type: ignore[misc]
    """Keeps everything in memory; `downloads` and `uploads` are its gates."""

    protocol = "slow"
    cachable = False
    store: dict[str, Any] = {}
    pseudo_dirs = [""]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("slow:/")))

    def get(self, *args: Any, **kwargs: Any) -> Any:
        downloads.wait(300)
        return super().get(*args, **kwargs)

    def put(self, *args: Any, **kwargs: Any) -> Any:
        uploads.wait(300)
        return super().put(*args, **kwargs)


fsspec.register_implementation("slow", SlowStore, clobber=True)
