"""Maps of other simulations become data sets."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable

from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError
from szmass.maps import CutoutGeometry
from szmass.simulations import SimulationDataset, import_maps

pytest.importorskip("zarr")

GEOMETRY = CutoutGeometry(shape=(6, 8), pixel_scale=2 * u.arcmin)
N = 30


@pytest.fixture
def maps():
    values = np.random.default_rng(0).normal(1e-5, 1e-6, (N, 6, 8))
    values[4, 2, 3] = np.nan
    return values


@pytest.fixture
def table():
    table = QTable()
    table["region"] = [f"NewMDCLUSTER_{i // 3:04d}" for i in range(N)]
    table["snapshot"] = np.arange(N) % 3
    table["z"] = np.linspace(0.05, 0.9, N)
    table["M500"] = np.linspace(2, 15, N) * 1e14 * u.solMass
    table["dynamical_state"] = np.linspace(0, 1, N).astype(np.float32)
    return table


def run(path, maps, table, **options):
    arguments = {
        "cluster": "region",
        "mass": "M500",
        "redshift": "z",
        "geometry": GEOMETRY,
        "beam": "10 arcmin",
        "unit": "",
        "shard_size": 16,
    }
    return import_maps(path, maps, table, **{**arguments, **options})


def write(form, folder, maps):
    """Write maps in one of the forms that people have."""
    if form == "array":
        return maps
    if form == "npy":
        np.save(folder / "maps.npy", maps)
        return folder / "maps.npy"
    if form == "fits":
        fits.PrimaryHDU(maps).writeto(folder / "maps.fits")
        return str(folder / "maps.fits")
    if form == "hdf5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(folder / "maps.hdf5", "w") as file:
            file["run/y"] = maps
            file["run/mass"] = np.arange(N)
        return folder / "maps.hdf5"
    paths = []
    for i, image in enumerate(maps):
        paths.append(folder / f"{i:02d}.{form.split()[0]}")
        if form == "fits files":
            hdus = [fits.PrimaryHDU(), fits.ImageHDU(image.astype(">f4"), name="Y")]
            fits.HDUList(hdus).writeto(paths[-1])
        else:
            np.save(paths[-1], image)
    return paths


@pytest.mark.parametrize("form", ["array", "npy", "fits", "hdf5", "fits files", "npy files"])
def test_forms(form, maps, table, tmp_path):
    source = write(form, tmp_path, maps)
    dataset = run(tmp_path / "data.zarr", source, table)
    np.testing.assert_array_equal(dataset.maps(), maps.astype(np.float32))
    sample = dataset[3:6]
    assert sample.cutouts.beam == 10 * u.arcmin
    assert sample.cutouts.geometry == GEOMETRY
    assert sample.cutouts.complete.tolist() == [True, False, True]
    assert len(set(dataset.sample().names)) == N
    truth = dataset.table()
    assert truth.colnames[:5] == ["name", "coord", "redshift", "mass_true", "cluster_id"]
    np.testing.assert_allclose(truth["mass_true"].to_value("solMass"), table["M500"].value)
    np.testing.assert_array_equal(truth["region"], table["region"])
    np.testing.assert_array_equal(truth["snapshot"], table["snapshot"])
    assert truth["dynamical_state"].dtype == np.float32
    np.testing.assert_array_equal(dataset.cluster_id, np.arange(N) // 3)
    assert dataset.meta["positions"] == "drawn"
    train, test = dataset.split((0.7, 0.3), seed=1, redshift_bins=None)
    assert not set(train.table()["region"]) & set(test.table()["region"])
    dataset.verify()


def test_projections_of_a_cluster(maps, table, tmp_path):
    dataset = run(tmp_path / "data.zarr", maps.reshape(6, 5, 6, 8), table[::5])
    np.testing.assert_array_equal(dataset.maps(), maps.astype(np.float32))
    assert dataset.table()["projection"].tolist() == [0, 1, 2, 3, 4] * 6
    assert dataset.sample().names[7] == "MOCK 1 p2"
    assert np.ptp(dataset.redshift[:5]) == 0


def test_units(maps, table, tmp_path):
    scaled = run(tmp_path / "a.zarr", maps * 1e6, table, unit=1e-6 * u.one)
    np.testing.assert_allclose(scaled.maps(), maps, rtol=1e-6)
    integrated = run(tmp_path / "b.zarr", maps * 4, table, unit="arcmin2")
    np.testing.assert_allclose(integrated.maps(), maps, rtol=1e-6)
    table["M500"] = table["M500"].value / 1e14
    masses = run(tmp_path / "c.zarr", maps, table, mass_unit="1e14 solMass")
    np.testing.assert_allclose(masses.table()["mass_true"].value, scaled.table()["mass_true"].value)
    for unit in ("K", "solMass"):
        with pytest.raises(InvalidUnitError, match="'unit' must be dimensionless"):
            run(tmp_path / "d.zarr", maps, table, unit=unit)
    with pytest.raises(InvalidUnitError, match="has no unit. Say what it is in"):
        run(tmp_path / "d.zarr", maps, table)
    table["M500"] = table["M500"] * u.kg
    with pytest.raises(InvalidUnitError, match="is in kg, and 'mass_unit' says (solMass|Msun)"):
        run(tmp_path / "d.zarr", maps, table, mass_unit="solMass")


def test_names_and_positions(maps, table, tmp_path):
    table["coord"] = SkyCoord(np.arange(N), np.arange(N), unit="deg", frame="icrs")
    table["name"] = table["region"]
    del table["region"]
    dataset = run(tmp_path / "a.zarr", maps, table, cluster="name", coord="coord", beam=None)
    assert dataset.beam is None
    assert dataset.sample().names[:4].tolist() == [
        *(f"NewMDCLUSTER_0000 p{j}" for j in range(3)),
        "NewMDCLUSTER_0001 p0",
    ]
    np.testing.assert_allclose(dataset.sample().coord.ra.deg, np.arange(N))


def test_tables_from_files(maps, table, tmp_path):
    table.write(tmp_path / "table.ecsv")
    with_units = run(tmp_path / "a.zarr", maps, tmp_path / "table.ecsv")
    table["M500"] = table["M500"].value
    table.write(tmp_path / "table.csv", format="ascii.csv")
    csv = run(tmp_path / "b.zarr", maps, str(tmp_path / "table.csv"), mass_unit=u.solMass)
    np.testing.assert_allclose(csv.table()["mass_true"], with_units.table()["mass_true"])


def test_it_goes_on(maps, table, tmp_path):
    whole = run(tmp_path / "a.zarr", maps, table)
    (whole.path / "maps/c/1/0/0").unlink()
    assert len(SimulationDataset.open(whole.path, partial=True)) == 16
    again = run(tmp_path / "a.zarr", maps, table)
    assert again.digest == whole.digest
    again.verify()
    with pytest.raises(InvalidInputError, match="another data set"):
        run(tmp_path / "a.zarr", maps + 1, table)
    with pytest.raises(InvalidInputError, match="another data set"):
        run(tmp_path / "a.zarr", maps, table, beam="5 arcmin")


def test_bad_input(maps, table, tmp_path):
    path = tmp_path / "data.zarr"
    infinite = maps.copy()
    infinite[20, 0, 0] = np.inf
    unknown = table.copy()
    unknown["z"][3] = np.nan
    relative = CutoutGeometry(shape=(6, 8), pixel_scale=0.1)
    clash = table.copy()
    clash["projection"] = 1
    for arguments, text in (
        ({"maps": maps[:, :5]}, r"with the \(6, 8\) pixels of 'geometry'"),
        ({"maps": maps[0]}, "'maps' must have the shape"),
        ({"maps": maps.astype(complex)}, "real numbers"),
        ({"maps": maps[:0], "table": table[:0]}, "'maps' must have the shape"),
        ({"maps": []}, "holds no files"),
        ({"table": table[:-1]}, r"a row for each entry of 'maps' \(30\). Received: 29"),
        ({"table": unknown}, "redshift must be known for every map"),
        ({"table": clash}, "'projection', which is one of ours"),
        ({"table": [1]}, "'table' must be a table"),
        ({"cluster": "halo"}, "'cluster' names the column 'halo'"),
        ({"cluster": "M500"}, "a number or a name of the cluster"),
        ({"coord": "z"}, "must be a SkyCoord"),
        ({"geometry": relative}, "'geometry' must be a CutoutGeometry"),
        ({"maps": infinite}, "Infinite in row 0 ..MOCK 20"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            run(path, **{"maps": maps, "table": table, **arguments})


def test_bad_files(maps, table, tmp_path):
    h5py = pytest.importorskip("h5py")
    with pytest.raises(FileNotFoundError, match="no file"):
        run(tmp_path / "d.zarr", tmp_path / "none.npy", table)
    for name in ("maps.npy", "maps.fits", "maps.h5"):
        (tmp_path / name).write_bytes(b"nothing of the sort" * 10)
        with pytest.raises(FileFormatError, match="cannot be read as"):
            run(tmp_path / "d.zarr", tmp_path / name, table)
    (tmp_path / "maps.tiff").write_bytes(b"")
    with pytest.raises(FileFormatError, match="none of the suffixes"):
        run(tmp_path / "d.zarr", tmp_path / "maps.tiff", table)
    hdus = [fits.PrimaryHDU(maps), fits.ImageHDU(2 * maps, name="Y2")]
    fits.HDUList(hdus).writeto(tmp_path / "two.fits")
    with pytest.raises(InvalidInputError, match="has 2 images; say with 'key'"):
        run(tmp_path / "d.zarr", tmp_path / "two.fits", table)
    with pytest.raises(InvalidInputError, match="no HDU 'Y3'"):
        run(tmp_path / "d.zarr", tmp_path / "two.fits", table, key="Y3")
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a"], file["b"] = maps, 2 * maps
    with pytest.raises(InvalidInputError, match="2 data sets of maps"):
        run(tmp_path / "d.zarr", tmp_path / "two.h5", table)
    with pytest.raises(InvalidInputError, match="no data set 'c'"):
        run(tmp_path / "d.zarr", tmp_path / "two.h5", table, key="c")
    dataset = run(tmp_path / "d.zarr", tmp_path / "two.h5", table, key="b")
    np.testing.assert_allclose(dataset.maps(), 2 * maps, rtol=1e-6)
