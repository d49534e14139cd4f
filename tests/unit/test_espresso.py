"""Quantum ESPRESSO: its input, real output, what is refused, and real runs where pw.x and pseudopotentials are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read
from pydantic import ValidationError

from conftest import ROOT
from gapdesign import cli
from gapdesign.engines.base import NotConvergedError
from gapdesign.engines.espresso import EspressoEngine, EspressoOptions
from gapdesign.engines.file import FileEngine, FileOptions
from gapdesign.engines.shared import planewaves
from gapdesign.engines.shared.pwscf import parse
from gapdesign.errors import InputError
from gapdesign.files import write_frames
from gapdesign.labels.labelling import isolated_atom

OUTPUT = ROOT / "tests/data/espresso"
"""Output of pw.x 6.7 of Debian; make.py there writes it anew."""

LIBRARY = Path("/usr/share/espresso/pseudo")
"""Folder in which Debian's quantum-espresso-data has its pseudopotentials."""

HEADER = '<UPF version="2.0.1">\n<PP_HEADER\n   element="{}"\n/>\n</UPF>\n'


@pytest.fixture
def library(tmp_path):
    """Pseudopotentials with a header and nothing else, of both formats."""
    folder = tmp_path / "pseudo"
    folder.mkdir()
    (folder / "Zr.upf").write_text(HEADER.format("Zr"))
    (folder / "Al.UPF").write_text("<PP_HEADER>\n   0   Version Number\n  Al   Element\n</PP_HEADER>\n")
    return folder


@pytest.fixture
def make(library):
    def make(**options):
        pseudopotentials = {"library": str(library), "symbols": {"Zr": "Zr.upf", "Al": "Al.UPF"}}
        return EspressoEngine(EspressoOptions(**{"pseudopotentials": pseudopotentials, "command": "true", **options}))

    return make


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def alloy() -> Atoms:
    atoms = bulk("ZrAl", "cesiumchloride", a=3.4)
    atoms.rattle(0.1, seed=1)
    return atoms


def variables(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^ *(\w+) *= *(\S+)", path.read_text(), re.MULTILINE))


def test_input_holds_what_was_asked_and_the_structure(make, folder, library):
    atoms = alloy()
    make(ecutwfc=45, input={"conv_thr": "1e-10", "Vdw_Corr": "dft-d3"}).write_input(atoms, folder)
    found = variables(folder / "pw.in")
    expected = {
        **{"calculation": "'scf'", "tprnfor": ".true.", "tstress": ".true.", "occupations": "'smearing'"},
        **{"ecutwfc": "45.0", "ecutrho": "180.0", "smearing": "'mp'", "degauss": "0.01", "conv_thr": "1e-10"},
        **{"vdw_corr": "'dft-d3'", "pseudo_dir": f"'{library}'"},
    }
    assert {name: found.get(name) for name in expected} == expected
    back = read(folder / "pw.in", format="espresso-in")
    assert back.get_chemical_symbols() == atoms.get_chemical_symbols()
    np.testing.assert_allclose(back.positions, atoms.positions, atol=1e-9)
    np.testing.assert_allclose(back.cell.array, atoms.cell.array, atol=1e-9)
    mesh = planewaves.meshes(atoms.cell.array, EspressoOptions().kpoints)[0]
    assert f"K_POINTS automatic\n{' '.join(map(str, mesh))}  0 0 0" in (folder / "pw.in").read_text()


def test_an_isolated_atom_has_its_spin_and_one_k_point(make, folder):
    make().write_input(Atoms("Al", cell=[15] * 3, pbc=True), folder, isolated=True)
    found = variables(folder / "pw.in")
    assert (found["nspin"], found["tot_magnetization"], found["degauss"]) == ("2", "1.0", "0.001")
    assert "1 1 1  0 0 0" in (folder / "pw.in").read_text()
    make().write_input(bulk("Al"), folder)
    assert "nspin" not in variables(folder / "pw.in")


def test_attempts_change_how_it_iterates_and_never_what_is_computed(make, folder):
    engine, seen = make(), []
    for attempt in range(len(engine.attempts)):
        engine.write_input(alloy(), folder, attempt=attempt)
        seen.append(variables(folder / "pw.in"))
    changed = {name for other in seen[1:] for name in other if other[name] != seen[0].get(name)}
    assert changed == {"mixing_beta", "electron_maxstep", "diagonalization"}
    assert len({str(each) for each in seen}) == len(engine.attempts) == 3


@pytest.mark.parametrize("name", ["calculation", "TSTRESS", "outdir", "pseudo_dir", "ecutwfc"])
def test_variables_that_are_not_the_users_are_refused(name):
    with pytest.raises(ValidationError, match=f"{name.lower()} cannot be set here"):
        EspressoOptions(input={name: 1})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"command": "no-such-pw.x"}, "labels.espresso.command: there is no program 'no-such-pw.x' here; install"),
        ({"pseudopotentials": {"symbols": {}}}, "pseudopotentials.symbols: there is none for Zr; name its file"),
        ({"pseudopotentials": {"symbols": {"Zr": "Zr.psp"}}}, r"there is no file .*Zr.psp; give the folder"),
        ({"pseudopotentials": {"symbols": {"Zr": "Al.UPF"}}}, "Al.UPF is not a pseudopotential of Zr in UPF format"),
    ],
)
def test_check_names_what_is_missing(options, message, make, library):
    if "pseudopotentials" in options:
        options = {"pseudopotentials": {"library": str(library), **options["pseudopotentials"]}}
    with pytest.raises(InputError, match=message):
        make(**options).check(["Zr"])
    make().check(["Zr", "Al"])


