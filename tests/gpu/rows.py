"""Rows of the table: what was measured on which device, its limit, and whether it holds."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from lolblur_synth.kernels.switch import VARIABLE

HEADS = ("part", "what", "device", "measured", "limit", "holds")


@dataclass(frozen=True)
class Row:
    part: str
    what: str
    device: str
    measured: str
    limit: str = ""
    holds: bool | None = None  # None: nothing is asked of it

    def cells(self) -> tuple[str, ...]:
        return (
            self.part,
            self.what,
            self.device,
            self.measured,
            self.limit,
            {None: "", True: "yes"}.get(self.holds, "NO"),
        )


def markdown(rows: Iterable[Row]) -> str:
    lines = [HEADS, ("---",) * len(HEADS), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def compared(
    part: str, what: str, device: torch.device, made: Sequence[Tensor], reference: Sequence[Tensor], limit: "Limit"
) -> Row:
    """A row of what a device made beside the reference, tensor by tensor of one shape."""
    pairs = [(one.detach().cpu().double(), other.double()) for one, other in zip(made, reference, strict=True)]
    for one, other in pairs:
        if one.shape != other.shape:
            return Row(part, what, device.type, f"{tuple(one.shape)} for {tuple(other.shape)}", str(limit), False)
    scales = [float(other.abs().max().clamp(min=1e-12)) if limit.relative else 1 for _, other in pairs]
    off = torch.cat([(one - other).abs().flatten() / by for (one, other), by in zip(pairs, scales, strict=True)])
    rms, largest = off.square().mean().sqrt(), off.max()
    beyond = (off > limit.largest).double().mean()
    holds = bool(beyond <= limit.beyond) and bool(rms <= limit.rms) and bool(off.isfinite().all())
    measured = f"{float(largest):.1e}, rms {float(rms):.1e}"
    return Row(part, what, device.type, measured + f", {float(beyond):.1e} beyond" * (beyond > 0), str(limit), holds)


@dataclass(frozen=True)
class Limit:
    """What rounding may do: the largest difference, the share of values that may exceed it, and the rms of all."""

    largest: float
    beyond: float = 0.0  # where a rounding decides: a threshold, a count, a level
    rms: float = float("inf")
    relative: bool = False  # to the largest value

    def __str__(self) -> str:
        parts = [f"{self.largest:.0e}"] if self.beyond < 1 else []
        parts += [f"but {self.beyond:.0e} of the values"] if 0 < self.beyond < 1 else []
        parts += [f"rms {self.rms:.0e}"] if self.rms < float("inf") else []
        return ", ".join(parts) + " of the largest" * self.relative


@contextmanager
def plain() -> Iterator[None]:
    """Plain torch meanwhile, without compiled kernels."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "torch"
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def wait(device: torch.device) -> None:
    """For what was launched."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
