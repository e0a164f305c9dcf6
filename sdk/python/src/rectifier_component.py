"""The component around a policy: what ``componentize-py`` is told to wrap.

This runs when the component is built, and what is in memory at its end is the component: a module
that is imported now lies in it for good, one that is not can never be imported, for a component has
no files.
"""

import sys
from types import ModuleType

# Nothing is written into the author's folder, and what is not made takes no room.
sys.dont_write_bytecode = True


class _Generic:
    def __class_getitem__(cls, _):
        return cls


class _Name:
    """A name of ``typing``, where no one reads types."""

    def __call__(self, *_, **__):
        return _Name()

    def __getitem__(self, _):
        return _Name()

    def __mro_entries__(self, _):
        return (_Generic,)


def _untold(*_, **__):
    raise ValueError("no signature here")


def _bare():
    """What stands for modules that are large and hardly used while others are imported.

    ``dataclasses`` asks ``inspect`` for the text of a signature if a class has no docstring, and to
    unwrap functions. ``annotationlib`` makes operators of ``ast`` for annotations that cannot be
    evaluated. The generated modules have annotations made of ``typing``. All three and what they
    import are a fifth of a component. Who imports them later gets the real ones.
    """
    inspect, ast, typing = (ModuleType(name) for name in ("inspect", "ast", "typing"))
    inspect.signature = _untold
    inspect.unwrap = lambda function, **_: function
    ast.__getattr__ = lambda name: _Name()
    typing.__getattr__ = lambda name: _Name()
    return {module.__name__: module for module in (inspect, ast, typing)}


_stand_ins = _bare()
sys.modules.update(_stand_ins)

import dataclasses  # noqa: E402, F401

import wit_world.imports.log as engine_log  # noqa: E402
import wit_world.imports.types as generated  # noqa: E402
from componentize_py_types import Err  # noqa: E402

for _name in _stand_ins:
    del sys.modules[_name]

from rectifier_policy import door, log  # noqa: E402
from rectifier_policy.errors import one_line  # noqa: E402

_LEVELS = {level.name.lower(): level for level in engine_log.Level}


def _write(level, message):
    # what is no Unicode text would be a trap
    text = str(message).encode("utf-8", "backslashreplace").decode()
    engine_log.write(_LEVELS[level], text)


class _Lines:
    """``print`` writes lines to the log: any other output would be a trap."""

    def __init__(self, level):
        self.level, self.rest = level, ""

    def write(self, text):
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            _write(self.level, line)
        return len(text)

    def flush(self):
        pass


import policy  # noqa: E402

# Whether the author uses random numbers is seen by whether they were imported; the runtime itself
# will import them in any case.
_random = sys.modules.get("random")
import random  # noqa: E402, F401

door.install(generated)
_policy = door.Policy(policy)
_folder = policy.__file__.rpartition("/")[0] + "/"


class _TooLate:
    """Says what is wrong where looking for a file would be a trap without a word."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        raise ImportError(f"{name} is imported too late: import it at the top of policy.py")


def _is_file_finder(finder):
    return getattr(finder, "__name__", "") == "PathFinder"


def _close_files():
    sys.meta_path[:] = [each for each in sys.meta_path if not _is_file_finder(each)]
    sys.meta_path.append(_TooLate)
    if "warnings" not in sys.modules:
        # the interpreter's own way to show a warning reads the source's line
        sys.modules["_warnings"].filters.insert(0, ("ignore", None, Warning, None, 0))


# The last, so that what fails before is told to who builds it.
_close_files()
log.write = _write
sys.stdout, sys.stderr = _Lines("info"), _Lines("warn")


class Decider:
    """The component's exports."""

    def validate_settings(self, settings):
        _answer(_policy.check, settings)

    def decide(self, observation, settings):
        if _random is not None:
            # the contract's: the same observation, the same numbers
            _random.seed(observation.id)
        return _answer(_policy.decide, observation, settings)


def _answer(call, *arguments):
    try:
        return call(*arguments)
    except BaseException as error:  # a trap would not say which
        text = one_line(error, _folder).encode("utf-8", "backslashreplace").decode()
    raise Err(text)
