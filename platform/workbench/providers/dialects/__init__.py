"""Chat completions in the words of providers that have words of their own. Pure."""
