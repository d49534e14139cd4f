"""The study zr-elastic/settings: its shortcuts give what the library gives."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from gapdesign.models.gap.environments import boxed, energies_above_atoms, environments
from gapdesign.models.gap.evidence import labelled
from gapdesign.models.gap.expansion import Model
from gapdesign.models.gap.options import SparseOptions
from gapdesign.models.gap.points import expand
from gapdesign.models.gap.rows import LabelRows

pytest.importorskip("quippy")


@pytest.fixture(scope="module")
def settings() -> ModuleType:
    """The script."""
    path = ROOT / "config/studies/zr-elastic/settings.py"
    spec = importlib.util.spec_from_file_location("zr_elastic_settings", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_shared_rows_and_energy_rows_are_those_of_the_library(
    settings: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of SOAP that are computed once, and those of energies without derivatives, for a scale and a length."""
    monkeypatch.chdir(ROOT)
    settled = settings.Settled("published")
    batch = settled.batch("A", 6)
    frames = [settled.label(batch.atoms(k)) for k in range(6)]
    data = [*frames, *boxed(settled.isolated, cutoff=7.0)]
    seen = environments(data, soap=settled.soap, kernel=settled.kernel, transition=0.5)
    model = Model(soap=settled.soap, kernel=settled.kernel, transition=0.5, jitter=1e-10)
    basis = expand(seen, model, SparseOptions())
    energies = energies_above_atoms(data, data[-1:])
    whole = LabelRows(basis, model)
    found = settings.SharedRows(data, basis, model).parts(basis, model, energies)
    for (rows, labels), (mine, own) in zip(labelled(data, energies, whole), found, strict=True):
        np.testing.assert_allclose(mine, rows, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(own, labels)
    direct = np.array([whole(atoms)[0] for atoms in data])
    np.testing.assert_allclose(settings.energy_rows(seen, basis, model), direct, rtol=1e-9, atol=1e-9)


def test_the_labels_of_dft_are_four_designs(settings: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every structure of the file has a place in one; one of the 600 is in two of them, and counts as random."""
    monkeypatch.chdir(ROOT)
    designs, isolated = settings.of_dft(settings.Settled("large"))
    assert {name: len(frames) for name, frames in designs.items()} == {
        "OPT_A": 150,
        "RND_A": 150,
        "OPT_B": 149,
        "RND_B": 150,
    }
    assert len(isolated) == 1


def test_a_comparison_leaves_out_what_a_model_may_know(settings: ModuleType) -> None:
    """Own designs and those of the same pool are no tests, and the worst of the others counts."""
    sets = ["OPT_A", "RND_A", "OPT_B", "RND_B", settings.NEITHER]
    error = {"OPT_A": 1.0, "RND_A": 2.0, "OPT_B": 4.0, "RND_B": 8.0}
    rows = [
        {"model": model, "test": test, "q99": 10.0 * value + number, "std": value, "expected_energy": 0.001}
        for model, value in error.items()
        for number, test in enumerate(sets)
    ]
    compared = settings.Comparison(pd.DataFrame(rows))
    np.testing.assert_allclose(compared.of("q99")["OPT"], [13.0, 41.0])
    np.testing.assert_allclose(compared.of("q99")["RND"], [23.0, 81.0])
    np.testing.assert_allclose(compared.of("q99", "OPT")["OPT"], [12.0, 40.0])
    np.testing.assert_allclose(compared.of("q99", settings.NEITHER)["RND"], [24.0, 84.0])
    assert compared.fit() == "2, 4"
