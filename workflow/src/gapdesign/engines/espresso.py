"""Quantum ESPRESSO: pw.x, with the user's own pseudopotentials."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from gapdesign.config.options import Options
from gapdesign.engines.base import Engine, Label, NotConvergedError
from gapdesign.engines.shared import planewaves, programs, pwscf
from gapdesign.engines.shared.planewaves import KpointOptions
from gapdesign.errors import InputError
from gapdesign.files import atomic, sha256

if TYPE_CHECKING:
    from ase import Atoms

Value = bool | int | float | str

_STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("as configured", {}),
    ("mixing_beta = 0.3, electron_maxstep = 200", {"mixing_beta": 0.3, "electron_maxstep": 200}),
    (
        "mixing_beta = 0.1, conjugate gradients (diagonalization = 'cg'), electron_maxstep = 300",
        {"mixing_beta": 0.1, "diagonalization": "cg", "electron_maxstep": 300},
    ),
)
"""Description of each attempt and the variables it sets: they change how pw.x iterates, never what it converges to."""

_FIXED = {"calculation": "scf", "tstress": True, "tprnfor": True, "prefix": "pwscf", "outdir": "."}
"""A single calculation with forces and stress, and the place of its files; the user cannot change these."""

_XML = "pwscf.save/data-file-schema.xml"

_HEADERS = (r'element\s*=\s*"\s*([A-Za-z]+)\s*"', r"^\s*([A-Za-z]+)\s+Element\b")
"""The element in the header of a pseudopotential, in version 2 and in version 1 of the format."""


class PseudopotentialOptions(Options):
    """The user's own pseudopotentials."""

    library: str = Field(".", min_length=1, description="Folder that holds them.")
    symbols: dict[str, str] = Field(
        {}, description="File for each element, such as `{Zr: Zr.upf}`; every element of the study needs one."
    )


class EspressoOptions(programs.ProgramOptions):
    """Quantum ESPRESSO's pw.x."""

    command: str = Field("pw.x", description="Command that starts pw.x, such as `mpirun -np 4 pw.x -nk 2`.")
    version: str = Field(
        "",
        description="Version that labels must come from, or the beginning of one (`7.2`). Labels from other versions"
        " are refused, and the store distinguishes labels by it. Default: any.",
    )
    ecutwfc: float = Field(60.0, gt=0, description="Cut-off of the wave functions, in Ry.")
    ecutrho: float | None = Field(
        None,
        gt=0,
        description="Cut-off of the density, in Ry; ultrasoft data sets need 8 to 12 times ecutwfc. Default: 4 times.",
    )
    kpoints: KpointOptions = Field(KpointOptions(), description="The mesh of k-points.")
    degauss: float = Field(0.01, gt=0, description="Width of Methfessel-Paxton smearing of first order, in Ry.")
    input: dict[str, Value] = Field(
        {}, description="Any other variables of the namelists, which take precedence; `conv_thr` is 1e-9 Ry by default."
    )
    isolated_input: dict[str, Value] = Field(
        {"nspin": 2, "smearing": "gaussian", "degauss": 0.001, "nosym": True},
        description="Variables that differ for an isolated atom; tot_magnetization comes from Hund's rule unless"
        " you set it here.",
    )
    isolated_box: float = Field(15.0, ge=5, description="Edge of the cube around an isolated atom, in angstrom.")
    pseudopotentials: PseudopotentialOptions = Field(PseudopotentialOptions(), description="The pseudopotentials.")

    @field_validator("input", "isolated_input")
    @classmethod
    def _free(cls, variables: dict[str, Value]) -> dict[str, Value]:
        variables = {name.lower(): programs.number(value) for name, value in variables.items()}
        for name in (*_FIXED, "pseudo_dir", "ecutwfc", "ecutrho"):
            if name in variables:
                own = name.startswith("ecut")
                raise ValueError(f"{name} cannot be set here; {f'set `{name}` above' if own else 'gapdesign sets it'}")
        return variables


