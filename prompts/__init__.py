"""Prompts: named and versioned by the apps that send them; the log's Prompts page lists them."""
