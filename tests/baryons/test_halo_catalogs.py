"""Halo catalogues of any finder: names, units, pieces, what is derived, and what is refused."""

import gzip
import json

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table
from scipy.optimize import brentq

from szmass.baryons import HaloCatalog
from szmass.baryons._columns import COLUMNS
from szmass.exceptions import (
    FileFormatError,
    InvalidInputError,
    InvalidUnitError,
    SzmassError,
    SzmassWarning,
)
from szmass.physics import HALO_UNITS, BaryonFlag, get_baryon_model
from tests.baryons.conftest import (
    OM,
    ROCKSTAR,
    ROCKSTAR_HEADER,
    SCALE,
    H,
    write_ahf,
    write_rockstar,
    write_trees,
)

# What a number of a finder is multiplied with: Msun/h, comoving kpc/h, comoving Mpc/h.
FACTORS = {
    **dict.fromkeys(("m200c", "m500c", "m200m", "mvir", "mpeak", "accretion_rate"), 1 / H),
    **dict.fromkeys(("r200c", "rvir", "rs"), SCALE / H / 1000),
    **dict.fromkeys(("x", "y", "z"), 1 / H),
}


def assert_same(halos, haloes, names):
    for name in names:
        values = getattr(halos[name], "value", halos[name])
        expected = haloes[name] * FACTORS.get(name, 1)
        assert np.allclose(values, expected, rtol=2e-6, atol=0), name
    for name, unit in (("m200c", u.solMass), ("rs", u.Mpc), ("vmax", u.km / u.s), ("x", u.Mpc)):
        assert name not in halos or halos[name].unit == unit


IN_LISTS = ("id", "m200c", "m500c", "m200m", "mvir", "rvir", "rs", "vmax", "vrms", "spin", "b_to_a",
            "c_to_a", "x", "y", "z")  # fmt: skip


def test_rockstar(haloes, tmp_path):
    halos = HaloCatalog.read(write_rockstar(tmp_path / "out_3.list", haloes))
    assert_same(halos, haloes, IN_LISTS)
    assert np.allclose(halos["redshift"], 1 / SCALE - 1)
    assert (halos.cosmology.Om0, halos.cosmology.h) == (OM, H)
    assert halos.meta["h"] == H
    assert halos.meta["box_mpc"] == pytest.approx(1000 / H)
    assert np.array_equal(halos.is_host, haloes["host"] < 0)
    assert len(halos.hosts) == 21
    assert halos["host"][3] == 0  # the first halo of a file is a host as good as any
    flags = get_baryon_model("tng").predict(halos)["flag"]
    assert np.array_equal((flags & BaryonFlag.SUBHALO) > 0, haloes["host"] == 0)
    assert "out_3.list" in repr(halos)


def test_columns_are_found_by_name(haloes, tmp_path):
    names = ROCKSTAR.split()
    old = [name for name in names[::-1] if name not in ("Halfmass_Radius", "Mvir_all")]
    path = write_rockstar(tmp_path / "out_3.list", haloes, " ".join(old))
    assert_same(HaloCatalog.read(path), haloes, IN_LISTS)


def test_units_of_the_header_are_obeyed(haloes, tmp_path):
    header = ROCKSTAR_HEADER.replace("Masses in Msun / h", "Masses in Msun").replace(
        "Radii in kpc / h (comoving)", "Radii in Mpc (physical)"
    )
    halos = HaloCatalog.read(write_rockstar(tmp_path / "out_3.list", haloes, header=header))
    assert np.allclose(halos["m200c"].value, haloes["m200c"])
    assert np.allclose(halos["rs"].value, haloes["rs"])


@pytest.mark.parametrize("scale", [SCALE, 1.0003])
def test_consistent_trees(haloes, tmp_path, scale):
    halos = HaloCatalog.read(write_trees(tmp_path / "hlist_0.80000.list", haloes, scale))
    assert halos.meta["format"] == "consistent-trees"
    assert np.allclose(halos["redshift"], max(1 / scale - 1, 0))
    assert len(halos.hosts) == 21
    if scale == SCALE:
        names = (*IN_LISTS, "mpeak", "vpeak", "half_mass_scale", "last_merger_scale")
        assert_same(halos, haloes, (*names, "accretion_rate"))
    assert halos["accretion_rate"].unit == u.solMass / u.yr


