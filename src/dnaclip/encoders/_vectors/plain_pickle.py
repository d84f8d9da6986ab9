"""Read vectors out of a pickle without unpickling it.

A pickle is a program, and Python's own reader runs whatever functions it names. This one knows the few steps that build
dictionaries, lists, tuples, text, numbers and NumPy arrays of numbers, and does them itself: it never looks up a name, imports
or calls anything, so there is nothing that a file could make it run. It also keeps numbers as float32 arrays: a list of
numbers takes an eighth of the memory that it would take as Python objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from dnaclip.encoders._vectors.pickle_stream import Stream, refuse
from dnaclip.encoders._vectors.pickle_values import Array, Numbers, Type, Word, numbers

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read_plain_pickle"]

SHORTEST_RUN = 8
PROTOCOLS = range(2, 6)
_MARK = object()
_DTYPES = {"b1", "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
# What a pickle of plain vectors names, and what stands for it here. These are words, not the functions themselves.
_WORDS = {
    **{(module, "_reconstruct"): "array" for module in _MULTIARRAY},
    **{(module, "scalar"): "scalar" for module in _MULTIARRAY},
    **{(module, "_frombuffer"): "buffer" for module in _NUMERIC},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "bytes",
    ("__builtin__", "bytes"): "bytes",  # none at all, before protocol 3
}


def read_plain_pickle(file: BinaryIO) -> Any:
    r"""Return what a pickle of plain values holds.

    Parameters
    ----------
    file
        Open for reading bytes.

    Returns
    -------
    Dictionaries, tuples, text, bytes and numbers as themselves, NumPy arrays as float32, and lists as :class:`Numbers`.

    Raises
    ------
    InputError
        It is cut off, has another form (protocols 2 to 5 are read), or is made of anything else.

    Examples
    --------
    >>> import io
    >>> from dnaclip.encoders._vectors.plain_pickle import read_plain_pickle
    >>> read_plain_pickle(io.BytesIO(bytes.fromhex("80045d942847400000000000000047400800000000000065") + b".")).vector()
    array([2., 3.], dtype=float32)
    >>> read_plain_pickle(io.BytesIO(b"\x80\x02cos\nsystem\n."))
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: The pickle is not read: it names 'os.system', ... Nothing of it was run.
    """
    return _Reader(Stream(file)).read()


class _Reader:
    def __init__(self, stream: Stream) -> None:
        self._in = stream
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self) -> Any:
        if self._in.take(1) != b"\x80" or self._in.take(1)[0] not in PROTOCOLS:
            refuse(f"it does not start like protocol {PROTOCOLS[0]} to {PROTOCOLS[-1]}")
        while (step := self._in.take(1)) != b".":
            if step not in _STEPS:
                refuse(f"it holds the step {step!r}, which plain vectors do not need")
            _STEPS[step](self)
        value = self._pop()
        if self._stack:
            refuse("something is left over")
        return value

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            refuse("its steps do not fit together")
        return self._stack.pop()

    def _one(self) -> Any:
        value = self._pop()
        return value.values if isinstance(value, Array) else value

    def _since_mark(self) -> list[Any]:
        at = len(self._stack) - 1
        while at >= 0 and self._stack[at] is not _MARK:
            at -= 1
        if at < 0:
            refuse("its steps do not fit together")
        values = self._stack[at + 1 :]
        del self._stack[at:]
        return [value.values if isinstance(value, Array) else value for value in values]

    def _top(self, kind: type) -> Any:
        if not self._stack or not isinstance(self._stack[-1], kind):
            refuse("its steps do not fit together")
        return self._stack[-1]

    def floats(self) -> None:
        values = self._in.floats()
        if len(values) < SHORTEST_RUN:
            self._stack.extend(values.tolist())
        else:  # stays one block until the step that puts all since the last mark into a list
            self._stack.append(values.astype(np.float32))

    def append(self, values: list[Any]) -> None:
        self._top(Numbers).parts.extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self._top(dict)
        if len(values) % 2 or not all(isinstance(key, (str, int)) for key in values[::2]):
            refuse("a dictionary in it has keys other than text and whole numbers")
        target.update(zip(values[::2], values[1::2], strict=True))

    def tuple_of(self, n: int) -> None:
        self.push(tuple([self._one() for _ in range(n)][::-1]))

    def text(self, n: int) -> None:
        try:
            self.push(self._in.take(n).decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            refuse("a text in it is not UTF-8")

    def integer(self, data: bytes) -> None:
        self.push(int.from_bytes(data, "little", signed=True))

    def remember(self, key: int) -> None:
        if not self._stack or self._stack[-1] is _MARK:
            refuse("its steps do not fit together")
        self._memo[key] = self._stack[-1]

    def recall(self, key: int) -> None:
        if key not in self._memo:
            refuse("its steps do not fit together")
        self.push(self._memo[key])

    def word(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str) and (module, name) in _WORDS):
            refuse(f"it names '{module}.{name}', which plain vectors do not need")
        self.push(Word(_WORDS[module, name]))

    def stack_word(self) -> None:
        name, module = self._one(), self._one()
        self.word(module, name)

    def call(self) -> None:
        arguments, word = self._one(), self._pop()
        if not isinstance(word, Word) or not isinstance(arguments, tuple):
            refuse("it calls something that plain vectors do not need")
        match word.meaning, arguments:
            case "array", _:
                self.push(Array())
            case "dtype", (str(code), *_) if code in _DTYPES:
                self.push(Type(code))
            case "scalar", (Type() as kind, bytes(data)):
                self.push(float(numbers(kind, data, (1,), fortran=False)[0]))
            case "buffer", (bytes(data), Type() as kind, tuple(shape), order):
                self.push(Array(numbers(kind, data, shape, fortran=order == "F")))
            case "bytes", ():
                self.push(b"")
            case "bytes", (str(text), "latin1"):
                try:
                    self.push(text.encode("latin1"))
                except UnicodeEncodeError:
                    refuse("bytes in it are damaged")
            case _:
                refuse(f"it makes a {word.meaning} of something other than numbers")

    def build(self) -> None:
        state, target = self._one(), self._stack[-1] if self._stack else None
        match target, state:
            case Type(), (int(), str(order), *_) if order in ("<", ">", "|", "="):
                target.order = order
            case Array(), (int(), tuple(shape), Type() as kind, fortran, bytes(data)):
                target.values = numbers(kind, data, shape, fortran=bool(fortran))
            case _:
                refuse("it sets something other than an array of numbers")


# Letter of a step -> what it does.
_STEPS: dict[bytes, Callable[[_Reader], None]] = {
    b"\x95": lambda r: _skip(r._in.take(8)),  # the length of a frame, for readers that want to know
    b"}": lambda r: r.push({}),
    b"]": lambda r: r.push(Numbers()),
    b")": lambda r: r.push(()),
    b"N": lambda r: r.push(None),
    b"\x88": lambda r: r.push(1),
    b"\x89": lambda r: r.push(0),
    b"(": lambda r: r.push(_MARK),
    b"G": _Reader.floats,
    b"J": lambda r: r.integer(r._in.take(4)),
    b"K": lambda r: r.push(r._in.number("<B")),
    b"M": lambda r: r.push(r._in.number("<H")),
    b"\x8a": lambda r: r.integer(r._in.take(r._in.number("<B"))),
    b"X": lambda r: r.text(r._in.number("<I")),
    b"\x8c": lambda r: r.text(r._in.number("<B")),
    b"\x8d": lambda r: r.text(r._in.number("<Q")),
    b"B": lambda r: r.push(r._in.take(r._in.number("<I"))),
    b"C": lambda r: r.push(r._in.take(r._in.number("<B"))),
    b"\x8e": lambda r: r.push(r._in.take(r._in.number("<Q"))),
    b"\x96": lambda r: r.push(r._in.take(r._in.number("<Q"))),
    b"\x85": lambda r: r.tuple_of(1),
    b"\x86": lambda r: r.tuple_of(2),
    b"\x87": lambda r: r.tuple_of(3),
    b"t": lambda r: r.push(tuple(r._since_mark())),
    b"a": lambda r: r.append([r._one()]),
    b"e": lambda r: r.append(r._since_mark()),
    b"s": lambda r: r.set_items([r._one(), r._one()][::-1]),
    b"u": lambda r: r.set_items(r._since_mark()),
    b"q": lambda r: r.remember(r._in.number("<B")),
    b"r": lambda r: r.remember(r._in.number("<I")),
    b"\x94": lambda r: r.remember(len(r._memo)),
    b"h": lambda r: r.recall(r._in.number("<B")),
    b"j": lambda r: r.recall(r._in.number("<I")),
    b"c": lambda r: r.word(r._in.line(), r._in.line()),
    b"\x93": _Reader.stack_word,
    b"R": _Reader.call,
    b"b": _Reader.build,
}


def _skip(_: bytes) -> None:
    """Do nothing with what was read."""
