"""Labels that were made elsewhere: found by structure in every kind of file, and designs exported for that."""

import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import ase
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from ase.stress import full_3x3_to_voigt_6_stress

from conftest import ROOT
from gapdesign import cli
from gapdesign.engines import make
from gapdesign.engines.base import NotConvergedError
from gapdesign.engines.options import LabelOptions
from gapdesign.errors import InputError
from gapdesign.files import read_frames, write_frames
from gapdesign.labels.export import Xyz, export
from gapdesign.labels.labelling import isolated_atom
from gapdesign.labels.store import label_key

DATA = Path(__file__).parents[1] / "data"
OUTCAR = Path(ase.__file__).parent / "test/testdata/vasp"


def design(count: int = 4) -> list[Atoms]:
    frames = []
    for rank in range(count):
        atoms = bulk("CuZr", "cesiumchloride", a=3.2 + 0.02 * rank).repeat((2, 1, 1))
        atoms.rattle(0.1, seed=rank)
        atoms.info.update(rank=rank, pool="A", candidate=10 + rank)
        frames.append(atoms)
    return frames


@pytest.fixture
def eam():
    return make("eam", LabelOptions(eam={"potential": "CuZr_mm.eam.fs"}))


def engine(*paths, **options):
    return make("file", LabelOptions(file={"paths": [str(path) for path in paths], **options}))


def computed(atoms: Atoms, eam, seed: int) -> Atoms:
    """The structure with its label, as another program may give it: atoms shuffled, in other images, rounded."""
    rng = np.random.default_rng(seed)
    label, order = eam.label(atoms), rng.permutation(len(atoms))
    other = Atoms(atoms.numbers[order], positions=atoms.positions[order], cell=atoms.cell, pbc=True)
    other.positions = np.round(other.positions + rng.integers(-1, 2, (len(atoms), 3)) @ atoms.cell.array, 5)
    other.info.update(REF_energy=label.energy, REF_virial=label.virial.ravel())
    other.set_array("REF_forces", label.forces[order])
    return other


def assert_same(label, expected):
    assert label.energy == pytest.approx(expected.energy, abs=1e-10)
    np.testing.assert_allclose(label.forces, expected.forces, atol=1e-7)
    np.testing.assert_allclose(label.virial, expected.virial, atol=1e-10)


@pytest.fixture
def results(eam, tmp_path):
    """Results of a design in one file, last rank first, with one that nobody asked for in between."""
    frames = [computed(atoms, eam, rank) for rank, atoms in enumerate(design())][::-1]
    frames.insert(2, computed(design(5)[4], eam, 7))
    write(tmp_path / "results.extxyz", frames)
    return tmp_path / "results.extxyz"


def test_labels_are_found_by_structure_whatever_their_order(results, eam):
    found = engine(results)
    found.check(["Cu", "Zr"])
    for atoms in design():
        assert_same(found.label(atoms), eam.label(atoms))
    assert found.missing(design()) == []
    assert found.surplus(design()) == [f"{results}, frame 2"]


def test_what_is_missing_says_so(results):
    found, absent = engine(results), design(6)[5]
    with pytest.raises(NotConvergedError, match="No result is of this structure"):
        found.label(absent)
    ((atoms, reason),) = found.missing([design()[0], absent])
    assert atoms is absent and reason.startswith("No result")


def test_two_results_that_differ_are_no_label_and_two_that_agree_are_one(results, eam):
    frames = read(results, ":")
    write(results, [*frames, frames[0]])
    assert_same(engine(results).label(design()[3]), eam.label(design()[3]))
    frames[0].info["REF_energy"] += 0.01
    write(results.with_name("more.extxyz"), frames[0])
    with pytest.raises(NotConvergedError, match=r"frame 0 and .*frame .*differ by 0\.0025 eV per atom"):
        engine(results, results.with_name("more.extxyz")).label(design()[3])


@pytest.mark.parametrize("kind", ["virial", "stress", "voigt", "calculator", "names of ASE"])
def test_virials_and_stresses_of_every_convention_are_the_same(kind, eam, tmp_path):
    """Against finite differences of the energy in tests of the engine that computes them."""
    atoms = design(1)[0]
    label, frame = eam.label(atoms), Atoms(atoms)
    frame.info.clear()
    stress = -label.virial / atoms.get_volume()
    frame.info["E"], frame.arrays["F"] = label.energy, label.forces
    keys = {"energy_key": "E", "forces_key": "F"}
    match kind:
        case "virial":
            frame.info["V"], keys["virial_key"] = label.virial.ravel(), "V"
        case "stress":
            frame.info["S"], keys["stress_key"] = stress.ravel(), "S"
        case "voigt":
            frame.info["S"], keys["stress_key"] = full_3x3_to_voigt_6_stress(stress), "S"
        case "calculator" | "names of ASE":
            frame = Atoms(atoms)
            frame.calc = SinglePointCalculator(frame, energy=label.energy, forces=label.forces, stress=stress)
            keys = {f"{key}_key": key for key in ("energy", "forces", "stress")} if kind != "calculator" else {}
    write(tmp_path / "one.extxyz", frame)
    assert_same(engine(tmp_path / "one.extxyz", **keys).label(atoms), label)