def test_identity_is_what_is_computed_and_not_how_or_where(make, library):
    engine = make()
    assert str(library) not in f"{engine.settings} {engine.version}"
    same = make(command="mpirun -np 4 pw.x", hours=2)
    assert (same.settings, same.version) == (engine.settings, engine.version)
    (library / "Zr.upf").write_text(HEADER.format("Zr") + "\n")
    assert make().version != engine.version and make().settings == engine.settings
    assert make(ecutwfc=50).settings != engine.settings


def replay(make, sample: str, **options):
    """An engine whose command, a stand-in for pw.x, puts real output of a calculation of aluminium into the folder."""
    source = OUTPUT / sample
    command = f"sh -c 'mkdir -p pwscf.save; cp {source}.xml pwscf.save/data-file-schema.xml; cat {source}.out'"
    return make(command=command, **{"ecutwfc": 12, "kpoints": {"mesh": [3, 3, 3]}, **options})


def sent() -> Atoms:
    """Results computed by make.py."""
    return read(OUTPUT / "sent.xyz")


def test_real_output_gives_its_label(make, folder):
    """Against ASE's reader of the text output, which has fewer digits and constants of another year."""
    label = replay(make, "converged").label(sent(), folder)
    text = read(OUTPUT / "converged.out", format="espresso-out")
    assert label.energy == pytest.approx(text.get_potential_energy(), abs=2e-5)
    np.testing.assert_allclose(label.forces, text.get_forces(), atol=1e-6)
    np.testing.assert_allclose(label.virial, -text.get_volume() * text.get_stress(voigt=False), atol=2e-4)
    output = parse(OUTPUT / "converged.xml")
    assert (output.ecutwfc, output.ecutrho, output.version[:3]) == (12, 48, "6.7")


@pytest.mark.parametrize(
    ("sample", "options", "message"),
    [
        ("unconverged", {}, "pw.x: the electrons did not converge"),
        ("converged", {"ecutwfc": 13}, "ecutwfc = 12 Ry in place of 13"),
        ("converged", {"ecutrho": 60}, "ecutrho = 48 Ry in place of 60"),
        ("converged", {"kpoints": {"mesh": [3, 3, 4]}}, r"k-points that are not of the mesh \(3, 3, 4\)"),
        ("converged", {"version": "7"}, "version 6.7.* in place of 7"),
    ],
)
def test_real_output_of_another_calculation_is_refused(sample, options, message, make, folder):
    with pytest.raises(NotConvergedError, match=message):
        replay(make, sample, **options).label(sent(), folder)


