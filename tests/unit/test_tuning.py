"""Descriptors compared: what is published of QUIP's SOAP, and shares counted by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gapdesign.descriptors import EnvironmentDescriptor
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.descriptors.tuning import blind_distances, scan, settings, visibility
from gapdesign.errors import InputError
from gapdesign.report.style import svg_text
from gapdesign.report.tune_figure import tune_figure
from gapdesign.structures import pack


def published(sigma: float) -> DescriptorOptions:
    return DescriptorOptions(backend="quippy", soap={"r_cut": 6.8, "n_max": 10, "l_max": 10, "sigma": sigma})


def test_the_published_width_is_nearly_blind_at_some_distances():
    pytest.importorskip("quippy")
    distances, seen = visibility(published(0.15), [40])
    blind = blind_distances(distances, seen)
    for known in (2.74, 3.52, 4.30, 5.08):
        assert np.abs(blind - known).min() < 0.011
    # Between two radial functions, 0.78 angstrom apart, and nowhere else.
    np.testing.assert_allclose(np.diff(blind), 0.78, atol=0.021)
    assert seen.max() / seen.min() == pytest.approx(500, rel=0.1)


@pytest.mark.parametrize(("sigma", "fold"), [(0.3, 5.7), (0.5, 3.1)])
def test_wider_gaussians_see_every_distance(sigma, fold):
    """The published numbers were made with another measure, or over other distances: they agree to a factor 1.5."""
    pytest.importorskip("quippy")
    distances, seen = visibility(published(sigma), [40])
    assert not len(blind_distances(distances, seen))
    assert fold / 1.5 < seen.max() / seen.min() < fold * 1.5


def test_dscribe_sees_a_dimer_turned_or_moved_the_same(monkeypatch):
    import gapdesign.descriptors.tuning as tuning

    monkeypatch.setattr(tuning, "STEP", 1.0)
    options = DescriptorOptions(soap={"r_cut": 5.0, "n_max": 4, "l_max": 3, "sigma": 0.5})
    distances, seen = visibility(options, [40])
    np.testing.assert_allclose(distances, [1.5, 2.5, 3.5, 4.5])
    assert (seen > 0).all()


def test_every_combination_is_tried():
    found = [(soap.sigma, soap.r_cut, kernel.soap.zeta) for soap, kernel in settings(
        SoapOptions(), KernelOptions(), {"sigma": [0.3, 0.5], "zeta": [2, 4]})]  # fmt: skip
    assert found == [(0.3, 6.8, 2), (0.3, 6.8, 4), (0.5, 6.8, 2), (0.5, 6.8, 4)]
    with pytest.raises(ValueError, match="zeta"):
        list(settings(SoapOptions(), KernelOptions(), {"zeta": [0]}))


def test_shares_of_a_trial_pool_counted_by_hand():
    """Three crystals, two of them the same: one pair of three overlaps, whatever the descriptor."""
    from ase.build import bulk

    batch = pack([bulk("Zr", "bcc", 3.57), bulk("Zr", "bcc", 3.57), bulk("Zr", "hcp", 3.2, 5.1)])
    descriptor = DescriptorOptions(soap={"r_cut": 5.0, "n_max": 6, "l_max": 6, "sigma": 0.5})
    shares, radial = scan(batch, [40], descriptor, KernelOptions(), {"sigma": [0.4, 0.6]})
    assert shares["sigma"].tolist() == [0.4, 0.6]
    np.testing.assert_allclose(shares["overlapping_share"], 1 / 3)
    np.testing.assert_allclose(shares["soap_overlapping_share"], 1 / 3)
    assert (shares["orthogonal_share"] == 0).all()
    for sigma, variation in zip(shares["sigma"], shares["variation"], strict=True):
        seen = radial[radial["sigma"] == sigma]["visibility"]
        assert variation == pytest.approx(seen.max() / seen.min())
    figure = tune_figure(shares, radial)
    assert svg_text(figure).rstrip().endswith("</svg>")
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["sigma 0.4", "sigma 0.6"]
    assert len([line for line in right.lines if line.get_label().startswith("sigma")]) == 2


def test_only_soap_is_tuned():
    class Other(EnvironmentDescriptor):
        """Something else than SOAP."""

    other = SimpleNamespace(member=Other, backend="radial", soap=SoapOptions())
    with pytest.raises(
        InputError, match=r"^descriptor\.backend: only SOAP can be tuned, and 'radial' is not SOAP; choose"
    ):
        scan(pack([]), [40], other, KernelOptions(), {})