@pytest.mark.parametrize("no_host", [0, -1])
def test_ahf(haloes, tmp_path, no_host):
    path = write_ahf(tmp_path / "snap_100.z0.250.AHF_halos", haloes, no_host)
    halos = HaloCatalog.read(path, mass_definition="200c", h=H)
    assert_same(halos, haloes, ("m200c", "r200c", "vmax", "vrms", "spin", "b_to_a", "c_to_a", "x"))
    assert np.allclose(halos["c200c"], haloes["r200c"] / haloes["rs"])
    assert np.allclose(halos["delta_r"], 0.05)
    assert np.allclose(halos["redshift"], 0.25)
    assert np.array_equal(halos.is_host, haloes["host"] < 0)
    virial = HaloCatalog.read(path, mass_definition="vir", h=H)
    assert np.allclose(virial["mvir"], halos["m200c"])
    assert "m200c" not in virial
    assert "c200c" not in virial


def test_ahf_of_other_versions(haloes, tmp_path):
    path = write_ahf(tmp_path / "s.z0.250.AHF_halos", haloes)
    text = path.read_text()
    path.write_text(text.replace("Mhalo(", "M200c(").replace("Rhalo(", "R200c("))
    assert_same(HaloCatalog.read(path, h=H), haloes, ("m200c", "r200c"))
    path.write_text(text + text)  # parts of several processes, joined
    assert len(HaloCatalog.read(path, h=H, mass_definition="200c")) == 60
    path.write_text(text.replace("#ID(", "#Foo("))
    with pytest.raises(InvalidInputError, match="identifiers of haloes"):
        HaloCatalog.read(path, h=H, mass_definition="200c")


def test_identifiers_of_64_bits(haloes, tmp_path):
    large = dict(haloes, id=[2**63 + 5 - i for i in range(30)])
    text = write_ahf(tmp_path / "a", haloes).read_text().splitlines()
    for i in range(30):
        text[i + 1] = "\t".join([str(large["id"][i]), *text[i + 1].split("\t")[1:]])
    path = tmp_path / "s.z0.250.AHF_halos"
    path.write_text("\n".join(text) + "\n")
    halos = HaloCatalog.read(path, mass_definition="200c", h=H)
    assert halos["id"].tolist() == large["id"]


def test_identifiers_of_64_bits_beside_hosts_of_minus_1(haloes, tmp_path):
    path = write_rockstar(tmp_path / "out_3.list", haloes)
    before = HaloCatalog.read(path)
    lines = path.read_text().splitlines()
    start = len(lines) - 30
    for i in range(start, len(lines)):
        own, *rest = lines[i].split()
        lines[i] = " ".join([str(2**63 + int(own)), *rest])
    path.write_text("\n".join(lines) + "\n")
    halos = HaloCatalog.read(path)
    assert halos["id"].tolist() == [2**63 + int(i) for i in before["id"]]
    assert halos.is_host.tolist() == before.is_host.tolist()


def test_a_name_of_two_columns_is_refused(haloes, tmp_path):
    path = write_rockstar(tmp_path / "out_3.list", haloes)
    text = path.read_text()
    assert " M500c" in text
    path.write_text(text.replace(" M500c", " M200c", 1))
    with pytest.raises(InvalidInputError, match="two columns named 'M200c'"):
        HaloCatalog.read(path)


def test_infinite_masses_are_no_warning(haloes, tmp_path):
    path = write_rockstar(tmp_path / "out_3.list", haloes)
    lines = path.read_text().splitlines()
    masses = [
        i for i, name in enumerate(lines[0][1:].split()) if name in ("Mvir", "M200c", "M500c")
    ]
    cells = lines[-1].split()
    for i in masses:
        cells[i] = "inf"
    path.write_text("\n".join([*lines[:-1], " ".join(cells)]) + "\n")
    assert len(HaloCatalog.read(path)) == 30


def test_identifiers_written_as_reals(haloes, tmp_path):
    path = write_rockstar(tmp_path / "out_3.list", haloes)
    lines = path.read_text().splitlines()
    start = len(lines) - 30
    rows = np.loadtxt(lines[start:])
    np.savetxt(path, rows, header="\n".join(lines[:start]).replace("#", ""), comments="#")
    halos = HaloCatalog.read(path)
    assert halos["id"].tolist() == list(range(30))
    assert_same(halos, haloes, IN_LISTS)
    assert len(halos.hosts) == 21


