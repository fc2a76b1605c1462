"""One grader a file: a pure function from an answer and what was expected to a score."""
