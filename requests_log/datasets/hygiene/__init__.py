"""What is wrong with a dataset's examples, shown example by example, and how to put it right."""

from __future__ import annotations
