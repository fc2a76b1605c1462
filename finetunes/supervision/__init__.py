"""The runner's work: lease runs, start trainers, follow them to their end, keep an engine up."""
