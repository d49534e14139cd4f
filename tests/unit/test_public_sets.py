"""Public sets out of source packages, and other programs that choose from them."""

import csv
import importlib.util
import io
import json
import re
import sys
import tarfile
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from gapdesign.errors import InputError

STUDY = Path(__file__).parents[2] / "config/studies/methods-on-sets"


def _module(path):
    spec = importlib.util.spec_from_file_location(f"public_sets_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fetch = _module(STUDY / "fetch.py")
exchange = _module(STUDY / "rivals/exchange.py")
run_rivals = _module(STUDY / "run_rivals.py")

VASPRUN = """<?xml version="1.0" ?><modeling><calculation><energy>
 <i name="e_fr_energy"> -12.5 </i><i name="e_wo_entrp"> -12.0 </i><i name="e_0_energy"> 0.1 </i></energy>
 <varray name="forces"><v> 0.1 0.2 0.3 </v><v> -0.1 -0.2 -0.3 </v></varray>
 <structure name="finalpos"><crystal><varray name="basis"><v>4 0 0</v><v>0 4 0</v><v>0 0 {c}</v></varray></crystal>
 <varray name="positions"><v>0 0 0</v><v>0.5 0.5 0.25</v></varray></structure>
 <array name="atoms"><set><rc><c>Mg</c><c>1</c></rc><rc><c>O</c><c>2</c></rc></set></array>
</calculation></modeling>"""


def _archive(path, texts):
    with tarfile.open(path, "w:gz") as archive:
        for name, text in texts.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def test_a_shortened_vasprun_becomes_a_frame_with_the_energy_of_its_forces(tmp_path):
    start = "pypolymlp-0.22.1/tests/test_mlp_dev_api/data-vasp-MgO/vaspruns"
    near = VASPRUN.format(c=8)  # O at (2, 2, 2): 3.5 A from Mg
    texts = {f"{start}/train2/b": near, f"{start}/train1/a": near, f"{start}/other/c": near}
    with tarfile.open(_archive(tmp_path / "x.tar.gz", texts)) as archive:
        frames = fetch.magnesia(archive)
    assert [atoms.info["config_type"] for atoms in frames] == ["small_displacements", "large_displacements"]
    atoms = frames[0]
    assert atoms.get_chemical_formula() == "MgO"
    assert atoms.info["dft_energy"] == -12.5
    np.testing.assert_allclose(atoms.arrays["dft_force"], [[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]])
    np.testing.assert_allclose(atoms.positions, [[0, 0, 0], [2, 2, 2]])
    assert fetch.closest(atoms) == pytest.approx(np.sqrt(12))


def test_frames_that_collide_are_left_out_of_magnesia(tmp_path):
    start = "pypolymlp-0.22.1/tests/test_mlp_dev_api/data-vasp-MgO/vaspruns"
    # Periodic images along the third vector are 1.4 A apart.
    texts = {f"{start}/test2/a": VASPRUN.format(c=1.4), f"{start}/test2/b": VASPRUN.format(c=8)}
    with tarfile.open(_archive(tmp_path / "x.tar.gz", texts)) as archive:
        assert len(fetch.magnesia(archive)) == 1


def _frames(energies, group="a"):
    frames = []
    for number, energy in enumerate(energies):
        atoms = Atoms("Cu", cell=[3, 3, 3], pbc=True, info={"dft_energy": energy, "config_type": group, "n": number})
        atoms.arrays["dft_force"] = np.zeros((1, 3))
        frames.append(atoms)
    return frames


def test_which_frames_are_drawn_does_not_depend_on_labels():
    low, high = _frames(np.arange(50.0)), _frames(-np.arange(50.0))
    places = [atoms.info["n"] for atoms in fetch.drawn(low, 20)]
    assert places == [atoms.info["n"] for atoms in fetch.drawn(high, 20)]
    assert places == sorted(set(places))
    assert len(places) == 20
    assert len(fetch.drawn(low, 80)) == 50


def test_labels_that_cannot_be_right_are_refused():
    fetch.check("copper", _frames([1.0, 1.1]))
    with pytest.raises(InputError, match=r"^copper: the energy of frame 2 is more than 3 eV an atom off"):
        fetch.check("copper", _frames([0.0, 0.0, 6.0]))
    frames = _frames([0.0])
    frames[0].arrays["dft_force"][0, 1] = 0.1
    with pytest.raises(InputError, match=r"^copper: the forces of frame 0 do not sum to zero"):
        fetch.check("copper", frames)


def test_an_archive_with_another_sum_is_refused(tmp_path):
    (tmp_path / fetch.PYXTAL_FF.archive).write_bytes(b"something else")
    with pytest.raises(InputError, match=rf"{re.escape(fetch.PYXTAL_FF.archive)}: has the SHA-256 sum "):
        fetch.archive_of(fetch.PYXTAL_FF, tmp_path)


def _study(tmp_path, budgets=(1, 2)):
    folder = tmp_path / "copper"
    folder.mkdir()
    ase.io.write(folder / "frames.extxyz", _frames(np.arange(6.0)), format="extxyz")
    splits = [{"candidates": [5, 3, 1], "test": [0, 2], "held_out": [4]}] * 2
    (folder / "splits.json").write_text(json.dumps({"budgets": list(budgets), "splits": splits}))
    return folder


def test_programs_see_no_labels_and_their_choices_are_frames(tmp_path):
    folder = _study(tmp_path)

    def prepare(frames):
        assert len(frames) == 6
        assert not any(atoms.info for atoms in frames)
        assert all(set(atoms.arrays) == {"numbers", "positions"} for atoms in frames)
        return {"last": lambda candidates, budgets: exchange.prefixes([2, 0], budgets)}

    exchange.choose_all(folder, prepare, 1)
    with (folder / "designs/last.csv").open() as stream:
        rows = list(csv.reader(stream))
    head = ["split", "draw", "budget", "rank", "frame"]
    assert rows == [head, *(["0", "0", *row] for row in (["1", "0", "1"], ["2", "0", "1"], ["2", "1", "5"]))]


@pytest.mark.parametrize("places", [[0, 0], [0, 1, 2]])
def test_a_program_that_repeats_itself_or_takes_too_many_is_stopped(tmp_path, places):
    folder = _study(tmp_path, budgets=(2,))
    with pytest.raises(RuntimeError, match=r"^copper, bad: budget 2 gave "):
        exchange.choose_all(folder, lambda frames: {"bad": lambda candidates, budgets: {2: places}}, 2)
    assert not (folder / "designs").exists()


def test_a_program_that_takes_too_few_is_named(tmp_path, capsys):
    folder = _study(tmp_path, budgets=(2,))
    exchange.choose_all(folder, lambda frames: {"few": lambda candidates, budgets: {2: [1]}}, 1)
    assert "copper: few chose fewer than asked (split/budget): 0/2: 1\n" in capsys.readouterr().out


def test_every_program_has_a_script_and_pinned_packages():
    assert set(run_rivals.RIVALS) == {path.stem for path in (STUDY / "rivals").glob("*.py")} - {"exchange"}
    for name in run_rivals.RIVALS:
        lines = (STUDY / f"rivals/{name}.txt").read_text().splitlines()
        packages = [line for line in lines if not line.startswith("#")]
        assert packages
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in packages)
