"""Records beside files: damage of any kind is seen by whoever reads, and what a result was made from is known."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from gapdesign import cli, contents, files, records
from gapdesign.descriptors.environments import EnvironmentPool, Environments, write_environments
from gapdesign.errors import InputError, printable
from gapdesign.labels.labeller import NoLabelError
from gapdesign.shards import ArrayFile, FeaturePool
from gapdesign.stored import StoredArray

WIDE = np.random.default_rng(0).random((40, 700)).astype(np.float32)
NARROW = np.random.default_rng(1).random((300, 5)).astype(np.float32)
FRAMES = [Atoms("Zr2", positions=[[0, 0, 0], [0, 0, 2.0 + n]], cell=[4, 4, 9], pbc=True) for n in range(8)]
TABLE = pd.DataFrame({"design": ["OPT1", "RND1"] * 9, "value": np.arange(18) / 7})
ENVIRONMENTS = Environments(
    np.arange(0, 41, 2), np.repeat(WIDE, 1, axis=0), np.ones(40, np.int64), np.full(40, 40, np.int64)
)


def pool(path: Path) -> object:
    made = FeaturePool([path])
    return [block for _, block in made.blocks(7)]


KINDS: dict[str, tuple[str, Callable, Callable]] = {
    "json": ("a.json", lambda path: files.write_json(path, {"scales": list(range(50))}), files.read_json),
    "table": ("a.csv", lambda path: files.write_csv(path, TABLE), files.read_csv),
    "frames": ("a.extxyz", lambda path: files.write_frames(path, FRAMES), files.read_frames),
    "features": ("0-40.npy", lambda path: files.write_array(path, WIDE), pool),
    "rows of features": (
        "0-40.npy",
        lambda path: files.write_array(path, WIDE),
        lambda path: FeaturePool([path]).rows(range(40)),
    ),
    "compressed features": ("0-300.npy", lambda path: files.write_array(path, NARROW), pool),
    "sums": ("a.npy", lambda path: files.write_array(path, np.arange(900)), files.read_array),
    "arrays": (
        "a.npz",
        lambda path: files.write_arrays(path, {"rows": WIDE}),
        lambda path: files.read_arrays(path, dict, run="it"),
    ),
    "environments": (
        "0-20.npz",
        lambda path: write_environments(path, ENVIRONMENTS),
        lambda path: [EnvironmentPool([path]).one(k) for k in range(20)],
    ),
}


def flipped(content: bytes) -> bytes:
    place = len(content) * 2 // 3
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def zeroed(content: bytes) -> bytes:
    return content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


def shorter(content: bytes) -> bytes:
    """Leave out whole lines where there are some: four are the last frame here."""
    lines = content.splitlines(keepends=True)
    return b"".join(lines[:-4]) if lines[-1].endswith(b"\n") and len(lines) > 9 else content[:-64]


DAMAGES = [flipped, zeroed, shorter, lambda content: content[: len(content) // 2], lambda content: b""]


def made(folder: Path, kind: str, made_from: str | None = "digest") -> Path:
    name, write, _ = KINDS[kind]
    with records.of_job(made_from, [folder / name]):
        write(folder / name)
    return folder / name


@pytest.mark.parametrize("damage", DAMAGES, ids=["flipped", "zeroed", "shorter", "half", "empty"])
@pytest.mark.parametrize("kind", KINDS)
def test_damage_of_any_kind_is_one_sentence(tmp_path, kind, damage):
    path = made(tmp_path, kind)
    read = KINDS[kind][2]
    read(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=f"^{path}: ") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert "delete it and run its stage again" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_files_without_a_record_are_read_as_ever(tmp_path, kind):
    name, write, read = KINDS[kind]
    write(tmp_path / name)
    assert not (tmp_path / records.FOLDER).exists()
    read(tmp_path / name)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_files_have_equal_records(tmp_path, kind):
    one, other = (records.place(made(tmp_path / name, kind)).read_bytes() for name in "ab")
    assert one == other


def test_a_row_is_checked_before_it_is_used_and_others_may_be_damaged(tmp_path):
    path = made(tmp_path, "features")
    place = len(path.read_bytes()) - 10  # in the last row
    content = bytearray(path.read_bytes())
    content[place] ^= 128
    path.write_bytes(content)
    table = ArrayFile(path)
    assert np.array_equal(table.rows(np.array([3, 0, 38])), WIDE[[3, 0, 38]])
    assert np.array_equal(table.block(5, 39), WIDE[5:39])
    with pytest.raises(InputError, match="damaged or edited"):
        table.rows(np.array([39]))
    with pytest.raises(InputError, match="damaged or edited"):
        table.block(30, 40)


def test_parts_of_pieces_are_read_right(tmp_path):
    table = ArrayFile(made(tmp_path, "compressed features"))
    for start, stop in ((1, 2), (0, 300), (101, 205), (299, 300), (7, 7)):
        assert np.array_equal(table.block(start, stop), NARROW[start:stop])
    assert np.array_equal(table.rows(np.array([299, 0, 102, 102])), NARROW[[299, 0, 102, 102]])


def test_a_piece_is_checked_once(tmp_path, monkeypatch):
    table = ArrayFile(made(tmp_path, "features"))
    table.block(0, 40)
    monkeypatch.setattr(records, "sums_of", None)
    assert np.array_equal(table.block(0, 40), WIDE)


@pytest.mark.parametrize(("was", "is_now"), [(b"<f4", b"<i4"), (b"700", b"350")])
def test_a_damaged_head_of_an_array_is_seen(tmp_path, was, is_now):
    path = made(tmp_path, "features")
    content = path.read_bytes()
    path.write_bytes(content[:128].replace(was, is_now) + content[128:])
    with pytest.raises(InputError, match="damaged or edited"):
        ArrayFile(path)


def test_a_file_that_shrinks_while_it_is_read_is_seen(tmp_path):
    files.write_array(tmp_path / "a.npy", NARROW)
    array = StoredArray.alone(tmp_path / "a.npy")
    os.truncate(tmp_path / "a.npy", 200)
    with (tmp_path / "a.npy").open("rb", buffering=0) as stream, pytest.raises(InputError, match="become shorter"):
        array.read(stream, 0, 300)


def test_a_kill_between_a_file_and_its_record_leaves_no_wrong_record(tmp_path, monkeypatch):
    path = made(tmp_path, "json", "before")
    whole = files._flush

    def killed(flushed, *flags):
        whole(flushed, *flags)
        if flushed == path.parent:
            raise KeyboardInterrupt

    monkeypatch.setattr(files, "_flush", killed)
    with pytest.raises(KeyboardInterrupt), records.of_job("after", [path]):
        files.write_json(path, [2])
    monkeypatch.undo()
    assert files.read_json(path) == [2]
    assert records.read(path) is None
    # Nobody knows what it was made from, so it is made again.
    assert records.differs(path, "after")
    with records.of_job("after", [path]):
        files.write_json(path, [2])
    assert not records.differs(path, "after")


def test_who_writes_by_hand_leaves_no_record_of_what_was_there_before(tmp_path):
    path = made(tmp_path, "json")
    files.write_json(path, [1])
    assert records.read(path) is None
    assert files.read_json(path) == [1]


def test_files_that_are_no_outputs_of_a_job_have_no_record(tmp_path):
    """Such as entries of the store, which belong to no job and have checksums of their own."""
    with records.of_job("digest", [tmp_path / "a.json"]):
        files.write_json(tmp_path / "store/b.json", [1])
    assert not (tmp_path / "store" / records.FOLDER).exists()


def test_a_record_that_cannot_be_read_is_none(tmp_path):
    path = made(tmp_path, "json")
    for content in (b"", b"{", b"[1]", b'{"size": 3}'):
        records.place(path).write_bytes(content)
        assert records.read(path) is None
        files.read_json(path)


@pytest.mark.parametrize(
    ("was", "is_now"), [(b'"sums": "', b'"sums": "AAAAAAAA'), (b'"rows"', b'"sows"'), (b"[40", b"[41")]
)
def test_a_damaged_record_of_an_array_is_one_sentence(tmp_path, was, is_now):
    path = made(tmp_path, "features")
    content = records.place(path).read_bytes()
    assert was in content
    records.place(path).write_bytes(content.replace(was, is_now))
    with pytest.raises(InputError, match=f"{path}: damaged or edited .*or delete {records.place(path)}"):
        ArrayFile(path)


def test_files_tell_what_they_were_made_from(tmp_path):
    path = made(tmp_path, "json", records.digest("a part"))
    assert not records.differs(path, records.digest("a part"))
    assert records.differs(path, records.digest("another"))
    by_hand = made(tmp_path, "table", None)
    assert not records.differs(by_hand, records.digest("a part"))
    (tmp_path / "older").mkdir()
    files.write_json(tmp_path / "older/a.json", [1])
    assert not records.differs(tmp_path / "older/a.json", "anything")
    assert not records.differs(tmp_path / "missing.json", "anything")


def test_a_job_of_the_workflow_records_its_part_and_a_person_none(tmp_path):
    files.write_csv(tmp_path / "a.csv", TABLE)
    arguments = ["concatenate", "--tables", str(tmp_path / "a.csv"), "--output", str(tmp_path / "made/b.csv")]
    assert cli.main([*arguments, "--made-from", '{"revision":1}']) == 0
    assert records.read(tmp_path / "made/b.csv").made_from == records.digest('{"revision":1}')
    assert cli.main(arguments) == 0
    assert records.read(tmp_path / "made/b.csv").made_from is None
    assert not (tmp_path / records.FOLDER).exists()


def test_an_older_file_in_the_place_of_another_has_another_digest(tmp_path):
    path = tmp_path / "labels.extxyz"
    path.write_text("first")
    before = contents.Contents().of([str(path)])
    path.unlink()
    path.write_text("other")
    os.utime(path, (0, 0))
    assert contents.Contents().of([str(path)]) != before
    path.write_text("first")
    assert contents.Contents().of([str(path)]) == before
    assert contents.Contents().of([]) == {}
    assert contents.Contents().of([str(tmp_path / "missing")]) != before


def test_a_file_is_read_once_as_long_as_it_stays_the_same(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(contents, "sha256", lambda path: read.append(path) or files.sha256(path))
    monkeypatch.setattr(contents, "_SETTLED", -1e18)  # as if it had been written long ago
    path, memory = tmp_path / "pool.extxyz", tmp_path / "memory.json"
    path.write_text("frames")
    first = contents.Contents(memory).of([str(path)])
    assert contents.Contents(memory).of([str(path)]) == first
    assert len(read) == 1
    state = path.stat()
    path.write_text("frame5")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert contents.Contents(memory).of([str(path)]) != first
    assert len(read) == 2
    memory.write_text("not JSON")
    assert contents.Contents(memory).of([str(path)]) != first


def test_a_file_that_was_written_just_now_is_not_remembered(tmp_path):
    path, memory = tmp_path / "pool.extxyz", tmp_path / "memory.json"
    path.write_text("frames")
    contents.Contents(memory).of([str(path)])
    assert not memory.exists() or json.loads(memory.read_text()) == {}


def test_many_files_have_one_digest(tmp_path):
    paths = [str(tmp_path / f"{number}.extxyz") for number in range(contents.MOST + 1)]
    for path in paths:
        Path(path).write_text(path)
    before = contents.Contents().of(paths)
    assert isinstance(before, str)
    assert set(contents.Contents().of(paths[1:])) == set(paths[1:])
    Path(paths[7]).write_text("another")
    assert contents.Contents().of(paths) != before


def test_a_job_whose_input_was_replaced_since_the_run_began_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = Path("pool.xyz")
    path.write_text('1\nLattice="3 0 0 0 3 0 0 0 3" pbc="T T T"\nZr 0 0 0\n')
    planned = json.dumps({"revision": 1, "contents": contents.Contents().of([str(path)])})
    verb = ["convert", "--structures", str(path), "--made-from", planned, "--output", "converted.xyz"]
    assert cli.main(verb) == 0
    path.write_text(path.read_text() * 2)
    capsys.readouterr()
    assert cli.main(verb) == 2
    assert "pool.xyz: another file than when this run began" in capsys.readouterr().err
    path.unlink()
    assert cli.main(verb) == 2


def test_a_full_disk_names_the_file_however_numpy_says_it(tmp_path):
    for error in (OSError("2730 requested and 992 written"), OSError(errno.ENOSPC, "No space left on device")):
        with pytest.raises(OSError, match="No space left") as caught, files.atomic(tmp_path / "a.npy"):
            raise error
        assert caught.value.filename == str(tmp_path / "a.npy")
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="something else") as caught, files.atomic(tmp_path / "a.npy"):
        raise OSError(errno.EIO, "something else", "/another/file")
    assert caught.value.filename == "/another/file"


@pytest.mark.parametrize("read", [files.read_json, files.read_csv, files.read_frames, files.read_array])
def test_nobody_is_told_to_delete_what_merely_cannot_be_read(tmp_path, read):
    (tmp_path / "folder.any").mkdir()
    with pytest.raises(InputError, match=r"folder\.any: cannot be read \(Is a directory\)") as caught:
        read(tmp_path / "folder.any")
    assert "delete" not in str(caught.value).removeprefix(str(tmp_path))


def test_memory_that_runs_out_is_no_damage():
    with pytest.raises(MemoryError), files.reading("a.npy", "not complete"):
        raise MemoryError


@pytest.mark.parametrize("error", [InputError, NoLabelError])
def test_control_characters_are_shown_and_not_obeyed(error):
    assert str(error("title \x1b]0;owned\x07 \u202e Å “é”\r")) == "title \\x1b]0;owned\\x07 \\u202e Å “é”\\r"
    assert printable("two\nlines\tand a tab, Zr\u00a05") == "two\nlines\tand a tab, Zr\u00a05"