def columns_of(haloes):
    """Columns as Uchuu's files of consistent-trees in HDF5 have them."""
    names = {
        "id": "id", "host": "pid", "mvir": "Mvir", "m200m": "M200b", "m200c": "M200c",
        "m500c": "M500c", "rvir": "Rvir", "rs": "rs", "vmax": "vmax", "vrms": "vrms", "x": "x",
        "y": "y", "z": "z", "spin": "Spin", "b_to_a": "b_to_a", "c_to_a": "c_to_a",
        "accretion_rate": "Acc_Rate_1*Tdyn",
    }  # fmt: skip
    return {theirs: haloes[ours] for ours, theirs in names.items()}


@pytest.mark.parametrize("group", ["/", "HaloCatalogue"])
def test_rockstar_in_hdf5(haloes, tmp_path, group):
    import h5py

    path = tmp_path / "halolist_z0p25.h5"
    with h5py.File(path, "w") as file:
        header = f"#scale(0) id(1)\n#Omega_M = {OM}; Omega_L = {1 - OM}; h0 = {H}\n"
        file.attrs["Consistent Trees_metadata"] = np.bytes_(header)
        place = file.require_group(group)
        for name, values in columns_of(haloes).items():
            place[name] = values if name in ("id", "pid") else values.astype(np.float32)
        place["b_to_a(500c)"] = np.ones(30)
    halos = HaloCatalog.read(path)
    assert halos.meta["format"] == "rockstar-hdf5"
    assert_same(halos, haloes, (*IN_LISTS, "accretion_rate"))
    assert np.allclose(halos["redshift"], 0.25)
    assert len(halos.hosts) == 21
    parts = list(HaloCatalog.iterate(path, rows=7, only=["m200c"]))
    assert [len(part) for part in parts] == [7, 7, 7, 7, 2]
    assert parts[0].colnames == ["id", "host", "redshift", "m200c"]


def my_table(haloes):
    """A table as users have them."""
    return Table(
        {
            "halo": haloes["id"] + 100,
            "parent": np.where(haloes["host"] < 0, -1, haloes["host"] + 100),
            "M_200": haloes["m200c"],
            "R_200": haloes["r200c"],
            "conc": np.where(haloes["id"] == 4, -1, 5.0),
            "zed": np.full(30, 0.25),
            "class": np.array(["a", "b"] * 15),
        }
    )


OPTIONS = {
    "columns": {"id": "halo", "host": "parent", "m200c": "M_200", "r200c": "R_200",
                "c200c": "conc", "redshift": "zed"},
    "units": {"m200c": "solMass/h", "R_200": "kpc/h (comoving)"},
    "missing": {"c200c": -1},
    "h": H,
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["fits", "ecsv", "csv", "vot", "hdf5", "parquet"])
def test_tables(haloes, tmp_path, suffix):
    path, table = tmp_path / f"mine.{suffix}", my_table(haloes)
    if suffix == "parquet":
        arrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        columns = {name: np.asarray(table[name]) for name in table.colnames}
        parquet.write_table(arrow.table(columns), path, row_group_size=8)
    elif suffix == "hdf5":
        table.write(path, path="data")
    else:
        table.write(path, format={"vot": "votable"}.get(suffix))
    halos = HaloCatalog.read(path, **OPTIONS)
    assert_same(halos, haloes, ("m200c", "r200c"))
    assert halos["id"][3] == 103
    assert np.array_equal(halos.is_host, haloes["host"] < 0)
    assert np.flatnonzero(np.isnan(halos["c200c"])).tolist() == [4]
    parts = list(HaloCatalog.iterate(path, rows=11, **OPTIONS))
    assert [len(part) for part in parts] == [11, 11, 8]
    assert np.array_equal(np.concatenate([part["m200c"] for part in parts]), halos["m200c"])


def test_own_names_units_and_positions_need_no_options(haloes):
    table = QTable({"ID": [1, 2], "M500c": [3e14, 1e14] * u.solMass, "z": [0.1, 0.2]})
    table["coord"] = SkyCoord([10, 20], [-5, 5], unit="deg")
    table["vmax"] = np.array([1e6, 2e6]) * u.m / u.s
    table["redshift_of_other"] = 1.0
    halos = HaloCatalog.from_table(table)
    assert halos["redshift"].tolist() == [0.1, 0.2]
    assert halos["vmax"].to_value("km/s").tolist() == [1000, 2000]
    assert halos["ra"].to_value("deg").tolist() == [10, 20]
    assert np.all(halos["coord"].separation(table["coord"]) < 1e-6 * u.arcsec)
    assert halos.colnames == ["id", "redshift", "m500c", "vmax", "ra", "dec"]


