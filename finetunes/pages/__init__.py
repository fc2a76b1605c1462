"""Pages: training runs and models."""
