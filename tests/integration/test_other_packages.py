"""A package of somebody else's, with a member of each family: the page on how to write one, followed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk, fcc111
from ase.io import read
from ase.units import Hartree

from conftest import ROOT, Workflow
from gapdesign.files import read_array, read_csv, read_frames, write_frames
from other_package import FILES, install
from strained_copper import labelled, strained

ARGON = yaml.safe_load(FILES["argon.yaml"])


def path_with(*folders: Path) -> str:
    return os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder in which the package is installed."""
    return install(tmp_path_factory.mktemp("other"))


def gapdesign(*arguments: str, path: str, cwd: Path = ROOT, status: int = 0) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "gapdesign", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        cwd=cwd,
        text=True,
        capture_output=True,
    )
    assert run.returncode == status, run.stdout + run.stderr
    return run.stdout + run.stderr


@pytest.fixture(scope="module")
def ran(site, tmp_path_factory) -> Workflow:
    """The study of the page, run to its report."""
    workflow = Workflow(tmp_path_factory.mktemp("argon"))
    workflow.configure(ARGON)
    workflow.run(PYTHONPATH=path_with(site))
    return workflow


@pytest.mark.slow
def test_the_study_of_the_page_runs_to_its_report(ran, site):
    results = ran.folder / "results/argon"
    with np.load(results / "candidates/A/0-20.npz") as shard:
        shears = shard["deformations"][:, 0, 1]
    assert 0 < shears.min() < shears.max() < 0.3
    features = read_array(results / "descriptors/A/0-20.npy")
    np.testing.assert_allclose(np.linalg.norm(features[:, :5], axis=1), 1, rtol=1e-6)
    design = read_frames(results / "designs/KS.extxyz")
    assert len(design) == 8 and all(atoms.info["score"] > 0 for atoms in design)
    assert set(read_csv(results / "quality.csv")["method"]) == {"kennard_stone", "random"}
    page = (results / "report.html").read_text(encoding="utf-8")
    for word in ("Kennard-Stone", "lennard_jones", 'href="pair_potential/report.html"', "Gaussian approximation"):
        assert word in page
    assert json.loads((results / "provenance.json").read_text())["packages"]["gapdesign-example"] == "1.0"
    assert "radial" in (results / "design.html").read_text(encoding="utf-8")
    # The second kind of model has the whole table, with a page that knows the way back.
    for name in ("crossval/errors.csv", "properties.csv"):
        columns = [list(read_csv(results / folder / name).columns) for folder in (".", "pair_potential")]
        assert columns[0] == columns[1]
    own = read_csv(results / "pair_potential/crossval/errors.csv")
    assert list(zip(own["model"], own["test_set"], strict=True)) == list(product(("KS", "RND"), repeat=2))
    assert not own["q99_mev"].equals(read_csv(results / "crossval/errors.csv")["q99_mev"])
    other = (results / "pair_potential/report.html").read_text(encoding="utf-8")
    assert "One pair potential per design" in other and 'href="../report.html"' in other
    # A second run, with pools cut otherwise, makes the same design.
    again = Workflow(ran.folder.parent / f"{ran.folder.name}-again")
    again.folder.mkdir()
    again.configure(ARGON | {"pools": ARGON["pools"] | {"shard_size": 15}})
    files = [f"results/argon/{name}" for name in ("designs/KS.extxyz", "designs/RND.extxyz", "quality.csv")]
    again.run(*files, PYTHONPATH=path_with(site))
    for file in files:
        assert (again.folder / file).read_bytes() == (ran.folder / file).read_bytes()


@pytest.mark.slow
def test_without_the_package_the_same_configuration_is_refused(ran, tmp_path):
    told = gapdesign("check", "--config", str(ran.folder / "config.yaml"), path=path_with(), cwd=tmp_path, status=2)
    assert "there is no 'shear'" in told and "'strain'" in told


