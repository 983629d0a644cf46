"""Products of small matrices, compiled for the CPU: what convolutions by channels come down to.

Sums stay in registers while what they are of streams past them: twelve registers in one kind of product, eight in the
other, which keep both of a core's multipliers busy.
"""

from lolblur_synth.kernels.simd import WIDTH, ZERO, Floats, Wide, compiled, load_wide, put, store, wide, wide_same

ROWS, COLUMNS, ADDED = 6, 2 * WIDTH, 4  # of a product, and rows of one that is added

Six = tuple[Wide, Wide, Wide, Wide, Wide, Wide]


@compiled
def product(left: Floats, at: int, step: int, right: Floats, first: int, inner: int) -> tuple[Six, Six]:
    """Six rows `step` apart by a panel (inner, COLUMNS): the left half of the columns and the right."""
    k1, k2, k3, k4, k5 = at + step, at + 2 * step, at + 3 * step, at + 4 * step, at + 5 * step
    a0 = a1 = a2 = a3 = a4 = a5 = b0 = b1 = b2 = b3 = b4 = b5 = wide(ZERO)
    for k in range(inner):
        a, b = load_wide(right, first + COLUMNS * k), load_wide(right, first + COLUMNS * k + WIDTH)
        v = wide_same(left, at + k)
        a0, b0 = a0 + v * a, b0 + v * b
        v = wide_same(left, k1 + k)
        a1, b1 = a1 + v * a, b1 + v * b
        v = wide_same(left, k2 + k)
        a2, b2 = a2 + v * a, b2 + v * b
        v = wide_same(left, k3 + k)
        a3, b3 = a3 + v * a, b3 + v * b
        v = wide_same(left, k4 + k)
        a4, b4 = a4 + v * a, b4 + v * b
        v = wide_same(left, k5 + k)
        a5, b5 = a5 + v * a, b5 + v * b
    return (a0, a1, a2, a3, a4, a5), (b0, b1, b2, b3, b4, b5)


@compiled
def add_product(
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
    """Add (inner, 4) turned, by (inner, COLUMNS), to sums: rows are `step` and `apart` apart, of sums `rows`."""
    s1, s2, s3 = to + rows, to + 2 * rows, to + 3 * rows
    a0, a1, a2, a3 = load_wide(sums, to), load_wide(sums, s1), load_wide(sums, s2), load_wide(sums, s3)
    b0, b1, b2, b3 = (
        load_wide(sums, to + WIDTH),
        load_wide(sums, s1 + WIDTH),
        load_wide(sums, s2 + WIDTH),
        load_wide(sums, s3 + WIDTH),
    )
    for k in range(inner):
        i, j = at + k * step, first + k * apart
        a, b = load_wide(right, j), load_wide(right, j + WIDTH)
        v = wide_same(left, i)
        a0, b0 = a0 + v * a, b0 + v * b
        v = wide_same(left, i + 1)
        a1, b1 = a1 + v * a, b1 + v * b
        v = wide_same(left, i + 2)
        a2, b2 = a2 + v * a, b2 + v * b
        v = wide_same(left, i + 3)
        a3, b3 = a3 + v * a, b3 + v * b
    put((a0, a1, a2, a3), sums, to, rows)
    put((b0, b1, b2, b3), sums, to + WIDTH, rows)


@compiled
def add(value: Wide, array: Floats, at: int) -> None:
    """Add to what is there."""
    store(load_wide(array, at) + value, array, at)


@compiled
def get_six(array: Floats, at: int, step: int) -> Six:
    """Six from `at` on, every `step` samples."""
    return (
        load_wide(array, at), load_wide(array, at + step), load_wide(array, at + 2 * step),
        load_wide(array, at + 3 * step), load_wide(array, at + 4 * step), load_wide(array, at + 5 * step),
    )  # fmt: skip
