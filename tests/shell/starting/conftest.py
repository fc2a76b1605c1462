"""The provider that starting points are run at."""

from __future__ import annotations

from tests.evals.conftest import _running_provider, provider

__all__ = ["_running_provider", "provider"]
