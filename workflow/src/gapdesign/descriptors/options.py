"""Options of descriptors in the configuration."""

from __future__ import annotations

from typing import Any

from pydantic import (
    Field,
    SerializeAsAny,
    create_model,
    model_validator,
)

from gapdesign.config.options import Options
from gapdesign.descriptors import DESCRIPTORS, EnvironmentDescriptor
from gapdesign.descriptors.scaling import Components
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError


class ChosenDescriptor(Options):
    """The descriptor that a study uses, without the options of others."""

    backend: str
    options: SerializeAsAny[Options]
    components: Components

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, given: Any) -> Any:
        """Read the options with the class of the descriptor."""
        return DESCRIPTORS.typed(given, "backend")

    @property
    def member(self) -> type[EnvironmentDescriptor]:
        """The class that describes environments."""
        return DESCRIPTORS[self.backend]


class _Descriptor(Options):
    """Descriptor that turns structures into vectors."""

    backend: DESCRIPTORS.names = Field(
        "dscribe",
        description=f"Program that describes the environments of atoms. {DESCRIPTORS.choices} Their features are not"
        " interchangeable.",
    )
    components: Components = Field(
        "raw",
        description="Scale of the components of an environment. `raw`: as the program gives them. `standardised`: by"
        " mean and deviation in a sample of all pools, for descriptors whose components differ by orders of magnitude."
        " `whitened`: by those of principal directions.",
    )
    soap: SoapOptions = Field(SoapOptions(), description="Size and resolution of SOAP.")

    @property
    def member(self) -> type[EnvironmentDescriptor]:
        """The class that describes environments."""
        return DESCRIPTORS[self.backend]

    @property
    def options(self) -> Options:
        """Options of the descriptor: those given, or the defaults."""
        return getattr(self, self.member.block, None) or self.member.Options()

    @property
    def chosen(self) -> ChosenDescriptor:
        """The descriptor without the options of others."""
        return ChosenDescriptor(backend=self.backend, options=self.options, components=self.components)


def _blocks() -> dict[str, type[Options]]:
    """Return the blocks of options besides `soap`, which every study has because its potentials use SOAP."""
    blocks: dict[str, type[Options]] = {"soap": SoapOptions}
    for name, descriptor in DESCRIPTORS.items():
        if descriptor.Options is Options:
            continue
        shared = blocks.setdefault(descriptor.block, descriptor.Options)
        if descriptor.block not in ("soap", *DESCRIPTORS) or shared is not descriptor.Options:
            raise InputError(
                f"descriptor.backend: '{name}' puts its options into the block '{descriptor.block}', which is not its"
                " own; repair or uninstall its package."
            )
    return {name: options for name, options in blocks.items() if name != "soap"}


DESCRIPTORS.keep_off("descriptor", {*dir(_Descriptor), *_Descriptor.model_fields})

DescriptorOptions = create_model(
    "DescriptorOptions",
    __base__=_Descriptor,
    __doc__=_Descriptor.__doc__,
    __module__=__name__,
    **{
        name: (options, Field(options(), description=f"Options of the descriptor `{name}`."))
        for name, options in _blocks().items()
    },
)
