"""The lifetime of a native object that several threads may use and anyone may close.

A handle counts the calls that are inside the object.  close() never waits: it marks the handle, asks a run to stop, and whoever leaves last frees;
so closing during a run, from another thread or from inside a callback, is safe.  An object that is dropped without close() is closed by a finalizer,
which also runs when the interpreter ends.  A handle keeps its parent (a context its model) from being freed before it.
"""
from __future__ import annotations

import threading
import weakref
from typing import Callable, Optional, TypeVar

from .errors import StateError, Status


class Handle:
    """``with handle as pointer:`` is a call inside the object."""

    __slots__ = ("_pointer", "_what", "_free", "_cancel", "_users", "_closed", "_lock", "_parent", "_busy", "__weakref__")

    def __init__(self, pointer: int, what: str, free: Callable[[int], None], cancel: Optional[Callable[[int], None]] = None,
                 parent: object = None) -> None:
        self._pointer, self._what, self._free, self._cancel, self._parent = pointer, what, free, cancel, parent
        self._users = 0
        self._closed = False
        self._busy = threading.Lock()
        self._lock = threading.Lock()

    def __enter__(self) -> int:
        with self._lock:
            if self._closed:
                raise StateError(Status.ESTATE, f"the {self._what} is closed")
            self._users += 1
        return self._pointer

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            last = self._closed and self._users == 0
        if last:
            self._release()

    def _release(self) -> None:
        self._free(self._pointer)
        self._parent = None

    @property
    def parent(self) -> object:
        """What must live as long: memory that a model was opened from."""
        return self._parent

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Frees the object now, or when the calls inside it have left."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle = self._users == 0
            if not idle and self._cancel:
                self._cancel(self._pointer)  # under the lock, or the last user might free it meanwhile
        if idle:
            self._release()

    def finalize(self, owner: object) -> None:
        """Closes the handle when `owner` is gone or the interpreter ends."""
        weakref.finalize(owner, self.close)

    def exclusive(self) -> "Exclusive":
        """``with handle.exclusive() as pointer:`` is a call that may not overlap with another one of its kind."""
        return Exclusive(self)


_Self = TypeVar("_Self", bound="Closable")


class Closable:
    """What owns a handle.  What close() leaves alive is said where a class does."""

    _handle: Handle

    def _hold(self, handle: Handle) -> None:
        self._handle = handle
        handle.finalize(self)

    def close(self) -> None:
        """Closes it; never waits: a run or generation inside is cancelled, and the last call to leave frees.  Any thread, and callbacks."""
        self._handle.close()

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._handle.closed

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Exclusive:
    """One call at a time: a second one raises instead of waiting, so a callback that calls back cannot lock itself out."""

    __slots__ = ("_handle",)

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def __enter__(self) -> int:
        pointer = self._handle.__enter__()
        if not self._handle._busy.acquire(blocking=False):
            self._handle.__exit__()
            raise StateError(Status.ESTATE, f"another call is using the {self._handle._what}")
        return pointer

    def __exit__(self, *_: object) -> None:
        self._handle._busy.release()
        self._handle.__exit__()


class Stay:
    """A call inside a handle for as long as a view lives."""

    __slots__ = ("_handle",)

    def __init__(self, handle: Handle) -> None:
        handle.__enter__()
        self._handle = handle

    def __del__(self) -> None:
        self._handle.__exit__()
