"""Who is told when a run stops, for whatever reason: apps that make something of its cells."""

from __future__ import annotations

from collections.abc import Callable

from evals.pipelines.models import Run

Follower = Callable[[Run], None]
_followers: list[Follower] = []


def register_follower(follower: Follower) -> None:
    """Add who is told; call it when an app starts. A run that goes on stops again, so a follower
    may be told twice of the same."""
    if follower not in _followers:
        _followers.append(follower)


def tell_followers(run: Run) -> None:
    """Tell everybody that the run stopped."""
    for follower in _followers:
        follower(run)
