"""Components on a common scale: by closed forms on the sample, and in a study that is run to its design page."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from gapdesign.descriptors import Descriptor, environments_of
from gapdesign.descriptors.kernel import PairKernelOptions
from gapdesign.descriptors.options import ChosenDescriptor, DescriptorOptions
from gapdesign.descriptors.scaling import SAMPLE, Scaling, evenly, scaling_of
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError
from gapdesign.files import read_frames
from gapdesign.structures import Batch, pack

SOAP = SoapOptions(r_cut=5.0, n_max=2, l_max=2)


def alloys(count: int) -> Batch:
    frames = [bulk("CuZr", "cesiumchloride", a=3.26) * (1, 1, 2) for _ in range(count)]
    for seed, atoms in enumerate(frames):
        atoms.rattle(0.2, seed=seed)
    return pack(frames)


def sampled(batch: Batch) -> list[tuple[np.ndarray, np.ndarray]]:
    options = DescriptorOptions(soap=SOAP)
    member = options.member(SOAP, [29, 40])
    return [environments_of(member, batch, k) for k in range(len(batch))]


@pytest.mark.parametrize("components", ["standardised", "whitened"])
def test_a_sample_has_mean_zero_and_deviation_one_on_its_own_scale(components):
    """In every component, and in every direction that varies: the covariance of whitened vectors is a projector."""
    found = sampled(alloys(60))
    scaling = scaling_of(found, [29, 40], components)
    vectors, numbers = (np.concatenate(part) for part in zip(*found, strict=True))
    scaled = scaling(vectors, numbers)
    assert (scaled[:, -1] == 1).all()
    for z in (29, 40):
        own = scaled[numbers == z, :-1] * np.sqrt(vectors.shape[1])
        np.testing.assert_allclose(own.mean(axis=0), 0, atol=1e-8)
        covariance = own.T @ own / len(own)
        if components == "standardised":
            assert set(np.round(np.diag(covariance), 6)) <= {0.0, 1.0}
        else:
            np.testing.assert_allclose(covariance @ covariance, covariance, atol=1e-6)
        assert np.trace(covariance) > 3


def test_a_component_that_does_not_vary_counts_for_nothing():
    vectors = np.column_stack([np.full(10, 7.0), np.arange(10.0), 1e-9 * np.arange(10.0) ** 2])
    scaling = scaling_of([(vectors, np.full(10, 29))], [29, 40], "standardised")
    assert scaling.matrices[29][[0, 2]].tolist() == [0, 0]
    np.testing.assert_array_equal(scaling.matrices[40], scaling.matrices[29])  # none in the sample


@pytest.mark.parametrize("components", ["standardised", "whitened"])
def test_features_have_unit_length_and_batches_change_no_bit(components, tmp_path):
    batch = alloys(8)
    scaling_of(sampled(batch), [29, 40], components).write(tmp_path / "scaling.npz")
    options = DescriptorOptions(components=components, soap=SOAP)
    describe = Descriptor(options, PairKernelOptions(), [29, 40], Scaling.read(tmp_path / "scaling.npz"))
    features = describe.features(batch)
    assert features.shape[1] == describe.layout.dimension
    for part in describe.layout.soap:
        np.testing.assert_allclose(np.linalg.norm(features[:, part].astype(float), axis=1), 1, rtol=1e-6)
    alone = np.concatenate([describe.features(batch.take([k])) for k in range(len(batch))])
    assert features.tobytes() == alone.tobytes()
    chosen = ChosenDescriptor.model_validate_json(options.chosen.model_dump_json())
    assert chosen == options.chosen
    by_quip = options.model_copy(update={"backend": "quippy"})
    with pytest.raises(InputError, match=r"descriptor\.components: there are no derivatives"):
        Descriptor(by_quip, PairKernelOptions(), [29, 40], describe._scaling).derivatives(batch, 0)
    with pytest.raises(InputError, match=rf"descriptor\.components: '{components}' needs the scale"):
        Descriptor(options, PairKernelOptions(), [29, 40])


@pytest.mark.parametrize("size", [1, SAMPLE, SAMPLE + 1, 3 * SAMPLE + 7])
def test_a_sample_is_spread_over_all_batches(size):
    """Ranges stand for batches, of which only the lengths count."""
    batches = [range(size // 3), range(size // 3, size)]
    places = [batch[k] for batch, k in evenly(batches, size)]
    assert min(size, SAMPLE // 2) <= len(places) <= SAMPLE
    assert set(np.diff(places)) <= {-(-size // SAMPLE)}
    assert size - places[-1] <= -(-size // SAMPLE)


def test_a_study_is_designed_and_verified_on_such_a_scale(workflow, capsys):
    from gapdesign.cli import main

    write(workflow.folder / "there.extxyz", [bulk("Cu", "fcc", a=3.7), bulk("CuZr", "cesiumchloride", a=3.3)])
    workflow.configure(
        {
            "study": "scaled",
            "prototypes": {
                "fcc": {"element": "Cu", "lattice": "fcc", "a": 3.6},
                "b2": {"element": "CuZr", "lattice": "cesiumchloride", "a": 3.26},
            },
            "pools": {"names": ["A"], "size": 40, "shard_size": 20},
            "budget": 5,
            "designs": {
                "OPT": {"pool": "A", "method": "maxmin", "existing": "there.extxyz"},
                "RND": {"pool": "A", "method": "random"},
            },
            "descriptor": {"components": "whitened", "soap": {"r_cut": 5.0, "n_max": 3, "l_max": 3}},
            "kernel": {"soap": {"form": "gaussian"}},
        }
    )
    assert workflow.plan("design")["descriptors_scaling"] == 1
    workflow.run("design")
    design = workflow.folder / "results/scaled/designs/OPT.extxyz"
    assert len(read_frames(design)) == 5
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workflow.folder)
        assert main(["verify", "--config", "config.yaml", "results/scaled/designs/OPT.extxyz"]) == 0
    assert "exact; 5 ranks against all 40 candidates" in capsys.readouterr().out
