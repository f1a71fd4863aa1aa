"""What the CPU kernels need below NumPy: raw memory, an atomic counter, elements of a tensor, an exponential.

What is said of a value holds for a vector of them (:mod:`snnkd.spiking.backends.cpu.lanes`).
"""

import contextlib
import math
import platform
import sys
from typing import Any

from llvmlite import ir
from numba import float32, float64, int64, types, uint16
from numba.core import cgutils
from numba.extending import intrinsic, overload

from snnkd.spiking.backends.cpu.lanes import (
    Vector,
    constant_as,
    function_of,
    inlined,
    is_vector,
    muladd,
    shaped_as,
    where,
)

_I16, _I32, _F32 = ir.IntType(16), ir.IntType(32), ir.FloatType()


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
def seen(typingctx, counter):
    """Return the ``int64`` that ``counter`` points to, with all that was written before it was."""

    def emit(context, builder, signature, args):
        word = context.get_value_type(types.int64)
        return builder.load_atomic(builder.bitcast(args[0], word.as_pointer()), "acquire", 8)

    return int64(types.voidptr), emit


@intrinsic
def give_way(typingctx):
    """Let another thread run, if one waits for this processor."""

    def emit(context, builder, signature, args):
        if sys.platform != "win32":
            kind = ir.FunctionType(_I32, [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def pause(typingctx):
    """Tell the processor that this is a loop that waits, where it has an instruction for that."""

    def emit(context, builder, signature, args):
        if platform.machine().lower() in ("x86_64", "amd64"):
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), emit


def _prefetch(to_write: bool) -> Any:
    @intrinsic
    def ask(typingctx: Any, address: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
            # To be kept in every cache; data.
            builder.call(function, [builder.inttoptr(args[0], byte), word(int(to_write)), word(3), word(1)])
            return context.get_dummy_value()

        return types.void(int64), emit

    return ask


fetch = _prefetch(to_write=False)
"""Ask for the line of memory at an address before it is read; what lies there need not exist."""
fetch_to_write = _prefetch(to_write=True)
"""As :data:`fetch`, before it is written: no other core then has to be asked."""


@intrinsic
def widest_vectors(typingctx):
    """Let LLVM use the widest vectors that the processor has in the function that calls this."""

    def emit(context, builder, signature, args):
        # llvmlite knows no attributes but those of its own list, and writes out what is in the set. A hint: where it
        # cannot be given, the code is right without it.
        with contextlib.suppress(AttributeError, TypeError):
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')
            set.add(builder.function.attributes, '"min-legal-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def _from_bfloat16(typingctx, word):
    # A bfloat16 is the upper half of an fp32.
    def emit(context, builder, signature, args):
        wide = builder.zext(args[0], shaped_as(args[0], _I32))
        return builder.bitcast(builder.shl(wide, constant_as(args[0], _I32, 16)), shaped_as(args[0], _F32))

    return (Vector(float32) if is_vector(word) else float32)(word), emit


@intrinsic
def _to_bfloat16(typingctx, value):
    # To nearest even; a NaN stays one, which the carry of rounding could make infinite.
    def emit(context, builder, signature, args):
        def number(n):
            return constant_as(args[0], _I32, n)

        bits = builder.bitcast(args[0], shaped_as(args[0], _I32))
        odd = builder.and_(builder.lshr(bits, number(16)), number(1))
        rounded = builder.lshr(builder.add(builder.add(bits, number(0x7FFF)), odd), number(16))
        same = builder.fcmp_ordered("==", args[0], args[0])
        return builder.trunc(builder.select(same, rounded, number(0x7FC0)), shaped_as(args[0], _I16))

    return (Vector(uint16) if is_vector(value) else uint16)(value), emit


def load(value):
    """Return an element of an input in the state's precision; ``uint16`` holds a bfloat16."""


@overload(load, inline="always")
def _load(value):
    if value == types.uint16 or is_vector(value, uint16):
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
    return lambda out, fired: where(fired, spike, silence)


@intrinsic
def _truncated(typingctx, value):
    def emit(context, builder, signature, args):
        return builder.sitofp(builder.fptosi(args[0], shaped_as(args[0], _I32)), args[0].type)

    return value(value), emit


@intrinsic
def _power_of_two(typingctx, exponent):
    """Return 2 to a whole fp32 from -126 to 127."""

    def emit(context, builder, signature, args):
        biased = builder.add(builder.fptosi(args[0], shaped_as(args[0], _I32)), constant_as(args[0], _I32, 127))
        return builder.bitcast(builder.shl(biased, constant_as(args[0], _I32, 23)), args[0].type)

    return exponent(exponent), emit


_LOG2_E = float32(1 / math.log(2))
_LN_2 = float32(math.log(2))
_SQRT_HALF = float32(math.sqrt(0.5))
_LOWEST, _HALF, _ONE = float32(-126), float32(0.5), float32(1)
_C2, _C3, _C4, _C5, _C6, _C7 = (float32(1 / math.factorial(k)) for k in range(2, 8))


@inlined
def _exp_negative32(z):
    y = -z * _LOG2_E
    y = where(y > _LOWEST, y, _LOWEST)
    n = _truncated(y)
    w = (y - n + _HALF) * _LN_2
    e = muladd(w, _C7, _C6)
    e = muladd(w, e, _C5)
    e = muladd(w, e, _C4)
    e = muladd(w, e, _C3)
    e = muladd(w, e, _C2)
    e = muladd(w, muladd(w, e, _ONE), _ONE)
    return _power_of_two(n) * (_SQRT_HALF * e)


def exp_negative(z):
    r"""Return :math:`e^{-z}` for ``z >= 0``; for fp32 in operations that are vector instructions.

    :math:`e^{-z} = 2^{n}\,2^{-1/2}\,e^{w}` with :math:`-z/\ln 2 = n + f`, :math:`f \in (-1, 0]` and
    :math:`w = (f + 1/2)\ln 2`, where the Taylor polynomial of degree 7 is off by 5e-9.
    """


@overload(exp_negative, inline="always")
def _exp_negative(z):
    if z == types.float32 or is_vector(z, float32):
        return lambda z: _exp_negative32(z)
    if is_vector(z, float64):
        return lambda z: function_of(-z, "exp")
    return lambda z: math.exp(-z)
