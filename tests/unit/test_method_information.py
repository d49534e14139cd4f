"""Method information: by plain refactorising; its proof, its bounds, and RK's scores as special cases."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from gapdesign.descriptors.environments import Environments
from gapdesign.errors import InputError
from gapdesign.methods import METHODS
from gapdesign.methods.base import Selection
from gapdesign.methods.bayesian import BayesianOptions
from gapdesign.methods.information import InformationMethod, InformationOptions, greedy
from gapdesign.methods.shared.parts import among, beside
from gapdesign.rows.functions import RowFunctions
from gapdesign.rows.pool import HeldRows, RowPool, write_rows
from gapdesign.shards import shard_path
from toy_pools import environments, features, label_rows, task

ERRORS = {"energy": 0.3, "force": 0.5, "virial": 0.4}


def weighted(raw: np.ndarray, errors=ERRORS, scale: float = 1.0) -> np.ndarray:
    """Rows of a structure over expected errors; those per atom grow with the root of the size, as in gap_fit."""
    size = (len(raw) - 7) // 3
    given = {name: errors.get(name) or np.inf for name in ("energy", "force", "virial")}
    per_atom = np.sqrt(size)
    each = [given["energy"] * per_atom, *[given["virial"] * per_atom] * 6, *[given["force"]] * (3 * size)]
    return scale * raw.astype(float) / np.array(each)[:, None]


def by_definition(raw: np.ndarray, precision: np.ndarray, scores: dict[str, float], errors=ERRORS) -> float:
    """Scores as their definitions say, from the inverse of the whole precision."""
    covariance, rows, size = np.linalg.inv(precision), weighted(raw, errors), (len(raw) - 7) // 3
    plain = raw.astype(float)
    after = precision + rows.T @ rows
    variances = np.diag(plain @ covariance @ plain.T)
    found = {
        "entropy": 0.5 * (np.linalg.slogdet(after)[1] - np.linalg.slogdet(precision)[1]),
        "energy": variances[0] / size**2,
        "force": variances[7:].max(),
        "largest": np.diag(rows @ covariance @ rows.T).max(),
        "trace": np.trace(covariance - np.linalg.inv(after)) / len(precision),
    }
    return sum(weight * found[name] for name, weight in scores.items())


def refactorised(rows, budget, scores, errors=ERRORS, costs=None, core_hours=np.inf):
    """The plain greedy choice: at each rank every candidate anew."""
    precision, order, values = np.eye(rows.one(0).shape[1]), [], []
    costs, left = np.ones(len(rows)) if costs is None else costs, core_hours
    while len(order) < budget:
        found = [by_definition(rows.one(k), precision, scores, errors) / costs[k] for k in range(len(rows))]
        found = [-np.inf if k in order or costs[k] > left else value for k, value in enumerate(found)]
        best = int(np.argmax(found))
        if not np.isfinite(found[best]):
            break
        order.append(best)
        values.append(found[best] * costs[best])
        left -= costs[best]
        own = weighted(rows.one(best), errors)
        precision = precision + own.T @ own
    return order, values


def options(**given) -> InformationOptions:
    return InformationOptions(**{"errors": ERRORS} | given)


@pytest.mark.parametrize(
    "scores",
    [
        {"entropy": 1.0},
        {"energy": 1.0},
        {"force": 1.0},
        {"largest": 1.0},
        {"trace": 1.0},
        {"entropy": 0.7, "energy": 2.0, "force": 0.1},
    ],
    ids=lambda scores: "+".join(scores),
)
def test_it_is_the_plain_greedy_choice(scores):
    found = InformationMethod.select(task(features(70), 25, options=options(scores=scores)))
    order, values = refactorised(label_rows(70), 25, scores)
    assert found.candidates.tolist() == order
    np.testing.assert_allclose(found.scores, values, rtol=1e-9)


@pytest.mark.parametrize("absent", [["energy"], ["force"], ["virial"], ["energy", "force"], ["force", "virial"]])
def test_labels_without_an_expected_error_are_left_out(absent):
    errors = ERRORS | dict.fromkeys(absent)
    found = InformationMethod.select(task(features(40), 15, options=options(errors=errors)))
    assert found.candidates.tolist() == refactorised(label_rows(40), 15, {"entropy": 1.0}, errors)[0]


def test_information_of_the_parts_is_that_of_the_whole():
    """The sum of the scores is 1/2 log det of all rows, whatever their order; a wider prior is a smaller error."""
    found = InformationMethod.select(task(features(50), 20, options=options(), scale=3.0))
    rows = np.concatenate([weighted(label_rows(50).one(int(k)), scale=3.0) for k in found.candidates])
    assert found.scores.sum() == pytest.approx(0.5 * np.linalg.slogdet(np.eye(12) + rows.T @ rows)[1], rel=1e-9)
    assert (np.diff(found.scores) <= 1e-12).all()


def test_few_candidates_are_scored_twice():
    """400 candidates at 60 ranks are 24,000 scores by the plain choice."""
    rows = label_rows(400, width=30)
    found = InformationMethod.select(task(features(400), 60, options=options(), rows=rows))
    assert found.passes < 20
    assert found.candidates.tolist() == refactorised(rows, 60, {"entropy": 1.0})[0]


def test_structures_of_more_labels_than_functions():
    rows = label_rows(30, width=9, atoms=(4, 7))
    found = InformationMethod.select(task(features(30), 10, options=options(), rows=rows))
    assert found.candidates.tolist() == refactorised(rows, 10, {"entropy": 1.0})[0]
    assert InformationMethod.first_wrong_rank(task(features(30), 10, options=options(), rows=rows), found) is None


def test_existing_structures_are_the_prior():
    """Choosing 12 at once is choosing 5 and then 7 with the 5 as what exists."""
    vectors, rows = features(60), label_rows(60)
    whole = InformationMethod.select(task(vectors, 12, options=options()))
    first = whole.candidates[:5]
    given = {"existing": vectors[first], "existing_rows": [rows.one(int(k)) for k in first]}
    mine = task(vectors, 7, options=options(), **given)
    rest = InformationMethod.select(mine)
    assert rest.candidates.tolist() == whole.candidates[5:].tolist()
    np.testing.assert_allclose(rest.scores, whole.scores[5:], rtol=1e-9)
    assert InformationMethod.first_wrong_rank(mine, rest) is None


def test_equal_scores_go_to_the_first_and_copies_are_left_out():
    vectors, raw = features(20), label_rows(20)
    rows = HeldRows([raw.one(k % 10) for k in range(20)])  # equal labels of structures that differ
    found = InformationMethod.select(task(vectors, 10, options=options(), rows=rows)).candidates
    assert found[0] < 10
    vectors[10:] = vectors[:10]
    mine = task(vectors, 20, options=options(), rows=rows)
    copies = InformationMethod.select(mine)
    assert sorted(copies.candidates.tolist()) == list(range(10))
    assert copies.outside[-1] == 0
    assert InformationMethod.first_wrong_rank(mine, copies) is None


@pytest.mark.parametrize("scores", [{"entropy": 1.0}, {"force": 1.0, "energy": 0.5}, {"largest": 1.0}])
def test_the_certificate_proves_the_design_and_nothing_else(scores):
    mine = task(features(50), 15, options=options(scores=scores))
    found = InformationMethod.select(mine)
    np.testing.assert_allclose(found.outside[:-1], found.scores[1:], rtol=2e-6)
    assert InformationMethod.first_wrong_rank(mine, found) is None

    def wrong(**changed) -> tuple[int, str]:
        reason = InformationMethod.first_wrong_rank(mine, replace(found, **changed))
        return reason.rank, reason.reason

    other, swapped = found.candidates.copy(), found.candidates.copy()
    other[9] = next(k for k in range(50) if k not in other)
    assert wrong(candidates=other)[0] == 9
    swapped[[3, 4]] = swapped[[4, 3]]
    assert wrong(candidates=swapped)[0] == 3
    twice = found.candidates.copy()
    twice[7] = twice[2]
    assert wrong(candidates=twice) == (7, f"candidate {twice[2]} is chosen twice")
    assert wrong(scores=found.scores * np.where(np.arange(15) == 6, 1.001, 1.0))[0] == 6
    assert wrong(outside=found.outside * np.where(np.arange(15) == 14, 0.9, 1.0))[0] == 14
    assert wrong(outside=found.outside * np.where(np.arange(15) == 5, 1.1, 1.0))[0] == 5


def test_a_design_with_true_scores_that_is_not_greedy_is_refused():
    """Its scores are those of its own order, so that only the candidates left out tell."""
    mine, rows = task(features(50), 6, options=options()), label_rows(50)
    best = InformationMethod.select(mine)
    order = [*best.candidates[:3].tolist(), *[k for k in range(50) if k not in best.candidates][:3]]
    precision, scores = np.eye(12), []
    for k in order:
        scores.append(by_definition(rows.one(k), precision, {"entropy": 1.0}))
        own = weighted(rows.one(k))
        precision = precision + own.T @ own
    design = Selection(
        np.array(order), best.distances, np.array([*scores[1:], best.outside[-1]]), scores=np.array(scores)
    )
    wrong = InformationMethod.first_wrong_rank(mine, design)
    assert wrong.rank == 3 and "a candidate left out scores" in wrong.reason


def test_it_does_not_depend_on_files_memory_threads_or_what_is_scored_at_once(tmp_path, monkeypatch):
    vectors, rows = features(90), label_rows(90, width=40)
    expected = InformationMethod.select(task(vectors, 20, options=options(), rows=rows))
    for number, (cuts, threads, memory, chunk) in enumerate(
        [((), 1, 64, 1), ((1, 50), 2, 1024, 7), ((30, 31), 3, 1, 90)]
    ):
        paths = []
        for start, stop in itertools.pairwise([0, *cuts, 90]):
            paths.append(shard_path(tmp_path / str(number), start, stop, "npz"))
            write_rows(paths[-1], [rows.one(k) for k in range(start, stop)])
        monkeypatch.setattr(greedy, "CHUNK", chunk)
        given = {"rows": RowPool(paths), "threads": threads, "memory": memory}
        found = InformationMethod.select(task(vectors, 20, options=options(), **given))
        assert found.candidates.tolist() == expected.candidates.tolist()
        assert found.scores.tobytes() == expected.scores.tobytes()
        assert found.outside.tobytes() == expected.outside.tobytes()


class TestCoreHours:
    """Budgets of core-hours."""

    COSTS = np.random.default_rng(5).uniform(0.5, 20.0, 40)

    def test_it_is_the_plain_choice_by_score_per_cost(self):
        mine = task(features(40), 40, options=options(), costs=self.COSTS, core_hours=60.0)
        found = InformationMethod.select(mine)
        order, values = refactorised(label_rows(40), 40, {"entropy": 1.0}, costs=self.COSTS, core_hours=60.0)
        assert found.candidates.tolist() == order
        np.testing.assert_allclose(found.scores, values, rtol=1e-9)
        assert self.COSTS[order].sum() <= 60.0
        assert InformationMethod.first_wrong_rank(mine, found) is None

    def test_one_that_teaches_more_than_all_cheap_ones_comes_first(self):
        """The best ratio is that of a crumb, after which nothing else is paid for."""
        rows = HeldRows([0.05 * label_rows(3).one(0), 5 * label_rows(3).one(1), label_rows(3).one(2)])
        costs = np.array([1e-4, 10.0, 10.0])
        found = InformationMethod.select(
            task(features(3), 3, options=options(), rows=rows, costs=costs, core_hours=10.0)
        )
        assert refactorised(rows, 3, {"entropy": 1.0}, costs=costs, core_hours=10.0)[0] == [0]
        assert found.candidates.tolist() == [1]

    @pytest.mark.parametrize("seed", range(6))
    def test_it_reaches_the_part_of_the_optimum_that_is_proved(self, seed):
        """All subsets of nine candidates that a budget pays for."""
        rng, rows = np.random.default_rng(seed), label_rows(9, seed)
        costs = rng.uniform(1, 6, 9)
        mine = task(features(9), 9, options=options(), rows=rows, costs=costs, core_hours=10.0)
        found = InformationMethod.select(mine)
        optimum = 0.0
        for chosen in itertools.chain.from_iterable(itertools.combinations(range(9), n) for n in range(1, 9)):
            if costs[list(chosen)].sum() <= 10.0:
                own = np.concatenate([weighted(rows.one(k)) for k in chosen])
                optimum = max(optimum, 0.5 * np.linalg.slogdet(np.eye(12) + own.T @ own)[1])
        assert (1 - 1 / np.sqrt(np.e)) * optimum <= found.scores.sum() <= optimum + 1e-9
        assert optimum <= greedy.choose(mine, options()).most + 1e-9


class TestRockeAndKermode:
    """Their scores, as the method `bayesian` has them."""

    def one_atom(self):
        rng = np.random.default_rng(3)
        vectors = rng.random((50, 5))
        vectors = (np.rint(vectors * 2**20) / 2**20).astype(np.float32)  # of several lengths, so that none is a tie
        one = np.ones(50, np.int32)
        around = Environments(np.arange(51), vectors, one, 40 * one)
        forces = rng.standard_normal((50, 3, 5)).astype(np.float32)
        rows = [np.concatenate([vectors[[k]], np.zeros((6, 5), np.float32), forces[k]]) for k in range(50)]
        slopes = [np.concatenate([np.zeros((6, 5)), -forces[k]]) for k in range(50)]
        return {"environments": around, "derivatives": lambda k: {40: slopes[k]}, "rows": HeldRows(rows)}

    def many_atoms(self, seed=3):
        """Structures of one to nine atoms of two elements, in a model that is linear in the vectors."""
        rng, around = np.random.default_rng(seed), environments(50, seed, species=2)
        lengths = rng.integers(512, 1024, (around.count, 1)) / 1024  # several, so that none is a tie
        around = replace(around, vectors=(around.vectors * lengths).astype(np.float32))
        slopes, rows = [], []
        for k in range(50):
            own = around.one(k)
            count = own.multiplicities.sum()
            sums = own.multiplicities[:, None] * own.vectors
            parts = [sums[own.species == z].sum(axis=0) for z in (40, 41)]
            slopes.append({z: rng.standard_normal((6 + 3 * count, 5)) for z in (40, 41)})
            rest = np.hstack([-slopes[k][40], -slopes[k][41]])
            rows.append(np.concatenate([np.hstack(parts)[None], rest]).astype(np.float32))
        functions = RowFunctions({40: np.eye(5), 41: np.eye(5)}, zeta=1)
        rows = HeldRows(rows)
        return {"environments": around, "derivatives": slopes.__getitem__, "rows": rows, "functions": functions}

    @pytest.mark.parametrize(
        ("score", "factor", "labels"),
        [("entropy", 0.5, ["energy"]), ("energy", 1, ["energy"]), ("force", 1, ["energy", "force"])],
    )
    def test_the_picks_and_scores_are_the_same(self, score, factor, labels):
        errors = dict.fromkeys(("energy", "force", "virial")) | dict.fromkeys(labels, 0.2)
        given = self.one_atom()
        theirs = METHODS["bayesian"].select(
            task(features(50), 20, options=BayesianOptions(score=score, rows="environments", noise=0.2), **given)
        )
        own = InformationMethod.select(
            task(features(50), 20, options=InformationOptions(errors=errors, scores={score: 1.0}), **given)
        )
        assert own.candidates.tolist() == theirs.candidates.tolist()
        np.testing.assert_allclose(own.scores, factor * theirs.scores, rtol=1e-5)

    @pytest.mark.parametrize(
        ("score", "factor", "labels", "continues"),
        [
            ("entropy", 0.5, ["environment"], False),
            ("entropy", 0.5, ["environment"], True),
            ("energy", 1, ["environment"], False),
            ("energy", 1, ["environment"], True),
            ("force", 1, ["environment", "force"], False),  # of existing structures `bayesian` learns no forces
        ],
    )
    def test_so_they_are_for_many_atoms_whose_energies_are_learnt_one_by_one(self, score, factor, labels, continues):
        errors = dict.fromkeys(("energy", "force", "virial")) | dict.fromkeys(labels, 0.2)
        given = self.many_atoms()
        if continues:
            existing = self.many_atoms(seed=8)
            given |= {"existing_environments": existing["environments"], "existing": features(50, seed=8)}
            given["existing_rows"] = [existing["rows"].one(k) for k in range(50)]
        theirs = METHODS["bayesian"].select(
            task(features(50), 20, options=BayesianOptions(score=score, rows="environments", noise=0.2), **given)
        )
        mine = task(features(50), 20, options=InformationOptions(errors=errors, scores={score: 1.0}), **given)
        own = InformationMethod.select(mine)
        assert own.candidates.tolist() == theirs.candidates.tolist()
        np.testing.assert_allclose(own.scores, factor * theirs.scores, rtol=1e-5)
        assert InformationMethod.first_wrong_rank(mine, own) is None

    @pytest.mark.parametrize("score", ["entropy", "energy", "force"])
    def test_they_are_the_plain_greedy_choice_beside_other_labels(self, score):
        """Rows of atoms are those of their vectors, in the block of their element."""
        given, labels = self.many_atoms(), []
        for k in range(50):
            own = given["environments"].one(k)
            blocks = np.zeros((len(own.species), 2, 5))
            blocks[np.arange(len(own.species)), own.species - 40] = own.vectors
            atoms = np.repeat(blocks.reshape(-1, 10), own.multiplicities, axis=0)
            labels.append(np.concatenate([weighted(given["rows"].one(k)), atoms / 0.2]))
        precision, order = np.eye(10), []
        for _ in range(15):
            found = []
            for k, own in enumerate(labels):
                raw = given["rows"].one(k).astype(float)
                variances = np.diag(raw @ np.linalg.inv(precision) @ raw.T)
                values = {
                    "entropy": np.linalg.slogdet(precision + own.T @ own)[1],
                    "energy": variances[0] / ((len(raw) - 7) // 3) ** 2,
                    "force": variances[7:].max(),
                }
                found.append(-np.inf if k in order else values[score])
            order.append(int(np.argmax(found)))
            precision = precision + labels[order[-1]].T @ labels[order[-1]]
        mine = options(errors=ERRORS | {"environment": 0.2}, scores={score: 1.0})
        assert InformationMethod.select(task(features(50), 15, options=mine, **given)).candidates.tolist() == order

    def test_a_part_of_a_pool_beside_what_is_chosen_has_the_same_labels(self):
        """Choosing 9 at once is choosing 4 and then 5 of the others."""
        errors = options(errors=dict.fromkeys(("energy", "force", "virial")) | {"environment": 0.2})
        mine = task(features(50), 9, options=errors, **self.many_atoms())
        whole = InformationMethod.select(mine).candidates
        others = np.setdiff1d(np.arange(50), whole[:4])
        rest = InformationMethod.select(replace(among(beside(mine, whole[:4]), others), budget=5))
        assert others[rest.candidates].tolist() == whole[4:].tolist()

    def test_environments_are_needed(self):
        given = self.many_atoms() | {"environments": None}
        with pytest.raises(InputError, match="--environments: energies of single atoms are learnt"):
            InformationMethod.select(task(features(50), 3, options=options(errors={"environment": 0.2}), **given))

    def test_an_error_that_is_not_given_is_not_written(self):
        assert "environment" not in InformationOptions().model_dump()["errors"]
        given = InformationOptions(errors={"environment": 0.2})
        assert given.model_dump()["errors"]["environment"] == 0.2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"errors": {"energy": None, "force": None, "virial": None}}, "no label has an expected error"),
        ({"scores": {"entropy": -1.0}}, "must not be negative"),
        ({"scores": {"entropy": 0.0}}, "one must be positive"),
        ({"scores": {}}, "at least 1 item"),
        ({"errors": {"energy": 0.0}}, "greater than 0"),
    ],
)
def test_wrong_options_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        InformationOptions(**given)


def test_a_task_without_rows_and_a_memory_that_is_too_small_are_refused():
    with pytest.raises(InputError, match=r"--rows: .* run `gapdesign rows`"):
        InformationMethod.select(task(features(5), 3, rows=None))
    with pytest.raises(InputError, match=r"selection\.memory: information keeps matrices of 300 rows"):
        InformationMethod.select(task(features(5), 3, rows=label_rows(5, width=300), memory=1))


def test_a_design_by_the_trace_is_not_verified():
    mine = task(features(20), 4, options=options(scores={"trace": 1.0}))
    with pytest.raises(InputError, match=r"scores: designs by `trace` have no certificate"):
        InformationMethod.first_wrong_rank(mine, InformationMethod.select(mine))
