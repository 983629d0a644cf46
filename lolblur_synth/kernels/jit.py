"""Just-in-time compilation of functions for the CPU by numba, and the types and numbers that compiled code is made of.

Everything is single precision: constants here are float32, as a Python float would make sums of doubles.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from lolblur_synth.kernels.jit_cache import KernelCache

Real = Any  # a number; numba infers its type
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
ZERO, ONE, HALF = np.float32(0), np.float32(1), np.float32(0.5)
Function = TypeVar("Function", bound=Callable[..., Any])

FAST_MATH = ("nsz", "arcp", "contract", "afn", "reassoc")  # sums in any order, but infinities are what they are


def jit(function: Function) -> Function:
    """Just-in-time compile for the CPU at the first call; kept on disk for later ones. The GIL is released meanwhile.

    Inlined where it is called: else what was compiled in this process and what came from the disk gave other last bits
    in a few places, and so a first run other pixels than the next. `function.inspect_asm()` is the machine code.
    """
    compiler = numba.njit(fastmath=set(FAST_MATH), nogil=True, error_model="numpy", forceinline=True)
    dispatcher = compiler(function)
    dispatcher._cache = KernelCache(function)  # as its enable_caching sets numba's own
    return cast(Function, dispatcher)


@jit
def round_half_up(value: Real) -> int:
    """The nearest whole number, the upper one of two."""
    return int(math.floor(value + HALF))  # noqa: RUF046 - a float to mypy


@jit
def clamp(value: Real, low: Real, high: Real) -> Real:
    """The value, or the limit that it passes."""
    return min(max(value, low), high)
