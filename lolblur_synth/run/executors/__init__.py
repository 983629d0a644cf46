"""Executors: where the sequences of a run are made, in this process or in others; the same pixels everywhere."""
