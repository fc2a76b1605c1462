"""Traces read: the tree of requests and spans that belong together, and its pages."""

from __future__ import annotations
