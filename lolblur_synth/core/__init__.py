"""Foundations: errors, files, devices, threads, generators, colorimetry, profiler, signals; no video formats."""
