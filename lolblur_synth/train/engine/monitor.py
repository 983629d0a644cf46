"""Monitor of a training: losses and waits, gathered on the device, read only when someone looks."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

Item = TypeVar("Item")


class Report(NamedTuple):
    """What happened between two looks, in all processes together."""

    terms: dict[str, float]  # means of the losses
    bad: int | None  # the first step whose loss, or the weights after it, were not finite
    names: list[str]  # of its samples
    stops: bool  # whether a process was asked to stop
    rate: float  # steps per second
    waited: float  # share of the time in which this process waited for its samples


class Monitor:
    """Losses of the steps since the last look; no step waits for the device because of them."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._clear()

    def _clear(self) -> None:
        self._began, self._waited = time.perf_counter(), 0.0
        self._sums: dict[str, Tensor] = {}
        self._bad = torch.full((), -1, device=self._accelerator.device)
        self._names: dict[int, Sequence[str]] = {}

    def timed(self, items: Iterator[Item]) -> Iterator[Item]:
        """The same items; how long each was waited for is noted."""
        while True:
            began = time.perf_counter()
            item = next(items, None)
            self._waited += time.perf_counter() - began
            if item is None:
                return
            yield item

    def add(self, step: int, terms: Mapping[str, Tensor], names: Sequence[str]) -> None:
        """Note the losses of a step, the first of which is the total, and the names of its samples."""
        if self._sums:
            torch._foreach_add_(list(self._sums.values()), list(terms.values()))
        else:
            self._sums = {name: term.clone() for name, term in terms.items()}
        total = next(iter(terms.values()))
        self._bad = torch.where((self._bad < 0) & ~total.isfinite(), step, self._bad)
        self._names[step] = names

    def look(self, step: int, weights: Iterable[Tensor], *, stop: bool) -> Report:
        """Read what was noted since the last look; `weights` are those after `step`. Every process must look."""
        whole = torch.stack(torch._foreach_norm(list(weights))).isfinite().all()
        bad = torch.where((self._bad < 0) & ~whole, step, self._bad)
        told = torch.stack([*self._sums.values(), bad, torch.full_like(bad, stop)]).double()
        *sums, bads, stops = self._accelerator.gather(told[None]).T.tolist()  # each a list over processes
        first = min((int(bad) for bad in bads if bad >= 0), default=None)
        names = [] if first is None else gather_object(list(self._names[first]) if int(bad) == first else [])
        count, seconds = len(self._names) * len(bads), time.perf_counter() - self._began
        means = {name: sum(values) / count for name, values in zip(self._sums, sums, strict=True)}
        report = Report(means, first, names, any(stops), len(self._names) / seconds, self._waited / seconds)
        self._clear()
        return report
