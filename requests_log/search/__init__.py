"""The query language of the log: text to syntax tree to a condition on logged requests."""

from __future__ import annotations

from requests_log.search.compiler import Filter, Lead, read_filter
from requests_log.search.syntax import parse
from requests_log.search.tree import Operand, Problem, Query, Span, Term, Text

__all__ = [
    "Filter",
    "Lead",
    "Operand",
    "Problem",
    "Query",
    "Span",
    "Term",
    "Text",
    "parse",
    "read_filter",
]
