"""Families of exchangeable members: samplers, descriptors, methods, engines, models and formats.

A member is one module with one class: its options, its traits and its work. Members that come with gapdesign are the
modules of the family's package; other packages add theirs by entry points of the group ``gapdesign.<family>``:

.. code-block:: toml

    [project.entry-points."gapdesign.samplers"]
    shear = "my_package.shear:Shear"

Nothing else names a member, so the configuration, its schema, messages and the plan know it as soon as it is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from inspect import isabstract, isclass
from pkgutil import iter_modules
from typing import Any, ClassVar, Generic, Literal, TypeVar

from gapdesign.config.options import Options
from gapdesign.errors import InputError

MADE_FROM_IT = "options"
"""The module of a family's package in which its block of the configuration is made from its members."""


class Member:
    """Base of every member of every family, with the attributes that it declares.

    Attributes
    ----------
    name
        Its name in the configuration: the name of its module or, in another package, of its entry point.
    summary
        One phrase about its work, for the documentation of the configuration.
    Options
        Class of its block of options; the base class if it has none.
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
        self._is_searching = False
        self._offers: dict[str, str] = {}

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

    def read(self, name: Any, options: Any) -> Any:
        """Read a mapping with the class of options of a member; return anything else as it is, for others to refuse."""
        is_known = isinstance(name, str) and name in self
        return self[name].Options.model_validate(options) if is_known and isinstance(options, dict) else options

    def typed(self, given: Any, key: str) -> Any:
        """Read `options` of a mapping, if it has any, by :meth:`read` for the member that another key of it names."""
        if not (isinstance(given, dict) and "options" in given):
            return given
        return given | {"options": self.read(given.get(key), given["options"])}

    def keep_off(self, block: str, keys: Collection[str]) -> None:
        """Refuse members of other packages whose names have another meaning in a block of the configuration.

        Raises
        ------
        InputError
            For the first of them.
        """
        for name, offer in self._offers.items():
            if name in keys:
                raise InputError(f"{offer}, but `{block}.{name}` has another meaning; rename it.")

    @cached_property
    def _members(self) -> dict[str, type[M]]:
        if self._is_searching:
            raise RuntimeError(
                f"{self._package}: used while its members are being imported; no member may import a module that is"
                f" made from them, such as {self._package}.{MADE_FROM_IT}"
            )
        self._is_searching = True
        try:
            found = self._own()
            self._add_offered(found)
        finally:
            self._is_searching = False
        return dict(sorted(found.items()))

    def _own(self) -> dict[str, type[M]]:
        """Return the members that the modules of the family's own package define."""
        found = {}
        for module in iter_modules(import_module(self._package).__path__):
            if module.name == MADE_FROM_IT:
                continue
            name = f"{self._package}.{module.name}"
            for value in vars(import_module(name)).values():
                if self._is_member(value) and value.__module__ == name and "name" in vars(value):
                    found[value.name] = value
        return found

    def _add_offered(self, found: dict[str, type[M]]) -> None:
        """Add the members that other packages offer."""
        for entry in entry_points(group=self._package):
            owner = entry.dist.name if entry.dist else entry.value
            offer = f"the package {owner} offers '{entry.name}' as one of {self._package}"
            try:
                member = entry.load()
            except Exception as error:
                raise InputError(
                    f"{offer}, but it cannot be imported ({type(error).__name__}: {error}); repair or uninstall it."
                ) from error
            if not self._is_member(member):
                raise InputError(f"{offer}, but {entry.value} is not a class derived from {self._base.__qualname__}.")
            if isabstract(member):
                missing = ", ".join(sorted(member.__abstractmethods__))
                raise InputError(f"{offer}, but {entry.value} does not define {missing}; define it.")
            if getattr(member, "name", None) != entry.name:
                raise InputError(f"{offer}, but the class calls itself '{getattr(member, 'name', '')}'; use one name.")
            if not entry.name.isidentifier() or entry.name.startswith("_") or hasattr(Options, entry.name):
                raise InputError(
                    f"{offer}, which cannot be a key of the configuration; choose another name, made of letters, digits"
                    " and _."
                )
            if entry.name in found:
                raise InputError(f"{offer}, but that name is taken; rename it or uninstall the package.")
            found[entry.name], self._offers[entry.name] = member, offer

    def _is_member(self, value: Any) -> bool:
        return isclass(value) and issubclass(value, self._base)


def packages() -> list[str]:
    """Return the names of the other packages that offer members to any family."""
    offers = (
        entry
        for group in entry_points().groups
        if group.startswith("gapdesign.")
        for entry in entry_points(group=group)
    )
    return sorted({entry.dist.name for entry in offers if entry.dist})
