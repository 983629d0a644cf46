"""Filter-adaptive convolution and its gradients, compiled for the CPU: kernels of a few pixels live in registers."""

from typing import cast

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.core.threads import on_torch_threads
from lolblur_synth.kernels.gemm import MR, MR_TRANSPOSED, NR, accumulate, add_matmul_transposed, matmul_panel
from lolblur_synth.kernels.jit import ZERO, Floats, jit
from lolblur_synth.kernels.layout import flat
from lolblur_synth.kernels.simd import WIDTH, broadcast_n, load_n, store, store_rows
from lolblur_synth.kernels.switch import runs_compiled

SIDE = 5
_TAPS = SIDE * SIDE
_BLOCK = 8 * MR  # pixels of a row, whose features stay in the fastest cache
Shape = tuple[int, int, int, int, int]  # of the images: N, H, W, C, and F


def fits(padded: Tensor, features: Tensor, taps: Tensor) -> bool:
    """Whether it is done here: float32 on a CPU, whole products of channels.

    Raises `ValueError` for sizes that are not of one another: compiled code would read past their end.
    """
    count, height, width, inputs = features.shape
    channels = padded.shape[3]
    alike = padded.shape[:3] == (count, height + SIDE - 1, width + SIDE - 1) and taps.shape[1:] == (inputs, channels)
    if not alike:
        raise ValueError(f"{[*padded.shape]} padded, {[*features.shape]} features, {[*taps.shape]} taps do not fit")
    whole = channels % NR == 0 and inputs % NR == 0 and features.numel() > 0
    return whole and runs_compiled(padded, features, taps)


def filtered(padded: Tensor, features: Tensor, taps: Tensor, biases: Tensor) -> Tensor:
    """Images (N, H, W, C), of padded ones, features (N, H, W, F), taps (25, F, C) and biases (25, C)."""
    out = padded.new_empty((*features.shape[:3], padded.shape[3]))
    arrays = flat(padded), flat(features), flat(_panels(taps)), flat(biases), flat(out)
    shape = _shape(out, features)
    on_torch_threads(lambda rows: _filter_rows(*arrays, shape, *rows), _bands(out, 4))
    return out


