"""Where things are kept that can be made again: compiled code, scans of videos, weights that were fetched."""

import errno
import os
from pathlib import Path

import platformdirs


def cache_dir(part: str = "") -> Path:
    """The folder of one kind of them, which need not exist: in $LOLBLUR_CACHE, else in the platform's caches.

    Raises `OSError` where there are none: a container's user may have no home.
    """
    chosen = os.environ.get("LOLBLUR_CACHE")
    return (Path(chosen).expanduser() if chosen else _platforms()) / part


def _platforms() -> Path:
    try:
        found = Path(platformdirs.user_cache_dir("lolblur_synth"))
    except RuntimeError:
        found = Path("~")
    if found.parts[0] == "~":  # as platformdirs leaves it before 4.10
        raise FileNotFoundError(errno.ENOENT, "this user has no home; set LOLBLUR_CACHE to a folder", "~/.cache")
    return found
