"""Maps of pools with their structures: what is on them, by which rule, and in Chromium what a click shows."""

from __future__ import annotations

import gzip
import hashlib
import json
import math

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.io import write
from tests.unit.test_curves import COVARIANCE, EVERYTHING, POOL, ROWS, choice

from browser import browser, needs_browser
from gapdesign.inputs.carried import note
from gapdesign.inputs.frames import Frame
from gapdesign.methods.tasks import existing_frames
from gapdesign.quality.curves import Choice
from gapdesign.quality.maps import coverage, placed
from gapdesign.report import map_page, map_structures
from gapdesign.report.map_structures import ATOMS, MANY, NONE, STRUCTURES, dataset
from gapdesign.shards import SampledPool
from gapdesign.structures import pack, write_batch

CHEMISCOPE = "0e0ead7bcdb25bb32424f28f152b81ca98d22deba8f263de83ea1569b3377bc0"
"""SHA-256 of chemiscope/sphinx/static/chemiscope.min.js in the wheel of chemiscope 1.1.0 on PyPI."""

SIZE = 40
ABOUT = {"size": SIZE, "component_1": 0.5, "component_2": 0.25}
DESIGNS = {"OPT": [3, 17, 29, 8], "RND": [30, 3, 1, 2]}


def crystal(index: int) -> Atoms:
    """A structure of 1 to 4 atoms that differs from every other in its cell and positions."""
    atoms = Atoms(f"Mo{1 + index % 4}", cell=np.eye(3) * (4 + index / 10), pbc=True)
    atoms.positions = np.arange(len(atoms))[:, None] * 1.1 + [0.01 * index, 0, 0]
    atoms.info["candidate"] = index
    return atoms


def points(designs=DESIGNS) -> pd.DataFrame:
    def rows(design, ranks, candidates):
        candidates = np.array(candidates)
        columns = {"pool": "A", "design": design, "rank": ranks, "candidate": candidates}
        return pd.DataFrame(columns | {"x": candidates / 10, "y": -candidates / 20})

    tables = [rows("", None, range(SIZE)), *(rows(name, range(len(c)), c) for name, c in designs.items())]
    return pd.concat(tables, ignore_index=True).astype({"rank": "Int64"})


@pytest.fixture
def make(tmp_path):
    """Make a map, of a pool whose candidates carry some ``config_type``."""

    def made(types=lambda index: None, *, designs=DESIGNS, **options):
        frames = [crystal(index) for index in range(SIZE)]
        for index, atoms in enumerate(frames):
            atoms.info |= {"config_type": types(index)} if types(index) is not None else {}
        notes = [note(Frame(atoms, "x.extxyz", 100 + index)) for index, atoms in enumerate(frames)]
        shards = []
        for start, stop in ((0, 15), (15, SIZE)):
            shards.append(tmp_path / f"{start}-{stop}.npz")
            write_batch(shards[-1], pack(frames[start:stop], notes=notes[start:stop]))
        chosen = {name: [member(frames[c], rank) for rank, c in enumerate(cs)] for name, cs in designs.items()}
        return dataset("A", points(designs), ABOUT, designs=chosen, shards=shards, **options)

    return made


def member(atoms, rank):
    atoms = atoms.copy()
    carried = {f"source_{key}": atoms.info[key] for key in ("config_type",) if key in atoms.info}
    atoms.info |= carried | {"rank": rank, "distance": 1 / (1 + rank)}
    return atoms


def values(found, name):
    return found["properties"][name]["values"]


