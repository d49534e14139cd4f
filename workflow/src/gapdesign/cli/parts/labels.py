"""What labels depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import SerializeAsAny, model_validator

from gapdesign.config.options import Options
from gapdesign.config.part import From, Part
from gapdesign.engines import ENGINES
from gapdesign.labels.gate import LimitOptions

if TYPE_CHECKING:
    from gapdesign.engines.base import Engine


class EnginePart(Part):
    """The reference engine and its options, without those of other engines."""

    name: Annotated[str, From(lambda at: at.study.labels.engine)]
    options: Annotated[SerializeAsAny[Options], From(lambda at: getattr(at.study.labels, at.study.labels.engine))]

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, given: Any) -> Any:
        """Read the options with the class of the engine."""
        return ENGINES.typed(given, "name")

    def make(self) -> Engine:
        """Return the engine; nothing is loaded or checked yet."""
        return ENGINES[self.name](self.options)


class GatePart(Part):
    """Limits on the structures that reach the engine."""

    min_distance: Annotated[float, From(lambda at: at.study.pools.constraints.min_distance)]
    limits: Annotated[LimitOptions, From(lambda at: at.study.labels.limits)]
    max_core_hours: Annotated[float | None, From(lambda at: at.study.labels.max_core_hours)]