def test_further_columns_and_histories(haloes, tmp_path):
    table = QTable({"id": [1, 2], "redshift": [0.1, 0.1], "m500c": [3e14, 1e14] * u.solMass})
    table["m500c_at_0.9"] = [2e44, 1e44] * u.kg
    table["mgas500"] = [3e13, -1] * u.solMass
    table["region"] = ["a", "b"]
    table.write(tmp_path / "t.fits")
    halos = HaloCatalog.read(tmp_path / "t.fits", also=["region"])
    assert halos["m500c_at_0.9"][0].to_value("solMass") == pytest.approx(1.0058e14, rel=1e-4)
    assert np.isnan(halos["mgas500"]).tolist() == [False, True]
    assert list(halos["region"]) == ["a", "b"]
    with pytest.raises(InvalidInputError, match="no column 'zone'"):
        HaloCatalog.from_table(table, also="zone")


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("Msun/h", 7e14, 1e15), ("solMass / h", 7e14, 1e15), ("h^-1 Msun", 7e14, 1e15),
        ("1e10 Msun h-1", 7e4, 1e15), ("1e14 solMass", 10, 1e15), ("dex(solMass)", 15, 1e15),
        ("log10(Msun/h)", np.log10(7e14), 1e15), ("[1e14 solMass]", 1, 1e15),
        ("g", 1.98841e48, 1e15),
    ],
)  # fmt: skip
def test_units_as_people_write_them(unit, value, expected):
    table = QTable({"redshift": [0.1], "m200c": [value]})
    halos = HaloCatalog.from_table(table, units={"m200c": unit}, h=0.7)
    assert halos["m200c"][0].to_value("solMass") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("kpc/h", 1.5 / 0.7), ("ckpc/h", 1.5 / 0.7 * 0.8), ("Mpc", 1500), ("cMpc", 1200),
        ("kpc / h (comoving)", 1.5 / 0.7 * 0.8), ("kpc (physical)", 1.5), ("comoving kpc", 1.2),
    ],
)  # fmt: skip
def test_radii_become_physical(unit, expected):
    table = QTable({"redshift": [0.25], "mvir": [1e15] * u.solMass, "rvir": [1500.0]})
    halos = HaloCatalog.from_table(table, units={"rvir": unit}, h=0.7)
    assert halos["rvir"][0].to_value("Mpc") == pytest.approx(expected)


def test_units_are_those_of_the_models():
    units = {name: unit for name, (unit, _) in COLUMNS.items()}
    assert {name: units[name] for name in HALO_UNITS} == HALO_UNITS


def test_masked_values_are_nan_and_masked_hosts_are_hosts(haloes, tmp_path):
    table = Table({"id": [0, 1, 2], "m500c": [1e14, 2e14, 3e14] * u.solMass}, masked=True)
    table["host"] = np.ma.MaskedArray([0, 0, 0], [True, False, True])
    table["m500c"].mask[2] = True
    for name in ("t.ecsv", "t.fits"):
        table.write(tmp_path / name)
        halos = HaloCatalog.read(tmp_path / name, redshift=0.1)
        assert np.isnan(halos["m500c"]).tolist() == [False, False, True]
        assert halos.is_host.tolist() == [True, False, True]


@pytest.mark.parametrize("rows", [1, 7, 13, 1000])
def test_pieces_of_text_are_the_whole(haloes, tmp_path, rows):
    path = write_rockstar(tmp_path / "out_3.list", haloes)
    whole = HaloCatalog.read(path)
    parts = list(HaloCatalog.iterate(path, rows=rows))
    assert rows > 30 or len(parts) > 1
    for name in whole.colnames:
        joined = np.concatenate([np.ma.getdata(part[name]) for part in parts])
        assert np.array_equal(joined, np.ma.getdata(whole[name])), name


def test_blocks_and_compression(haloes, tmp_path, monkeypatch):
    path = write_rockstar(tmp_path / "out_3.list", haloes)
    expected = HaloCatalog.read(path)["m500c"]
    monkeypatch.setattr("szmass.baryons._text._BLOCK", 700)
    assert np.array_equal(HaloCatalog.read(path)["m500c"], expected)
    packed = tmp_path / "out_4.list.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(HaloCatalog.read(packed)["m500c"], expected)
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(FileFormatError, match="file ended before"):
        HaloCatalog.read(packed)


