"""Sources: the folder of footage that a run is given, by its path or by its URL."""

from collections.abc import Iterable
from pathlib import Path

from lolblur_synth.config.run import Run
from lolblur_synth.dataset.layout import FOLDERS
from lolblur_synth.remote.address import here, is_url, parse_address
from lolblur_synth.remote.footage_cache import FootageCache
from lolblur_synth.remote.patience import Patience
from lolblur_synth.remote.store import Store
from lolblur_synth.video.find import FolderContents, find_videos
from lolblur_synth.video.find_remote import find_remote_videos


def find_sources(videos: Path | str, exclude: Iterable[Path], run: Run) -> FolderContents:
    """Videos and folders of frames in a folder, or in one that fsspec knows by its URL; raises `UserError`."""
    if isinstance(videos, str) and is_url(videos):
        path = here(videos)
        if path is None:
            store = Store(parse_address(videos), Patience(run.remote_timeout, run.remote_tries))
            cache = FootageCache(run.cache_footage, round(run.cache_footage_gb * 1e9))
            return find_remote_videos(store, cache, FOLDERS)
        videos = path
    return find_videos(Path(videos).resolve(), exclude, FOLDERS)
