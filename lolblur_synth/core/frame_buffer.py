"""A frame buffer: the frames of a window in one block of memory, which the next window takes over.

Frames that are made and dropped one by one, among all that is made of them meanwhile, leave the heap in pieces.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


class FrameBuffer:
    """Room for as many frames as there are at most, all of one shape, type and device."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._block: Tensor | None = None

    def keep(self, frames: Iterable[Tensor]) -> Sequence[Tensor]:
        """Copy frames here, where those that were kept before are no more; what is to last longer is cloned.

        Raises `IndexError` when there are more than there is room for, and `ValueError` for one of another shape.

        >>> buffer = FrameBuffer(2)
        >>> first = buffer.keep([torch.zeros(1), torch.ones(1)])
        >>> buffer.keep([torch.full((1,), 2.0)])[0] is first[0], first[0].item()
        (False, 2.0)
        """
        kept = list[Tensor]()
        for frame in frames:
            if self._block is None:
                self._block = torch.empty((self._frames, *frame.shape), dtype=frame.dtype, device=frame.device)
            if frame.shape != self._block.shape[1:]:  # which copying might broadcast
                raise ValueError(f"a frame {tuple(frame.shape)} among frames {tuple(self._block.shape[1:])}")
            kept.append(self._block[len(kept)].copy_(frame))
        return kept
