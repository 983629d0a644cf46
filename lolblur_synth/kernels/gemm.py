"""Products of small matrices, compiled for the CPU: what convolutions by channels come down to.

Sums stay in registers while what they are of streams past them: twelve registers in one kind of product, eight in the
other, which keep both of a core's multipliers busy.
"""

from lolblur_synth.kernels.jit import ZERO, Floats, jit
from lolblur_synth.kernels.simd import WIDTH, VecN, broadcast_n, load_broadcast_n, load_n, store, store_rows

MR, NR, MR_TRANSPOSED = 6, 2 * WIDTH, 4  # of a product, and rows of one that is added

VecN6 = tuple[VecN, VecN, VecN, VecN, VecN, VecN]


@jit
def matmul_panel(left: Floats, at: int, step: int, right: Floats, first: int, inner: int) -> tuple[VecN6, VecN6]:
    """VecN6 rows `step` apart by a panel (inner, NR): the left half of the columns and the right."""
    k1, k2, k3, k4, k5 = at + step, at + 2 * step, at + 3 * step, at + 4 * step, at + 5 * step
    a0 = a1 = a2 = a3 = a4 = a5 = b0 = b1 = b2 = b3 = b4 = b5 = broadcast_n(ZERO)
    for k in range(inner):
        a, b = load_n(right, first + NR * k), load_n(right, first + NR * k + WIDTH)
        v = load_broadcast_n(left, at + k)
        a0, b0 = a0 + v * a, b0 + v * b
        v = load_broadcast_n(left, k1 + k)
        a1, b1 = a1 + v * a, b1 + v * b
        v = load_broadcast_n(left, k2 + k)
        a2, b2 = a2 + v * a, b2 + v * b
        v = load_broadcast_n(left, k3 + k)
        a3, b3 = a3 + v * a, b3 + v * b
        v = load_broadcast_n(left, k4 + k)
        a4, b4 = a4 + v * a, b4 + v * b
        v = load_broadcast_n(left, k5 + k)
        a5, b5 = a5 + v * a, b5 + v * b
    return (a0, a1, a2, a3, a4, a5), (b0, b1, b2, b3, b4, b5)


@jit
def add_matmul_transposed(
    left: Floats,
    at: int,
    step: int,
    right: Floats,
    first: int,
    apart: int,
    sums: Floats,
    to: int,
    rows: int,
    inner: int,
) -> None:
    """Add (inner, 4) turned, by (inner, NR), to sums: rows are `step` and `apart` apart, of sums `rows`."""
    s1, s2, s3 = to + rows, to + 2 * rows, to + 3 * rows
    a0, a1, a2, a3 = load_n(sums, to), load_n(sums, s1), load_n(sums, s2), load_n(sums, s3)
    b0, b1, b2, b3 = (
        load_n(sums, to + WIDTH),
        load_n(sums, s1 + WIDTH),
        load_n(sums, s2 + WIDTH),
        load_n(sums, s3 + WIDTH),
    )
    for k in range(inner):
        i, j = at + k * step, first + k * apart
        a, b = load_n(right, j), load_n(right, j + WIDTH)
        v = load_broadcast_n(left, i)
        a0, b0 = a0 + v * a, b0 + v * b
        v = load_broadcast_n(left, i + 1)
        a1, b1 = a1 + v * a, b1 + v * b
        v = load_broadcast_n(left, i + 2)
        a2, b2 = a2 + v * a, b2 + v * b
        v = load_broadcast_n(left, i + 3)
        a3, b3 = a3 + v * a, b3 + v * b
    store_rows((a0, a1, a2, a3), sums, to, rows)
    store_rows((b0, b1, b2, b3), sums, to + WIDTH, rows)


@jit
def accumulate(value: VecN, array: Floats, at: int) -> None:
    """Add to what is there."""
    store(load_n(array, at) + value, array, at)


@jit
def load_six(array: Floats, at: int, step: int) -> VecN6:
    """VecN6 from `at` on, every `step` samples."""
    return (
        load_n(array, at), load_n(array, at + step), load_n(array, at + 2 * step),
        load_n(array, at + 3 * step), load_n(array, at + 4 * step), load_n(array, at + 5 * step),
    )  # fmt: skip
