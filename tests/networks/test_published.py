"""Loading and running networks of the published layout, with random weights."""

import dataclasses

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from szmass.exceptions import FileFormatError, IntegrityError, InvalidInputError, RemoteDataError
from szmass.networks import BinnedNetworks, load_published, published, published_card


def forward(image, arrays):
    """Run the published network on one normalised map with numpy alone."""
    x = image[..., np.newaxis].astype(float)
    for i in (1, 2, 3):
        kernel = arrays[f"conv{i}/kernel"].astype(float)
        x = np.einsum("ijcab,abco->ijo", sliding_window_view(x, (3, 3), axis=(0, 1)), kernel)
        x = np.maximum(x + arrays[f"conv{i}/bias"], 0)
        ny, nx = (n // 2 for n in x.shape[:2])
        x = x[: 2 * ny, : 2 * nx].reshape(ny, 2, nx, 2, -1).max(axis=(1, 3))
    x = x.mean(axis=(0, 1))
    for i in (1, 2, 3, 4):
        x = x @ arrays[f"dense{i}/kernel"].astype(float) + arrays[f"dense{i}/bias"]
        x = x if i == 4 else np.maximum(x, 0)
    return x[0]


@pytest.fixture(scope="module")
def maps():
    """Noise maps and redshifts, some in each bin."""
    rng = np.random.default_rng(5)
    redshift = np.array([0.05, 0.15, 0.3, 0.7, 0.1, 0.2, 0.4, 1.0, 1e-3])
    return rng.normal(0, 1.6e-6, (len(redshift), 96, 96)).astype(np.float32), redshift


def test_prediction_is_the_published_recipe(released, maps):
    networks = load_published(released)
    data, redshift = maps
    expected = []
    for image, index in zip(data, [0, 1, 2, 3, 0, 1, 2, 3, 0], strict=True):
        mean, sigma = published_card().normalisation[index]
        arrays = networks._arrays[index]
        expected.append(forward((image - mean) / sigma, arrays) - np.log10(0.678))
    found = networks.log10_mass(data, redshift)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


def test_many_maps(released, maps):
    networks = load_published(released)
    data = np.concatenate([maps[0]] * 8)
    found = networks.log10_mass(data, np.full(len(data), 0.05))
    mean, sigma = published_card().normalisation[0]
    expected = [forward((one - mean) / sigma, networks._arrays[0]) for one in maps[0]]
    np.testing.assert_allclose(found, np.tile(expected, 8) - np.log10(0.678), rtol=0, atol=2e-5)


def test_prediction_of_a_map_does_not_depend_on_the_others(released, maps):
    networks = load_published(released)
    data, redshift = maps
    together = networks.log10_mass(data, redshift)
    alone = [networks.log10_mass(d[np.newaxis], z)[0] for d, z in zip(data, redshift, strict=True)]
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(data))
    shuffled = networks.log10_mass(data[order], redshift[order], batch_size=2)
    np.testing.assert_allclose(shuffled, together[order], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(networks.log10_mass(data, redshift), together)


def test_no_maps_give_no_masses(released):
    assert load_published(released).log10_mass(np.empty((0, 96, 96)), []).shape == (0,)


def test_without_h_the_output_is_in_solar_masses(released, maps):
    networks = load_published(released)
    card = dataclasses.replace(networks.card, h=None)
    data, redshift = maps[0][:1], maps[1][:1]
    difference = networks.log10_mass(data, redshift) - BinnedNetworks(
        card, networks._arrays
    ).log10_mass(data, redshift)
    np.testing.assert_allclose(difference, 0.168770, atol=1e-6)


def test_input_that_cannot_be_weighed_is_refused(released, maps):
    networks = load_published(released)
    data, redshift = maps
    hole = data.copy()
    hole[3, 0, 0] = np.nan
    for bad_data, bad_redshift, message in (
        (hole, redshift, "1 of 9 cutouts have NaN"),
        (data[:, :40], redshift, r"shape \(N, 96, 96\). Received: \(9, 40, 96\)"),
        (data[0], 0.1, r"shape \(N, 96, 96\). Received: \(96, 96\)"),
        (data, redshift[:4], "one entry per cutout"),
        (data, np.where(redshift == 1, 1.01, redshift), r"\(0, 1\]. Received: 1.01"),
        (data, np.where(redshift == 1, 0, redshift), r"\(0, 1\]. Received: 0.0"),
        (data, np.where(redshift == 1, np.nan, redshift), r"\(0, 1\]. Received: nan"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            networks.log10_mass(bad_data, bad_redshift)
    with pytest.raises(InvalidInputError, match="'batch_size' must be at least 1"):
        networks.log10_mass(data, redshift, batch_size=0)
    with pytest.raises(InvalidInputError, match="'batch_size' must be at least 1, a whole number"):
        networks.log10_mass(data, redshift, batch_size="abc")


def test_weights_that_do_not_fit_the_card(released, arrays, maps):
    networks = load_published(released)
    with pytest.raises(InvalidInputError, match=r"per redshift bin \(4\). Received: 1"):
        BinnedNetworks(networks.card, [arrays])
    card = dataclasses.replace(networks.card, n_parameters=58438)
    with pytest.raises(FileFormatError, match="58437 weights; the model card .* says 58438"):
        BinnedNetworks(card, [arrays] * 4).log10_mass(maps[0], maps[1])


def test_conversion_is_done_once(released, cache, monkeypatch):
    first = load_published(released)
    assert sorted(path.name for path in cache.iterdir()) == sorted(
        f"bestmodel-{i}.{suffix}" for i in (1, 2, 3, 4) for suffix in ("json", "npz")
    )
    monkeypatch.setattr(published, "read_keras2_weights", pytest.fail)
    second = load_published(released)
    for a, b in zip(first._arrays, second._arrays, strict=True):
        assert all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("damage", ["truncated", "removed", "other source", "no record"])
def test_unusable_conversion_is_done_again(released, cache, damage):
    first = load_published(released)
    npz, record = cache / "bestmodel-3.npz", cache / "bestmodel-3.json"
    whole = npz.read_bytes()
    if damage == "truncated":
        npz.write_bytes(whole[:1000])
    elif damage == "removed":
        npz.unlink()
    elif damage == "other source":
        record.write_text((cache / "bestmodel-2.json").read_text())
    else:
        record.write_text("{")
    again = load_published(released)
    assert npz.read_bytes() == whole
    np.testing.assert_array_equal(again._arrays[2]["conv1/bias"], first._arrays[2]["conv1/bias"])


def test_cache_that_cannot_be_written_costs_only_time(released, monkeypatch, caplog):
    def fail(path, arrays):
        raise PermissionError("read-only")

    monkeypatch.setattr("szmass.networks._weights.save_arrays", fail)
    assert len(load_published(released)._arrays) == 4
    assert "could not be kept" in caplog.text


def test_weights_are_fetched_only_if_not_converted(released, monkeypatch):
    fetched = []

    def fetch(url, sha256, filename, *, folder):
        fetched.append(url)
        return released / filename

    monkeypatch.setattr(published, "fetch_file", fetch)
    load_published()
    load_published()
    assert fetched == [entry.url for entry in published_card().weights]


def test_failed_download(cache, monkeypatch):
    def fetch(url, sha256, filename, *, folder):
        assert folder == cache
        raise RemoteDataError(f"{url} could not be fetched")

    monkeypatch.setattr(published, "fetch_file", fetch)
    with pytest.raises(RemoteDataError, match=r"bestmodel-1\.h5 could not be fetched"):
        load_published()


def test_other_weights_are_refused(released):
    path = released / "bestmodel-2.h5"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(IntegrityError, match=r"bestmodel-2\.h5' has SHA-256 .* Get the published"):
        load_published(released)


def test_weights_that_are_not_there(released, tmp_path):
    (released / "bestmodel-4.h5").unlink()
    with pytest.raises(InvalidInputError, match=r"has no file 'bestmodel-4\.h5'; it must hold"):
        load_published(released)
    with pytest.raises(InvalidInputError, match="'weights' must be the folder"):
        load_published(tmp_path / "nowhere")
