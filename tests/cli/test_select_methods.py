"""Every method through `gapdesign select`, on a pool of two dozen candidates, with and without an existing set."""

import numpy as np
import pytest
import yaml

from gapdesign import cli
from gapdesign.config import study as config
from gapdesign.files import read_array, read_frames
from gapdesign.methods import METHODS
from gapdesign.rows.pool import RowPool
from gapdesign.structures import read_batch

DESIGNS = {
    **{name.upper(): {"pool": "A", "method": name} for name in METHODS if name != "maxmin"},
    "ATOMS": {"pool": "A", "method": "bayesian", "bayesian": {"rows": "environments", "score": "energy"}},
    "SINGLE": {"pool": "A", "method": "information", "information": {"errors": {"environment": 0.1}}},
    "FORCE": {"pool": "A", "method": "bayesian", "bayesian": {"score": "force"}},
}
STUDY = {
    "seed": 3,
    "prototypes": {
        "hcp": {"element": "Zr", "lattice": "hcp", "a": 3.232, "c": 5.147},
        "bcc": {"element": "Zr", "lattice": "bcc", "a": 3.574},
    },
    "pools": {"names": ["A"], "size": 24, "shard_size": 10},
    "descriptor": {"backend": "quippy", "soap": {"r_cut": 4.5, "n_max": 3, "l_max": 2, "sigma": 0.5}},
    "kernel": {"pair": {"r_cut": 5.0}},
    "rows": {"points": 25},
    "budget": 7,
}
RANGES = [(0, 10), (10, 20), (20, 24)]


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """A folder with the shards of a pool, and a file of three of its candidates."""
    pytest.importorskip("quippy")
    folder = tmp_path_factory.mktemp("pool")
    existing = folder / "existing.extxyz"
    existing.write_text("")
    again = {f"{name}_AGAIN": given | {"existing": str(existing)} for name, given in DESIGNS.items()}
    (folder / "config.yaml").write_text(yaml.safe_dump(STUDY | {"designs": DESIGNS | again}))
    for start, stop in RANGES:
        shard = {kind: folder / kind / f"{start}-{stop}" for kind in ("candidates", "features", "sums", "environments")}
        limits = ["--pool", "A", "--start", str(start), "--stop", str(stop)]
        run(folder, "candidates", *limits, "--output", f"{shard['candidates']}.npz")
        outputs = ["--output", f"{shard['features']}.npy", "--output-sum", f"{shard['sums']}.npy"]
        outputs += ["--output-environments", f"{shard['environments']}.npz"]
        run(folder, "descriptors", "--candidates", f"{shard['candidates']}.npz", *outputs)
    candidates = [str(folder / f"candidates/{start}-{stop}.npz") for start, stop in RANGES]
    run(folder, "row-functions", "--candidates", *reversed(candidates), "--output", f"{folder / 'functions.npz'}")
    for path in candidates:
        output = path.replace("candidates", "rows")
        run(folder, "rows", "--candidates", path, "--functions", f"{folder / 'functions.npz'}", "--output", output)
    from gapdesign.files import write_frames

    write_frames(existing, [read_batch(folder / "candidates/0-10.npz").atoms(k) for k in (2, 4, 6)])
    return folder


def run(folder, verb: str, *arguments: str) -> int:
    status = cli.main([verb, "--config", str(folder / "config.yaml"), *arguments])
    assert status == 0
    return status


def select(folder, design: str):
    """Frames of a design, and their features."""
    files = {
        kind: [str(path) for path in sorted((folder / kind).glob("[!.]*"))]
        for kind in ("candidates", "features", "sums")
    }
    given = [word for kind, paths in files.items() for word in (f"--{kind}", *paths)]
    for kind in ("environments", "rows"):
        given += [f"--{kind}", *map(str, sorted((folder / kind).glob("[!.]*")))]
    given += ["--functions", str(folder / "functions.npz")]
    output = folder / "designs" / f"{design}.extxyz"
    outputs = ["--output", str(output), "--output-features", str(output.with_suffix(".npy"))]
    run(folder, "select", "--design", design, *given, *outputs)
    return read_frames(output), read_array(output.with_suffix(".npy"))


