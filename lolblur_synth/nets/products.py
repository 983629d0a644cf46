"""Products of small matrices, compiled for the CPU: what convolutions by channels come down to.

Sums stay in registers while what they are of streams past them: twelve of eight floats in one kind of product, eight
in the other, which keep both of a core's multipliers busy.
"""

from lolblur_synth.lanes import ZERO, Eight, Floats, compiled, eight, load, same, store

ROWS, COLUMNS, ADDED = 6, 16, 4  # of a product, and rows of one that is added

Six = tuple[Eight, Eight, Eight, Eight, Eight, Eight]


@compiled
def product(left: Floats, at: int, step: int, right: Floats, first: int, inner: int) -> tuple[Six, Six]:
    """Six rows `step` apart by a panel (inner, 16): the left eight columns and the right."""
    k1, k2, k3, k4, k5 = at + step, at + 2 * step, at + 3 * step, at + 4 * step, at + 5 * step
    a0 = a1 = a2 = a3 = a4 = a5 = b0 = b1 = b2 = b3 = b4 = b5 = eight(ZERO)
    for k in range(inner):
        a, b = load(right, first + 16 * k), load(right, first + 16 * k + 8)
        v = same(left, at + k)
        a0, b0 = a0 + v * a, b0 + v * b
        v = same(left, k1 + k)
        a1, b1 = a1 + v * a, b1 + v * b
        v = same(left, k2 + k)
        a2, b2 = a2 + v * a, b2 + v * b
        v = same(left, k3 + k)
        a3, b3 = a3 + v * a, b3 + v * b
        v = same(left, k4 + k)
        a4, b4 = a4 + v * a, b4 + v * b
        v = same(left, k5 + k)
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
    """Add (inner, 4) turned, by (inner, 16), to sums: rows of the two are `step` and `apart` apart, of sums `rows`."""
    s1, s2, s3 = to + rows, to + 2 * rows, to + 3 * rows
    a0, a1, a2, a3 = load(sums, to), load(sums, s1), load(sums, s2), load(sums, s3)
    b0, b1, b2, b3 = load(sums, to + 8), load(sums, s1 + 8), load(sums, s2 + 8), load(sums, s3 + 8)
    for k in range(inner):
        i, j = at + k * step, first + k * apart
        a, b = load(right, j), load(right, j + 8)
        v = same(left, i)
        a0, b0 = a0 + v * a, b0 + v * b
        v = same(left, i + 1)
        a1, b1 = a1 + v * a, b1 + v * b
        v = same(left, i + 2)
        a2, b2 = a2 + v * a, b2 + v * b
        v = same(left, i + 3)
        a3, b3 = a3 + v * a, b3 + v * b
    store(a0, sums, to)
    store(a1, sums, s1)
    store(a2, sums, s2)
    store(a3, sums, s3)
    store(b0, sums, to + 8)
    store(b1, sums, s1 + 8)
    store(b2, sums, s2 + 8)
    store(b3, sums, s3 + 8)


@compiled
def get_six(array: Floats, at: int, step: int) -> Six:
    """Eights from `at` on, every `step` samples."""
    return (
        load(array, at), load(array, at + step), load(array, at + 2 * step),
        load(array, at + 3 * step), load(array, at + 4 * step), load(array, at + 5 * step),
    )  # fmt: skip


@compiled
def put_six(values: Six, array: Floats, at: int, step: int) -> None:
    """Store eights from `at` on, every `step` samples."""
    store(values[0], array, at)
    store(values[1], array, at + step)
    store(values[2], array, at + 2 * step)
    store(values[3], array, at + 3 * step)
    store(values[4], array, at + 4 * step)
    store(values[5], array, at + 5 * step)
