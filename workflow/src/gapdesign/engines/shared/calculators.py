"""Calculators of ASE by their dotted names, which come from a configuration.

A name is only looked at where a configuration is checked. The module is imported by the job that needs the calculator,
and nothing in it is called that is not a class of calculators.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from importlib import import_module
from importlib.util import find_spec
from inspect import isclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

DOTTED = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"
"""Form of a class's name with its module."""


def require(name: str, *, key: str, others: Collection[str] = ()) -> None:
    """Check the form of a calculator's name, and that its package is installed; import and call nothing.

    Parameters
    ----------
    name : str
        Such as ``ase.calculators.emt.EMT``.
    key : str
        The calculator's key in the configuration.
    others : collection of str
        What else may stand there.

    Raises
    ------
    InputError
    """
    if not re.match(DOTTED, name):
        choices = f"{', '.join(others)}, or " if others else ""
        raise InputError(f"{key}: there is no '{name}'; give {choices}the full name of a class of calculators of ASE.")
    package = name.split(".")[0]
    try:
        is_installed = find_spec(package) is not None
    except ValueError:  # of a module without a specification, such as __main__
        is_installed = False
    if not is_installed:
        raise InputError(f"{key}: {name} cannot be imported (no package {package}); install it or correct the name.")


def make(name: str, arguments: Mapping[str, Any], *, key: str) -> BaseCalculator:
    """Import a class of calculators and make one.

    Parameters
    ----------
    name : str
        Such as ``ase.calculators.emt.EMT``.
    arguments : mapping
        Its keyword arguments.
    key : str
        The block of the configuration in which ``calculator`` and ``arguments`` stand.

    Raises
    ------
    InputError
        If it cannot be imported, is no class derived from ASE's calculators, or does not accept the arguments.
    """
    from ase.calculators.calculator import BaseCalculator

    require(name, key=f"{key}.calculator")
    module, _, last = name.rpartition(".")
    try:
        kind = getattr(import_module(module), last)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"{key}.calculator: {name} cannot be imported ({error}); install its package or correct its name."
        ) from None
    if not (isclass(kind) and issubclass(kind, BaseCalculator)):
        raise InputError(
            f"{key}.calculator: {name} is no class derived from ASE's calculators, so it is not called; name such a"
            " class, not a function that makes one."
        )
    try:
        return kind(**arguments)
    except Exception as error:
        raise InputError(
            f"{key}.arguments: {name} does not accept them ({type(error).__name__}: {error}); see its documentation."
        ) from error


def files(arguments: Mapping[str, Any]) -> list[Path]:
    """Return the files that arguments of a calculator name."""
    return [Path(value) for value in arguments.values() if is_file(value)]


def is_file(value: Any) -> bool:
    """Return whether an argument of a calculator names a file."""
    return isinstance(value, str) and len(value) < 4096 and "\0" not in value and Path(value).is_file()