def test_rows_do_not_depend_on_how_the_pool_is_cut(pool, tmp_path):
    """The functions are those of all shards in any order, and the rows of a structure its own."""
    whole = tmp_path / "candidates" / "0-24.npz"
    run(pool, "candidates", "--pool", "A", "--start", "0", "--stop", "24", "--output", str(whole))
    functions, output = tmp_path / "functions.npz", tmp_path / "rows" / "0-24.npz"
    run(pool, "row-functions", "--candidates", str(whole), "--output", str(functions))
    assert functions.read_bytes() == (pool / "functions.npz").read_bytes()
    run(pool, "rows", "--candidates", str(whole), "--functions", str(functions), "--output", str(output))
    one, cut = RowPool([output]), RowPool(sorted((pool / "rows").glob("*.npz")))
    for k in range(24):
        assert one.one(k).tobytes() == cut.one(k).tobytes()


def test_a_design_that_weighs_labels_needs_their_rows(pool, capsys):
    given = ["--candidates", *map(str, sorted((pool / "candidates").glob("*.npz")))]
    given += ["--features", *map(str, sorted((pool / "features").glob("*.npy")))]
    given += ["--sums", *map(str, sorted((pool / "sums").glob("*.npy")))]
    outputs = ["--output", str(pool / "no.extxyz"), "--output-features", str(pool / "no.npy")]
    select = ["select", "--config", str(pool / "config.yaml"), "--design", "INFORMATION", *given, *outputs]
    assert cli.main(select) == 2
    assert "the method information needs the rows of labels; run `gapdesign rows`" in capsys.readouterr().err
    assert not (pool / "no.extxyz").exists()


@pytest.mark.parametrize("design", DESIGNS)
def test_a_design_of_every_method_is_written_with_its_scores(pool, design):
    frames, features = select(pool, design)
    assert [atoms.info["rank"] for atoms in frames] == list(range(7))
    candidates = [atoms.info["candidate"] for atoms in frames]
    assert len(set(candidates)) == 7
    assert all(atoms.info["distance"] > 0 for atoms in frames)
    assert all(("score" in atoms.info) == (design != "RANDOM") for atoms in frames)
    whole = np.concatenate([read_array(pool / f"features/{start}-{stop}.npy") for start, stop in RANGES])
    assert np.array_equal(features, whole[candidates])


@pytest.mark.parametrize("design", DESIGNS)
def test_a_design_of_every_method_continues_what_exists(pool, design):
    frames, _ = select(pool, f"{design}_AGAIN")
    candidates = {atoms.info["candidate"] for atoms in frames}
    assert len(candidates) == 7
    assert not candidates & {2, 4, 6}
    before = [atoms.info["candidate"] for atoms in select(pool, design)[0]]
    assert [atoms.info["candidate"] for atoms in frames] != before


@pytest.mark.parametrize(
    ("design", "rest", "message"),
    [
        ({"method": "maxmin", "bayesian": {}}, {}, r"designs\.D\.bayesian: these are options of another method"),
        ({"method": "bayesian", "bayesian": {"score": "force"}}, {}, r"bayesian\.score: 'force' needs derivatives"),
        ({"method": "information"}, {}, r"designs\.D\.method: 'information' needs derivatives, which dscribe lacks"),
        (
            {"method": "information"},
            {"descriptor": {"backend": "quippy"}, "kernel": {"soap": {"scale": 0.0}}},
            r"designs\.D\.method: 'information' learns energies of the scale kernel\.soap\.scale, which is 0",
        ),
        (
            {"method": "maxent"},
            {"kernel": {"structure": "rematch"}},
            r"method: 'maxent' needs the covariance of",
        ),
        ({"method": "d_optimal", "d_optimal": {"features": 101}}, {}, r"d_optimal\.features: 101 weights need as many"),
        (
            {"method": "bayesian", "bayesian": {"skore": "force"}},
            {},
            r"bayesian\.skore: unknown key; did you mean",
        ),
        ({"method": "k_medoid"}, {}, r"there is no 'k_medoid'; did you mean 'k_medoids'"),
    ],
)
def test_a_mistake_gets_one_sentence(design, rest, message):
    from gapdesign.errors import InputError

    given = {"prototypes": STUDY["prototypes"], "designs": {"D": {"pool": "A"} | design}} | rest
    with pytest.raises(InputError, match=message):
        config.check(config.parse(given))
