"""`tf.logging` and `tf.compat.v1.logging`: Python's logging."""

from __future__ import annotations

import logging as _logging
from typing import Any

DEBUG, INFO, WARN, ERROR, FATAL = 10, 20, 30, 40, 50
WARNING = WARN
_logger = _logging.getLogger("tensorflow")
debug, info, warning, error, fatal, log = (
    _logger.debug,
    _logger.info,
    _logger.warning,
    _logger.error,
    _logger.critical,
    _logger.log,
)
warn = warning


def set_verbosity(v: Any) -> None:
    """From which level on there are messages."""
    _logger.setLevel(v)


def get_verbosity() -> int:
    """From which level on there are messages."""
    return _logger.getEffectiveLevel()


__all__ = [name for name in globals() if name[0] != "_" and name not in ("annotations", "Any")]
