"""The errors and warnings that a user can act on.

Everything a person can mend (a file, a key, a setting) is raised as a :class:`SnnkdError` whose message is one
line: what is wrong, where, and what to do. The command line prints that line and exits with status 2; anything
else that escapes is a defect of the library and keeps its traceback.
"""

import os
import sys
import warnings


class SnnkdError(Exception):
    """Base of all errors that are the input's and not the library's."""


class RecordingError(SnnkdError):
    """A recording cannot be read: the message names the file, the place in it and the reason."""


class DatasetError(SnnkdError):
    """A dataset on disk is not what its layout promises: the message names the folder or the entry."""


class ModelError(SnnkdError):
    """A model folder cannot be read, or does not fit what is asked of it."""


class ConfigError(SnnkdError):
    """A configuration names something that does not exist or does not fit together."""


class NotFiniteError(SnnkdError, ValueError):
    """A NaN or infinite value reached a neuron: the message names the argument."""


class SnnkdWarning(UserWarning):
    """Something was left out or repaired, and the result is still right for the rest."""


def warn(message: str) -> None:
    """Give a :class:`SnnkdWarning` that points at the line which called the library, not at one inside it."""
    inside = os.path.join(os.path.dirname(__file__), "")
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(inside):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, SnnkdWarning, stacklevel=level)
