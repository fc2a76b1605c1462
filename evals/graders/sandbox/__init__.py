"""People's Python run where it can do nothing but compute (docs/adr/0018)."""
