"""The part of a study that one job reads: a type without defaults, from the whole configuration or from JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import isclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from gapdesign.config.mistakes import sentence
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.config.study import Study
    from gapdesign.methods.options import DesignOptions
    from gapdesign.models.options import ChosenModel
    from gapdesign.samplers.options import PoolOptions


@dataclass(frozen=True)
class At:
    """A study, and the design or pool, and the kind of model, that a job is about.

    Attributes
    ----------
    study : Study
    design_name, pool_name : str, optional
        A job about a design is also about the pool that it is chosen from.
    kind : str, optional
        Kind of model; by default the first one of the study.
    """

    study: Study
    design_name: str | None = None
    pool_name: str | None = None
    kind: str | None = None

    @cached_property
    def model(self) -> ChosenModel:
        """The kind of model that the job is about, with its options.

        Raises
        ------
        InputError
            If the study has none of that name.
        """
        kinds = self.study.kinds
        if self.kind is not None and self.kind not in kinds:
            raise InputError(f"--kind {self.kind}: the study has no such model; choose from {', '.join(kinds)}.")
        return next(iter(kinds.values())) if self.kind is None else kinds[self.kind]

    @cached_property
    def design(self) -> DesignOptions:
        """The design that the job is about.

        Raises
        ------
        InputError
            If the study has none of that name.
        """
        designs = self.study.designs
        if self.design_name not in designs:
            raise InputError(f"--design {self.design_name}: there is no such design; choose from {', '.join(designs)}.")
        return designs[self.design_name]

    @cached_property
    def budget(self) -> int:
        """Structures in the design that the job is about; in the largest design of its pool, or of all, without one."""
        study = self.study
        if self.design_name is not None:
            return study.budget_of(self.design_name)
        mine = study.designs if self.pool_name is None else study.designs_from(self.pool_name)
        return max(map(study.budget_of, mine), default=study.budget)

    @cached_property
    def pool(self) -> PoolOptions:
        """The options of the pool that the job is about, with its overrides.

        Raises
        ------
        InputError
            If the study has none of that name.
        """
        name = self.pool_name if self.design_name is None else self.design.pool
        names = self.study.pools.names
        if name not in names:
            raise InputError(f"--pool {name}: there is no such pool; choose from {', '.join(names)}.")
        return self.study.pools.of(name)


@dataclass(frozen=True)
class From:
    """Source of a field of a part that is not the key of the study with the same name.

    Use it in the annotation: ``reserve: Annotated[int, From(lambda at: at.study.reserve(at.design_name))]``.
    """

    read: Callable[[At], Any]


class Part(BaseModel):
    """The part of a study that a job reads.

    A field is the key of the study with the same name, another part, or the value from :class:`From`. No field has a
    default, so that none can be left out, and reading any other key is an ``AttributeError``.

    Attributes
    ----------
    usual
        Fields that were added later, each with the value that says nothing new: with it they are not written, so that
        what was made before is not made again.
    """

    usual: ClassVar[Mapping[str, Any]] = {}
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _with_usual(cls, given: Any) -> Any:
        return {**cls.usual, **given} if isinstance(given, dict) else given

    @model_serializer(mode="wrap")
    def _without_usual(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = write(self)
        for name, value in self.usual.items():
            if getattr(self, name) == value:
                del values[name]
        return values

    @classmethod
    def of(cls, at: At) -> Self:
        """Return the part of a study at one of its designs or pools."""
        values = {}
        for name, field in cls.model_fields.items():
            source = next((entry for entry in field.metadata if isinstance(entry, From)), None)
            if source is not None:
                values[name] = source.read(at)
            elif isclass(field.annotation) and issubclass(field.annotation, Part):
                values[name] = field.annotation.of(at)
            else:
                values[name] = getattr(at.study, name)
        return cls(**values)

    def text(self) -> str:
        """Return all values as JSON."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"))

    @classmethod
    def parse(cls, given: Any) -> Self:
        """Read the values that :meth:`text` returned, from JSON that is loaded already.

        Raises
        ------
        InputError
            If a value is missing, at any depth, or not valid, or if the job does not read it.
        """
        try:
            part = cls.model_validate(given)
        except ValidationError as error:
            raise InputError(f"--config: {sentence(error, cls)}") from None
        if (key := _difference(given, part.model_dump(mode="json"))) is not None:
            raise InputError(f"--config: {key}: this key is missing; a job's JSON has every key, and no defaults.")
        return part


def _difference(given: Any, whole: Any, key: str = "") -> str | None:
    """Return the first key that is missing from one of two nested mappings, or None."""
    if not (isinstance(given, dict) and isinstance(whole, dict)):
        return None
    for name in {**whole, **given}:
        path = f"{key}.{name}" if key else str(name)
        if name not in given or name not in whole:
            return path
        if (found := _difference(given[name], whole[name], path)) is not None:
            return found
    return None
