"""What pairs of a dataset measure, as columns of numbers: a million pairs take a hundred megabytes."""

from array import array
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lolblur_synth.dataset.records import PairRecord
from lolblur_synth.dataset.statistics import MEANINGS, Statistic

_STATISTICS: tuple[Statistic, ...] = tuple(MEANINGS)
_BLUR = "mean", "p95", "straightness", "concentration"


class PairColumns:
    """Columns that grow by the pairs of a sequence; what is unknown of a pair has no place in its column."""

    def __init__(self) -> None:
        self.count = 0
        self.untrusted, self.psnr, self.psnr_in_light = array("d"), array("d"), array("d")
        self.directions = array("d")  # degrees, of blur; nan: there is none
        self._statistics, self._blur = array("d"), array("d")  # by pair

    def add(self, pairs: Iterable[PairRecord]) -> None:
        """Take note of pairs."""
        for pair in pairs:
            self.count += 1
            self._statistics.extend([pair.statistics[name] for name in _STATISTICS])
            blur = pair.blur
            if blur:
                self._blur.extend((blur.mean, blur.p95, blur.straightness, blur.concentration))
                self.directions.append(float("nan") if blur.direction is None else blur.direction)
            for column, value in (
                (self.untrusted, pair.untrusted),
                (self.psnr, pair.psnr),
                (self.psnr_in_light, pair.psnr_in_light),
            ):
                if value is not None:
                    column.append(value)

    @property
    def statistics(self) -> dict[Statistic, NDArray[np.float64]]:
        """Image statistics by name."""
        table = np.frombuffer(self._statistics).reshape(-1, len(_STATISTICS))
        return {name: table[:, place] for place, name in enumerate(_STATISTICS)}

    @property
    def blur(self) -> dict[str, NDArray[np.float64]]:
        """Numbers of `BlurRecord` by name; empty columns where no pair tells them."""
        table = np.frombuffer(self._blur).reshape(-1, len(_BLUR))
        return {name: table[:, place] for place, name in enumerate(_BLUR)}
