"""Pairs made of documents: asked for, gathered, decided on, added to a dataset."""
