"""Runs: the plan, one sequence built, the cache of denoised frames, executors."""
