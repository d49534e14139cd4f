"""Options of models in the configuration: of one kind, or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import (
    Field,
    PrivateAttr,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    create_model,
    model_serializer,
    model_validator,
)

from gapdesign.config.options import Options
from gapdesign.models import MODELS, Potential
from gapdesign.models.gap.options import GapOptions

DEFAULT = "gap"
"""The kind whose options are the keys of the block `model` itself, as they were when there was no other."""


class ChosenModel(Options):
    """A kind of model and its options."""

    kind: str
    options: SerializeAsAny[Options]

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, given: Any) -> Any:
        """Read the options with the class of the kind."""
        return MODELS.typed(given, "kind")

    @property
    def member(self) -> type[Potential]:
        """The class that fits and evaluates it."""
        return MODELS[self.kind]


class _Model(GapOptions):
    """The kind of model that is fitted to each design, with its options."""

    kind: MODELS.names = Field(
        DEFAULT,
        description=f"Kind of model. {MODELS.choices} The keys beside this one are those of `{DEFAULT}`, and every"
        " other kind has a block named after it. For several kinds side by side give `models` instead.",
    )

    @property
    def gap(self) -> GapOptions:
        """The options of the default kind."""
        return GapOptions(**{name: getattr(self, name) for name in GapOptions.model_fields})

    @property
    def chosen(self) -> ChosenModel:
        """The kind and its options, without those of others."""
        return ChosenModel(kind=self.kind, options=getattr(self, self.kind, None) or MODELS[self.kind].Options())


MODELS.keep_off("model", {*dir(_Model), *_Model.model_fields} - {DEFAULT})

_OTHERS = {name: member.Options for name, member in MODELS.items() if name != DEFAULT}

ModelOptions = create_model(
    "ModelOptions",
    __base__=_Model,
    __doc__=_Model.__doc__,
    __module__=__name__,
    **{
        name: (options, Field(options(), description=f"Options of the model `{name}`."))
        for name, options in _OTHERS.items()
        if options is not Options
    },
)


class _SideBySide(Options):
    """Several kinds of models, each fitted to every design; results of all but the first have a folder of their own."""

    _order: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _ordered(cls, given: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        """Keep the order in which the kinds are given."""
        made = handler(given)
        if isinstance(given, Mapping):
            made._order = tuple(name for name in given if getattr(made, name) is not None)
        return made

    @model_serializer(mode="wrap")
    def _in_order(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = handler(self)
        return {name: written[name] for name in self._order}

    @property
    def chosen(self) -> list[ChosenModel]:
        """The kinds with their options, in the order in which they are given."""
        return [ChosenModel(kind=name, options=getattr(self, name)) for name in self._order]


ModelsOptions = create_model(
    "ModelsOptions",
    __base__=_SideBySide,
    __doc__=_SideBySide.__doc__,
    __module__=__name__,
    **{
        name: (member.Options | None, Field(None, description=f"{member.summary[:1].upper()}{member.summary[1:]}."))
        for name, member in MODELS.items()
    },
)
