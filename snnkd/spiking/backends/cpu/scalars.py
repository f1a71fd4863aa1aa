"""What the CPU kernels need below NumPy: raw memory, an atomic counter, bfloat16, a vectorisable exponential."""

import contextlib
import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import float32, int64, njit, types, uint16, uint32
from numba.core import cgutils
from numba.extending import intrinsic, overload

inlined = njit(nogil=True, error_model="numpy", inline="always")


@intrinsic
def pointer(typingctx, address):
    """Turn an address, ``int64``, into a ``void*`` that :func:`numba.carray` takes."""

    def emit(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

    return types.voidptr(int64), emit


@intrinsic
def next_index(typingctx, counter):
    """Return the ``int64`` that ``counter`` (a ``void*``) points to and add one to it, atomically.

    What a thread wrote before its call is seen by those that call after it.
    """

    def emit(context, builder, signature, args):
        word = context.get_value_type(types.int64)
        return builder.atomic_rmw("add", builder.bitcast(args[0], word.as_pointer()), word(1), "acq_rel")

    return int64(types.voidptr), emit


@intrinsic
def _prefetch(typingctx: Any, address: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        # To read, to be kept in every cache, data.
        builder.call(function, [builder.inttoptr(args[0], byte), word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(int64), emit


@intrinsic
def widest_vectors(typingctx):
    """Let LLVM use the widest vectors that the processor has in the function that calls this."""

    def emit(context, builder, signature, args):
        # llvmlite knows no attributes but those of its own list, and writes out what is in the set. A hint: where it
        # cannot be given, the code is right without it.
        with contextlib.suppress(AttributeError, TypeError):
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), emit


@inlined
def fetch(address, size):
    """Ask for ``size`` bytes before they are needed.

    A tile's row is short, and the next row is elsewhere: what a core fetches by itself stops at the end of a page.
    """
    for offset in range(0, size, 64):
        _prefetch(address + offset)


def _bitcast(source, target):
    @intrinsic
    def cast(typingctx, value):
        def emit(context, builder, signature, args):
            return builder.bitcast(args[0], context.get_value_type(target))

        return target(source), emit

    return cast


_bits_as_float = _bitcast(uint32, float32)
_float_as_bits = _bitcast(float32, uint32)


@inlined
def _from_bfloat16(word):
    # A bfloat16 is the upper half of an fp32.
    return _bits_as_float(uint32(word) << uint32(16))


@inlined
def _to_bfloat16(value):
    # To nearest even; a NaN stays one, which the carry of rounding could make infinite.
    bits = _float_as_bits(float32(value))
    rounded = (bits + uint32(0x7FFF) + ((bits >> uint32(16)) & uint32(1))) >> uint32(16)
    return uint16(rounded if value == value else uint32(0x7FC0))


def load(value):
    """Return an element of an input in the state's precision; ``uint16`` holds a bfloat16."""


@overload(load, inline="always")
def _load(value):
    if value == types.uint16:
        return lambda value: _from_bfloat16(value)
    return lambda value: value


def store(out, value):
    """Return ``value`` as an element of the array ``out``."""


@overload(store, inline="always")
def _store(out, value):
    if out.dtype == types.uint16:
        return lambda out, value: _to_bfloat16(value)
    return lambda out, value: value


def store_spike(out, fired):
    """Return 1 for a spike and 0 for none as an element of the array ``out``."""


@overload(store_spike, inline="always")
def _store_spike(out, fired):
    one, zero = (0x3F80, 0) if out.dtype == types.uint16 else (1, 0)
    kind = out.dtype
    spike, silence = kind(one), kind(zero)
    return lambda out, fired: spike if fired else silence


_LOG2_E = float32(1 / math.log(2))
_LN_2 = float32(math.log(2))
_SQRT_HALF = float32(math.sqrt(0.5))
_C2, _C3, _C4, _C5, _C6, _C7 = (float32(1 / math.factorial(k)) for k in range(2, 8))


@inlined
def _exp_negative32(z):
    y = max(-z * _LOG2_E, float32(-126))
    n = np.int32(y)
    w = (y - float32(n) + float32(0.5)) * _LN_2
    e = float32(1) + w * (float32(1) + w * (_C2 + w * (_C3 + w * (_C4 + w * (_C5 + w * (_C6 + w * _C7))))))
    return _bits_as_float(uint32(n + np.int32(127)) << uint32(23)) * (_SQRT_HALF * e)


def exp_negative(z):
    r"""Return :math:`e^{-z}` for ``z >= 0``; for fp32 in operations that LLVM turns into vector instructions.

    :math:`e^{-z} = 2^{n}\,2^{-1/2}\,e^{w}` with :math:`-z/\ln 2 = n + f`, :math:`f \in (-1, 0]` and
    :math:`w = (f + 1/2)\ln 2`, where the Taylor polynomial of degree 7 is off by 5e-9.
    """


@overload(exp_negative, inline="always")
def _exp_negative(z):
    if z == types.float32:
        return lambda z: _exp_negative32(z)
    return lambda z: math.exp(-z)