def test_another_structure_and_damaged_output_are_refused(make, folder, tmp_path):
    moved = sent()
    moved.positions[0, 1] += 0.001
    with pytest.raises(NotConvergedError, match=r"an atom has moved by 0\.001 angstrom"):
        replay(make, "converged").label(moved, folder)
    with pytest.raises(NotConvergedError, match="it is of Al2 in place of AlZr"):
        replay(make, "converged").label(alloy(), folder)
    text = (OUTPUT / "converged.xml").read_text()
    for spoilt in (text[: len(text) // 2], text.replace("stress", "strss")):
        (tmp_path / "spoilt.xml").write_text(spoilt)
        with pytest.raises(NotConvergedError, match="cut off or incomplete"):
            parse(tmp_path / "spoilt.xml")
    with pytest.raises(NotConvergedError, match=r"pw.x did not finish\. pw.x ended with status 0"):
        make().label(sent(), folder)


@pytest.fixture
def aluminium():
    """pw.x itself, with a norm-conserving aluminium of LDA and a cut-off at which Pulay stress is small."""
    if shutil.which("pw.x") is None or not (LIBRARY / "Al.pz-vbc.UPF").is_file():
        pytest.skip("needs pw.x and its examples' pseudopotentials (Debian: quantum-espresso, quantum-espresso-data)")

    def make(**options):
        pseudopotentials = {"library": str(LIBRARY), "symbols": {"Al": "Al.pz-vbc.UPF"}}
        defaults = {"ecutwfc": 16, "kpoints": {"mesh": [2, 2, 2]}, "degauss": 0.02}
        return EspressoEngine(EspressoOptions(**{"pseudopotentials": pseudopotentials, **defaults, **options}))

    return make


@pytest.mark.dft
def test_forces_of_a_real_run_are_derivatives_of_its_energy(aluminium, folder):
    engine, atoms, step = aluminium(), sent(), 2e-3
    engine.check(["Al"])
    label = engine.label(atoms, folder)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[0, 0] += sign * step
        energies.append(engine.label(moved, folder).energy)
    assert abs(label.forces[0, 0]) > 0.02
    assert label.forces[0, 0] == pytest.approx((energies[1] - energies[0]) / (2 * step), abs=2e-3)


@pytest.mark.dft
def test_virial_of_a_real_run_is_a_derivative_of_its_energy(aluminium, folder):
    """At a high cut-off: plane waves of a fixed energy are not a basis of fixed size (Pulay stress)."""
    engine, step = aluminium(ecutwfc=80), 5e-3
    atoms = Atoms("Al", cell=sent().cell.array * [[0.5], [1], [1]], pbc=True)
    virial = engine.label(atoms, folder).virial
    for index in ((0, 0), (0, 1)):
        energies = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[index] += sign * step / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ (np.eye(3) + strain + strain.T), scale_atoms=True)
            energies.append(engine.label(strained, folder).energy)
        assert abs(virial[index]) > 0.1
        assert virial[index] == pytest.approx((energies[1] - energies[0]) / (2 * step), rel=0.01)


@pytest.mark.dft
def test_a_real_run_that_does_not_converge_is_refused_and_a_later_attempt_is_not(aluminium, folder):
    engine = aluminium(input={"electron_maxstep": 2})
    with pytest.raises(NotConvergedError, match="the electrons did not converge"):
        engine.label(sent(), folder)
    expected = aluminium().label(sent(), folder)
    assert engine.label(sent(), folder, attempt=1).energy == pytest.approx(expected.energy, abs=1e-6)


@pytest.mark.dft
def test_a_real_isolated_atom_is_polarised(aluminium, folder):
    engine = aluminium(isolated_box=7.0)
    engine.label(Atoms("Al", cell=[7.0] * 3, pbc=True), folder, isolated=True)
    moment = re.findall(r"total magnetization += +([\d.]+)", (folder / "pw.out").read_text())[-1]
    assert float(moment) == pytest.approx(1.0, abs=0.01)


@pytest.mark.dft
def test_an_exported_design_comes_back_as_the_engine_labels_it(aluminium, tmp_path, capsys):
    """By the verbs that people use: folders, pw.x in each, and the engine file; isolated atom and spin included."""
    frames = [sent(), sent()]
    for rank, atoms in enumerate(frames):
        atoms.set_cell(atoms.cell * (1 + 0.01 * rank), scale_atoms=True)
        atoms.info = {"rank": rank, "pool": "A", "candidate": rank}
    write_frames(tmp_path / "OPT.extxyz", frames)
    options = {"pseudopotentials": {"library": str(LIBRARY), "symbols": {"Al": "Al.pz-vbc.UPF"}}, "ecutwfc": 16}
    options |= {"kpoints": {"mesh": [2, 2, 2]}, "degauss": 0.02, "isolated_box": 7.0}
    labels = {"engine": "file", "file": {"paths": [str(tmp_path / "runs")]}, "espresso": options}
    config = json.dumps({"labels": labels, "prototypes": {"fcc": {"element": "Al", "lattice": "fcc", "a": 4.05}}})
    arguments = ["export", "--config", config, "--format", "espresso", str(tmp_path / "OPT.extxyz")]
    assert cli.main([*arguments, "--output", str(tmp_path / "runs")]) == 0
    for folder in (tmp_path / "runs").iterdir():
        with (folder / "pw.out").open("wb") as output:
            subprocess.run(["pw.x", "-in", "pw.in"], cwd=folder, check=True, stdout=output)
    (tmp_path / "runs/0001/pwscf.save/data-file-schema.xml").unlink()
    assert cli.main(["match", "--config", config, str(tmp_path / "OPT.extxyz")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/runs: 3 folders, 1 of them for isolated atoms\n"
    found, engine = FileEngine(FileOptions(paths=(str(tmp_path / "runs"),))), aluminium(isolated_box=7.0)
    (tmp_path / "run").mkdir()
    atom = isolated_atom("Al", 7.0)
    expected = engine.label(atom, tmp_path / "run", isolated=True).energy
    assert found.label(atom, isolated=True).energy == pytest.approx(expected, abs=1e-8)
    for atoms, tolerance in zip(frames, (1e-8, 2e-5), strict=True):  # from XML, and from text alone
        assert_close(found.label(atoms), engine.label(atoms, tmp_path / "run"), tolerance)


def assert_close(label, expected, tolerance):
    assert label.energy == pytest.approx(expected.energy, abs=tolerance)
    np.testing.assert_allclose(label.forces, expected.forces, atol=tolerance)
    np.testing.assert_allclose(label.virial, expected.virial, atol=tolerance)