def test_the_format_is_what_ase_reads_for_runner(site, tmp_path):
    slab = fcc111("Cu", (1, 1, 3), vacuum=2.0)
    slab.info.clear()
    slab.pbc = [True, True, False]
    frames = [*strained()[:3], labelled(slab), labelled(Atoms("Cu2", positions=[[0, 0, 0], [2.3, 0.2, 0.1]]))]
    alone = Atoms("Cu", cell=[20] * 3, pbc=True, info={"REF_energy": -1.5, "config_type": "isolated_atom"})
    write_frames(tmp_path / "mine.extxyz", [*frames, alone])
    command = ("export", "--format", "runner", "--valid", "0.2", "mine.extxyz", "--output", "nn")
    told = gapdesign(*command, path=path_with(site), cwd=tmp_path)
    assert f"number_of_elements 1\nelements Cu\natom_energy Cu {-1.5 / Hartree!r}\n" in told
    found = [*read(tmp_path / "nn/train.data", ":", "runnerdata"), *read(tmp_path / "nn/valid.data", ":", "runnerdata")]
    by_energy = sorted(found, key=lambda atoms: atoms.get_potential_energy())
    truth = sorted(frames, key=lambda atoms: atoms.info["REF_energy"])
    assert len(by_energy) == len(truth)
    for atoms, given in zip(by_energy, truth, strict=True):
        assert atoms.get_potential_energy() == pytest.approx(given.info["REF_energy"], rel=1e-12)
        np.testing.assert_allclose(atoms.get_forces(), given.arrays["REF_forces"], atol=1e-12)
        np.testing.assert_allclose(atoms.get_all_distances(), given.get_all_distances(), atol=1e-12)
        assert list(atoms.pbc) == [given.pbc.any()] * 3
        if given.pbc.all():
            np.testing.assert_allclose(atoms.cell.array, given.cell.array, atol=1e-12)


def test_a_structure_without_forces_is_refused_by_the_format(site, tmp_path):
    frames = strained()[:2]
    del frames[1].arrays["REF_forces"]
    write_frames(tmp_path / "mine.extxyz", frames)
    command = ("export", "--format", "runner", "mine.extxyz", "--output", "nn")
    told = gapdesign(*command, path=path_with(site), cwd=tmp_path, status=2)
    assert "it has no forces, without which RuNNer cannot learn from it" in told
    assert not (tmp_path / "nn").exists()


def test_configuration_check_and_plan_know_all_five(workflow: Workflow, site, tmp_path):
    path = path_with(site)
    workflow.configure(ARGON)
    told = gapdesign("check", "--config", "config.yaml", path=path, cwd=workflow.folder)
    for word in ("(shear)", "by kennard_stone", "labels from lennard_jones"):
        assert word in told
    gapdesign("document", "--output-schema", "schema.json", "--output-page", "keys.md", path=path, cwd=tmp_path)
    schema = json.loads((tmp_path / "schema.json").read_text())
    assert {"ShearOptions", "RadialOptions", "LennardJonesOptions", "PairPotentialOptions"} <= set(schema["$defs"])
    keys = (tmp_path / "keys.md").read_text()
    for key in (
        "pools.shear.max",
        "descriptor.radial.bins",
        "labels.lennard_jones.r_cut",
        "model.pair_potential.terms",
    ):
        assert f"`{key}`" in keys
    assert "`kennard_stone`" in keys
    plan = workflow.run("plan", "--quiet", "all", PYTHONPATH=path)
    assert "labels from lennard_jones" in plan.replace("\n", " ")
    # `seconds` is given by the sampler alone.
    assert "Core-hours of descriptors, design, hyperparameters, models, crossval, properties: unknown" in plan