@pytest.mark.parametrize("key", ["energy", "forces", "virial"])
def test_a_key_that_no_frame_has_is_named_with_what_is_there(key, results):
    found = engine(results, **{f"{key}_key": "mine"})
    with pytest.raises(
        InputError, match=rf"labels\.file\.{key}_key: no frame of '.*' has 'mine', only REF_energy, REF_"
    ):
        found.label(design()[0])


def test_paths_that_lead_nowhere_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"labels\.file\.paths: it is empty; name"):
        engine().check()
    with pytest.raises(InputError, match=r"labels\.file\.paths: there is no '.*none\*'"):
        engine(tmp_path / "none*").check()
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(
        InputError, match=r"labels\.file\.paths: '.*' holds no results; files of results are named vasprun"
    ):
        engine(tmp_path).check()
    (tmp_path / "x.extxyz").write_text("nonsense")
    with pytest.raises(InputError, match=r"labels\.file\.paths: frame 0 of '.*x\.extxyz': it begins with “nonsense”"):
        engine(tmp_path / "x.extxyz").label(design()[0])


def test_isolated_atoms_are_given_or_said_to_be_so_and_a_crystal_of_one_atom_is_none(tmp_path):
    lone = Atoms("Zr", positions=[[10] * 3], cell=[20] * 3, pbc=True)
    crystal = Atoms("Zr", positions=[[0] * 3], cell=[3] * 3, pbc=True)
    crystal.info.update(REF_energy=-8.0, REF_virial=np.zeros(9))
    crystal.set_array("REF_forces", np.zeros((1, 3)))
    write(tmp_path / "crystal.extxyz", crystal)
    with pytest.raises(
        InputError,
        match=r"labels\.file\.isolated: .* of Zr is missing: no frame .*{Zr: -8\.0000}",
    ):
        engine(tmp_path / "crystal.extxyz").label(lone, isolated=True)
    given = engine(tmp_path / "crystal.extxyz", isolated={"Zr": -1.5})
    assert given.label(lone, isolated=True).energy == -1.5
    said = Atoms("Zr", positions=[[0] * 3], cell=[12] * 3, pbc=True)
    said.info.update(REF_energy=-2.5, config_type="isolated_atom")
    write(tmp_path / "both.extxyz", [crystal, said])
    both = engine(tmp_path / "both.extxyz")
    assert both.label(lone, isolated=True).energy == -2.5
    assert both.label(crystal).energy == -8.0
    assert both.surplus([crystal]) == []


def test_files_that_change_make_other_labels(results):
    atoms, before = design()[0], engine(results)
    key = label_key(atoms, before)
    shutil.copy(results, results.with_name("moved.extxyz"))
    assert label_key(atoms, engine(results.with_name("moved.extxyz"))) == key
    results.write_text(results.read_text().replace("REF_energy=-", "REF_energy=-1"))
    assert label_key(atoms, engine(results)) != key


def test_an_exported_design_comes_back_from_its_folders(eam, tmp_path):
    write_frames(tmp_path / "design.extxyz", design())
    frames = read_frames(tmp_path / "design.extxyz")
    folders = export(frames, tmp_path / "runs", Xyz(), design="OPT1")
    assert [folder.name for folder in folders] == ["0000", "0001", "0002", "0003", "isolated-Cu", "isolated-Zr"]
    for atoms, folder in zip(frames, folders, strict=False):
        identity = json.loads((folder / "gapdesign.json").read_text())
        assert (identity["design"], identity["rank"], identity["isolated"]) == ("OPT1", atoms.info["rank"], False)
        (sent,) = read_frames(folder / "structure.extxyz")
        write(folder / "done.extxyz", computed(sent, eam, 3))
    for folder in folders[4:]:
        (sent,) = read_frames(folder / "structure.extxyz")
        sent.info["REF_energy"] = -3.0 - len(folder.name)
        write(folder / "done.extxyz", sent)
    # Results of another structure in a folder are not taken for its own.
    shutil.copy(folders[0] / "done.extxyz", folders[1] / "done.extxyz")
    found = engine(tmp_path / "runs")
    sent = [read_frames(folder / "structure.extxyz")[0] for folder in folders[:4]]
    for rank in (0, 2, 3):
        assert_same(found.label(sent[rank]), eam.label(sent[rank]))
    with pytest.raises(NotConvergedError, match=r"0001/done\.extxyz, frame 0: It is of another structure than"):
        found.label(sent[1])
    assert found.label(Atoms("Cu", cell=[20] * 3), isolated=True).energy == -14.0
    assert found.surplus(sent) == []
    assert found.surplus(sent[:3]) == [f"{tmp_path}/runs/0003/done.extxyz, frame 0"]
    assert export(frames, tmp_path / "runs", Xyz(), design="OPT1") == folders
    with pytest.raises(InputError, match="0000: it exists already for another structure; give another --output"):
        export([_ranked(design(2)[1], 0)], tmp_path / "runs", Xyz(), design="X")


