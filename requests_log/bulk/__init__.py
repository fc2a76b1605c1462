"""Bulk actions: one thing done to many requests, recorded so that it can be undone."""
