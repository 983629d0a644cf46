"""Denoising: noise estimation, variance stabilisation, V-BM4D, BM4D."""