def _ranked(atoms: Atoms, rank: int) -> Atoms:
    atoms.info["rank"] = rank
    return atoms


def test_output_of_pw_x_is_read_where_it_converged(tmp_path):
    """Against pw.x's own XML file, which the engine `espresso` reads."""
    from gapdesign.engines.shared.pwscf import parse

    exact = parse(DATA / "espresso/converged.xml")
    for name in ("converged", "unconverged"):
        (tmp_path / name).mkdir()
        shutil.copy(DATA / f"espresso/{name}.out", tmp_path / name / "pw.out")
    label = engine(tmp_path / "converged").label(exact.atoms)
    assert label.energy == pytest.approx(exact.label.energy, abs=2e-7)
    np.testing.assert_allclose(label.forces, exact.label.forces, atol=1e-5)
    np.testing.assert_allclose(label.virial, exact.label.virial, atol=2e-3)
    with pytest.raises(NotConvergedError, match=r"pw\.out: It "):
        engine(tmp_path / "unconverged").label(read(DATA / "espresso/sent.xyz"))


@pytest.mark.parametrize("outdir", [".", "tmp"])
@pytest.mark.parametrize("text", [True, False])
def test_the_xml_file_of_pw_x_is_read_where_it_is(text, outdir, tmp_path):
    from gapdesign.engines.shared.pwscf import parse

    exact = parse(DATA / "espresso/converged.xml")
    saved = tmp_path / outdir / "pwscf.save"
    saved.mkdir(parents=True)
    shutil.copy(DATA / "espresso/converged.xml", saved / "data-file-schema.xml")
    if text:
        shutil.copy(DATA / "espresso/converged.out", tmp_path / "pw.out")
    found = engine(tmp_path)
    assert found.surplus([exact.atoms]) == []
    label = found.label(exact.atoms)
    if text and outdir == "tmp":  # two results that agree
        assert label.energy == pytest.approx(exact.label.energy, abs=1e-6)
        return
    assert label.energy == exact.label.energy
    np.testing.assert_array_equal(label.forces, exact.label.forces)
    np.testing.assert_array_equal(label.virial, exact.label.virial)
    key = label_key(exact.atoms, found)
    (saved / "data-file-schema.xml").write_text((saved / "data-file-schema.xml").read_text() + "\n")
    assert label_key(exact.atoms, engine(tmp_path)) != key


def test_an_xml_file_of_another_calculation_or_of_none_does_not_count(tmp_path):
    """Many calculations may share an outdir, whose XML file is of the last one."""
    xml, text = (DATA / "espresso/converged.xml").read_text(), (DATA / "espresso/converged.out").read_text()
    (tmp_path / "pwscf.save").mkdir()
    (tmp_path / "pw.out").write_text(text)
    sent = read(DATA / "espresso/sent.xyz")
    energy = engine(tmp_path / "pw.out").label(sent).energy
    other = re.sub(r"<etot>(.*?)</etot>", "<etot>-4.3</etot>", xml)
    assert other != xml
    for content in (other, xml[:1000]):
        (tmp_path / "pwscf.save/data-file-schema.xml").write_text(content)
        assert engine(tmp_path).label(sent).energy == energy
    (tmp_path / "pwscf.save/data-file-schema.xml").write_text(xml)
    (tmp_path / "pw.out").write_text(text.replace("convergence has been achieved", "convergence NOT achieved"))
    with pytest.raises(NotConvergedError, match="convergence NOT achieved"):
        engine(tmp_path).label(sent)