def test_one_bad_row_is_kept_and_told(haloes, tmp_path):
    path = write_rockstar(tmp_path / "out_3.list", haloes)
    lines = path.read_text().splitlines()
    start = len(lines) - 30
    lines[start + 4] = "4 -1 3e14"
    cells = lines[start + 6].split()
    cells[2], cells[22] = "****", "nan"
    lines[start + 6] = " ".join(cells)
    cells = lines[start + 8].split()
    cells[22] = "-3e14"
    lines[start + 8] = " ".join(cells)
    path.write_text("\n".join(lines) + "\n")
    with pytest.warns(SzmassWarning, match="2 of 30 rows.*rows 4, 6"):
        halos = HaloCatalog.read(path)
    assert len(halos) == 30
    assert np.flatnonzero(np.isnan(halos["m500c"])).tolist() == [4, 6, 8]
    assert np.flatnonzero(np.isnan(halos["mvir"])).tolist() == [4, 6]
    assert halos["m200c"][6] > 0
    flags = get_baryon_model("tng").predict(halos)["flag"]
    assert np.flatnonzero(flags & BaryonFlag.MISSING_FEATURE).tolist() == [4, 6, 8]


def write_all(haloes, folder):
    """Write a file of each form, with what is needed to read it."""
    table = my_table(haloes)
    files = {
        write_rockstar(folder / "out_3.list", haloes): {},
        write_trees(folder / "hlist.list", haloes): {},
        write_ahf(folder / "s.z0.250.AHF_halos", haloes): {"mass_definition": "200c", "h": H},
    }
    for name, form in (("t.fits", "fits"), ("t.ecsv", "ascii.ecsv"), ("t.hdf5", "hdf5")):
        table.write(folder / name, format=form, **({"path": "data"} if form == "hdf5" else {}))
        files[folder / name] = OPTIONS
    try:
        from pyarrow import parquet
        from pyarrow import table as arrow
    except ImportError:
        return files
    columns = {name: np.asarray(table[name]) for name in table.colnames}
    parquet.write_table(arrow(columns), folder / "t.parquet")
    return files | {folder / "t.parquet": OPTIONS}


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_end_in_errors_of_szmass(haloes, tmp_path):
    rng = np.random.default_rng(3)
    for path, options in write_all(haloes, tmp_path).items():
        assert len(HaloCatalog.read(path, **options)) == 30
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        for number in range(8):
            damaged = whole.copy()
            if number < 4:
                damaged = damaged[: int(rng.uniform(0, len(whole)))]
            else:
                places = rng.integers(0, len(whole), 1 + number % 5)
                damaged[places] = rng.integers(0, 256, len(places))
            path.write_bytes(damaged.tobytes())
            try:
                halos = HaloCatalog.read(path, **options)
            except SzmassError:
                continue
            assert len(halos) <= 31


def edit(old, new, count=-1):
    return lambda text: text.replace(old, new, count)


