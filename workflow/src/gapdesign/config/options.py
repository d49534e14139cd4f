"""The base of every block of options in the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
"""A name that the user gives to something and that becomes part of paths."""


class Options(BaseModel):
    """A described, immutable block of options that refuses keys it does not know.

    Every field of a subclass carries ``Field(default, description=...)``; the JSON schema of the
    configuration and ``config/README.md`` are generated from these.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
