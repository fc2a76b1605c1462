"""Django's Postgres backend that starts the built-in server at the first connection."""