def drop_tail(text):
    return text[: -(len(text.splitlines()[-1]) // 2)]


def longer_rows(text):
    return "\n".join(line if line[0] == "#" else line + " 1" for line in text.splitlines())


def two_versions(text):
    lines = text.splitlines()
    return "\n".join([*lines, "#ID DescID Mvir Vmax Vrms Rvir Rs", *lines[-3:]]) + "\n"


def half_other_rows(text):
    lines = text.splitlines()
    return "\n".join([*lines[:-12], *(line + " 1" for line in lines[-12:])]) + "\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_tail, "truncated: it ends within a row"),
        (longer_rows, "names 42 columns in its first line, and its rows have 43"),
        (two_versions, "second line of names"),
        (half_other_rows, "12 of 30 rows.*mixed versions"),
        (edit("#a = 0.8", "#b = 0.8"), "does not say its redshift"),
        (edit("; h = 0.6777", ""), "have h in them.*Give h="),
        (edit("h = 0.6777", "h = 0.0"), "states h = 0, which cannot be"),
        (edit("#a = 0.8", "#a = 80"), "states scale = 8e"),
        (edit("#ID DescID", "1 2"), "no halo catalogue"),
        (lambda text: "", "is empty"),
        (lambda text: "hello\n" * 10, "no halo catalogue"),
        (edit("Mvir", "Foo"), None),
        (edit("#Units: Masses in Msun / h", "#Units: Masses in stones"), "stones"),
    ],
)
def test_files_that_are_not_what_they_should_be(haloes, tmp_path, change, message):
    path = write_rockstar(tmp_path / "out_3.list", haloes)
    path.write_text(change(path.read_text()))
    if message is None:
        assert "mvir" not in HaloCatalog.read(path)
        return
    with pytest.raises(SzmassError, match=message) as info:
        HaloCatalog.read(path)
    assert "out_3.list" in str(info.value) or "stones" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "does not write which overdensity"),
        ({"mass_definition": "200x"}, "A mass definition must be"),
        ({"mass_definition": "180m"}, "must be one of '200c'"),
        ({"mass_definition": "200c"}, "Give h="),
        ({"mass_definition": "200c", "h": 67.77}, "'h' must be H0 / "),
        ({"mass_definition": "200c", "h": H, "redshift": 0.5}, "says z = 0.25"),
        ({"mass_definition": "200c", "h": H, "cosmology": "PSZ2"}, "Give it once"),
        ({"columns": {"m200": "Mhalo"}, "h": H}, "must name columns of haloes"),
        ({"columns": {"m200c": "Mass"}, "h": H}, "has no column 'Mass'"),
        ({"columns": {"m200c": "Mhalo"}, "h": H, "units": {"m200c": "kpc"}}, "converts to solMass"),
        (
            {"mass_definition": "200c", "h": H, "units": {"m200c": "solMass"}},
            "agree with a density",
        ),
        ({"mass_definition": "200c", "h": H, "units": {"m200c": "1e10 solMass"}}, "e.24 solMass"),
        ({"mass_definition": "200c", "h": H, "units": {"Rhalo": "kpc"}}, "agree with a density"),
        ({"mass_definition": "200c", "h": H, "format": "rokstar"}, "Did you mean 'rockstar'"),
        ({"mass_definition": "200c", "h": H, "only": ["m500c"]}, "'only' must name columns"),
        ({"columns": "Mhalo"}, "must be a dict"),
    ],
)
def test_options_that_cannot_be(haloes, tmp_path, options, message):
    path = write_ahf(tmp_path / "snap.z0.250.AHF_halos", haloes)
    with pytest.raises(SzmassError, match=message):
        HaloCatalog.read(path, **options)


def test_columns_of_finders_may_be_named_without_numbers(haloes, tmp_path):
    path = write_ahf(tmp_path / "snap.z0.250.AHF_halos", haloes)
    halos = HaloCatalog.read(path, h=H, columns={"m200c": "Mhalo", "r200c": "Rhalo"})
    assert_same(halos, haloes, ("m200c", "r200c"))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"m500c": [3e24] * 3 * u.solMass}, "'m500c' in The table gives masses of 3e.24"),
        ({"m500c": [14.2] * 3 * u.solMass}, "14.2 solMass in the median"),
        ({"m500c": [3e14] * 3}, "does not say the unit of m500c"),
        ({"m500c": [3e14] * 3 * u.Mpc}, "converts to solMass"),
        ({"m200c": [4e14] * 3 * u.solMass, "m500c": [3e4] * 3 * u.solMass}, "3e.04 solMass"),
        ({"m200c": [4e14] * 3 * u.solMass, "m500c": [3e6] * 3 * u.solMass}, "7.5e-09 times"),
        ({"c200c": [5.0] * 3}, "must have a mass"),
    ],
)
def test_implausible_columns(column, message):
    table = QTable({"id": [1, 2, 3], "redshift": [0.1] * 3, **column})
    with pytest.raises(InvalidInputError, match=message):
        HaloCatalog.from_table(table)


def test_forgotten_h_is_noticed_without_knowing_h(haloes):
    table = QTable(my_table(haloes))
    options = {**OPTIONS, "h": None, "units": {"m200c": "solMass", "r200c": "ckpc"}}
    with pytest.raises(InvalidInputError, match=r"for h = 1, and h is between 0.55 and 0.85"):
        HaloCatalog.from_table(table, **options)


