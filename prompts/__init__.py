"""The prompt registry: prompts as immutable versions with movable labels, fetched by name."""
