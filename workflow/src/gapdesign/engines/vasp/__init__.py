"""VASP: static runs, as Barzdajn and Race label their structures."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from gapdesign.engines.base import Engine, Label, NotConvergedError
from gapdesign.engines.shared import planewaves, programs, vasprun
from gapdesign.engines.shared.planewaves import KpointOptions
from gapdesign.engines.vasp.potcar import PotcarOptions, Potcars
from gapdesign.files import write_text

if TYPE_CHECKING:
    from ase import Atoms

Tag = bool | int | float | str | list[bool | int | float | str]
"""Value of a tag in INCAR."""

_STATIC = {"NSW": 0, "IBRION": -1, "ISIF": 2}
"""A static run with stress: a label needs these, so the user cannot change them."""

_INCAR: dict[str, Any] = {
    **{"GGA": "PE", "PREC": "Accurate", "ISPIN": 1, "ISMEAR": 1, "SIGMA": 0.2},
    **{"EDIFF": 1e-6, "NELM": 100, "ALGO": "Normal", "LREAL": False, "LWAVE": False, "LCHARG": False},
}

_STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("as configured", {}),
    (
        "ALGO = Normal with linear mixing (AMIX = 0.1, BMIX = 0.0001), NELM = 200",
        {"ALGO": "Normal", "AMIX": 0.1, "BMIX": 0.0001, "NELM": 200},
    ),
    ("ALGO = All, NELM = 300", {"ALGO": "All", "NELM": 300}),
    (
        "ALGO = All with small steps (TIME = 0.1), without symmetry (ISYM = 0), NELM = 500",
        {"ALGO": "All", "TIME": 0.1, "ISYM": 0, "NELM": 500},
    ),
)
"""Description of each attempt and the tags it sets. None changes what is computed (the cut-off, the mesh, the smearing
or the functional), so that labels of one design stay comparable."""

_HOW = frozenset(
    (
        *("ALGO", "IALGO", "NELM", "NELMIN", "NELMDL", "TIME", "AMIX", "BMIX", "AMIN", "MAXMIX", "LWAVE", "LCHARG"),
        *("NCORE", "NPAR", "KPAR", "NSIM", "LPLANE", "LSCALAPACK", "LSCALU", "NWRITE", "SYSTEM"),
    )
)
"""Tags that determine how VASP gets to the result and how fast; the label does not depend on them."""

_CHECKED = ("ISMEAR", "SIGMA", "ISPIN", "NSW", "ISIF")
"""Tags that VASP must report with the values they were given."""


class VaspKpointOptions(KpointOptions):
    """A mesh of k-points that contains the centre of the zone: `Auto` in KPOINTS, or a mesh written out."""

    length: float = Field(60.0, gt=0, description="Length that follows `Auto` in KPOINTS, in angstrom.")


class VaspOptions(programs.ProgramOptions):
    """VASP."""

    command: str = Field("vasp_std", description="Command that starts VASP, such as `srun vasp_std`.")
    version: str = Field(
        "",
        description="Version that labels must come from, or the beginning of one (`6.4`). Labels from other versions"
        " are refused, and the store distinguishes labels by it. Default: any.",
    )
    encut: float = Field(600.0, gt=0, description="Cut-off of the plane waves (ENCUT), in eV.")
    kpoints: VaspKpointOptions = Field(VaspKpointOptions(), description="The mesh of k-points.")
    incar: dict[str, Tag] = Field(
        {},
        description="Any other tags of INCAR, which take precedence over the defaults: GGA PE, PREC Accurate, ISPIN 1,"
        " ISMEAR 1, SIGMA 0.2, EDIFF 1e-6, NELM 100, ALGO Normal, LREAL, LWAVE and LCHARG False.",
    )
    isolated_incar: dict[str, Tag] = Field(
        {"ISPIN": 2, "ISMEAR": 0, "SIGMA": 0.01, "ISYM": 0},
        description="Tags that differ for an isolated atom; MAGMOM comes from Hund's rule unless set here.",
    )
    isolated_box: float = Field(15.0, ge=5, description="Edge of the cube around an isolated atom, in angstrom.")
    potcar: PotcarOptions = Field(PotcarOptions(), description="The POTCARs.")

    @field_validator("incar", "isolated_incar")
    @classmethod
    def _free(cls, tags: dict[str, Tag]) -> dict[str, Tag]:
        tags = {name.upper(): programs.number(value) for name, value in tags.items()}
        for name in (*_STATIC, "ENCUT", "KSPACING", "KGAMMA"):
            if name in tags:
                other = {"ENCUT": "set `encut`", "KSPACING": "set `kpoints`", "KGAMMA": "set `kpoints`"}
                raise ValueError(f"{name} cannot be set here; {other.get(name, 'a label is a static run with stress')}")
        return tags


class VaspEngine(Engine):
    """VASP, which needs a licence of its own and runs by the user's command."""

    name = "vasp"
    summary = "VASP"
    Options = VaspOptions
    environment = "vasp"
    repeats_everything = True
    attempts = tuple(words for words, _ in _STEPS)

    def __init__(self, options: VaspOptions) -> None:
        super().__init__(options)
        self._potcars = Potcars(options.potcar)
        self.isolated_box = options.isolated_box

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the user chose, except the place of the POTCARs and how VASP runs and iterates."""
        chosen = self._options.model_dump(
            mode="json", exclude={"command", "hours", "core_hours", "version"}, exclude_none=True
        )
        tags = {name: value for name, value in (_INCAR | self._options.incar).items() if name not in _HOW}
        return {**chosen, "incar": tags, "potcar": self._potcars.symbols}

    @property
    def data(self) -> list[Path]:
        """The POTCARs; see :class:`Engine`."""
        return self._potcars.paths

    @cached_property
    def version(self) -> str:
        """The requested version, if any, and the checksum of every POTCAR."""
        symbols = self._potcars.symbols
        hashes = [f"{symbols[element]} {potcar.sha256}" for element, potcar in self._potcars.all.items()]
        return ", ".join([f"vasp {self._options.version or 'of any version'}", *hashes])

    def check(self, elements: Collection[str] = ()) -> None:
        """Check that VASP's command, and a POTCAR for each of ``elements``, are there; see :class:`Engine`."""
        programs.require(
            self._options.command,
            key="labels.vasp.command",
            remedy="load VASP's module, or give the command that starts it on your machine",
        )
        self._potcars.require(elements or self._potcars.symbols or ["Zr"])

    def write_input(self, atoms: Atoms, folder: str | Path, *, attempt: int = 0, isolated: bool = False) -> None:
        """Write POSCAR, INCAR, KPOINTS and POTCAR of one structure into ``folder``, which must exist.

        Atoms are sorted by atomic number. A left-handed cell, which VASP refuses, is inverted: that keeps the lattice.

        Raises
        ------
        InputError
            If an element has no POTCAR.
        """
        from pymatgen.core import Structure
        from pymatgen.io.vasp.inputs import Incar, Poscar

        folder, symbols = Path(folder), sorted(set(atoms.get_chemical_symbols()), key=_number)
        self._potcars.require(symbols)
        ordered = _sorted(atoms)
        structure = Structure(ordered.cell.array, ordered.symbols, ordered.positions, coords_are_cartesian=True)
        poscar = Poscar(structure, comment="gapdesign")
        write_text(folder / "POSCAR", poscar.get_str(significant_figures=15))
        write_text(folder / "INCAR", Incar(self._tags(atoms, attempt, isolated)).get_str(sort_keys=True))
        write_text(folder / "KPOINTS", str(self._kpoints(isolated)))
        write_text(folder / "POTCAR", "".join(self._potcars.all[symbol].text for symbol in symbols))

    def label(self, atoms: Atoms, folder: Path, *, attempt: int = 0, isolated: bool = False) -> Label:
        """Run VASP in ``folder``, with its output in ``vasp.out`` there; see :class:`Engine`."""
        folder = Path(folder)
        self.write_input(atoms, folder, attempt=attempt, isolated=isolated)
        words = programs.split(self._options.command, key="labels.vasp.command")
        status = programs.run(words, folder, "vasp.out", results=["vasprun.xml"], hours=self._options.hours)
        try:
            calculation = vasprun.parse(folder / "vasprun.xml")
        except NotConvergedError as error:
            raise NotConvergedError(f"{error} VASP ended with status {status}; {_diagnose(folder)}.") from error
        if reason := self._refuse(atoms, calculation, attempt, isolated):
            raise NotConvergedError(f"VASP computed something other than it was asked for: {reason}.")
        order = np.argsort(_order(atoms))
        return Label(calculation.label.energy, calculation.label.forces[order], calculation.label.virial)

    def core_hours(self, atoms: Atoms) -> float:
        """Estimate the cost from electrons, k-points and plane waves; see :mod:`.shared.planewaves`."""
        options = self._options
        return options.core_hours or planewaves.core_hours(atoms, options.encut, options.kpoints)

    def _tags(self, atoms: Atoms, attempt: int, isolated: bool) -> dict[str, Any]:
        tags = _INCAR | self._options.incar | {"ENCUT": self._options.encut}
        if isolated:
            from ase.data import ground_state_magnetic_moments

            moment = float(ground_state_magnetic_moments[atoms.numbers[0]])
            tags |= {"MAGMOM": [moment]} | self._options.isolated_incar
        return tags | _STEPS[attempt][1] | _STATIC

    def _kpoints(self, isolated: bool) -> Any:
        from pymatgen.io.vasp.inputs import Kpoints

        options = self._options.kpoints
        if isolated or options.mesh is not None:
            return Kpoints.gamma_automatic((1, 1, 1) if isolated else options.mesh)
        length = int(options.length) if options.length.is_integer() else options.length
        return Kpoints(f"Auto {length}", style=Kpoints.supported_modes.Automatic, kpts=[[length]])

    def _refuse(self, atoms: Atoms, found: vasprun.Calculation, attempt: int, isolated: bool) -> str | None:
        options = self._options
        if reason := programs.compare_structures(_sorted(atoms), found.atoms):
            return f"the structure: {reason}"
        if found.ionic_steps != 1:
            return f"{found.ionic_steps} ionic steps in place of one"
        if abs(found.cutoff - options.encut) > 1e-3:
            return f"a cut-off of {found.cutoff:g} eV in place of {options.encut:g}"
        meshes = [(1, 1, 1)] if isolated else planewaves.meshes(atoms.cell.array, options.kpoints)
        if not any(planewaves.is_mesh(found.points, found.weights, mesh) for mesh in meshes):
            return f"k-points that are not of the mesh {meshes[0]}"
        tags = self._tags(atoms, attempt, isolated)
        for name in _CHECKED:
            if abs(float(found.parameters[name]) - float(tags[name])) > 1e-6:
                return f"{name} = {found.parameters[name]} in place of {tags[name]}"
        symbols = sorted(set(atoms.get_chemical_symbols()), key=_number)
        if found.titles != (titles := tuple(self._potcars.all[symbol].title for symbol in symbols)):
            return f"POTCARs {', '.join(found.titles)} in place of {', '.join(titles)}"
        if not found.version.startswith(options.version):
            return f"VASP {found.version} in place of {options.version}"
        return None


def _number(symbol: str) -> int:
    from ase.data import atomic_numbers

    return atomic_numbers[symbol]


def _order(atoms: Atoms) -> np.ndarray:
    """Return the indices of the atoms in the order of POSCAR, which groups them by species."""
    return np.argsort(atoms.numbers, kind="stable")


def _sorted(atoms: Atoms) -> Atoms:
    """Return the structure as POSCAR holds it."""
    ordered = atoms[_order(atoms)]
    if np.linalg.det(ordered.cell.array) < 0:
        ordered.set_cell(-ordered.cell.array)
    return ordered


def _diagnose(folder: Path) -> str:
    """Return the errors that custodian, if installed, recognises in the output, or else the end of the output."""
    log = folder / "vasp.out"
    if importlib.util.find_spec("custodian") is not None and log.is_file():
        from custodian.vasp.handlers import VaspErrorHandler

        handler = VaspErrorHandler(output_filename=log.name)
        handler.logger.disabled = True
        if handler.check(str(folder)):
            return f"custodian finds {', '.join(sorted(handler.errors))}"
    return f"its output ends: {programs.last_lines(log)}"
