"""SIMD vectors in compiled code: several floats that are loaded, added, multiplied and stored as one value.

Loops over arrays become vector instructions only where the compiler knows that what is written does not overlap what is
read, and of parts of the same plane it seldom does. A `Vec8` or `Vec16` leaves it nothing to prove. Where the processor
has narrower registers it takes several of them. A `VecN` is the same of as many floats as a register holds, 16 with
AVX-512, for code that does not care how many.

All are numba types of their own, an LLVM vector each. Functions that end in `8` or `16` make these, in `_n` the other;
the rest take any. Positions are in samples of an array taken as flat, which is float32 and contiguous.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.codegen import get_host_cpu_features
from numba.core.types.containers import UniTuple
from numba.core.typing import signature
from numba.core.typing.templates import ConcreteTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model

from lolblur_synth.kernels.jit import FAST_MATH, ZERO, Floats, Ints, Real, jit

Vec8 = Any  # eight floats, one behind the other where they come from and go to
Vec16 = Any  # sixteen
VecN = Any  # WIDTH floats, likewise
Vec = Any  # any of these
Vec8x8 = tuple[Vec8, Vec8, Vec8, Vec8, Vec8, Vec8, Vec8, Vec8]
_OPERATORS = {
    operator.add: "fadd",
    operator.iadd: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}


class _VecType(types.Type):
    def __init__(self, count: int) -> None:
        super().__init__(f"Vec{count}")
        self.count = count

    @property
    def vector(self) -> ir.VectorType:
        return ir.VectorType(ir.FloatType(), self.count)


@register_model(_VecType)
class _VecModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, kind.vector)


def _native_width() -> int:
    """Lanes of the widest registers of the processor that numba compiles for."""
    features = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
    return 16 if "+avx512f" in features.split(",") else 8


WIDTH = _native_width()
_VEC8, _VEC16, _VECN = _VecType(8), _VecType(16), _VecType(WIDTH)


def _shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))


def _splat(builder: Any, kind: Any, value: Any) -> Any:
    undefined = ir.Constant(kind.vector, ir.Undefined)
    return _shuffle(builder, builder.insert_element(undefined, value, ir.IntType(32)(0)), undefined, [0] * kind.count)


def _define_arithmetic(vec: _VecType) -> None:
    """Operators between vectors, and between a vector and a float in either order."""
    pairs = ((vec, vec), (types.float32, vec), (vec, types.float32))
    cases = [signature(vec, *pair) for pair in pairs]
    for function, instruction in _OPERATORS.items():

        def lower(_: Any, builder: Any, sig: Any, args: Any, instruction: str = instruction) -> Any:
            both = (v if kind == vec else _splat(builder, vec, v) for kind, v in zip(sig.args, args, strict=True))
            return getattr(builder, instruction)(*both, flags=FAST_MATH)

        infer_global(function)(type(instruction, (ConcreteTemplate,), {"cases": cases}))
        for pair in pairs:
            lower_builtin(function, *pair)(lower)


for _vec in {_VEC8, _VEC16, _VECN}:  # of those that are the same one
    _define_arithmetic(_vec)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    if kind.dtype != types.float32 or kind.layout != "C":
        raise TypeError(f"vectors are loaded from and stored to contiguous float32, not {kind}")
    first = context.make_array(kind)(context, builder, array).data
    return builder.gep(first, [at])


def _load(vec: _VecType) -> Any:
    def typed(_: Any, array: Any, _at: Any) -> Any:
        def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            pointer = _pointer(context, builder, sig.args[0], *args)
            return builder.load(builder.bitcast(pointer, vec.vector.as_pointer()), align=4)

        return vec(array, types.intp), lower

    return typed


def _store(_: Any, value: Any, array: Any, _at: Any) -> Any:
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[1], *args[1:])
        builder.store(args[0], builder.bitcast(pointer, value.vector.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(value, array, types.intp), lower


def _store_rows(_: Any, values: Any, array: Any, _at: Any, _step: Any) -> Any:
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind, (vectors, _, at, step) = values.dtype.vector.as_pointer(), args
        for value in cgutils.unpack_tuple(builder, vectors, values.count):
            builder.store(value, builder.bitcast(_pointer(context, builder, sig.args[1], args[1], at), kind), align=4)
            at = builder.add(at, step)
        return context.get_dummy_value()

    return types.void(values, array, types.intp, types.intp), lower


def _broadcast(vec: _VecType) -> Any:
    def typed(_: Any, _value: Any) -> Any:
        return vec(types.float32), lambda _, builder, __, args: _splat(builder, vec, args[0])

    return typed


def _load_broadcast(vec: _VecType) -> Any:
    def typed(_: Any, array: Any, _at: Any) -> Any:
        def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return _splat(builder, vec, builder.load(_pointer(context, builder, sig.args[0], *args), align=4))

        return vec(array, types.intp), lower

    return typed


def _extract_lane(_: Any, _value: Any, _at: Any) -> Any:
    return types.float32(_VEC8, types.intp), lambda _, builder, __, args: builder.extract_element(*args)


def _horizontal_sum(_: Any, value: Any) -> Any:
    def lower(_: Any, builder: Any, __: Any, args: Any) -> Any:
        left, half = args[0], value.count // 2
        while half:
            halves = [_shuffle(builder, left, left, [*range(start, start + half)]) for start in (0, half)]
            left, half = builder.fadd(*halves, flags=FAST_MATH), half // 2
        return builder.extract_element(left, ir.IntType(32)(0))

    return types.float32(value), lower


def _select(value: Any, limit: Any, *others: Any, choose: Callable[..., Sequence[Any]]) -> Any:
    """Lanes of the first choice where a value is above a limit, else of the second."""

    def lower(_: Any, builder: Any, sig: Any, args: Any) -> Any:
        limits = args[1] if sig.args[1] == value else _splat(builder, value, args[1])
        return builder.select(builder.fcmp_ordered(">", args[0], limits), *choose(args[0], limits, *args[2:]))

    return value(value, value if limit == value else types.float32, *others), lower


def _greater(_: Any, value: Any, limit: Any) -> Any:
    numbers = [ir.Constant(value.vector, [number] * value.count) for number in (1.0, 0.0)]
    return _select(value, limit, choose=lambda *_: numbers)


def _maximum(_: Any, value: Any, limit: Any) -> Any:
    return _select(value, limit, choose=lambda a, b: (a, b))


def _minimum(_: Any, value: Any, limit: Any) -> Any:
    return _select(value, limit, choose=lambda a, b: (b, a))


def _select_greater(_: Any, value: Any, limit: Any, a: Any, b: Any) -> Any:
    return _select(value, limit, a, b, choose=lambda _value, _limit, a, b: (a, b))


def _shuffle_halves(order: list[int]) -> Any:
    def typed(_: Any, _a: Any, _b: Any) -> Any:
        return _VEC8(_VEC8, _VEC8), lambda _, builder, __, args: _shuffle(builder, args[0], args[1], order)

    return typed


def _fold(_: Any, _value: Any) -> Any:
    def lower(_: Any, builder: Any, __: Any, args: Any) -> Any:
        halves = [_shuffle(builder, args[0], args[0], [*range(start, start + 8)]) for start in (0, 8)]
        return builder.fadd(*halves, flags=FAST_MATH)

    return _VEC8(_VEC16), lower


def _transpose(_: Any, rows: Any) -> Any:
    """Pairs of rows are merged by single floats, by two, and by four."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = cgutils.unpack_tuple(builder, args[0], 8)
        for width in (1, 2, 4):
            order = [k if not k & width else k + 8 - width for k in range(8)]
            for low in (k for k in range(8) if not k & width):
                pair = vectors[low], vectors[low + width]
                vectors[low], vectors[low + width] = (
                    _shuffle(builder, *pair, [k + shift for k in order]) for shift in (0, width)
                )
        return context.make_tuple(builder, sig.return_type, vectors)

    return UniTuple(_VEC8, 8)(rows), lower