def test_folders_for_vasp_come_back_with_atoms_in_the_order_of_the_design(eam, tmp_path, capsys):
    """By the verbs that people use, as engine vasp labels them; a stand-in takes VASP's place; one run is cut off."""
    for symbol in ("Zr", "Cu"):
        (tmp_path / "potcars" / symbol).mkdir(parents=True)
        (tmp_path / "potcars" / symbol / "POTCAR").write_text(
            f"  PAW_PBE {symbol}\n   VRHFIN ={symbol}: s2\n   TITEL  = PAW_PBE {symbol} 01Jan2000\n"
            "   ZVAL   =   4.0\nEnd of Dataset\n"
        )
    write_frames(tmp_path / "OPT.extxyz", design())
    library = {"library": str(tmp_path / "potcars"), "symbols": {"Zr": "Zr", "Cu": "Cu"}}
    labels = {"engine": "file", "file": {"paths": [str(tmp_path / "runs")]}, "vasp": {"potcar": library}}
    stand_in = [sys.executable, str(ROOT / "tests/stand_in_vasp.py")]
    labels["vasp"] |= {"kpoints": {"length": 20}, "command": " ".join(stand_in)}
    prototypes = {"b2": {"element": "Zr", "lattice": "bcc", "a": 3.5}}
    study = {"labels": labels, "prototypes": prototypes, "designs": {"OPT": {"pool": "A", "method": "random"}}}
    config = str(tmp_path / "config.yaml")
    Path(config).write_text(json.dumps(study))
    arguments = ["export", "--config", config, "--format", "vasp", str(tmp_path / "OPT.extxyz")]
    assert cli.main([*arguments, "--output", str(tmp_path / "runs")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/runs: 6 folders, 2 of them for isolated atoms\n"
    for folder in sorted((tmp_path / "runs").iterdir()):
        subprocess.run(stand_in, cwd=folder, check=True, capture_output=True)
    whole = (tmp_path / "runs/0002/vasprun.xml").read_text()
    (tmp_path / "runs/0002/vasprun.xml").write_text(whole[: len(whole) // 2])
    found = engine(tmp_path / "runs")
    sent = read_frames(tmp_path / "OPT.extxyz")
    vasp = make("vasp", LabelOptions(vasp=labels["vasp"]))
    (tmp_path / "run").mkdir()
    for rank in (0, 1, 3):
        label, expected = found.label(sent[rank]), eam.label(sent[rank])
        assert label.energy == pytest.approx(expected.energy, abs=1e-6)
        np.testing.assert_allclose(label.forces, expected.forces, atol=1e-5)
        np.testing.assert_allclose(label.virial, expected.virial, atol=1e-4)
        assert_same(label, vasp.label(sent[rank], tmp_path / "run"))
    for element in ("Cu", "Zr"):
        atom = isolated_atom(element, vasp.isolated_box)
        expected = vasp.label(atom, tmp_path / "run", isolated=True)
        assert found.label(atom, isolated=True).energy == expected.energy
    assert cli.main(["match", "--config", config, str(tmp_path / "OPT.extxyz")]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"OPT rank 2: {tmp_path}/runs/0002/vasprun.xml: vasprun.xml is cut off")


@pytest.mark.skipif(not OUTCAR.is_dir(), reason="this ASE comes without its test data")
def test_an_outcar_is_read_where_it_converged(tmp_path):
    text = (OUTCAR / "OUTCAR_example_1").read_text()
    with gzip.open(tmp_path / "OUTCAR.gz", "wt") as stream:
        stream.write(text)
    expected = read(OUTCAR / "OUTCAR_example_1", format="vasp-out")
    label = engine(tmp_path).label(Atoms(expected))
    results = expected.calc.results
    assert label.energy == results["free_energy"] != results["energy"]
    np.testing.assert_allclose(label.forces, results["forces"], atol=1e-12)
    virial = -expected.get_volume() * expected.get_stress(voigt=False)
    np.testing.assert_allclose(label.virial, virial, atol=1e-9)
    cut = text[: text.index("General timing and accounting")]
    with gzip.open(tmp_path / "OUTCAR.gz", "wt") as stream:
        stream.write(cut)
    with pytest.raises(NotConvergedError, match="It does not say “General timing and accounting”"):
        engine(tmp_path).label(Atoms(expected))


@pytest.mark.skipif(not OUTCAR.is_dir(), reason="this ASE comes without its test data")
@pytest.mark.parametrize("name", ["OUTCAR", "relaxed.1"])
def test_an_outcar_that_used_up_its_electronic_steps_is_no_label_though_it_says_that_ediff_is_reached(name, tmp_path):
    """As VASP 5 does, whatever the file is called: it took 63 steps."""
    text = (OUTCAR / "OUTCAR_example_1").read_text()
    assert "NELM   =    120;" in text and "aborting loop because EDIFF is reached" in text
    (tmp_path / name).write_text(text.replace("NELM   =    120;", "NELM   =     63;"))
    atoms = Atoms(read(OUTCAR / "OUTCAR_example_1", format="vasp-out"))
    with pytest.raises(NotConvergedError, match=r"did not converge in 63 steps \(NELM\)"):
        engine(tmp_path / name).label(atoms)
    (tmp_path / name).write_text(text)
    assert engine(tmp_path / name).label(atoms).energy < 0
