"""A `var/` folder on the real disk, whose server never outlives its test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform_operations.programs import stop_postgres
from workbench.embedded import socket_dir


@pytest.fixture
def var() -> Iterator[Path]:
    """Not below pytest's own folders: other users must be able to pass through them."""
    home = Path(tempfile.mkdtemp(prefix="stillhouse-test-"))
    home.chmod(0o755)
    var = home / "var"
    yield var
    stop_postgres(var)
    shutil.rmtree(socket_dir(var), ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
