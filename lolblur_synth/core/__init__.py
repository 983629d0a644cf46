"""Foundations: errors, files, devices, threads, random generators, profiler, signals; nothing here knows of images."""
