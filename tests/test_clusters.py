"""Cluster and ClusterSample: what they accept, what they refuse, what they keep."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.time import Time
from astropy.utils.masked import Masked
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass import Cluster, ClusterSample
from szmass.exceptions import (
    DuplicateNameError,
    FileFormatError,
    InvalidInputError,
    InvalidUnitError,
    SzmassWarning,
    UnknownNameError,
)
from szmass.maps import CutoutStack

HERE = SkyCoord(10, 20, unit="deg", frame="galactic")


def make_table(n=5):
    table = QTable()
    table["name"] = [f"Abell {i}" for i in range(n)]
    table["coord"] = SkyCoord(np.arange(n) * 10.0, np.arange(n) * 4.0, unit="deg")
    table["redshift"] = MaskedColumn(np.arange(n) / 10, mask=np.arange(n) == 1)
    table["msz"] = Masked(np.arange(1, n + 1) * 1e14 * u.solMass, mask=np.arange(n) == 2)
    table["y5r500"] = np.arange(n) * 1e-3 * u.arcmin**2
    table["snr"] = np.arange(n) + 4.5
    table["kt"] = np.arange(n) * u.keV
    table["note"] = [f"<{i}>" for i in range(n)]
    return table


@pytest.fixture
def sample():
    return ClusterSample(make_table())


# ---------------------------------------------------------------- one cluster


def test_cluster_keeps_what_it_is_given():
    cluster = Cluster(
        " A 85 ", HERE, 0.0555, msz=4.92e14 * u.solMass, y5r500=72 * u.arcsec**2, snr=20,
        measurements={"kt": 6 * u.keV},
    )  # fmt: skip
    assert cluster.name == "A 85"
    assert cluster.redshift == 0.0555
    assert cluster.y5r500.value == pytest.approx(0.02)
    assert cluster.y5r500.unit == u.arcmin**2
    assert cluster.measurements["kt"] == 6 * u.keV
    assert cluster.pos_err is None
    assert repr(cluster) == "<Cluster 'A 85': l = 10.0000 deg, b = 20.0000 deg, redshift 0.0555>"


def test_cluster_html_is_escaped():
    cluster = Cluster("<script>", HERE, measurements={"<b>": "<i>"})
    html = cluster._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;" in html
    assert "&lt;i&gt;" in html
    assert "unknown" in html


@pytest.mark.parametrize(
    "value",
    [None, np.nan, np.ma.masked, Masked(1.0, mask=True)],
    ids=["None", "nan", "ma", "Masked"],
)
def test_unknown_redshift_is_none(value):
    assert Cluster("a", HERE, value).redshift is None


def test_masked_quantity_is_none():
    cluster = Cluster("a", HERE, msz=Masked(1 * u.solMass, mask=True))
    assert cluster.msz is None
    cluster.msz = Masked(2 * u.solMass, mask=False)
    assert cluster.msz == 2 * u.solMass
    assert not isinstance(cluster.msz, Masked)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("redshift", -1, InvalidInputError, "'redshift' must be finite and not negative.*-1"),
        ("redshift", np.inf, InvalidInputError, "'redshift' must be finite"),
        ("redshift", [0.1, 0.2], InvalidInputError, "'redshift' must be one number"),
        ("redshift", 3 * u.km, InvalidUnitError, "'redshift' must have a unit"),
        ("redshift", "high", InvalidInputError, "'redshift'"),
        ("msz", 5e14, InvalidUnitError, "'msz' must be a Quantity"),
        ("msz", 5e14 * u.keV, InvalidUnitError, "'msz' must have a unit that converts to solMass"),
        ("msz", 0 * u.solMass, InvalidInputError, "'msz' must be finite and positive"),
        ("msz_errn", -1 * u.solMass, InvalidInputError, "'msz_errn' must be .* not negative"),
        ("y5r500", 1 * u.Mpc**2, InvalidUnitError, "'y5r500' must have a unit"),
        ("pos_err", 1 * u.Mpc, InvalidUnitError, "'pos_err' must have a unit"),
        ("coord", (1, 2), InvalidInputError, "'coord' must be a SkyCoord"),
        (
            "coord",
            SkyCoord([1], [2], unit="deg"),
            InvalidInputError,
            "'coord' must be one position",
        ),
        ("coord", SkyCoord(np.nan, 2, unit="deg"), InvalidInputError, "'coord' must not be masked"),
        ("name", "  ", InvalidInputError, "'name' must be a string that is not empty"),
        ("name", 3, InvalidInputError, "'name' must be a string"),
    ],
)
def test_every_assignment_is_checked(name, value, error, message):
    cluster = Cluster("a", HERE, 0.1, msz=1e14 * u.solMass)
    before = getattr(cluster, name)
    with pytest.raises(error, match=message):
        setattr(cluster, name, value)
    assert getattr(cluster, name) is before
    with pytest.raises(error, match=message):
        Cluster(**({"name": "a", "coord": HERE} | {name: value}))


def test_theta500():
    cluster = Cluster("a", HERE, 0.1496, msz=4.7210855e14 * u.solMass)
    assert cluster.theta500(cosmology="PSZ2").to_value("arcmin") == pytest.approx(7.205, abs=1e-3)
    larger = cluster.theta500(mass=8 * cluster.msz, cosmology="PSZ2")
    assert (larger / cluster.theta500(cosmology="PSZ2")).value == pytest.approx(2)
    cluster.redshift = None
    with pytest.raises(InvalidInputError, match="The size of 'a' needs its redshift"):
        cluster.theta500(cosmology="PSZ2")
    with pytest.raises(InvalidInputError, match="needs its mass"):
        Cluster("a", HERE, 0.1).theta500(cosmology="PSZ2")


# ----------------------------------------------------------------- the sample


def test_columns_are_canonical(sample):
    assert sample.table.colnames == [
        "name", "coord", "redshift", "msz", "y5r500", "snr", "kt", "note",
    ]  # fmt: skip
    assert isinstance(sample.table["redshift"], MaskedColumn)
    for name in ("msz", "y5r500"):
        assert isinstance(sample.table[name], Masked)
    np.testing.assert_array_equal(sample.redshift, [0, np.nan, 0.2, 0.3, 0.4])
    np.testing.assert_array_equal(sample.quantity("msz").value, [1e14, 2e14, np.nan, 4e14, 5e14])
    assert sample.quantity("msz").unit == u.solMass
    assert type(sample.quantity("msz")) is u.Quantity
    assert sample.quantity("snr").unit == u.dimensionless_unscaled
    assert sample.quantity("kt").unit == u.keV
    with pytest.raises(InvalidInputError, match="no column 'y500'. It has name, coord"):
        sample.quantity("y500")
    with pytest.raises(InvalidInputError, match="'note' of the sample does not hold numbers"):
        sample.quantity("note")


def test_input_is_copied():
    table = make_table()
    table.meta["from"] = ["here"]
    sample = ClusterSample(table)
    sample.table["msz"][0] = 9 * u.solMass
    sample.table["kt"][0] = 9 * u.keV
    sample.meta["from"].append("there")
    quantity = sample.quantity("kt")
    quantity[1] = 99 * u.keV
    assert table["msz"][0] == 1e14 * u.solMass
    assert table["kt"][0] == 0 * u.keV
    assert sample.table["kt"][1] == 1 * u.keV
    assert table.meta == {"from": ["here"]}


def test_rows_are_clusters(sample):
    cluster = sample[3]
    assert isinstance(cluster, Cluster)
    assert cluster.name == "Abell 3"
    assert cluster.msz == 4e14 * u.solMass
    assert not isinstance(cluster.msz, Masked)
    assert cluster.measurements == {"kt": 3 * u.keV, "note": "<3>"}
    assert sample[1].redshift is None
    assert sample[2].msz is None
    assert sample[-1].name == sample[np.int64(4)].name == "Abell 4"
    assert [c.name for c in sample] == list(sample.names)
    for bad in (5, -6):
        with pytest.raises(IndexError, match=f"no cluster {bad} in a sample of 5"):
            _ = sample[bad]


@pytest.mark.parametrize("name", ["Abell 3", " abell  3", "ABELL3", "Abell\u20093"])
def test_names_are_found_whatever_their_spelling(sample, name):
    assert sample[name].name == "Abell 3"


def test_dashes_are_alike():
    table = make_table(2)
    table["name"] = ["PSZ2 G359.07-32.12", "PSZ2 G359.07+32.12"]
    assert ClusterSample(table)["PSZ2 G359.07\u221232.12"].coord.ra.deg == 0


def test_unknown_name_lists_close_ones(sample):
    with pytest.raises(UnknownNameError, match="No cluster is named 'Abel 3'. Did you mean 'Abell"):
        _ = sample["Abel 3"]
    with pytest.raises(UnknownNameError, match="Known: 'Abell 0', .*'Abell 4'"):
        _ = sample["Coma"]


def test_spaces_matter_where_names_differ_by_nothing_else():
    table = make_table(2)
    table["name"] = ["A 11", "A1 1"]
    sample = ClusterSample(table)
    assert sample["A1 1"].coord.ra.deg == 10
    with pytest.raises(UnknownNameError, match="'A11'"):
        _ = sample["A11"]


def test_name_edited_in_the_table(sample):
    sample.table["name"][3] = "Coma"
    assert sample["coma"].coord.ra.deg == 30
    with pytest.raises(UnknownNameError):
        _ = sample["Abell 3"]


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        (slice(1, 4), [1, 2, 3]),
        (slice(None, None, -2), [4, 2, 0]),
        (np.array([True, False, False, True, False]), [0, 3]),
        ([False] * 5, []),
        (np.array([4, 0]), [4, 0]),
        ([-1], [4]),
        ([], []),
        (["abell 2", "Abell 0"], [2, 0]),
        (np.ma.masked_array([1, 1, 0, 0, 1], mask=[1, 0, 0, 0, 0], dtype=bool), [1, 4]),
        (Masked([True] * 5, mask=[False, True] * 2 + [False]), [0, 2, 4]),
    ],
)
def test_parts_are_samples(sample, index, rows):
    part = sample[index]
    assert isinstance(part, ClusterSample)
    assert list(part.names) == [f"Abell {i}" for i in rows]
    np.testing.assert_array_equal(part.quantity("kt").value, rows)
    np.testing.assert_array_equal(part.coord.ra.deg, np.array(rows) * 10)
    part.meta["changed"] = True
    assert "changed" not in sample.meta


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        (
            [True],
            InvalidInputError,
            "The mask must have one entry per cluster \\(5\\). Received: 1",
        ),
        ([0, 0], DuplicateNameError, "'Abell 0' in rows 0, 1"),
        ([0.5], InvalidInputError, "A sample takes a name, a number"),
        (None, InvalidInputError, "A sample takes a name, a number"),
        ([[1, 2]], InvalidInputError, "A sample takes a name, a number"),
        ([7], IndexError, "7"),
    ],
)
def test_wrong_index(sample, index, error, message):
    with pytest.raises(error, match=message):
        _ = sample[index]


@settings(deadline=None)
@given(st.data())
def test_indexing_is_that_of_numpy(data):
    n = data.draw(st.integers(0, 8))
    sample = ClusterSample(make_table(n))
    rows = np.arange(n)
    index = data.draw(
        st.one_of(
            st.slices(n),
            st.lists(st.booleans(), min_size=n, max_size=n).map(lambda m: np.array(m, dtype=bool)),
            st.permutations(list(rows)).map(lambda p: np.array(p[: n // 2], dtype=int)),
        )
    )
    assert list(sample[index].names) == [f"Abell {i}" for i in rows[index]]


def test_repr(sample):
    assert repr(sample) == (
        "<ClusterSample: 5 clusters, redshift 0 to 0.4 (1 unknown), no cutouts; columns name, "
        "coord, redshift, msz, y5r500, snr, kt, note>"
    )
    html = sample._repr_html_()
    assert "&lt;3&gt;" in html
    assert "<3>" not in html


def test_no_rows():
    sample = ClusterSample(make_table(0))
    assert len(sample) == 0
    assert list(sample) == []
    assert sample.redshift.shape == sample.quantity("msz").shape == (0,)
    assert "redshift none known" in repr(sample)
    assert len(sample[:3]) == len(sample[np.zeros(0, dtype=bool)]) == 0
    table = Table({"name": [], "ra": [] * u.deg, "dec": [] * u.deg, "redshift": []})
    assert len(ClusterSample.from_table(table)) == 0


def test_redshift_is_unknown_where_there_is_no_column():
    table = make_table(2)
    table.remove_column("redshift")
    assert np.isnan(ClusterSample(table).redshift).all()


def test_duplicate_names():
    table = make_table()
    table["name"] = ["A1", "a 1", "A2", "A  1", "A2"]
    with pytest.raises(
        DuplicateNameError, match="2 are repeated: 'a 1' in rows 1, 3; 'A2' in rows"
    ):
        ClusterSample(table)


@pytest.mark.parametrize(
    ("column", "value", "error", "message"),
    [
        ("name", ["a", "", "c", "d", "e"], InvalidInputError, "needs a name; .* row 1"),
        ("redshift", [-1, 0, 0, -1, 0.1], InvalidInputError,
         "'redshift' .* rows 0 \\('Abell 0'\\), 3 \\('Abell 3'\\), .*missing=\\{'redshift': -1"),
        ("redshift", [0, 0, np.inf, 0, 0], InvalidInputError, "'redshift' must be finite.*row 2"),
        ("redshift", ["a"] * 5, InvalidInputError, "'redshift' must hold one number per row"),
        ("redshift", np.zeros((5, 2)), InvalidInputError, "'redshift' must hold one number"),
        ("msz", [0] * 5 * u.solMass, InvalidInputError, "'msz' must be finite and positive"),
        ("msz", [1e14] * 5, InvalidUnitError, "'msz' has no unit. Say .*units={'msz': 'solMass'}"),
        ("msz", [1] * 5 * u.Mpc, InvalidUnitError, "'msz' must have a unit that converts to solM"),
        ("snr", [1] * 5 * u.Mpc, InvalidUnitError, "'snr' must have a unit that converts to a pla"),
        ("pos_err", [-1, 1, 1, 1, 1] * u.arcmin, InvalidInputError, "'pos_err' must be .* row 0"),
        ("coord", SkyCoord([1, np.nan, 3, 4, 5], 1, unit="deg"), InvalidInputError,
         "The position \\(coord\\) is masked or NaN in row 1 \\('Abell 1'\\)"),
        ("coord", [1] * 5, InvalidInputError, "'name' and 'coord' \\(a SkyCoord\\)"),
    ],
)  # fmt: skip
def test_wrong_columns(column, value, error, message):
    table = make_table()
    table[column] = value
    with pytest.raises(error, match=message):
        ClusterSample(table)


def test_many_wrong_rows_are_summarised():
    table = make_table(20)
    table["redshift"] = -np.ones(20)
    with pytest.raises(InvalidInputError, match="rows 0 .*, 4 \\('Abell 4'\\) and 15 more"):
        ClusterSample(table)


def test_no_table():
    for make in (ClusterSample, ClusterSample.from_table):
        with pytest.raises(InvalidInputError, match="'table' must be an astropy Table.*dict"):
            make({"name": ["a"]})


# ------------------------------------------------------------- from any table


def user_table(**columns):
    table = Table({"name": ["a", "b"], "z": [0.1, 0.2]})
    for name, values in columns.items():
        table[name] = values
    return table


RA, DEC = [10.0, 350.0] * u.deg, [-30.0, 60.0] * u.deg
DEGREES = {"ra": "deg", "dec": "deg"}


@pytest.mark.parametrize(
    ("lon", "lat", "frame"),
    [
        ("ra", "dec", "icrs"),
        ("RA", "DEC", "icrs"),
        ("RAdeg", "DEdeg", "icrs"),
        ("RAJ2000", "DEJ2000", "icrs"),
        ("RA_ICRS", "DE_ICRS", "icrs"),
        ("glon", "glat", "galactic"),
        ("GLON", "GLAT", "galactic"),
        ("l", "b", "galactic"),
    ],
)
def test_usual_position_columns(lon, lat, frame):
    sample = ClusterSample.from_table(user_table(**{lon: RA, lat: DEC}))
    assert sample.coord.frame.name == frame
    expected = SkyCoord(RA, DEC, frame=frame)
    assert sample.coord.separation(expected).max().arcsec < 1e-9
    assert sample.table.colnames == ["name", "coord", "redshift"]


def test_chosen_columns():
    table = user_table(RA=RA, DEC=DEC, GLON=DEC + 40 * u.deg, GLAT=DEC, z_phot=[0.3, 0.4])
    table["id"] = [7, 8]
    table.remove_column("name")
    chosen = ClusterSample.from_table(
        table, name="id", coord=("GLON", "GLAT"), redshift="z_phot", columns={"snr": "z"}
    )
    assert chosen.coord.frame.name == "galactic"
    assert list(chosen.names) == ["7", "8"]
    np.testing.assert_array_equal(chosen.redshift, [0.3, 0.4])
    assert chosen[0].snr == 0.1
    # Everything else is kept, the other positions and the other names too.
    assert set(chosen.table.colnames) == {"name", "coord", "redshift", "snr", "RA", "DEC"}
    for frame in ("galactic", "fk5", "icrs"):
        sample = ClusterSample.from_table(table, name="id", frame=frame)
        assert sample.coord.frame.name == frame
    with pytest.raises(InvalidInputError, match="several positions, RA/DEC and GLON/GLAT, which"):
        ClusterSample.from_table(table, name="id")


def test_skycoord_columns():
    table = user_table(ra=RA, dec=DEC)
    table["where"] = SkyCoord(RA, DEC, frame="galactic")
    assert ClusterSample.from_table(table).coord.frame.name == "galactic"
    table["elsewhere"] = SkyCoord(RA, DEC)
    with pytest.raises(InvalidInputError, match="several positions \\(where, elsewhere\\)"):
        ClusterSample.from_table(table)
    sample = ClusterSample.from_table(table, coord="elsewhere")
    assert sample.coord.frame.name == "icrs"
    assert isinstance(sample.table["where"], SkyCoord)
    with pytest.raises(InvalidInputError, match="frame='icrs' says otherwise"):
        ClusterSample.from_table(table, coord="where", frame="icrs")


def test_sexagesimal_positions():
    table = user_table(RAJ2000=["00 40 00", "23:20:00"], DEJ2000=["-30 00 00", "+60 00 00"])
    sample = ClusterSample.from_table(table)
    assert sample.coord.separation(SkyCoord(RA, DEC)).max().arcsec < 1e-6
    galactic = ClusterSample.from_table(user_table(l=["10:00:00", "350 0 0"], b=["-30", "60"]))
    np.testing.assert_allclose(galactic.coord.l.deg, [10, 350])
    with pytest.raises(InvalidInputError, match="'RAJ2000' holds text that is no angle"):
        ClusterSample.from_table(user_table(RAJ2000=["north", "1"], DEJ2000=["1", "2"]))


def test_units_of_positions():
    plain = user_table(ra=RA.value, dec=DEC.value)
    small = user_table(ra=RA.value / 20, dec=DEC.value)
    with pytest.raises(
        InvalidUnitError, match="'ra' must have an angular unit.*units={'ra': 'deg'"
    ):
        ClusterSample.from_table(small)
    # Neither hours nor radians go so far.
    np.testing.assert_allclose(ClusterSample.from_table(plain).coord.ra.deg, RA.value)
    sample = ClusterSample.from_table(plain, units={"ra": "deg", "dec": "deg"})
    np.testing.assert_allclose(sample.coord.ra.deg, RA.value)
    in_hours = {"ra": "hourangle", "dec": "deg"}
    hours = ClusterSample.from_table(plain[:1], units=in_hours)
    assert hours.coord.ra.deg[0] == pytest.approx(150)
    with pytest.raises(InvalidInputError, match="'ra' has hours outside of 0 to 24 in row 1 .*350"):
        ClusterSample.from_table(plain, units=in_hours)
    # These names say what they are in.
    ClusterSample.from_table(user_table(RAdeg=RA.value, DEdeg=DEC.value))
    with pytest.raises(InvalidUnitError, match="'dec' must have an angular unit. Received: km"):
        ClusterSample.from_table(user_table(ra=RA, dec=[1, 2] * u.km))


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({}, {}, "no position: neither a SkyCoord .* ra/dec.*The table has name, z"),
        ({"ra": RA}, {}, "The table has no position"),
        ({"ra": RA, "dec": DEC, "RA": RA}, {"frame": "galactic"}, "The table has no position"),
        ({"x": RA, "y": DEC}, {"coord": ("x", "y")}, "The frame of the columns 'x' and 'y' is not"),
        ({"x": RA}, {"coord": ("x", "y")}, "'coord' must be the name of a SkyCoord column"),
        ({"x": RA}, {"coord": "x"}, "The column 'x' is no SkyCoord"),
        (
            {"ra": RA, "dec": [np.nan, 1] * u.deg},
            {},
            "\\(ra, dec\\) is masked or NaN in row 0 \\('a'",
        ),
        ({"ra": RA, "dec": [91, 1] * u.deg}, {}, "latitude 'dec' is beyond 90 deg in row 0 .'a'"),
        ({"ra": Masked(RA, mask=[0, 1]), "dec": DEC}, {}, "masked or NaN in row 1 \\('b'\\)"),
    ],
)
def test_no_usable_position(columns, options, message):
    with pytest.raises(InvalidInputError, match=message):
        ClusterSample.from_table(user_table(**columns), **options)


def test_masked_skycoord():
    table = user_table()
    table["coord"] = SkyCoord(Masked(RA, mask=[False, True]), DEC)
    with pytest.raises(InvalidInputError, match="masked or NaN in row 1 \\('b'\\)"):
        ClusterSample.from_table(table)


def test_missing_values_have_to_be_said():
    table = user_table(ra=RA, dec=DEC, msz=[0, 5] * u.Unit("1e14 solMass"))
    table["z"][1] = -1
    with pytest.raises(InvalidInputError, match="row 1 \\('b'\\).*missing=\\{'redshift': -1.0\\}"):
        ClusterSample.from_table(table)
    for key in ("z", "redshift"):
        sample = ClusterSample.from_table(table, missing={key: -1, "msz": 0})
        assert sample.table["redshift"].mask.tolist() == [False, True]
        assert sample.table["msz"].mask.tolist() == [True, False]
        assert sample[1].msz == 5e14 * u.solMass
    assert table["z"][1] == -1


def test_units_of_measurements():
    table = user_table(ra=RA, dec=DEC, M=[3.0, 5.0], kt=[1.0, 2.0], ids=[1, 2])
    sample = ClusterSample.from_table(
        table, columns={"msz": "M"}, units={"M": "1e14 solMass", "kt": "keV"}
    )
    np.testing.assert_array_equal(sample.quantity("msz").value, [3e14, 5e14])
    assert sample.quantity("kt").unit == u.keV
    assert sample.table["ids"].dtype == int
    table["M"] = [3, 5] * u.kg
    with pytest.raises(InvalidUnitError, match="'msz' is in kg and units={'msz': 'solMass'} says"):
        ClusterSample.from_table(table, columns={"msz": "M"}, units={"msz": "solMass"})
    table["kt"].unit = "keV"
    assert ClusterSample.from_table(table).quantity("kt").unit == u.keV
    with pytest.raises(InvalidUnitError, match="'kt' is in keV and"):
        ClusterSample.from_table(table, units={"kt": "K"})


@pytest.mark.filterwarnings("ignore:.*did not parse")
def test_odd_units():
    table = user_table(ra=RA.value, dec=DEC.value, msz=[1.0, 2.0], flux=[1.0, 2.0])
    for name, unit in (("ra", "degrees"), ("dec", "degrees"), ("msz", "10^14 Msol")):
        table[name] = Column(table[name], unit=u.Unit(unit, parse_strict="silent"))
    table["flux"] = Column(table["flux"], unit=u.Unit("crabs", parse_strict="silent"))
    sample = ClusterSample.from_table(table)  # as PSZ2 spells them
    np.testing.assert_array_equal(sample.quantity("msz").value, [1e14, 2e14])
    assert sample.table["flux"].unit is None
    assert sample.table["flux"].meta["unit"] == "crabs"
    table["msz"].unit = u.Unit("heaps", parse_strict="silent")
    with pytest.raises(
        InvalidUnitError, match="'msz' has the unit 'heaps', unknown here. Say what"
    ):
        ClusterSample.from_table(table)
    sample = ClusterSample.from_table(table, units={"msz": "solMass"})
    np.testing.assert_array_equal(sample.quantity("msz").value, [1, 2])


def test_other_columns_are_kept_as_they_are():
    table = user_table(ra=RA, dec=DEC)
    table["date"] = Time([2020.0, 2021.0], format="jyear")
    table["shape"] = np.arange(6).reshape(2, 3)
    table["flag"] = [True, False]
    table["code"] = MaskedColumn([1, 2], mask=[True, False], description="a code")
    table["bytes"] = np.array([b"x", b"y"])
    table["big"] = np.array([1.5, 2.5], dtype=">f4")
    sample = ClusterSample.from_table(table)
    assert isinstance(sample.table["date"], Time)
    assert sample.table["shape"].shape == (2, 3)
    assert sample.table["flag"].dtype == bool
    assert sample.table["code"].mask.tolist() == [True, False]
    assert sample.table["code"].info.description == "a code"
    assert sample.table["bytes"][1] == "y"
    assert sample.table["big"].dtype.isnative
    assert sample[0].measurements["code"] is None
    assert sample[1].measurements["flag"] is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "id"}, "no column 'id' for 'name'. It has name, z, ra, dec"),
        ({"redshift": "zspec"}, "no column 'zspec' for 'redshift'"),
        ({"columns": {"msz": "M"}}, "no column 'M' for 'msz'"),
        ({"units": {"M": "kg"}}, "'units' and 'missing' name columns .* not have: M. It has"),
        ({"missing": {"zz": -1}}, "name columns that the table does not have: zz"),
    ],
)
def test_columns_that_are_not_there(options, message):
    with pytest.raises(InvalidInputError, match=message):
        ClusterSample.from_table(user_table(ra=RA, dec=DEC), **options)


def test_no_redshift_and_no_name():
    table = user_table(ra=RA, dec=DEC)
    table.rename_column("z", "photoz")
    with pytest.raises(
        InvalidInputError, match="no column 'redshift' or 'z'.*{'redshift': 'photoz'}"
    ):
        ClusterSample.from_table(table)
    table.rename_column("name", "id")
    with pytest.raises(InvalidInputError, match="no column 'name' or 'cluster'"):
        ClusterSample.from_table(table)


def test_two_columns_for_one_name():
    table = user_table(ra=RA, dec=DEC, redshift=[0.3, 0.4])
    with pytest.raises(InvalidInputError, match="a column 'redshift' besides the one that is to"):
        ClusterSample.from_table(table, redshift="z")


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.floats(1e12, 1e16), st.floats(0, 360), st.floats(-90, 90)),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["kg", "solMass", "1e14 solMass"]),
)
def test_values_survive_any_unit(rows, unit):
    z, mass, lon, lat = np.array(rows).T
    table = Table({"name": [str(i) for i in range(len(z))], "z": z})
    table["msz"] = (mass * u.solMass).to(unit)
    table["l"], table["b"] = np.radians(lon) * u.rad, (lat * 60) * u.arcmin
    sample = ClusterSample.from_table(table)
    np.testing.assert_array_equal(sample.redshift, z)
    np.testing.assert_allclose(sample.quantity("msz").value, mass, rtol=1e-13)
    expected = SkyCoord(lon, lat, unit="deg", frame="galactic")
    assert sample.coord.separation(expected).max().arcsec < 1e-6


# ------------------------------------------------------------------ files, cutouts


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
@pytest.mark.parametrize("frame", ["icrs", "galactic", "fk5"])
@pytest.mark.parametrize("n", [5, 0])
def test_written_sample_comes_back(tmp_path, suffix, frame, n):
    table = make_table(n)
    table["coord"] = table["coord"].transform_to(frame)
    table.meta["origin"] = {"of": ["the", "table"], "n": 3}
    sample = ClusterSample(table)
    path = tmp_path / f"sample{suffix}"
    sample.write(path)
    again = ClusterSample.read(path)
    assert again.table.colnames == sample.table.colnames
    assert again.meta == sample.meta == {"origin": {"of": ["the", "table"], "n": 3}}
    assert list(again.names) == list(sample.names)
    assert again.coord.frame.name == frame
    if n:
        assert again.coord.separation(sample.coord).max().arcsec < 1e-6
    np.testing.assert_array_equal(again.redshift, sample.redshift)
    for name in ("msz", "y5r500", "snr", "kt"):
        np.testing.assert_array_equal(again.quantity(name), sample.quantity(name))
        assert again.quantity(name).unit == sample.quantity(name).unit
    with pytest.raises(InvalidInputError, match="exists"):
        sample.write(path)
    sample.write(path, overwrite=True)


def test_csv(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("Name,RA,DEC,z,note\nA 1,10,20,0.1,x\nA 2,30,-40,,\n")
    sample = ClusterSample.read(path, units={"RA": "deg", "DEC": "deg"})
    assert np.isnan(sample["A 2"].redshift or np.nan)
    assert sample["A 1"].measurements == {"note": "x"}
    path.write_text("Name,RA\nA 1,10,20,0.1,x\n")
    with pytest.raises(FileFormatError, match="could not be read as csv"):
        ClusterSample.read(path)


def test_files_that_are_no_tables(tmp_path, sample):
    with pytest.raises(FileNotFoundError):
        ClusterSample.read(tmp_path / "nothing.ecsv")
    (tmp_path / "x.ecsv").write_text("nothing")
    with pytest.raises(FileFormatError, match="could not be read as ecsv"):
        ClusterSample.read(tmp_path / "x.ecsv")
    with pytest.raises(InvalidInputError, match="Cannot tell the table format"):
        sample.write(tmp_path / "x.docx")
    sample.write(tmp_path / "x.fits")
    (tmp_path / "cut.fits").write_bytes((tmp_path / "x.fits").read_bytes()[:6000])
    with pytest.raises(FileFormatError, match="truncated"):
        ClusterSample.read(tmp_path / "cut.fits")


class Stack:
    """Stands for a CutoutStack: something with rows."""

    def __init__(self, names):
        self.names = np.asarray(names)

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        return Stack(self.names[index]) if np.ndim(self.names[index]) else self.names[index]


class Map:
    """Stands for a ComptonMap."""

    def cutouts(self, coord, *, names=None, **options):
        assert isinstance(coord, SkyCoord)
        self.options = options
        return Stack(names)


def test_cutouts_follow_their_clusters(sample):
    ymap = Map()
    assert sample.cutouts is None
    assert sample[0].cutout is None
    assert sample.attach_cutouts(ymap, interpolation="nearest") is sample
    assert ymap.options == {"interpolation": "nearest"}
    assert "with cutouts" in repr(sample)
    assert sample["abell 3"].cutout == "Abell 3"
    for index in (slice(1, 3), [3, 0], sample.redshift > 0.1, ["Abell 4"]):
        part = sample[index]
        assert list(part.cutouts.names) == list(part.names)
    with pytest.raises(InvalidInputError, match="one cutout per cluster \\(5\\). Received: 2"):
        sample.cutouts = Stack(["a", "b"])
    with pytest.raises(InvalidInputError, match="one cutout per cluster"):
        ClusterSample(make_table(3), cutouts=sample.cutouts)
    sample.cutouts = None
    assert sample[0].cutout is None


def stack_of(sample, rows, *, names=True, shift=0.0):
    """Cutouts of some clusters whose first pixel tells the row of the cluster."""
    data = np.ones((len(rows), 5, 5), np.float32) * np.array(rows)[:, None, None]
    coord = sample.coord[rows].spherical_offsets_by(shift * u.arcmin, 0 * u.arcmin)
    return CutoutStack(data, None, coord, names=sample.names[rows] if names else None)


def rows_in(sample):
    return sample.cutouts.data[:, 0, 0].tolist()


@pytest.mark.parametrize("spelt", [str, str.upper, lambda name: name.replace("Abell ", "A")])
def test_cutouts_in_another_order_are_put_in_that_of_the_clusters(sample, spelt):
    stack = stack_of(sample, [3, 0, 4, 2, 1])
    stack.names = np.array([spelt(str(name)) for name in stack.names])
    sample.cutouts = stack
    assert rows_in(sample) == [0, 1, 2, 3, 4]
    assert rows_in(ClusterSample(make_table(), cutouts=stack)) == [0, 1, 2, 3, 4]
    assert sample["Abell 3"].cutout.data[0, 0] == 3


def test_cutouts_without_names_are_told_by_their_centres(sample):
    sample.cutouts = stack_of(sample, range(5), names=False, shift=1)
    with pytest.raises(InvalidInputError, match="not of the clusters in their order, in 2 of 5"):
        sample.cutouts = stack_of(sample, [0, 1, 2, 4, 3], names=False)
    assert rows_in(sample) == [0, 1, 2, 3, 4], "the refused ones replaced those that were there"


def test_cutouts_of_neighbours_without_names_are_told_by_the_nearer():
    table = make_table(2)
    table["coord"] = SkyCoord([10, 10.02], [20, 20], unit="deg")  # both in both cutouts
    sample = ClusterSample(table)
    with pytest.raises(InvalidInputError, match="in 2 of 2"):
        sample.cutouts = stack_of(sample, [1, 0], names=False)
    sample.cutouts = stack_of(sample, [1, 0])
    assert rows_in(sample) == [0, 1]


def test_cutouts_under_the_name_of_another_cluster_are_refused(sample):
    stack = stack_of(sample, range(5))
    stack.names = stack.names[[1, 0, 2, 3, 4]]
    with pytest.raises(InvalidInputError, match="cutout 1 .'Abell 0'. is centred .* 'Abell 0'"):
        sample.cutouts = stack
    # Also where the positions are the very object of the sample.
    data = np.zeros((5, 5, 5))
    with pytest.raises(InvalidInputError, match="not of the clusters"):
        sample.cutouts = CutoutStack(data, None, sample.coord, names=sample.names[::-1])


def test_cutouts_of_which_some_have_other_names(sample):
    stack = stack_of(sample, [1, 0, 2, 3, 4])
    stack.names = np.where(stack.names == "Abell 4", "Coma", stack.names)
    with pytest.raises(InvalidInputError, match="another order .* none is named 'Abell 4'"):
        sample.cutouts = stack
    stack = stack_of(sample, range(5))
    stack.names = np.where(stack.names == "Abell 4", "Coma", stack.names)
    sample.cutouts = stack
    assert rows_in(sample) == [0, 1, 2, 3, 4]


def test_cutouts_follow_a_table_that_is_sorted(sample):
    sample.cutouts = stack_of(sample, range(5))
    sample.table.sort("snr", reverse=True)
    assert rows_in(sample) == [4, 3, 2, 1, 0]
    assert [cluster.cutout.name for cluster in sample] == sample.names.tolist()
    # Also where their positions are those of the table, which are sorted in place.
    sample.cutouts = CutoutStack(sample.cutouts.data, None, sample.coord, names=sample.names)
    sample.table.sort("snr")
    assert rows_in(sample) == [0, 1, 2, 3, 4]
    assert np.all(sample.cutouts.coord.separation(sample.coord) < 1 * u.arcsec)
    sample.table.remove_row(0)
    with pytest.raises(InvalidInputError, match="one cutout per cluster"):
        sample[0]


# ------------------------------------------- what a table says, and what it cannot know


@pytest.mark.parametrize(
    ("ra", "dec", "options"),
    [
        (np.array([10.46, 15.3], object), np.array([-9.3, 27.2], object), {"units": DEGREES}),
        (["10.46", "15.30"], ["-9.3", "27.2"], {"units": DEGREES}),
        (Column(["10.46", "15.30"], unit="deg"), Column(["-9.3", "27.2"], unit="deg"), {}),
        (["00:41:50.4", "1 1 12"], ["-9.3", "27.2"], {}),
        (["10.46d", "1h1m12s"], ["-09d18m", "27.2deg"], {}),
        (["0.69733333333", "1:1:12"], ["-9:18:00", "27.2"], {"units": {"ra": "hourangle"}}),
    ],
)
def test_positions_as_text(ra, dec, options):
    sample = ClusterSample.from_table(user_table(ra=ra, dec=dec), **options)
    np.testing.assert_allclose(sample.coord.ra.deg, [10.46, 15.3], atol=1e-7)
    np.testing.assert_allclose(sample.coord.dec.deg, [-9.3, 27.2], atol=1e-7)


def test_positions_as_text_of_other_pairs():
    table = user_table(RAdeg=["194.95", "12.5"], DEdeg=["27.95", "-3"])
    np.testing.assert_allclose(ClusterSample.from_table(table).coord.ra.deg, [194.95, 12.5])
    table = user_table(l=["194.95", "12.5"], b=["27.95", "-3"])
    with pytest.raises(InvalidInputError, match="'l' holds text that does not say .*{'l': 'deg'}"):
        ClusterSample.from_table(table)
    sample = ClusterSample.from_table(table, units={"l": "deg", "b": "deg"})
    np.testing.assert_allclose(sample.coord.l.deg, [194.95, 12.5])
    # Longitudes that are no right ascensions are never in hours unless it is said.
    table = user_table(x=["10:30:00", "350 0 0"], y=["1 0 0", "2 0 0"])
    sample = ClusterSample.from_table(table, coord=("x", "y"), frame="geocentrictrueecliptic")
    np.testing.assert_allclose(sample.coord.lon.deg, [10.5, 350])
    with pytest.raises(InvalidInputError, match="'frame' must be the name of a frame of astropy"):
        ClusterSample.from_table(table, coord=("x", "y"), frame="sky")


def test_one_sexagesimal_cell_among_degrees():
    table = user_table(ra=["194.95", "12:59:48"], dec=["27.95", "27.95"])
    for options in ({}, {"units": DEGREES}):
        with pytest.raises(InvalidInputError, match="'ra' holds numbers such as 194.95, and hours"):
            ClusterSample.from_table(table, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ra": "hourangle", "dec": "deg"}, "'ra' is in deg and units={'ra': 'hourangle'} says"),
        ({"note": "keV"}, "'note' must hold numbers, as it is said to be in keV. Received: x"),
        ({"snr": "foo"}, "The unit of 'snr' must be one that astropy knows. Received: 'foo'"),
    ],
)
def test_units_that_contradict_the_table(options, message):
    table = user_table(ra=RA, dec=DEC, note=["x", "y"], snr=[1, 2])
    with pytest.raises(InvalidInputError, match=message):
        ClusterSample.from_table(table, units=options)


@pytest.mark.parametrize("name", ["units", "columns", "missing"])
def test_what_is_said_by_column_is_a_dict(name):
    with pytest.raises(InvalidInputError, match=f"'{name}' must be a dict by column. .*'deg'"):
        ClusterSample.from_table(user_table(ra=RA, dec=DEC), **{name: "deg"})


def test_columns_of_the_position_and_of_others_can_be_told_alike():
    table = user_table(RAJ2000=RA, DEJ2000=DEC, lon=[50, 60], lat=[3, 4], zs=[0.5, 0.6])
    table["e"] = [1, 2] * u.Unit("1e14 solMass")
    sample = ClusterSample.from_table(
        table,
        columns={"ra": "lon", "dec": "lat", "redshift": "zs", "msz_errn": "e", "msz_errp": "e"},
        units=DEGREES,
    )
    np.testing.assert_allclose(sample.coord.ra.deg, [50, 60])
    np.testing.assert_allclose(sample.redshift, [0.5, 0.6])
    for name in ("msz_errn", "msz_errp"):
        np.testing.assert_allclose(sample.quantity(name).value, [1e14, 2e14])
    told = {"coord": ("lon", "lat"), "frame": "icrs", "units": {"lon": "deg", "lat": "deg"}}
    with pytest.raises(InvalidInputError, match="masked or NaN in row 1"):
        ClusterSample.from_table(table, **told, missing={"lat": 4})


def test_text_with_a_unit_is_of_numbers_if_it_can_be():
    table = user_table(ra=RA, dec=DEC, kt=Column(["5.1", "--"], unit="keV"))
    table["state"] = Column(["relaxed", "--"], unit="keV")
    sample = ClusterSample.from_table(table)
    np.testing.assert_array_equal(sample.quantity("kt").value, [5.1, np.nan])
    assert list(sample.table["state"]) == ["relaxed", "--"]


def test_logarithmic_columns(tmp_path):
    table = user_table(ra=RA, dec=DEC, logm=[14.5, 14.7])
    table["mag"] = MaskedColumn([17.0, 18.0], mask=[False, True], unit="mag(AB)")
    options = {"columns": {"msz": "logm"}, "units": {"logm": "dex(solMass)"}}
    sample = ClusterSample.from_table(table, **options)
    np.testing.assert_allclose(sample.quantity("msz").value, [10**14.5, 10**14.7])
    np.testing.assert_array_equal(sample.quantity("mag").value, [17, np.nan])
    assert sample.quantity("mag").unit == u.mag(u.AB)
    assert sample[0].measurements["mag"].value == 17
    sample.write(tmp_path / "s.ecsv")
    again = ClusterSample.read(tmp_path / "s.ecsv")
    assert again.quantity("mag").unit == u.mag(u.AB)
    assert again[1:][0].measurements["mag"] is None
    with pytest.raises(InvalidInputError, match="'msz' must be finite and positive.*row 1"):
        ClusterSample.from_table(
            user_table(ra=RA, dec=DEC, m=[14.5, 400]),
            columns={"msz": "m"},
            units={"msz": "dex(solMass)"},
        )


def test_names_that_mean_the_same():
    table = user_table(ra=RA, dec=DEC)
    for names in (
        *(["A1", "Abell 1"], ["MCXC J0000.1+0816", "RXC J0000.1+0816"], ["A1", "A 1"]),
        ["Coma", "Abell 1656"],
    ):
        table["name"] = names
        with pytest.warns(SzmassWarning, match=f"same: '{names[0][:2]}.*'{names[1][:3]}"):
            sample = ClusterSample.from_table(table)
        assert [sample[name].name for name in names] == names
    table["name"] = ["A1", "Abell 1"]
    with pytest.warns(SzmassWarning, match="mean the same"):
        sample = ClusterSample.from_table(table)
    for name in ("A 1", "ACO 1", "Abell1"):
        with pytest.raises(UnknownNameError, match="2 are alike. Did you mean 'A1', 'Abell 1'"):
            _ = sample[name]


@pytest.mark.parametrize(
    ("names", "asked", "found"),
    [
        (["Abell 2142", "Coma"], "A2142", 0),
        (["A2142", "Coma"], "ACO 2142", 0),
        (["A2142", "Coma"], "Abell 1656", 1),
        (["A426", "J1259.7+2756"], "Coma Cluster", 1),
        (["MCXC J1558.3+2713", "A85"], "RXC J1558.3+2713", 0),
    ],
)
def test_names_that_mean_the_same_are_found(names, asked, found):
    sample = ClusterSample.from_table(user_table(ra=RA, dec=DEC, name=names))
    assert sample[asked].name == names[found]
    assert sample[[asked]].names.tolist() == [names[found]]


def test_a_part_of_a_cluster_is_not_another_cluster():
    sample = ClusterSample.from_table(user_table(ra=RA, dec=DEC, name=["A1 1", "A2"]))
    with pytest.raises(UnknownNameError, match="'A11'. Did you mean 'A1 1'"):
        _ = sample["A11"]
