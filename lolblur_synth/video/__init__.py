"""Video in and out: what a file is, its frames as tensors, its flaws, lossless and camera-like files; pictures."""
