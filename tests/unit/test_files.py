"""Files: never half there, exact to the last bit, and refused by name when damaged."""

import itertools
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from gapdesign import alive, files, shards
from gapdesign.errors import InputError

QUICK = settings(max_examples=50, deadline=None, derandomize=True, database=None)


def test_what_is_written_atomically_appears_only_at_the_end(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    with files.atomic(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent
        assert temporary.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["a.txt"]


def test_an_exception_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.atomic(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_written_file_has_the_rights_that_the_user_asks_for(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "a.txt", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


WRITER = """
import sys, time
from pathlib import Path
from gapdesign.files import atomic
path = Path(sys.argv[1])
for turn in range(10**6):
    with atomic(path) as temporary, temporary.open("w") as stream:
        for _ in range(200):
            stream.write(f"{turn:08d}\\n")
            stream.flush()
        stream.write("end\\n")
"""


def test_a_killed_writer_leaves_no_half_of_a_file_under_its_name(tmp_path):
    seen = set()
    for delay in (0.0, 0.003, 0.011, 0.017, 0.023):
        path = tmp_path / f"{delay}.txt"
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        try:
            deadline = time.monotonic() + 30
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(delay)
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        lines = path.read_text().splitlines()
        assert (len(lines), lines[-1], len(set(lines))) == (201, "end", 2)
        seen.add(lines[0])
    assert seen


def test_a_temporary_file_is_swept_only_when_its_writer_is_dead(tmp_path, monkeypatch):
    """The number of a process in another container means nothing here."""
    path = tmp_path / "a.txt"
    monkeypatch.setattr(os, "getpid", lambda: 2**30)
    with files.atomic(path) as first:
        first.write_text("first")
        monkeypatch.undo()
        with files.atomic(path) as second:
            second.write_text("second")
        assert first.exists()
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    dead = tmp_path / f".a.txt.{alive.unique()}.txt"
    elsewhere = tmp_path / f".a.txt.{'0' * 8}.123456.txt"
    dead.touch()
    elsewhere.touch()
    files.write_text(path, "third")
    assert sorted(os.listdir(tmp_path)) == sorted([elsewhere.name, "a.txt"])


CONTAINED = """
import sys
from gapdesign.files import atomic
with atomic(sys.argv[1]) as temporary:
    print(temporary, flush=True)
    sys.stdin.read()
    temporary.write_text("from another container")
"""


def test_a_writer_in_another_pid_namespace_is_alive(tmp_path):
    unshare = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    if shutil.which("unshare") is None or subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("PID namespaces are not allowed here")
    path = tmp_path / "a.txt"
    command = [*unshare, sys.executable, "-c", CONTAINED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        temporary = Path(writer.stdout.readline().strip())
        files.write_text(path, "from here")
        assert temporary.exists()
        writer.communicate("go on")
    assert writer.returncode == 0
    assert path.read_text() == "from another container"


def test_a_planted_link_is_not_written_through(tmp_path, monkeypatch):
    (tmp_path / "victim").write_text("mine")
    path = tmp_path / "a.txt"
    with files.atomic(path) as first:
        pass
    with files.atomic(path) as second:
        pass
    assert first != second
    monkeypatch.setattr(alive.secrets, "token_hex", lambda count: "guessed")
    (tmp_path / f".a.txt.{alive.KERNEL}.guessed.txt").symlink_to("victim")
    with pytest.raises(FileExistsError):
        files.write_text(path, "from here")
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_folder_of_results_may_be_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "here").symlink_to("there")
    files.write_text(tmp_path / "here" / "a.txt", "text")
    assert (tmp_path / "there" / "a.txt").read_text() == "text"


def test_json_round_trips_in_order_and_floats_to_the_last_bit(tmp_path):
    value = {"z": 0.1 + 0.2, "a": [1e-300, -0.0, 2.0**60], "name": "Ångström"}
    files.write_json(tmp_path / "a.json", value)
    again = files.read_json(tmp_path / "a.json")
    assert json.dumps(again) == json.dumps(value)
    assert list(again) == ["z", "a", "name"]


@QUICK
@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=20))
def test_tables_keep_floats_to_the_last_bit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    files.write_csv(path, pd.DataFrame({"label": "x", "value": values}))
    again = files.read_csv(path)["value"].to_numpy(dtype=float)
    expected = np.array(values)
    assert np.array_equal(np.isnan(again), np.isnan(expected))
    kept = ~np.isnan(expected)
    assert again[kept].tobytes() == expected[kept].tobytes()


@pytest.mark.parametrize("name", ["1", "007", "1e5", "NA", "nan", "null", "True", "None", "inf", "OPT1"])
def test_names_in_tables_stay_the_text_they_are(tmp_path, name):
    names = dict.fromkeys(("design", "model", "test_set", "pool", "method", "engine"), name)
    files.write_csv(tmp_path / "a.csv", pd.DataFrame([{**names, "n": 3, "q99_mev": 0.5, "duplicate": True}]))
    row = files.read_csv(tmp_path / "a.csv").to_dict("records")[0]
    assert {key: row[key] for key in names} == names
    assert (row["n"], row["q99_mev"], row["duplicate"]) == (3, 0.5, True)


def test_a_table_with_columns_and_no_rows_is_read_back(tmp_path):
    files.write_csv(tmp_path / "a.csv", pd.DataFrame(columns=["design", "rank"]))
    assert (tmp_path / "a.csv").read_text() == "design,rank\n"
    assert files.read_csv(tmp_path / "a.csv").columns.tolist() == ["design", "rank"]


def test_frames_keep_order_info_and_arrays(tmp_path):
    frames = [bulk("Zr", "hcp"), bulk("CuZr", "cesiumchloride", a=3.26)]
    for k, atoms in enumerate(frames):
        atoms.info = {"pool": "A", "candidate": 4000 + k, "rank": k, "distance": 0.1 + 0.2}
        atoms.info["deformation"] = np.arange(9) / 7
    files.write_frames(tmp_path / "a.extxyz", frames)
    again = files.read_frames(tmp_path / "a.extxyz")
    assert len(again) == 2
    for one, other in zip(again, frames, strict=True):
        np.testing.assert_allclose(one.positions, other.positions, atol=1e-8)
        np.testing.assert_allclose(one.cell[:], other.cell[:], atol=1e-12)
        assert (one.numbers.tolist(), one.pbc.all()) == (other.numbers.tolist(), True)
        assert {key: one.info[key] for key in ("pool", "candidate", "rank", "distance")} == {
            key: other.info[key] for key in ("pool", "candidate", "rank", "distance")
        }
        # Nine plain numbers, row by row: ASE writes a 3 x 3 array as JSON, which gap_fit does not read.
        np.testing.assert_allclose(np.ravel(one.info["deformation"]), np.arange(9) / 7)
    assert "_JSON" not in (tmp_path / "a.extxyz").read_text()


ALIKE = ("1", "01", "1e5", "-0", "1_000", "nan", "inf", "T", "F", "true", "False", "None", "null", "0x1", "A.b-c_1")
"""Names, some of which extended XYZ has no other spelling for than that of a number or a truth value."""


@QUICK
@given(st.sampled_from(ALIKE) | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]*", fullmatch=True))
def test_names_in_frames_stay_the_text_they_are(tmp_path_factory, name):
    path = tmp_path_factory.mktemp("frames") / "a.extxyz"
    names = dict.fromkeys(("pool", "design", "prototype", "config_type"), name)
    atoms = bulk("Zr", "hcp")
    atoms.info = {"reason": f'pool=3 is "of no" design=T, {name}', **names, "candidate": 7, "distance": 0.5}
    files.write_frames(path, [atoms, bulk("Zr", "hcp")])
    first, second = files.read_frames(path)
    assert first.info == atoms.info
    assert second.info == {}


def test_no_frames_are_an_empty_file(tmp_path):
    files.write_frames(tmp_path / "a.extxyz", [])
    assert (tmp_path / "a.extxyz").read_bytes() == b""
    assert files.read_frames(tmp_path / "a.extxyz") == []


def refusal(read, path) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("read", [files.read_json, files.read_csv, files.read_frames, files.read_array])
def test_a_missing_file_is_named_with_what_to_do(tmp_path, read):
    assert "no such file; run the stage that makes it." in refusal(read, tmp_path / "a.any")


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (files.read_json, b'{"a": 1'),
        (files.read_json, b"\xff\xfe\x00"),
        (files.read_csv, b""),
        (files.read_csv, b'a,b\n1,2\n1,2,3,4\n"'),
        (files.read_frames, b"2\nnothing here\nZr 0 0\n"),
        (files.read_frames, b"lorem ipsum\n" * 5),
        (files.read_array, b""),
        (files.read_array, b"lorem ipsum"),
        (files.read_array, b"\x93NUMPY\x01\x00"),
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(tmp_path, read, content):
    path = tmp_path / "a.any"
    path.write_bytes(content)
    assert "delete it and run its stage again" in refusal(read, path)


def test_a_truncated_array_is_refused_wherever_it_was_cut(tmp_path):
    path = tmp_path / "a.npy"
    files.write_array(path, np.arange(300, dtype=np.float32).reshape(30, 10))
    whole = path.read_bytes()
    assert np.array_equal(files.read_array(path), np.arange(300).reshape(30, 10))
    for length in (0, 5, 60, 128, 700, len(whole) - 1):
        path.write_bytes(whole[:length])
        refusal(files.read_array, path)


def test_an_array_is_mapped_and_cannot_be_changed_by_accident(tmp_path):
    files.write_array(tmp_path / "a.npy", np.arange(6.0))
    array = files.read_array(tmp_path / "a.npy")
    assert isinstance(array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_checksums_are_those_of_the_standard(tmp_path):
    """FIPS 180-2, appendix B.1: SHA-256 of `abc`."""
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256(tmp_path / "a") == expected


def test_the_name_of_a_shard_is_its_range(tmp_path):
    path = shards.shard_path(tmp_path / "A", 1250, 2500, "npy")
    assert path == tmp_path / "A" / "1250-2500.npy"
    assert shards.shard_range(path) == (1250, 2500)
    for name in ("a-b.npy", "1250.npy", "1-2-3.npy"):
        with pytest.raises(InputError, match=r"<start>-<stop>\.npy"):
            shards.shard_range(name)


ROWS = np.random.default_rng(0).random((50, 4)).astype(np.float32)


def made(folder: Path, *edges: int) -> list[Path]:
    paths = []
    for start, stop in itertools.pairwise(edges):
        paths.append(shards.shard_path(folder, start, stop, "npy"))
        files.write_array(paths[-1], ROWS[start:stop])
    return paths


@QUICK
@given(
    cuts=st.sets(st.integers(1, 49), max_size=5),
    rows=st.integers(1, 60),
    wanted=st.lists(st.integers(0, 49), max_size=30),
    order=st.randoms(use_true_random=False),
)
def test_a_pool_reads_the_same_in_blocks_of_any_size_and_shards_in_any_order(
    tmp_path_factory, cuts, rows, wanted, order
):
    paths = made(tmp_path_factory.mktemp("pool"), 0, *sorted(cuts), 50)
    order.shuffle(paths)
    pool = shards.FeaturePool(paths)
    assert (pool.size, pool.dimension) == (50, 4)
    blocks = list(pool.blocks(rows))
    assert all(len(block) <= rows for _, block in blocks)
    assert np.array_equal(np.concatenate([block for _, block in blocks]), ROWS)
    assert all(np.array_equal(block, ROWS[start : start + len(block)]) for start, block in blocks)
    assert np.array_equal(pool.rows(wanted), ROWS[wanted])
    held = pool.held()
    assert (held.size, held.dimension) == (50, 4)
    assert np.array_equal(held.rows(wanted), ROWS[wanted])
    assert np.array_equal(np.concatenate([block for _, block in held.blocks(rows)]), ROWS)


def test_rows_of_a_file_are_read_without_the_rest(tmp_path):
    files.write_array(tmp_path / "a.npy", ROWS)
    table = shards.ArrayFile(tmp_path / "a.npy")
    assert table.shape == (50, 4)
    assert np.array_equal(table.block(7, 12), ROWS[7:12])
    assert np.array_equal(table.rows(np.array([49, 0, 0, 3])), ROWS[[49, 0, 0, 3]])
    assert table.block(5, 5).shape == (0, 4)


def test_shards_sort_by_number_and_not_by_letter(tmp_path):
    pool = shards.FeaturePool(made(tmp_path, 0, 9, 10, 50))
    assert np.array_equal(pool.rows(range(50)), ROWS)


def test_gaps_overlaps_wrong_shapes_and_truncated_shards_are_refused(tmp_path):
    paths = made(tmp_path, 0, 10, 20, 50)
    with pytest.raises(InputError, match=r"20-50\.npy: the preceding candidates 10 to 20 are missing"):
        shards.FeaturePool([paths[0], paths[2]])
    with pytest.raises(InputError, match=r"10-20\.npy: the preceding candidates 0 to 10 are missing"):
        shards.FeaturePool(paths[1:])
    overlapping = shards.shard_path(tmp_path, 5, 20, "npy")
    files.write_array(overlapping, ROWS[5:20])
    with pytest.raises(InputError, match=r"5-20\.npy: candidates 5 to 10 are also in the preceding shard"):
        shards.FeaturePool([paths[0], overlapping])
    for wrong, sentence in (
        (ROWS[10:19], "does not match its name"),
        (ROWS[10:20, :3], "does not match its name"),
        (ROWS[10], "not a table of numbers"),
        (ROWS[10:20, None], "not a table of numbers"),
        (np.asfortranarray(ROWS[10:20]), "not a table of numbers"),
    ):
        files.write_array(paths[1], wrong)
        with pytest.raises(InputError, match=rf"10-20\.npy: .*{sentence}"):
            shards.FeaturePool(paths)
    files.write_array(paths[1], ROWS[10:20])
    paths[2].write_bytes(paths[2].read_bytes()[:-1])
    with pytest.raises(InputError, match=r"20-50\.npy: not a complete array"):
        shards.FeaturePool(paths)


def test_shards_that_a_pool_of_another_size_left_behind_are_found_and_removed(tmp_path, monkeypatch, capsys):
    from conftest import SMALL
    from gapdesign import cli

    kept = [
        "candidates/A/0-30.npz",
        "candidates/A/30-60.npz",
        "descriptors/B/sums/30-60.npy",
        "candidates/frames/A.npy",
    ]
    left = ["candidates/A/30-50.npz", "candidates/A/60-90.npz", "descriptors/B/environments/0-60.npz"]
    for name in (*kept, *left, "designs/compressed/A/basis.npz", "designs/A.npy"):
        path = tmp_path / "results/small" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    folder = tmp_path / "results/small"
    ranges = shards.cut(60, 30)
    assert shards.leftovers(folder, {"A": ranges, "B": ranges}) == [folder / name for name in left]
    assert shards.leftovers(tmp_path / "none", {"A": ranges}) == []
    (tmp_path / "config.yaml").write_text(json.dumps(SMALL))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["leftovers", "--config", "config.yaml"]) == 0
    assert capsys.readouterr().out.split() == [f"results/small/{name}" for name in left]
    assert cli.main(["leftovers", "--config", "config.yaml", "--remove"]) == 0
    assert "3 files of 0.0 MB, now removed" in capsys.readouterr().err
    assert not any((folder / name).exists() for name in left)
    assert all((folder / name).exists() for name in (*kept, "designs/compressed/A/basis.npz", "designs/A.npy"))


def test_json_that_is_too_deep_to_be_read_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(InputError, match=r"deep\.json: not valid JSON \("):
        files.read_json(tmp_path / "deep.json")
