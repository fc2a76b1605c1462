"""The review queue: requests that a person should look at, one person at a time."""
