"""Statuses of the library as exceptions."""
from __future__ import annotations

import enum
from typing import Dict, Type


class Status(enum.IntEnum):
    """``leat_status``: what a call of the library returned."""

    OK = 0
    EINVAL = -1
    ENOMEM = -2
    EIO = -3
    EFORMAT = -4
    EUNSUPPORTED = -5
    ESHAPE = -6
    ETYPE = -7
    ELIMIT = -8
    ECANCELLED = -9
    EAGAIN = -10
    ESTATE = -11
    EINTERNAL = -12
    EDYNAMIC = -13
    EEND = -14


class LeatError(Exception):
    """A call that failed: ``status``, the library's ``message``, and ``offset``, the byte in the content (0 when unknown)."""

    def __init__(self, status: int, message: str, offset: int = 0) -> None:
        super().__init__(status, message, offset)
        try:
            self.status: int = Status(status)
        except ValueError:  # of a newer library
            self.status = status
        self.message = message
        self.offset = offset

    def __str__(self) -> str:
        name = self.status.name if isinstance(self.status, Status) else str(self.status)
        return f"{self.message} ({name})"


class InvalidError(LeatError, ValueError):
    """An argument that the library refuses: ``EINVAL``, ``ESHAPE``, ``ETYPE``."""


class FormatError(LeatError, ValueError):
    """A file or text whose content is damaged: ``EFORMAT``."""


class UnsupportedError(LeatError):
    """Something sound that this library cannot run: ``EUNSUPPORTED``."""


class CancelledError(LeatError):
    """A call that was asked to stop: ``ECANCELLED``."""


class StateError(LeatError):
    """A call on something closed, in use by another call, or not there yet: ``ESTATE``."""


_CLASSES: Dict[int, Type[LeatError]] = {Status.EINVAL: InvalidError, Status.ESHAPE: InvalidError, Status.ETYPE: InvalidError, Status.EFORMAT: FormatError,
            Status.EUNSUPPORTED: UnsupportedError, Status.ECANCELLED: CancelledError, Status.ESTATE: StateError}


def error_class(status: int) -> Type[LeatError]:
    """The exception of a status."""
    return _CLASSES.get(status, LeatError)
