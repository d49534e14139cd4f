"""Base class of every block of options in the configuration."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema

from gapdesign.config.strict import strict

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""Form of names that become part of paths."""

Identifier = Annotated[str, StringConstraints(pattern=NAME, max_length=100)]
"""Name that the user chooses and that becomes part of paths."""


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if not 0 < bounds[0] < bounds[1]:
        raise ValueError("give two positive numbers, the smaller first")
    return bounds


Bounds = Annotated[tuple[float, float], AfterValidator(_ascending)]
"""Bounds of a search: two positive numbers, the smaller first."""


class Options(BaseModel):
    """Described, immutable block of options that refuses unknown keys.

    Every field of a subclass carries ``Field(default, description=...)``; the JSON schema of the
    configuration and ``config/README.md`` are generated from these.
    """

    # A job reads a few of the many blocks; to build the validators of all would take a fifth of its start.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema with strict numbers and truth values."""
        return strict(handler(source))