Load = Callable[[Floats, int], Vec]
load8 = cast(Load, intrinsic(_load(_VEC8)))  # from sample `at` on, aligned or not
load16 = cast(Load, intrinsic(_load(_VEC16)))
load_n = cast(Load, intrinsic(_load(_VECN)))
load_broadcast16 = cast(Load, intrinsic(_load_broadcast(_VEC16)))
load_broadcast_n = cast(Load, intrinsic(_load_broadcast(_VECN)))  # sample `at` in all lanes
store = cast(Callable[[Vec, Floats, int], None], intrinsic(_store))
store_rows = cast(Callable[[tuple[Vec, ...], Floats, int, int], None], intrinsic(_store_rows))  # all, strided by `step`
broadcast8 = cast(Callable[[Real], Vec8], intrinsic(_broadcast(_VEC8)))  # the same float in all lanes
broadcast_n = cast(Callable[[Real], VecN], intrinsic(_broadcast(_VECN)))
extract_lane = cast(Callable[[Vec8, int], Real], intrinsic(_extract_lane))
horizontal_sum = cast(Callable[[Vec], Real], intrinsic(_horizontal_sum))  # of all lanes
greater = cast(Callable[[Vec, Real], Vec], intrinsic(_greater))  # 1 in lanes that are above the other's, else 0
maximum = cast(Callable[[Vec, Real], Vec], intrinsic(_maximum))
minimum = cast(Callable[[Vec, Real], Vec], intrinsic(_minimum))
# select_greater(value, limit, a, b): lanes of a where the value is above the limit, else of b
select_greater = cast(Callable[[Vec, Real, Vec, Vec], Vec], intrinsic(_select_greater))
concat_low = cast(Callable[[Vec8, Vec8], Vec8], intrinsic(_shuffle_halves([*range(4), *range(8, 12)])))
concat_high = cast(Callable[[Vec8, Vec8], Vec8], intrinsic(_shuffle_halves([*range(4, 8), *range(12, 16)])))
fold = cast(Callable[[Vec16], Vec8], intrinsic(_fold))  # the sum of both halves
transpose8x8 = cast(Callable[[Vec8x8], Vec8x8], intrinsic(_transpose))