def gradients(padded: Tensor, features: Tensor, taps: Tensor, biases: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
    """Of all four, from the gradient of the images."""
    to_padded, to_features = torch.zeros_like(padded), torch.empty_like(features)
    panels, turned = flat(_panels(taps)), flat(_panels(taps.transpose(1, 2).contiguous()))
    given = flat(padded), flat(features), panels, turned, flat(biases), flat(gradient)
    height, width, channels = gradient.shape[1:]

    def work(rows: tuple[int, int]) -> tuple[Tensor, ...]:
        seen = padded.new_zeros(rows[1] - rows[0] + SIDE - 1, width + SIDE - 1, channels)
        sums = seen, torch.zeros_like(taps), torch.zeros_like(biases)
        to_all = flat(seen), flat(sums[1]), flat(sums[2]), flat(to_features)
        _backward_rows(given, to_all, _shape(gradient, features), *rows)
        return sums

    bands = _bands(gradient, 1)
    (_, to_taps, to_biases), *others = results = on_torch_threads(work, bands)
    for (first, last), (seen, _, _) in zip(bands, results, strict=True):
        image, top = divmod(first, height)
        to_padded[image, top : top + last - first + SIDE - 1] += seen
    for _, more_to_taps, more_to_biases in others:
        to_taps += more_to_taps
        to_biases += more_to_biases
    return to_padded, to_features, to_taps, to_biases


def _panels(taps: Tensor) -> Tensor:
    """Matrices (25, A, B) as (25, B / NR, A, NR)."""
    return taps.view(*taps.shape[:2], -1, NR).transpose(1, 2).contiguous()


def _shape(images: Tensor, features: Tensor) -> Shape:
    return cast(Shape, (*images.shape, features.shape[3]))


def _bands(images: Tensor, parts: int) -> list[tuple[int, int]]:
    """Rows of all images in turn: some for each thread of torch, none of two images."""
    count, height = images.shape[:2]
    step = -(-height // max(1, -(-parts * torch.get_num_threads() // count)))
    tops = [image * height + top for image in range(count) for top in range(0, height, step)]
    return [(top, min(top + step, (top // height + 1) * height)) for top in tops]


@jit
def _filter_rows(
    padded: Floats, features: Floats, panels: Floats, biases: Floats, out: Floats, shape: Shape, first: int, last: int
) -> None:
    """Rows from `first` on."""
    _, height, width, channels, inputs = shape
    block, sums = np.zeros(_BLOCK * inputs, np.float32), np.empty(_BLOCK * NR, np.float32)
    for row in range(first, last):
        for left in range(0, width, _BLOCK):
            start, count = row * width + left, min(_BLOCK, width - left)
            for k in range(0, count * inputs, WIDTH):
                store(load_n(features, start * inputs + k), block, k)
            for c in range(0, channels, NR):
                for k in range(0, count * NR, WIDTH):
                    store(broadcast_n(ZERO), sums, k)
                for tap in range(_TAPS):
                    seen = _tap_position(row, left, tap, height, width) * channels + c
                    panel = (tap * channels + c) * inputs
                    bias, more = load_n(biases, tap * channels + c), load_n(biases, tap * channels + c + WIDTH)
                    for k in range(0, count, MR):
                        kernel, rest = matmul_panel(block, k * inputs, inputs, panels, panel, inputs)
                        for i in range(MR):
                            pixel = min(k + i, count - 1)
                            at, to = seen + pixel * channels, (k + i) * NR
                            accumulate((kernel[i] + bias) * load_n(padded, at), sums, to)
                            accumulate((rest[i] + more) * load_n(padded, at + WIDTH), sums, to + WIDTH)
                for k in range(count):
                    to = (start + k) * channels + c
                    store(load_n(sums, k * NR), out, to)
                    store(load_n(sums, k * NR + WIDTH), out, to + WIDTH)


@jit
def _backward_rows(
    given: tuple[Floats, Floats, Floats, Floats, Floats, Floats],
    gradients: tuple[Floats, Floats, Floats, Floats],
    shape: Shape,
    first: int,
    last: int,
) -> None:
    """Gradients from rows from `first` on; those of what they see are of their band of padded rows alone."""
    padded, features, panels, turned, biases, gradient = given
    to_seen, to_taps, to_biases, to_features = gradients
    _, height, width, channels, inputs = shape
    block, to_block = np.zeros(_BLOCK * inputs, np.float32), np.empty(_BLOCK * inputs, np.float32)
    to_kernels, kernels = np.zeros(_BLOCK * channels, np.float32), np.empty(MR * NR, np.float32)
    for row in range(first, last):
        for left in range(0, width, _BLOCK):
            start, count = row * width + left, min(_BLOCK, width - left)
            for k in range(0, count * inputs, WIDTH):
                store(load_n(features, start * inputs + k), block, k)
                store(broadcast_n(ZERO), to_block, k)
            for tap in range(_TAPS):
                here = ((row - first + tap // SIDE) * (width + SIDE - 1) + left + tap % SIDE) * channels
                sizes = channels, inputs, count
                _add_image_gradient(
                    block, panels, biases, gradient, start * channels, to_seen, here, tap, sizes, kernels
                )
                seen = _tap_position(row, left, tap, height, width) * channels
                _kernel_gradient(padded, seen, gradient, start * channels, to_kernels, to_biases, tap, channels, count)
                _add_feature_gradient(to_kernels, turned, to_block, tap, channels, inputs, count)
                for into in range(0, inputs, MR_TRANSPOSED):
                    for c in range(0, channels, NR):
                        to = (tap * inputs + into) * channels + c
                        add_matmul_transposed(
                            block, into, inputs, to_kernels, c, channels, to_taps, to, channels, count
                        )
            for k in range(0, count * inputs, WIDTH):
                store(load_n(to_block, k), to_features, start * inputs + k)


@jit
def _add_image_gradient(
    block: Floats, panels: Floats, biases: Floats, gradient: Floats, outer: int, to_seen: Floats, to: int, tap: int,
    sizes: tuple[int, int, int], kernels: Floats,
) -> None:  # fmt: skip
    """Add a tap's kernels, predicted once more, times the gradient to that of what it saw."""
    channels, inputs, count = sizes
    for c in range(0, channels, NR):
        panel = (tap * channels + c) * inputs
        bias, more = load_n(biases, tap * channels + c), load_n(biases, tap * channels + c + WIDTH)
        for k in range(0, count, MR):
            kernel, rest = matmul_panel(block, k * inputs, inputs, panels, panel, inputs)
            store_rows(kernel, kernels, 0, NR)
            store_rows(rest, kernels, WIDTH, NR)
            for i in range(min(MR, count - k)):
                at = (k + i) * channels + c
                one = (load_n(kernels, i * NR) + bias) * load_n(gradient, outer + at)
                two = (load_n(kernels, i * NR + WIDTH) + more) * load_n(gradient, outer + at + WIDTH)
                accumulate(one, to_seen, to + at)
                accumulate(two, to_seen, to + at + WIDTH)


@jit
def _kernel_gradient(
    padded: Floats, seen: int, gradient: Floats, outer: int, to_kernels: Floats, to_biases: Floats, tap: int,
    channels: int, count: int,
) -> None:  # fmt: skip
    """A tap's kernels' gradients, and add them up for its biases."""
    for c in range(0, channels, WIDTH):
        total = load_n(to_biases, tap * channels + c)
        for k in range(0, count * channels, channels):
            value = load_n(padded, seen + k + c) * load_n(gradient, outer + k + c)
            store(value, to_kernels, k + c)
            total = total + value
        store(total, to_biases, tap * channels + c)


@jit
def _add_feature_gradient(
    to_kernels: Floats, turned: Floats, to_block: Floats, tap: int, channels: int, inputs: int, count: int
) -> None:
    """Add to the features' gradients what a tap's kernels have of them."""
    for into in range(0, inputs, NR):
        panel = (tap * inputs + into) * channels
        for k in range(0, count, MR):
            one, two = matmul_panel(to_kernels, k * channels, channels, turned, panel, channels)
            for i in range(MR):
                to = (k + i) * inputs + into
                accumulate(one[i], to_block, to)
                accumulate(two[i], to_block, to + WIDTH)


@jit
def _tap_position(row: int, left: int, tap: int, height: int, width: int) -> int:
    """Which of the padded pixels a tap of a row's pixel `left` sees."""
    down = row // height * (height + SIDE - 1) + row % height + tap // SIDE
    return down * (width + SIDE - 1) + left + tap % SIDE
