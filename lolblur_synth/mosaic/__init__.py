"""Bayer mosaics: patterns, demosaicing, and the colours of a camera."""
