"""Where things are kept that can be made again: compiled code, scans of videos, weights that were fetched."""

import os
from pathlib import Path

import platformdirs


def cache_dir(part: str = "") -> Path:
    """The folder of one kind of them, which need not exist: in $LOLBLUR_CACHE, else in the platform's caches."""
    chosen = os.environ.get("LOLBLUR_CACHE")
    root = Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("lolblur_synth"))
    return root / part
