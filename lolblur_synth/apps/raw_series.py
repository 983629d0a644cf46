"""A folder of RAW frames of one camera, read one at a time."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from lolblur_synth.core.errors import SequenceError, UserError, setting
from lolblur_synth.video.raw import Raw, is_raw, read_raw

Progress = Callable[[int, int], None]
_LARGEST = 2**30  # pixels
_SMALLEST = 64  # pixels of a side: a block of one colour across


class RawSeries:
    """The RAW frames of a folder, alike in all that a noise model depends on.

    `parameter` is the name of what named the folder; `passes` is how often each frame is read, for the progress.
    Raises `UserError` for a folder that is not such a series, and `SequenceError` for a file that cannot be read.
    """

    def __init__(self, folder: Path, parameter: str, progress: Progress, passes: int = 1):
        self.where = f"{setting(parameter)} {folder}"
        if not folder.is_dir():
            raise UserError("no such folder", where=self.where)
        self.paths = sorted(path for path in folder.glob("*") if is_raw(path) and path.is_file())
        if len(self.paths) < 2:
            what = "one RAW file alone" if self.paths else "no RAW files (.dng, .arw, .nef, .cr3, ...)"
            raise UserError(f"{what} in it; two and more are compared", where=self.where, advice="add some")
        self.first = self._read(self.paths[0])
        height, width = self.first.samples.shape
        if min(height, width) < _SMALLEST:
            raise UserError(f"frames of {width}x{height}; {_SMALLEST} pixels each way are needed", where=self.where)
        self._progress, self._done, self._all = progress, 0, passes * len(self.paths)

    def frames(self, paths: Sequence[Path]) -> Iterator[Raw]:
        """Frames of the folder, that are as its first is."""
        for path in paths:
            frame = self._read(path)
            self.check_alike(path, frame, self.first, self.paths[0].name)
            self._done += 1
            self._progress(min(self._done, self._all), self._all)
            yield frame

    @staticmethod
    def _read(path: Path) -> Raw:
        frame = read_raw(path, _LARGEST)
        if frame.samples.dtype != np.uint16:
            raise SequenceError("its samples are floats, which were computed", where=path, advice="take RAW as it is")
        return frame

    def check_alike(self, path: Path, frame: Raw, other: Raw, name: str) -> None:
        """Raise `UserError` for a frame of another camera or ISO than another one, of that name."""
        for what, value in _facts(frame).items():
            expected = _facts(other)[what]
            if value != expected and None not in (value, expected):
                raise UserError(
                    f"{path.name} has {what} {value}, {name} {expected}",
                    where=self.where,
                    advice="a calibration is of one camera at one ISO; sort them into folders",
                )


def _facts(frame: Raw) -> dict[str, object]:
    height, width = frame.samples.shape
    iso = f"{frame.iso:g}" if frame.iso else None
    return {
        "size": f"{width}x{height}",
        "mosaic": frame.pattern,
        "camera": frame.camera or None,
        "white level": int(frame.white),
        "ISO": iso,
    }
