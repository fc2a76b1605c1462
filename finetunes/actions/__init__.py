"""What people and programs can do: launch and cancel runs, register, promote, resolve models."""
