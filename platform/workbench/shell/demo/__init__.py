"""The demo: the worked example through the whole loop, for real, over HTTP."""
