"""Where a run happens; every host speaks the protocol of `base.py`."""
