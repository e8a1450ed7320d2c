"""`tf.errors`: its classes, for scripts that catch them. They are ValueErrors and the like."""

from __future__ import annotations


class OpError(Exception):
    """An error of an operation."""


class InvalidArgumentError(OpError, ValueError):
    """An argument is wrong."""


class OutOfRangeError(OpError, IndexError):
    """There is no more."""


class NotFoundError(OpError, FileNotFoundError):
    """There is no such thing."""


class ResourceExhaustedError(OpError, MemoryError):
    """There is no room."""


class UnimplementedError(OpError, NotImplementedError):
    """It is not there."""


class FailedPreconditionError(OpError):
    """Something has to be done before."""


class AbortedError(OpError):
    """It was given up."""


class InternalError(OpError):
    """Something is broken."""


class UnknownError(OpError):
    """Something happened."""


__all__ = [name for name, one in list(globals().items()) if isinstance(one, type)]