class EspressoEngine(Engine):
    """Quantum ESPRESSO.

    Energies are free energies, which include the smearing's -TS; forces and stress are their derivatives. Their zero
    is that of separated electrons and cores, as the pseudopotentials define these.
    """

    name = "espresso"
    summary = "Quantum ESPRESSO's pw.x"
    Options = EspressoOptions
    environment = "espresso"
    repeats_everything = True
    attempts = tuple(words for words, _ in _STEPS)

    def __init__(self, options: EspressoOptions) -> None:
        super().__init__(options)
        self.isolated_box = options.isolated_box

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the user chose, except the place of the pseudopotentials and how pw.x is run."""
        chosen = self._options.model_dump(
            mode="json", exclude={"command", "hours", "core_hours", "version"}, exclude_none=True
        )
        return {**chosen, "pseudopotentials": self._options.pseudopotentials.symbols}

    @cached_property
    def version(self) -> str:
        """The requested version, if any, and the checksum of every pseudopotential."""
        names = self._options.pseudopotentials.symbols
        hashes = [f"{names[element]} {sha256(path)}" for element, path in zip(sorted(names), self.data, strict=True)]
        return ", ".join([f"pw.x {self._options.version or 'of any version'}", *hashes])

    @property
    def data(self) -> list[Path]:
        """The pseudopotentials; see :class:`Engine`."""
        return [self._pseudopotential(element) for element in sorted(self._options.pseudopotentials.symbols)]

    def check(self, elements: Collection[str] = ()) -> None:
        """Check that pw.x, and a pseudopotential for each of ``elements``, are there; see :class:`Engine`."""
        programs.require(
            self._options.command,
            key="labels.espresso.command",
            remedy="install Quantum ESPRESSO (Debian: quantum-espresso), load its module, or correct the command",
        )
        for element in elements or self._options.pseudopotentials.symbols or ["Zr"]:
            self._pseudopotential(element)

    def write_input(self, atoms: Atoms, folder: str | Path, *, attempt: int = 0, isolated: bool = False) -> None:
        """Write ``pw.in`` for one structure into ``folder``, which must exist.

        Raises
        ------
        InputError
            If an element has no pseudopotential.
        """
        from ase.io import write

        options = self._options
        elements = sorted(set(atoms.get_chemical_symbols()))
        files = {element: self._pseudopotential(element) for element in elements}
        variables = {
            **{"ecutwfc": options.ecutwfc, "ecutrho": self._ecutrho, "occupations": "smearing", "smearing": "mp"},
            **{"degauss": options.degauss, "conv_thr": 1e-9, **options.input},
            **(self._isolated(atoms) if isolated else {}),
            **{**_STEPS[attempt][1], **_FIXED, "pseudo_dir": str(next(iter(files.values())).parent.resolve())},
        }
        with atomic(Path(folder) / "pw.in") as temporary:
            write(
                temporary,
                atoms,
                format="espresso-in",
                input_data=variables,
                pseudopotentials={element: path.name for element, path in files.items()},
                kpts=(1, 1, 1) if isolated else planewaves.meshes(atoms.cell.array, options.kpoints)[0],
                koffset=(0, 0, 0),
            )

    def label(self, atoms: Atoms, folder: Path, *, attempt: int = 0, isolated: bool = False) -> Label:
        """Run pw.x in ``folder``, with its output in ``pw.out`` there; see :class:`Engine`."""
        folder = Path(folder)
        self.write_input(atoms, folder, attempt=attempt, isolated=isolated)
        words = [*programs.split(self._options.command, key="labels.espresso.command"), "-in", "pw.in"]
        status = programs.run(words, folder, "pw.out", results=[_XML], hours=self._options.hours)
        said = f"pw.x ended with status {status}; its output ends: {programs.last_lines(folder / 'pw.out')}."
        if "JOB DONE" not in (folder / "pw.out").read_text(encoding="utf-8", errors="replace"):
            raise NotConvergedError(f"pw.x did not finish. {said}")
        try:
            output = pwscf.parse(folder / _XML)
        except NotConvergedError as error:
            raise NotConvergedError(f"{error} {said}") from error
        if reason := self._refuse(atoms, output, isolated):
            raise NotConvergedError(f"pw.x computed something other than it was asked for: {reason}.")
        return output.label

    def core_hours(self, atoms: Atoms) -> float:
        """Estimate the cost from electrons, k-points and plane waves; see :mod:`.shared.planewaves`."""
        from ase.units import Ry

        options = self._options
        return options.core_hours or planewaves.core_hours(atoms, options.ecutwfc * Ry, options.kpoints)

    @property
    def _ecutrho(self) -> float:
        return self._options.ecutrho or 4 * self._options.ecutwfc

    def _isolated(self, atoms: Atoms) -> dict[str, Any]:
        from ase.data import ground_state_magnetic_moments

        variables = dict(self._options.isolated_input)
        if variables.get("nspin") == 2:
            variables.setdefault("tot_magnetization", float(ground_state_magnetic_moments[atoms.numbers[0]]))
        return variables

    def _refuse(self, atoms: Atoms, output: pwscf.Output, isolated: bool) -> str | None:
        options = self._options
        if reason := programs.compare_structures(atoms, output.atoms):
            return f"the structure: {reason}"
        for name, asked in (("ecutwfc", options.ecutwfc), ("ecutrho", self._ecutrho)):
            if abs((found := getattr(output, name)) - asked) > 1e-4:
                return f"{name} = {found:g} Ry in place of {asked:g}"
        mesh = (1, 1, 1) if isolated else planewaves.meshes(atoms.cell.array, options.kpoints)[0]
        if not planewaves.is_mesh(output.points, output.weights, mesh):
            return f"k-points that are not of the mesh {mesh}"
        if not output.version.startswith(options.version):
            return f"version {output.version} in place of {options.version}"
        return None

    def _pseudopotential(self, element: str) -> Path:
        given = self._options.pseudopotentials
        if element not in given.symbols:
            raise InputError(
                f"labels.espresso.pseudopotentials.symbols: there is none for {element}; name its file, such as"
                f" `{{{element}: {element}.upf}}`."
            )
        path = Path(given.library).expanduser() / given.symbols[element]
        if not path.is_file():
            raise InputError(
                f"labels.espresso.pseudopotentials: there is no file {path}; give the folder as `library` and the file"
                " among `symbols`."
            )
        text = path.read_text(encoding="utf-8", errors="replace")
        found = next((match[1] for header in _HEADERS if (match := re.search(header, text, re.MULTILINE))), None)
        if found != element:
            raise InputError(
                f"labels.espresso.pseudopotentials.symbols: {path} is not a pseudopotential of {element} in UPF format;"
                " choose one that is."
            )
        return path
