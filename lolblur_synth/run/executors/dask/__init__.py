"""Dask executor: sequences on the workers of a cluster, by futures that are addressed to one worker each.

What is imported at the top of `inspection` and `sequences` is light: workers do not import torch in their event loop,
and the scheduler, which unpickles what it hands on, does not import it at all.
"""