@pytest.mark.parametrize(
    ("block", "key", "sentence"),
    [
        ("pools", {"shear": {"mx": 1}}, "pools.shear.mx: unknown key; did you mean 'max'?"),
        ("descriptor", {"radial": {"bin": 1}}, "descriptor.radial.bin: unknown key; did you mean 'bins'?"),
        ("labels", {"lennard_jones": {"r_cut": 0.5}}, "labels.lennard_jones.r_cut: 0.5 is not valid"),
        ("labels", {"engine": "lennard_jone"}, "did you mean 'lennard_jones'?"),
        ("models", {"pair_potential": {"term": 1}}, "models.pair_potential.term: unknown key; did you mean 'terms'?"),
        ("models", {"pair_potentials": {}}, "models.pair_potentials: unknown key; did you mean 'pair_potential'?"),
    ],
)
def test_a_mistake_in_a_foreign_option_is_answered_like_any_other(site, tmp_path, block, key, sentence):
    (tmp_path / "argon.yaml").write_text(yaml.safe_dump(ARGON | {block: ARGON[block] | key}))
    told = gapdesign("check", "--config", "argon.yaml", path=path_with(site), cwd=tmp_path, status=2)
    assert sentence in told


def test_an_installed_package_that_is_not_asked_for_changes_no_job(configuration, site, workflow):
    script = (
        "import yaml; from gapdesign import cli; from gapdesign.config import study;"
        "from gapdesign.config.part import At;"
        "given = study.parse(yaml.safe_load(open('config.yaml'))); at = At(given, 'OPT', 'A');"
        "print([job.part(at) for verb, job in cli.jobs().items() if not job.verb.startswith('replay')"
        " and job.stage != 'report' and job.verb != 'page'])"
    )
    parts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONPATH": where},
            cwd=workflow.folder,
            check=True,
            text=True,
            capture_output=True,
        ).stdout
        for where in (path_with(site), path_with())
    }
    assert len(parts) == 1


@pytest.mark.parametrize("name", ["size", "names", "members"])
def test_a_package_cannot_take_a_key_of_the_configuration(tmp_path, name):
    site = install(tmp_path, **{'name = "shear"': f'name = "{name}"', "\nshear = ": f"\n{name} = "})
    told = gapdesign("check", path=path_with(site), status=2)
    assert told.startswith(
        f"gapdesign: the package gapdesign-example offers '{name}' as one of gapdesign.samplers, but "
    )
    assert told.endswith(f"`pools.{name}` has another meaning; rename it.\n")


def test_the_method_is_kennard_and_stones_by_brute_force(site):
    """Of points on a line: the two ends, then the middle of the widest gap, as far as there is a point."""
    script = (
        "import numpy as np, gapdesign;"
        "rng = np.random.default_rng(2); points = rng.normal(size=(50, 3));"
        "print(*gapdesign.select(points, 9, method='kennard_stone').indices)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path_with(site)},
        check=True,
        text=True,
        capture_output=True,
    ).stdout
    points = np.random.default_rng(2).normal(size=(50, 3))
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    order = sorted(np.unravel_index(apart.argmax(), apart.shape))
    while len(order) < 9:
        psi = apart[:, order].min(axis=1)
        order.append(int(psi.argmax()))
    assert list(map(int, answer.split())) == order


def test_the_engine_has_the_cohesion_and_the_lattice_of_the_textbook(site, tmp_path, monkeypatch):
    """Kittel: -8.61 epsilon an atom at a nearest distance of 1.09 sigma, where the virial vanishes."""
    monkeypatch.syspath_prepend(site)
    from gapdesign_example.lennard_jones import LennardJonesEngine

    from gapdesign.errors import InputError

    engine = LennardJonesEngine(LennardJonesEngine.Options(r_cut=6.0))
    atoms = bulk("Ar", "fcc", a=np.sqrt(2) * 1.0902 * 3.40)
    label = engine.label(atoms, tmp_path)
    assert label.energy == pytest.approx(-8.61 * 0.0104, rel=0.01)
    assert np.abs(label.virial).max() < 0.01 * abs(label.energy)
    assert engine.label(bulk("Ar", "fcc", a=5.0), tmp_path).virial[0, 0] > 0.1
    with pytest.raises(InputError, match=r"lennard_jones knows Ne, Ar, Kr, Xe but not Zr\."):
        engine.check(["Zr"])
