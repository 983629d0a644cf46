"""Weights: bundled, fetched, released by others; read, checked and written."""