class TestDataset:
    def test_every_point_has_its_own_structure_and_values(self, make):
        found = make()
        candidates = [int(candidate) for candidate in values(found, "candidate")]
        others = sorted(set(range(SIZE)) - {c for chosen in DESIGNS.values() for c in chosen})
        ranks = [(design, rank) for rank in range(4) for design in DESIGNS]
        assert candidates == others + [DESIGNS[design][rank] for design, rank in reversed(ranks)]
        assert values(found, "set")[-8:] == [f"design {design}" for design, _ in reversed(ranks)]
        assert set(values(found, "set")[:-8]) == {"pool"}
        assert values(found, "rank")[-8:] == [rank for _, rank in reversed(ranks)]
        assert values(found, "distance")[-1] == 1.0 and all(map(math.isnan, values(found, "rank")[:-8]))
        np.testing.assert_allclose(values(found, "component 1"), np.array(candidates) / 10)
        np.testing.assert_allclose(values(found, "component 2"), -np.array(candidates) / 20)
        for index, structure in zip(candidates, found["structures"], strict=True):
            atoms = crystal(index)
            assert structure["names"] == list(atoms.symbols) and structure["size"] == len(atoms)
            np.testing.assert_allclose(np.transpose([structure[k] for k in "xyz"]), atoms.positions, atol=6e-4)
            np.testing.assert_allclose(np.reshape(structure["cell"], (3, 3)), atoms.cell.array, atol=6e-4)
        assert found["meta"]["description"] == f"all 8 members of designs and all {len(others)} other candidates"

    @pytest.mark.parametrize("structures", [1, 3, 8, 9, 20, 1000])
    @pytest.mark.parametrize("atoms", [1, 7, 30, 70, 100_000])
    def test_it_is_bounded_and_members_come_first(self, make, structures, atoms):
        found = make(structures=structures, atoms=atoms)
        shown = found["structures"]
        assert len(shown) <= structures and (len(shown) == 1 or sum(one["size"] for one in shown) <= atoms)
        ranks = [rank for rank in values(found, "rank") if not math.isnan(rank)]
        assert ranks == [3, 3, 2, 2, 1, 1, 0, 0][8 - len(ranks) :]
        if len(ranks) < 8:  # no candidate takes the place of a member
            assert len(ranks) == len(shown)
            assert f"{len(ranks)} of the 8 members of designs and 0 of the 33" in found["meta"]["description"]

    def test_the_rest_is_spread_evenly_over_the_pool(self, make):
        found = make(structures=8 + 11)
        others = [c for c, kind in zip(values(found, "candidate"), values(found, "set"), strict=True) if kind == "pool"]
        assert len(others) == 11 and np.diff(others).min() >= 2 and np.diff(others).max() <= 6

    def test_the_same_bytes(self, make):
        assert map_structures.text(make()) == map_structures.text(make())

    def test_a_config_type_is_shown_where_there_is_one(self, make):
        assert "config_type" not in make()["properties"]
        found = make(lambda index: "slab" if index % 2 else None)
        for candidate, kind in zip(values(found, "candidate"), values(found, "config_type"), strict=True):
            assert kind == ("slab" if candidate % 2 else NONE)

    def test_more_texts_than_the_viewer_takes(self, make):
        found = values(make(lambda index: f"t{index // 2 if index < 36 else index}"), "config_type")
        assert len(set(found)) == MANY and "(other config_types)" in found
        assert found.count("t0") == 2

    def test_existing_structures_are_shown(self, make, tmp_path):
        started = [crystal(index) for index in (49, 50, 51)]
        for index, atoms in enumerate(started):
            atoms.info = {"config_type": f"old{index}"}
        path = tmp_path / "old.extxyz"
        write(path, [Atoms("Mo", cell=[20, 20, 20], pbc=True), *started])
        frames, isolated = existing_frames(str(path), {int(z) for atoms in started for z in atoms.numbers} | {42})
        assert isolated == 1
        assert [frame.number for frame in frames] == [1, 2, 3]  # the isolated atom is left out
        places = np.array([[1, 2], [3, 4], [5, 6]])
        found = make(existing=list(zip(frames, places, strict=True)), existing_size=3)
        mine = [place for place, kind in enumerate(values(found, "set")) if kind == "existing"]
        assert [values(found, "component 2")[place] for place in mine] == [2, 4, 6]
        assert [values(found, "config_type")[place] for place in mine] == ["old0", "old1", "old2"]
        assert [values(found, "frame")[place] for place in mine] == [1, 2, 3]
        assert all(math.isnan(values(found, name)[place]) for name in ("rank", "candidate") for place in mine)
        np.testing.assert_allclose(found["structures"][mine[1]]["x"], started[1].positions[:, 0], atol=6e-4)
        assert "all 3 existing structures" in found["meta"]["description"]

    def test_most_of_what_a_map_may_hold(self):
        """Far below what a browser draws at once; the longest lines are those of positions."""
        atom = len('"Mo",-12345.678,-12345.678,-12345.678')
        assert STRUCTURES * 500 + ATOMS * atom < 3_000_000


def test_other_structures_lie_where_candidates_like_them_do():
    table, _ = coverage([choice([5, 6])], POOL, EVERYTHING, COVARIANCE, 9)
    assert placed(ROWS[[9, 2]], EVERYTHING, COVARIANCE) == pytest.approx(table[["x", "y"]].to_numpy()[[9, 2]])
    sample = SampledPool(POOL, 7)
    table, _ = coverage([Choice("A", "OPT", None, 40, np.array([11]))], POOL, sample, COVARIANCE, 9)
    assert placed(ROWS[[11]], sample, COVARIANCE) == pytest.approx(table[["x", "y"]].to_numpy()[-1:])


class TestErrors:
    def predictions(self):
        rows = []
        for shift, model in enumerate(("OPT", "RND")):
            for test_set, chosen in DESIGNS.items():
                for rank, candidate in enumerate(chosen[:3]):
                    error = (-1) ** rank * (candidate + 100 * shift)
                    rows.append((model, test_set, rank, "A", candidate, error, np.nan if shift else 2.0 * candidate))
            rows.append((model, "OTHER", 0, "B", 17, 1e6, 1e6))
        return pd.DataFrame(
            rows, columns=["model", "test_set", "rank", "pool", "candidate", "error_mev", "rmse_force_mev_a"]
        )

    def test_they_are_those_of_the_candidate(self, make):
        found = map_page.with_errors(make(), "A", self.predictions())
        labelled = {c for chosen in DESIGNS.values() for c in chosen[:3]}
        for place, candidate in enumerate(values(found, "candidate")):
            known = candidate in labelled
            one, two = (values(found, f"energy error of {model}")[place] for model in DESIGNS)
            assert (one, two) == ((candidate, candidate + 100) if known else (pytest.approx(np.nan, nan_ok=True),) * 2)
            largest, force = values(found, map_page.LARGEST)[place], values(found, "force error of OPT")[place]
            assert (largest, force) == ((two, 2 * candidate) if known else (pytest.approx(np.nan, nan_ok=True),) * 2)
        assert "force error of RND" not in found["properties"]
        assert found["settings"]["map"]["color"]["property"] == map_page.LARGEST

    def test_without_any(self, make):
        found = make()
        assert map_page.with_errors(found, "C", self.predictions()) == found


