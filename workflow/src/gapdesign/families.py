"""Families of exchangeable members: samplers, descriptors, methods and engines.

A member is one module with one class: its options, its traits and its work. Members that come with gapdesign are the
modules of the family's package; other packages add theirs by entry points of the group ``gapdesign.<family>``:

.. code-block:: toml

    [project.entry-points."gapdesign.samplers"]
    shear = "my_package.shear:Shear"

Nothing else names a member, so the configuration, its schema, messages and the plan know it as soon as it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from inspect import isclass
from pkgutil import iter_modules
from typing import Any, ClassVar, Generic, Literal, TypeVar

from gapdesign.config.options import Options
from gapdesign.errors import InputError


class Member:
    """What every member of every family declares.

    Attributes
    ----------
    name
        What the configuration calls it: the name of its module or, in another package, of its entry point.
    summary
        What it does, in one phrase for the configuration's documentation.
    Options
        Its block of options; the base class where it has none.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    Options: ClassVar[type[Options]] = Options


M = TypeVar("M", bound=Member)


class Family(Mapping[str, type[M]], Generic[M]):
    """The members of a family by name, in alphabetical order; found when first asked for.

    Parameters
    ----------
    package : str
        Full name of the family's package, which is also the group of its entry points.
    base : type
        The class that members derive from.
    """

    def __init__(self, package: str, base: type[M]) -> None:
        self._package, self._base = package, base

    def __getitem__(self, name: str) -> type[M]:
        """Return the class of a member."""
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    @property
    def names(self) -> Any:
        """The type of a key whose value names a member."""
        return Literal[tuple(self)]

    @property
    def choices(self) -> str:
        """The members with their summaries, for the description of a key."""
        return " ".join(f"`{name}`: {member.summary}." for name, member in self.items())

    @cached_property
    def _members(self) -> dict[str, type[M]]:
        found: dict[str, type[M]] = {}
        package = import_module(self._package)
        for module in iter_modules(package.__path__):
            for member in self._of_module(f"{self._package}.{module.name}"):
                found[member.name] = member
        for entry in entry_points(group=self._package):
            try:
                member = entry.load()
            except Exception as error:
                raise InputError(
                    f"the package {_owner(entry)} offers '{entry.name}' as one of {self._package}, but it cannot be"
                    f" imported ({type(error).__name__}: {error}); mend or uninstall it."
                ) from error
            self._refuse(entry, member, found)
            found[member.name] = member
        return dict(sorted(found.items()))

    def _of_module(self, name: str) -> list[type[M]]:
        """Members that a module of the family's own package defines."""
        return [
            value
            for value in vars(import_module(name)).values()
            if isclass(value) and issubclass(value, self._base) and value.__module__ == name and "name" in vars(value)
        ]

    def _refuse(self, entry: Any, member: Any, found: Mapping[str, type[M]]) -> None:
        """Refuse what another package offers if it is no member, or takes a name that is taken."""
        offer = f"the package {_owner(entry)} offers '{entry.name}' as one of {self._package}"
        if not (isclass(member) and issubclass(member, self._base)):
            raise InputError(f"{offer}, but {entry.value} is no class derived from {self._base.__qualname__}.")
        if getattr(member, "name", None) != entry.name:
            raise InputError(f"{offer}, but the class calls itself '{getattr(member, 'name', '')}'; use one name.")
        if entry.name in found:
            raise InputError(f"{offer}, but there is one of that name already; rename it or uninstall the package.")


def _owner(entry: Any) -> str:
    return entry.dist.name if entry.dist else entry.value
