"""Graders: pure functions from an answer, and what was expected, to a score from 0 to 1.

One file a family; `registry` lists them all. Each names its settings by a JSON schema, from which
the page makes its form and the API checks what is sent.
"""