class TestPage:
    def test_names_end_no_script(self, make):
        page = map_page.render("x</script>y", [make(lambda index: "</script><b>")], back="design.html")
        assert page.count("</script>") == page.count("<script>") == 2

    def test_the_viewer_is_chemiscopes_own_and_its_licences_go_with_it(self, make):
        script = gzip.decompress(map_page.VIEWER.joinpath("chemiscope.min.js.gz").read_bytes())
        assert hashlib.sha256(script).hexdigest() == CHEMISCOPE
        page = map_page.render("x", [make()], back="design.html")
        assert script.decode() in page
        for notice in (
            "chemiscope developers",
            "University of Pittsburgh",
            "Plotly",
            "The Bootstrap Authors",
            "3dmol v2.4.2",
        ):
            assert notice in page[: page.index(script.decode()[:100])]


@pytest.fixture(scope="module")
def tab():
    with browser() as one:
        yield one


@needs_browser
class TestInChromium:
    READY = """new Promise(ready => { const look = () =>
      document.getElementById("chosen").textContent && visualizer.map._plot._fullLayout ? setTimeout(ready, 500)
        : document.getElementById("problem").hidden ? setTimeout(look, 50) : ready(); look(); })"""

    PLACE = """(structure => { const {x, y} = {x: "component 1", y: "component 2"}, plot = visualizer.map._plot;
      const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();
      const at = name => MAPS[0].properties[name].values[structure];
      return [box.left + xaxis._offset + xaxis.d2p(at(x)), box.top + yaxis._offset + yaxis.d2p(at(y))]; })"""

    SHOWN = """(() => { const [cell] = visualizer.structure._cellsData.values();
      return [cell.current.structure, cell.viewer._current.structure.x]; })()"""

    def shown(self, tab, tmp_path, *datasets):
        page = tmp_path / "map.html"
        page.write_text(map_page.render("tiny", datasets, back="design.html"), encoding="utf-8")
        tab.show(page)
        tab.evaluate(self.READY)
        assert tab.evaluate("document.getElementById('problem').textContent") == ""
        return page

    def test_a_point_that_is_clicked_shows_its_structure(self, tab, tmp_path, make):
        """The points are on a line, at a distance from one another."""
        found = make(lambda index: f"kind {index % 3}")
        self.shown(tab, tmp_path, found)
        assert tab.evaluate(self.SHOWN)[0] == len(found["structures"]) - 1
        for structure in (4, 20):
            tab.evaluate("scrollTo(0, 0)")
            tab.click(*tab.evaluate(f"{self.PLACE}({structure})"))
            tab.evaluate("new Promise(done => setTimeout(done, 700))")
            assert tab.evaluate(self.SHOWN) == [structure, found["structures"][structure]["x"]]
            candidate = int(values(found, "candidate")[structure])
            told = tab.evaluate("document.getElementById('chosen').textContent")
            assert f"candidate {candidate}, config_type kind {candidate % 3}" in told
        assert tab.requests() == []

    def test_colours_and_pools_can_be_changed(self, tab, tmp_path, make):
        errors = map_page.with_errors(make(), "A", TestErrors().predictions())
        self.shown(tab, tmp_path, errors, make(lambda index: "other", structures=9))
        element = "const element = document.getElementById(id)"
        pick = f"(id, value) => {{ {element}; element.value = value; element.dispatchEvent(new Event('change')); }}"
        colour = "visualizer.saveSettings().map.color.property"
        assert tab.evaluate(colour) == map_page.LARGEST
        offered = "[...document.querySelectorAll('#colour option')].map(option => option.value)"
        for name in tab.evaluate(offered):
            tab.evaluate(f"({pick})('colour', {json.dumps(name)})")
            assert tab.evaluate(colour) == name
        tab.evaluate(f"({pick})('pool', '1')")
        tab.evaluate("new Promise(done => setTimeout(done, 1500))")
        assert tab.evaluate(self.SHOWN)[0] == 8
        assert "config_type" in tab.evaluate(offered) and map_page.LARGEST not in tab.evaluate(offered)
        tab.evaluate(f"({pick})('colour', 'set')")
        assert tab.evaluate("document.getElementById('legend').textContent").startswith("0 pool")
        assert tab.evaluate("document.getElementById('problem').hidden") and tab.requests() == []

    @pytest.mark.parametrize("width", [390, 820])
    def test_it_fits_small_windows(self, tab, tmp_path, make, width):
        page = self.shown(tab, tmp_path, make())
        tab.show(page, width=width)
        tab.evaluate(self.READY)
        assert not tab.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
