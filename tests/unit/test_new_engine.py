"""The engine that docs/engines.md shows labels crystals of argon."""

import re

import numpy as np
import pytest
from ase.build import bulk

from conftest import ROOT
from gapdesign.engines.base import Engine
from gapdesign.errors import InputError


@pytest.fixture(scope="module")
def engine():
    text = (ROOT / "docs/engines.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python title=\"lennard_jones\.py\"\n(.*?)```", text, re.DOTALL)
    namespace = {"__name__": "lennard_jones"}
    exec(compile(code, "docs/engines.md", "exec"), namespace)
    return namespace["LennardJones"](namespace["LennardJonesOptions"](r_cut=6.0))


def test_it_has_all_that_an_engine_has(engine):
    wanted = {name for name in vars(Engine) if not name.startswith("_")}
    assert wanted <= set(dir(engine)) and "label" in wanted
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
