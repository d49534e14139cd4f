"""The engine that docs/engines.md shows: installed as it stands there, it labels crystals of argon."""

import copy
import inspect
import re

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read

from conftest import ROOT, SMALL
from gapdesign.engines import ENGINES, Engine
from gapdesign.errors import InputError
from gapdesign.families import Family
from installed import gapdesign, install

TEXT = (ROOT / "docs/engines.md").read_text(encoding="utf-8")
(CODE,) = re.findall(r"```python title=\"lennard_jones\.py\"\n(.*?)```", TEXT, re.DOTALL)
(OFFER,) = re.findall(r"```toml\n\[project\.entry-points\.\"gapdesign\.engines\"\]\n(.*?)\n```", TEXT, re.DOTALL)

SHIPPED = list(ENGINES)
"""Those that come with gapdesign, found before any other package is there."""

ARGON = copy.deepcopy(SMALL) | {
    "prototypes": {"fcc": {"element": "Ar", "lattice": "fcc", "a": 5.24}},
    "labels": {"engine": "lennard_jones", "lennard_jones": {"r_cut": 5.0}},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The class, found by its entry point and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    install(folder, "lennard_jones", CODE, engines=OFFER.replace('"', ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        return dict(Family("gapdesign.engines", Engine))


@pytest.fixture(scope="module")
def engine(found):
    engine = found["lennard_jones"]
    return engine(engine.Options(r_cut=6.0))


@pytest.fixture
def folder(tmp_path):
    install(tmp_path, "lennard_jones", CODE, engines=OFFER.replace('"', ""))
    return tmp_path


def test_it_is_a_member_beside_those_that_come_with_gapdesign(found, engine):
    assert list(found) == sorted([*SHIPPED, "lennard_jones"])
    assert not inspect.isabstract(type(engine))
    assert dict(engine.settings) == {"r_cut": 6.0}
    assert (engine.environment, engine.computes, list(engine.files), engine.surplus([])) == ("core", True, [], [])
    engine.check(["Ar"])
    with pytest.raises(InputError, match=r"lennard_jones knows Ne, Ar, Kr, Xe but not Zr\."):
        engine.check(["Zr"])


def test_argon_has_the_cohesion_and_the_lattice_of_the_textbook(engine, tmp_path):
    """Kittel: -8.61 epsilon an atom at a nearest distance of 1.09 sigma, where the virial vanishes."""
    atoms = bulk("Ar", "fcc", a=np.sqrt(2) * 1.0902 * 3.40)
    label = engine.label(atoms, tmp_path)
    assert label.energy == pytest.approx(-8.61 * 0.0104, rel=0.01)
    assert np.abs(label.virial).max() < 0.01 * abs(label.energy)
    assert engine.label(bulk("Ar", "fcc", a=5.0), tmp_path).virial[0, 0] > 0.1


def test_configuration_messages_and_plan_know_it(folder):
    assert "labels from lennard_jones" in gapdesign(folder, ARGON, "check")
    assert "labels from lennard_jones" in gapdesign(folder, ARGON, "plan").replace("\n", " ")
    wrong = ARGON | {"labels": {"engine": "lennard_jones", "lennard_jones": {"rcut": 6.0}}}
    assert "labels.lennard_jones.rcut: unknown key; did you mean 'r_cut'?" in gapdesign(
        folder, wrong, "check", status=2
    )
    wrong = ARGON | {"labels": {"engine": "lennard_jone"}}
    assert "did you mean 'lennard_jones'?" in gapdesign(folder, wrong, "check", status=2)


def test_it_labels_in_a_job_of_the_workflow(folder):
    gapdesign(folder, ARGON, "isolated", "--store", "store", "--output", "isolated.extxyz")
    (atom,) = read(folder / "isolated.extxyz", ":")
    assert (str(atom.symbols), atom.info["REF_energy"]) == ("Ar", 0.0)
