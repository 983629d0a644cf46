"""Cache directories: where things are kept that can be made again, such as code, scans and weights."""

import errno
import os
from pathlib import Path

import platformdirs


def cache_dir(part: str = "") -> Path:
    """Cache directory of one kind of things, which need not exist: in $LOLBLUR_CACHE, else in the platform's caches.

    Raises `OSError` where there are none: a container's user may have no home.
    """
    chosen = os.environ.get("LOLBLUR_CACHE")
    return (Path(chosen).expanduser() if chosen else _platform_cache()) / part


def _platform_cache() -> Path:
    try:
        folder = Path(platformdirs.user_cache_dir("lolblur_synth"))
    except RuntimeError:
        folder = Path("~")
    if folder.parts[0] == "~":  # as platformdirs leaves it before 4.10
        raise FileNotFoundError(errno.ENOENT, "this user has no home; set LOLBLUR_CACHE to a folder", "~/.cache")
    return folder
