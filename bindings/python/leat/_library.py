"""Finding and loading libleat, and turning its statuses into exceptions.  Nothing here is public but through leat/__init__.py.

The library is looked for in this order: the file that ``LEAT_LIBRARY`` names; the one that ``pip install`` put into this package; the build of
the checkout that this file lies in; what the system's loader knows as ``libleat.so.0``.  Calls release the interpreter's lock.
"""
from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Iterator, NoReturn, Optional

from . import _abi
from .errors import LeatError, Status, error_class

SONAME = "libleat.so.0"
ABI_VERSION = "0.1"  # of the headers that _abi.py was written from


def _candidates() -> Iterator[str]:
    named = os.environ.get("LEAT_LIBRARY")
    if named:
        yield named
        return
    here = Path(__file__).resolve().parent
    for file in (here / "_native" / "libleat.so", here.parents[2] / "build" / "libleat.so"):
        if file.exists():
            yield str(file)
    yield SONAME


def _load() -> ctypes.CDLL:
    tried = []
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
        except OSError as reason:
            tried.append(f"{name}: {reason}")
            continue
        for function, (result, arguments) in _abi.PROTOTYPES.items():
            prototype = getattr(library, function, None)
            if prototype is None:
                raise ImportError(f"leat: {name} has no {function}(); it is not the library of this binding (version {ABI_VERSION})")
            prototype.restype, prototype.argtypes = result, arguments
        version = library.leat_version().decode()
        if version.rsplit(".", 1)[0] != ABI_VERSION:
            raise ImportError(f"leat: {name} is version {version}, this binding needs {ABI_VERSION}")
        return library
    raise ImportError("leat: no library; build it with `make`, install it, or name it in LEAT_LIBRARY.  Tried " + "; ".join(tried))


lib = _load()


def fail(status: int, message: Optional[str] = None, offset: int = 0) -> NoReturn:
    """Raises the exception of a status."""
    text = message or lib.leat_status_text(status).decode()
    raise error_class(status)(status, text, offset)


def check(status: int, error: Optional[_abi.Error] = None) -> None:
    """Raises unless status is LEAT_OK; the message is the library's."""
    if status == Status.OK:
        return
    if error is not None and error.message:
        fail(status, error.message.decode("utf-8", "replace"), error.offset)
    fail(status)


def path_bytes(path: "os.PathLike[str] | os.PathLike[bytes] | str | bytes") -> bytes:
    """A path as C takes it."""
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise LeatError(Status.EINVAL, "a path may not contain NUL")
    return raw


def text(raw: Optional[bytes]) -> str:
    """A C string of the library as str; NULL is empty."""
    return raw.decode("utf-8", "replace") if raw else ""