@jit
def load_rows(array: Floats, at: int, step: int) -> Vec8x8:
    """Eight vectors from `at` on, strided by `step`."""
    return (
        load8(array, at), load8(array, at + step),
        load8(array, at + 2 * step), load8(array, at + 3 * step),
        load8(array, at + 4 * step), load8(array, at + 5 * step),
        load8(array, at + 6 * step), load8(array, at + 7 * step),
    )  # fmt: skip


@jit
def gather_rows(array: Floats, at: Ints, more: int) -> Vec8x8:
    """Eight vectors from eight positions `at`, each `more` samples behind."""
    return (
        load8(array, at[0] + more), load8(array, at[1] + more), load8(array, at[2] + more), load8(array, at[3] + more),
        load8(array, at[4] + more), load8(array, at[5] + more), load8(array, at[6] + more), load8(array, at[7] + more),
    )  # fmt: skip


@jit
def absolute(value: Vec8) -> Vec8:
    """Absolute values."""
    return maximum(value, ZERO - value)


@jit
def subtract_rows(a: Vec8x8, b: Vec8x8) -> Vec8x8:
    """Differences of eight pairs of vectors."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3], a[4] - b[4], a[5] - b[5], a[6] - b[6], a[7] - b[7]


@jit
def dot(a: Vec8x8, b: Vec8x8) -> Real:
    """The dot product of 64 floats by 64."""
    upper = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
    return horizontal_sum(upper + (a[4] * b[4] + a[5] * b[5] + a[6] * b[6] + a[7] * b[7]))
