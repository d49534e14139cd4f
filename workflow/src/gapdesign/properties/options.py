"""The options of properties: which ones, how they are measured, and their published values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gapdesign.config.options import Identifier, Options
from gapdesign.engines import ENGINES, Engine

Name = Literal["lattice", "volumes", "elastic", "dimer", "phonons", "nve"]


_CHEAP = " and ".join(f"`{name}`" for name, engine in ENGINES.items() if engine.is_cheap)


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError(f"{list(names)} has a name twice; list each name once")
    return names


Names = Annotated[tuple[Name, ...], AfterValidator(_once)]


class VolumesOptions(Options):
    """Energy-volume curves, with the shape of the cell relaxed at every volume."""

    range: float = Field(
        0.06,
        gt=0,
        le=0.3,
        description="Largest change of the volume from equilibrium, as a fraction, in either direction.",
    )
    points: int = Field(7, ge=5, description="Volumes along the curve.")


class DimerOptions(Options):
    """An isolated pair of atoms, for every pair of elements, up to the larger of the potential's two cut-offs."""

    nearest: float = Field(
        0.6, gt=0, lt=1, description="Shortest distance, as a fraction of the sum of the covalent radii."
    )
    points: int = Field(40, ge=5, description="Distances along the curve.")


class PhononsOptions(Options):
    """Phonons by finite displacements (phonopy), along the path of the crystal's Bravais lattice."""

    crystals: tuple[Identifier, ...] | None = Field(
        None, min_length=1, description="Prototypes whose phonons are computed. Default: the first one."
    )
    length: float = Field(
        10.0, gt=0, description="Smallest distance between an atom and its images in the supercell, in angstrom."
    )
    displacement: float = Field(0.01, gt=0, le=0.1, description="Displacement of an atom, in angstrom.")
    points: int = Field(60, ge=10, description="Wave vectors along the path.")


class NveOptions(Options):
    """Molecular dynamics at constant energy (velocity Verlet), which a smooth potential conserves."""

    crystals: tuple[Identifier, ...] | None = Field(
        None, min_length=1, description="Prototypes that are set in motion. Default: the first one."
    )
    atoms: int = Field(16, ge=2, description="Smallest number of atoms in the supercell.")
    temperature: float = Field(300.0, gt=0, description="Temperature of the velocities at the start, in K.")
    timestep: float = Field(2.0, gt=0, le=20, description="Time step, in fs; 2 suits metals, 0.5 hydrogen.")
    steps: int = Field(100, ge=10, description="Number of steps.")


class PublishedOptions(Options):
    """Published values, to compare with models and reference."""

    of: str | None = Field(
        None,
        min_length=1,
        description="Elements that the values belong to, such as `Zr` or `CuZr`; a study of other elements is refused.",
    )
    source: str = Field("", description="Source of the values, as the report should cite it.")
    values: dict[Identifier, dict[str, float]] = Field(
        {},
        description="For each prototype, properties by the names of `properties.csv` and their values in its units:"
        " `{hcp: {a: 3.2316, C11: 155.4}}`.",
    )


class MeasuredOptions(Options):
    """Properties of crystals to measure, and how."""

    compute: Names = Field(
        ("lattice", "volumes", "elastic", "dimer", "phonons"),
        description="Properties to measure: `lattice` (lattice constants, energies of the prototypes above the first),"
        " `volumes` (equation of state), `elastic` (elastic constants), `dimer`, `phonons`, `nve` (conservation of"
        " energy in a short run, which takes several times as long as all the others). The report shows all listed"
        " properties; if the list is empty, it has no such section.",
    )
    strain: float = Field(
        0.005, gt=0, le=0.02, description="Strain, in either direction, by which elastic constants are measured."
    )
    max_force: float = Field(
        1e-4, gt=0, description="Largest force, in eV/angstrom, and virial, in eV per atom, left in a relaxed crystal."
    )
    max_steps: int = Field(100, ge=1, description="Steps after which a crystal counts as not relaxing.")
    volumes: VolumesOptions = Field(VolumesOptions(), description="Settings of `volumes`.")
    dimer: DimerOptions = Field(DimerOptions(), description="Settings of `dimer`.")
    phonons: PhononsOptions = Field(PhononsOptions(), description="Settings of `phonons`.")
    nve: NveOptions = Field(NveOptions(), description="Settings of `nve`.")


class PropertiesOptions(MeasuredOptions):
    """Properties of crystals, measured on every model and compared with the reference engine."""

    reference: Names | None = Field(
        None,
        description=f"Properties that the reference engine computes too. Default: all for the engines {_CHEAP}, and"
        " none for others, for which `snakemake plan` shows the cost. Its labels are kept in the store.",
    )
    published: PublishedOptions = Field(PublishedOptions(), description="Published values.")

    @property
    def measured(self) -> MeasuredOptions:
        """Return the options that the values of a model depend on."""
        return MeasuredOptions(**{name: getattr(self, name) for name in MeasuredOptions.model_fields})

    def of_reference(self, engine: type[Engine]) -> tuple[str, ...]:
        """Return the properties that the reference engine computes, in the order of ``compute``."""
        cheap = self.compute if engine.is_cheap else ()
        asked = cheap if self.reference is None else self.reference
        return tuple(name for name in self.compute if name in asked)


_KNOWN = re.compile(r"[abc]|alpha|beta|gamma|c/a|above|V0|B|C[1-6][1-6]|length|binding|phonon_max|phonon_min")


def mismatch(
    options: PropertiesOptions, prototypes: Sequence[str], symbols: Sequence[str], engine: type[Engine]
) -> str | None:
    """Return what the options request that the study does not have, or None.

    Parameters
    ----------
    options
        The options.
    prototypes
        Names of the study's prototypes.
    symbols
        Its elements.
    engine
        The reference engine.

    Returns
    -------
    str or None
        A sentence that begins with the key below ``properties``.
    """
    of = options.published.of
    if of is not None and set(re.findall("[A-Z][a-z]?", of)) != set(symbols):
        return (
            f"published.of: the published values belong to {of}, but the study is of {', '.join(symbols)};"
            " give values for the study, or leave `published` out."
        )
    named = {f"{name}.crystals": getattr(options, name).crystals or () for name in ("phonons", "nve")}
    named["published.values"] = [name for name in options.published.values if "-" not in name]  # a dimer has one
    for key, names in named.items():
        for name in names:
            if name not in prototypes:
                return f"{key}: there is no prototype '{name}'; choose from {', '.join(prototypes)}."
    for crystal, values in options.published.values.items():
        for name in values:
            if not _KNOWN.fullmatch(name):
                return (
                    f"published.values.{crystal}: '{name}' is not a property; those of properties.csv are a, c, c/a,"
                    " above, V0, B, C11 and so on, length, binding, phonon_max and phonon_min."
                )
    if not engine.computes and options.reference:
        return (
            f"reference: the engine {engine.name} only returns labels that you give it and can measure no properties;"
            " leave this out, and see `properties.published`."
        )
    return None
