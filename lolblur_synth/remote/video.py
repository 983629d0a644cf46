"""A video that lies elsewhere, and its copy here while it is read."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.core.fingerprint import fingerprint
from lolblur_synth.remote.footage_cache import FootageCache, Wanted, Warn
from lolblur_synth.remote.store import RemoteFile, Store


@dataclass(frozen=True)
class RemoteVideo:
    """A clip with the files beside it, or a folder of frames, as its store told of them when they were listed."""

    store: Store
    cache: FootageCache
    name: str  # its path below the folder that was given; empty: it is that folder
    files: tuple[RemoteFile, ...]  # of a clip the first is itself
    listed: str = ""  # tells this listing from others, where the store does not tell whether a file was replaced

    @property
    def url(self) -> str:
        """Where it is from, without what is secret."""
        return f"{self.store.address.shown}/{self.name}".rstrip("/")

    @cached_property
    def key(self) -> str:
        """What its copy, and what is known of it, are kept by: another one once a file is replaced."""
        files = [[file.name, file.size, file.tag] for file in self.files]
        return fingerprint({"url": self.url, "files": files, "listed": self.listed})

    @property
    def path(self) -> Path:
        """Where its copy lies on this machine, if it does."""
        return self.cache.place / self.key / self._last

    @property
    def _last(self) -> str:
        return (self.name or self.store.address.name).rpartition("/")[2]

    @contextmanager
    def copied(self, warn: Warn) -> Iterator[Path]:
        """The path of its copy, which is fetched if it is not there, and stays while the context lasts.

        Raises `SequenceError` where it cannot be read, is larger than what may be kept, or has changed in its store.
        """
        is_clip = self.files[0].name == self.name
        below = "" if is_clip else f"{self._last}/"
        sizes = {below + file.name.rpartition("/")[2]: file.size for file in self.files}

        def fetch(draft: Path) -> None:
            folder = draft / below
            folder.mkdir(exist_ok=True)
            self.store.fetch(self.files, folder, warn)

        with ExitStack() as stack:
            try:
                folder = stack.enter_context(self.cache.holding(Wanted(self.key, sizes), fetch, warn))
            except SequenceError as error:
                raise SequenceError(error.what, where=error.where or self.url, advice=error.advice) from None
            yield folder / self._last
