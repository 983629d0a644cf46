"""LOL-Blur training pairs from slow-motion video.

Conventions of every module: images are RGB, float32, sRGB-encoded in [0, 1] unless a name says `linear` or
`lightness`; one frame is (3, H, W), several are (T, 3, H, W); BGR exists in `images.py` only.
"""

__version__ = "0.1.0"
