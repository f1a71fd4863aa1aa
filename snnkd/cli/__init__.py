"""The command line. It imports nothing heavy until a command needs it.

:mod:`~snnkd.cli.parser` says what can be typed; the commands stand in a module for recordings and one for models.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TextIO

from snnkd.cli.parser import make_parser
from snnkd.cli.process import clean_exit, cleaned, say_anything
from snnkd.errors import SnnkdError, SnnkdWarning

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``snnkd``; return the exit status: 0, or 2 after one line on standard error that says what to mend."""
    warnings.showwarning = _show_warning
    say_anything(sys.stdout, sys.stderr)
    # OpenMP's threads spin while they wait, by default; on a machine with other work each spin takes the time of a
    # thread that is waited for, and a training step was seen to take ten times as long. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if arguments[:1] == ["train"]:  # its arguments are typed by the signatures of what it builds
            from snnkd.cli.models import train

            return train(arguments[1:])  # Lightning ends cleanly on signals by itself
        parser = make_parser()
        if not arguments:
            parser.print_help(sys.stderr)
            return 2
        options = parser.parse_args(arguments)
        command: Command = options.command
        with clean_exit():
            return command(options)
    except SnnkdError as error:
        print(f"snnkd: error: {cleaned(error)}", file=sys.stderr)
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"snnkd: error: {cleaned(f'{where}{error.strerror or error}')}", file=sys.stderr)
    except KeyboardInterrupt as interrupt:
        print(": ".join(["snnkd: interrupted", *map(str, interrupt.args)]), file=sys.stderr)
        return 130
    return 2


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if issubclass(category, SnnkdWarning):
        print(f"snnkd: warning: {cleaned(message)}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, filename, lineno, line), file=file or sys.stderr, end="")


__all__ = ["main"]
