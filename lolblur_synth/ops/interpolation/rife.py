"""Sub-frames by RIFE: motion estimated on normal-light frames, applied to darkened ones."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.nets.rife import IFNet, blend


class Rife:
    """A network, how many moments it takes at once, and the features of the last gap's frames; threads may share it."""

    def __init__(self, net: IFNet, warn: Callable[[str], None], batch: int | None = None) -> None:
        self._net, self._warn = net, warn
        self.batch = batch  # moments at once; None: all of a gap on CUDA, one on the CPU, where more are no faster
        self._known: tuple[tuple[Tensor, Tensor], ...] = ()  # guide frames, each with its features

    def subframes(
        self, before: Tensor, after: Tensor, guide_before: Tensor, guide_after: Tensor, times: Sequence[float]
    ) -> Iterator[Tensor]:
        """Yield the frames (3, H, W) at `times`, in (0, 1) of the gap.

        All frames (3, H, W), sRGB, on the network's device; the guides in [0, 1], the others of any range. Guides that
        are equal do not move. When CUDA runs out of memory, smaller batches are taken from then on and `warn` is told;
        raises `UserError` when even one moment does not fit.
        """
        if torch.equal(guide_before, guide_after):  # the network would find some hundredths of a pixel
            yield from (torch.lerp(before, after, time) for time in times)
            return
        features = self._features(guide_before, guide_after)
        done = 0
        while done < len(times):
            size = min(self.batch or (len(times) if before.is_cuda else 1), len(times) - done)
            moments = before.new_tensor(times[done : done + size])
            made = None
            try:
                with torch.no_grad():
                    made = blend(before, after, self._net(guide_before, guide_after, moments, features))
            except torch.OutOfMemoryError:
                pass  # what was computed is free only once the exception is gone
            if made is None:
                self._shrink(size)
                continue
            yield from made
            done += size

    def _shrink(self, size: int) -> None:
        if size == 1:
            raise UserError(
                "RIFE: out of memory for a single sub-frame",
                advice=f"give smaller frames ({setting('video.size')} of a run) or use {setting('device')} cpu",
            )
        self.batch = min(self.batch or size, (size + 1) // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._warn(f"RIFE: out of memory for {size} sub-frames at once; going on with {self.batch}")

    def _features(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor] | None:
        """Features of both guides; what the last gap had too, or was the same gap's, is not computed again."""
        if self._net.encoder is None:
            return None
        known = self._known
        first, second = (self._encode(frame, known) for frame in (before, after))
        self._known = (before, first), (after, second)
        return first, second

    def _encode(self, frame: Tensor, known: tuple[tuple[Tensor, Tensor], ...]) -> Tensor:
        for other, features in known:
            if other is frame:
                return features
        with torch.no_grad():
            encoded = self._net.encode(frame[None])
        assert encoded is not None
        return encoded[0]
