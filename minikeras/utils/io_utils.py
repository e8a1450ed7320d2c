"""Messages to the user: standard output, or `logging` where interactive logging is off."""

import logging
import sys
from typing import Any

logger = logging.getLogger("minikeras")


def set_logging_verbosity(level: str) -> None:
    """Sets which messages of minikeras's log are kept.

    Args:
        level: `"DEBUG"`, `"INFO"`, `"WARNING"`, `"ERROR"` or `"FATAL"`.

    Raises:
        ValueError: The level is none of these.
    """
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR", "FATAL"):
        raise ValueError(
            "Argument `level` must be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'FATAL'. Received:"
            f" level={level!r}"
        )
    logger.setLevel(level)


def print_msg(message: Any, line_break: bool = True) -> None:
    """Writes `message` to standard output, or to the log where interactive logging is off.

    Characters that the output's encoding lacks are written as `?`.

    Args:
        message: What to write.
        line_break: Whether a line break follows. Defaults to `True`.
    """
    from minikeras import config

    if not config.is_interactive_logging_enabled():
        logger.info(message)
        return
    text = f"{message}\n" if line_break else str(message)
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, errors="replace").decode(encoding))
    sys.stdout.flush()


def ask_to_proceed_with_overwrite(filepath: Any) -> bool:
    """Asks on the terminal whether the file may be overwritten.

    Args:
        filepath: The file that exists already.

    Returns:
        Whether the answer was yes.
    """
    answer = input(f"[WARNING] {filepath} already exists - overwrite? [y/n]").strip().lower()
    while answer not in ("y", "n"):
        answer = input('Enter "y" (overwrite) or "n" (cancel).').strip().lower()
    if answer == "y":
        print_msg("[TIP] Next time specify overwrite=True!")
    return answer == "y"