def test_hosts_of_tables_are_masked_or_0_or_below():
    table = QTable({"redshift": [0.1] * 4, "m500c": [3e14] * 4 * u.solMass, "host": [0, -1, 0, 7]})
    for name, hosts in (
        ("plain", [True, True, True, False]),
        ("masked", [False, True, True, False]),
    ):
        if name == "masked":
            table["host"] = np.ma.MaskedArray([0, 0, 0, 7], [False, True, True, False])
        halos = HaloCatalog(table)
        assert halos.is_host.tolist() == hosts
        flags = get_baryon_model("tng").predict(halos)["flag"] & BaryonFlag.SUBHALO
        assert (flags == 0).tolist() == hosts
        assert halos[3:].is_host.tolist() == [False]
        assert halos[:1].is_host.tolist() == hosts[:1]


def test_hosts_are_not_guessed(haloes, tmp_path):
    names = ROCKSTAR.removesuffix(" PID")
    halos = HaloCatalog.read(write_rockstar(tmp_path / "out_3.list", haloes, names))
    with pytest.raises(InvalidInputError, match="find_parents"):
        _ = halos.hosts


def nfw(x):
    return np.log1p(x) - x / (1 + x)


def test_derived_masses_are_those_of_nfw_profiles(haloes, tmp_path):
    halos = HaloCatalog.read(write_trees(tmp_path / "hlist.list", haloes), only=["m200c", "rs"])
    mass, radius = haloes["m200c"] / H, haloes["r200c"] * SCALE / H / 1000
    scale = haloes["rs"] * SCALE / H / 1000

    def inside(x, i):
        return mass[i] * nfw(x / scale[i]) / nfw(radius[i] / scale[i])

    def excess(x, i):
        return inside(x, i) / x**3 / (mass[i] / radius[i] ** 3) - 2.5

    r500 = [brentq(excess, 0.1 * radius[i], radius[i], args=(i,)) for i in range(30)]
    expected = [inside(r, i) for i, r in enumerate(r500)]
    assert np.allclose(halos["m500c"].to_value("solMass"), expected, rtol=3e-6)
    assert np.allclose(halos["r500c"].to_value("Mpc"), r500, rtol=1e-5)
    assert np.allclose(halos["c200c"], radius / scale, rtol=1e-5)
    assert np.allclose(halos["m500_m200"], expected / mass, rtol=3e-6)
    assert halos.meta["derived"]["m500c"] == "NFW profile of m200c and rs"
    assert "m500c" not in halos.colnames
    table = get_baryon_model("tng").predict(halos)
    assert table.meta["halos"]["derived"]["m500c"].startswith("NFW")
    assert np.allclose(halos[[3, 5]]["m500c"], halos["m500c"][[3, 5]])


def test_odd_masses_stop_no_other():
    mass = [4e14, 1e8, 3e18, np.nan, -1, 2e14] * u.solMass
    table = QTable({"redshift": [0.1] * 6, "m200c": mass, "c200c": [5, 5, 5, 5, 5, 0.01]})
    halos = HaloCatalog.from_table(table, cosmology="PSZ2")
    assert np.isfinite(halos["m500c"]).tolist() == [True] + [False] * 5
    assert np.isfinite(halos["r200c"]).tolist() == [True, False, False, False, False, True]
    flags = get_baryon_model("tng").predict(halos)["flag"]
    assert (flags & BaryonFlag.MISSING_FEATURE > 0).tolist() == [False] + [True] * 5
    own = HaloCatalog.from_table(QTable({"redshift": [0.1] * 6, "m500c": mass}))
    flags = get_baryon_model("tng").predict(own)["flag"]
    assert np.all(flags[1:5] > 0)


def test_what_is_lacking_is_said_at_once():
    table = QTable({"id": [1], "redshift": [0.1], "m200c": [4e14] * u.solMass})
    halos = HaloCatalog.from_table(table)
    with pytest.raises(InvalidInputError) as info:
        halos.require(["redshift", "m500c", "spin", "vpeak"], "the model 'x'")
    assert "'m500c', 'spin', 'vpeak', which the model 'x' needs" in str(info.value)
    assert "They have id, redshift, m200c" in str(info.value)
    assert "the cosmology, which is not known" in str(info.value)
    with pytest.raises(KeyError, match="m200c"):
        _ = halos["m500c"]
    with pytest.raises(InvalidUnitError, match="unit of 'm200c'"):
        HaloCatalog.from_table(table, units={"m200c": "stones"})


def test_meta_is_plain(haloes, tmp_path):
    halos = HaloCatalog.read(write_rockstar(tmp_path / "out_3.list", haloes))
    _ = halos["c500c"]
    assert json.loads(json.dumps(halos.meta))["derived"]["c500c"] == "r500c / rs"
