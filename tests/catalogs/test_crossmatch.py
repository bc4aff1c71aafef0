"""Cross-matching: who matches whom, by what, how likely by chance, and what comes out."""

import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.time import Time, TimeDelta
from astropy.utils.masked import Masked
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass._tables.files import read_table, write_table
from szmass._utils.names import name_key
from szmass.catalogs import Catalog, CatalogColumn
from szmass.catalogs.crossmatch import crossmatch, crossmatch_many
from szmass.catalogs.crossmatch._matching import _local_density
from szmass.clusters import ClusterSample
from szmass.exceptions import InvalidInputError, InvalidUnitError

NEW_COLUMNS = ["separation", "delta_redshift", "p_chance", "matched_by"]


def line(positions, redshift=None, names=None, prefix="c"):
    """Give sources on the equator at positions in arcmin."""
    table = QTable()
    table["name"] = names or [f"{prefix}{i}" for i in range(len(positions))]
    table["ra"] = np.asarray(positions, dtype=float) / 60 * u.deg
    table["dec"] = np.zeros(len(positions)) * u.deg
    if redshift is not None:
        table["redshift"] = redshift
    return table


def names_of(table):
    return list(zip(table["a_name"], table["b_name"], strict=True))


@pytest.fixture
def catalogues():
    a = QTable({"name": ["A2142", "A1689", "A85", "lost"], "redshift": [0.09, 0.18, 0.056, 0.3]})
    a["coord"] = SkyCoord([239.58, 197.87, 10.46, 100], [27.23, -1.34, -9.30, 40], unit="deg")
    a["redshift"] = MaskedColumn(a["redshift"], mask=[False, False, False, True])
    a["m500"] = Masked([11.3, 12.3, 7.4, 5.0] * u.Unit("1e14 solMass"), mask=[False] * 3 + [True])
    b = QTable({"name": ["PSZ2 G313.33+61.13", "PSZ2 G044.20+48.66", "other"]})
    b["coord"] = a["coord"][[1, 0, 3]].directional_offset_by(30 * u.deg, [1, 2, 300] * u.arcmin)
    b["coord"] = b["coord"].galactic
    b["redshift"] = [0.1832, 0.0894, 0.3]
    b["snr"] = [17.0, 28.4, 6.0]
    b["cosmo"] = [True, True, False]
    b["index"] = [1, 2, 3]
    return a, b


def test_pairs_have_the_columns_of_both(catalogues):
    a, b = catalogues
    table = crossmatch(a, b)
    assert table.colnames == [
        *("a_name", "a_redshift", "a_ra", "a_dec", "a_m500"),
        *("b_name", "b_ra", "b_dec", "b_redshift", "b_snr", "b_cosmo", "b_index"),
        *NEW_COLUMNS,
    ]
    assert names_of(table) == [("A2142", "PSZ2 G044.20+48.66"), ("A1689", "PSZ2 G313.33+61.13")]
    assert table["separation"].unit == u.arcmin
    np.testing.assert_allclose(table["separation"].value, [2, 1], rtol=1e-9)
    np.testing.assert_allclose(table["delta_redshift"], [-0.0006, 0.0032], atol=1e-12)
    assert table["a_m500"].unit == u.Unit("1e14 solMass")
    np.testing.assert_allclose(table["b_ra"], b["coord"].icrs.ra[[1, 0]], rtol=1e-12)
    assert list(table["matched_by"]) == ["position", "position"]
    meta = table.meta["crossmatch"]
    assert (meta["rows"], meta["pairs"], meta["matched"]) == ([4, 3], 2, [2, 2])
    assert (meta["radius"], meta["mode"]) == ("10 arcmin", "best")


def test_inputs_of_any_kind_give_the_same(catalogues):
    a, b = catalogues
    expected = crossmatch(a, b, prefixes=("wl", "sz"))
    sample = crossmatch(ClusterSample.from_table(a), ClusterSample.from_table(b))
    assert names_of(sample) == list(zip(expected["wl_name"], expected["sz_name"], strict=True))

    class Small(Catalog):
        tag = "small"
        position = ("l", "b", "galactic")
        columns = (
            CatalogColumn(name="name", description="", dtype="str"),
            CatalogColumn(name="glon", description="", unit="deg"),
            CatalogColumn(name="glat", description="", unit="deg"),
        )

    plain = Table({"name": b["name"], "glon": b["coord"].l, "glat": b["coord"].b})
    from_catalog = crossmatch(a, Small(plain))
    np.testing.assert_allclose(from_catalog["separation"], expected["separation"], rtol=1e-9)
    radians = Table(
        {
            "id": b["name"],
            "lon": Column(b["coord"].icrs.ra.rad, unit="rad"),
            "lat": Column(b["coord"].icrs.dec.deg),
        }
    )
    given = {"name": "id", "coord": ("lon", "lat"), "frame": "icrs", "units": {"lat": "deg"}}
    by_hand = crossmatch(a, radians, columns=(None, given))
    np.testing.assert_allclose(by_hand["separation"], expected["separation"], rtol=1e-9)
    assert names_of(crossmatch(a, b, columns=(None, {"coord": "coord"}))) == names_of(sample)


def test_frames_and_equinoxes_are_converted(catalogues):
    a, b = catalogues
    for frame in ("fk5", "fk4", "barycentricmeanecliptic", "galactic"):
        moved = b.copy()
        moved["coord"] = b["coord"].transform_to(frame)
        np.testing.assert_allclose(crossmatch(a, moved)["separation"].value, [2, 1], atol=1e-6)


def test_frames_that_cannot_be_converted_are_refused(catalogues):
    a, b = catalogues
    b["coord"] = SkyCoord(b["coord"].l, b["coord"].b, frame="altaz")
    with pytest.raises(InvalidInputError, match="'b'.*'altaz' cannot be converted to ICRS"):
        crossmatch(a, b)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1, 600), st.booleans())
def test_pairs_are_those_of_brute_force(seed, radius, each_its_own):
    rng = np.random.default_rng(seed)
    tables, coords = [], []
    for n in (30, 40):
        lat = np.degrees(np.arcsin(rng.uniform(0.9, 1, n)))  # around the pole
        coord = SkyCoord(rng.uniform(0, 360, n), lat, unit="deg", frame="galactic")
        tables.append(QTable({"name": [f"{i}" for i in range(n)], "coord": coord}))
        coords.append(coord)
    radii = rng.uniform(0.1, 1, 30) ** 4 * radius if each_its_own else np.full(30, radius)
    separation = coords[0][:, None].separation(coords[1]).arcmin
    expected = set(zip(*np.nonzero(separation <= radii[:, None]), strict=True))
    given = radii * u.arcmin if each_its_own else f"{radius} arcmin"
    every = crossmatch(*tables, radius=given, mode="all")
    pairs = [(int(i), int(j)) for i, j in names_of(every)]
    assert set(pairs) == expected
    assert len(pairs) == len(expected)
    assert pairs == sorted(pairs, key=lambda pair: (pair[0], separation[pair]))
    np.testing.assert_allclose(
        every["separation"].value, [separation[pair] for pair in pairs], rtol=1e-7
    )

    nearest = crossmatch(*tables, radius=given, mode="nearest")
    for i, j in names_of(nearest):
        assert separation[int(i)].argmin() == int(j)
    assert len(nearest) == len({i for i, _ in pairs})

    best = [(int(i), int(j)) for i, j in names_of(crossmatch(*tables, radius=given))]
    assert len({i for i, _ in best}) == len({j for _, j in best}) == len(best)
    for i, j in expected.difference(best):  # its place was taken by a closer pair
        rivals = [separation[pair] for pair in best if pair[0] == i or pair[1] == j]
        assert min(rivals) <= separation[i, j]


def test_best_takes_the_closest_pair_and_does_not_give_it_up():
    a, b = line([0, 3], prefix="a"), line([2, 6], prefix="b")
    # Two pairs could be made, a0-b0 and a1-b1, but b0 is closest to a1.
    assert names_of(crossmatch(a, b, radius="3.5 arcmin")) == [("a1", "b0")]
    assert names_of(crossmatch(a, b, radius="3.5 arcmin", mode="nearest")) == [
        ("a0", "b0"),
        ("a1", "b0"),
    ]


def test_ties_go_by_the_order_of_rows():
    a, b = line([0, 10], prefix="a"), line([5, 5], prefix="b")
    b["dec"][:] = 0
    assert names_of(crossmatch(a, b)) == [("a0", "b0"), ("a1", "b1")]
    assert names_of(crossmatch(a, b, mode="nearest")) == [("a0", "b0"), ("a1", "b0")]
    # Unrounded: with rows in the other order the same positions go the other way.
    assert names_of(crossmatch(a[::-1], b)) == [("a1", "b0"), ("a0", "b1")]


def test_radius_holds_its_end_and_coincident_positions_match():
    a = line([0.0, 60.0])
    assert len(crossmatch(a, a, radius=1e-6 * u.arcsec)) == 2
    assert len(crossmatch(a[:1], a[1:], radius="60 arcmin")) == 1
    assert len(crossmatch(a[:1], a[1:], radius="59.999999 arcmin")) == 0
    table = crossmatch(a, a, mode="all", radius="180 deg")
    assert len(table) == 4
    assert list(table["p_chance"][[0, 2]]) == [0, 0]


def test_radius_per_row_and_one_that_is_much_larger():
    a, b = line([0, 100, 200]), line([4, 104, 230])
    table = crossmatch(a, b, radius=[3, 5, 40] * u.arcmin)
    assert names_of(table) == [("c1", "c1"), ("c2", "c2")]


def test_errors_add_in_quadrature_and_rank_the_pairs():
    a, b = line([0, 20]), line([4.9, 5.1, 27])
    a["pos_err"] = [3.0, 0.5] * u.arcmin
    b["pos_err"] = [0.1, 4.0, 0.1] * u.arcmin
    table = crossmatch(a, b, radius=None, n_sigma=1.5, mode="all")
    # 4.9 of 1.5 hypot(3, 0.1) = 4.5; 5.1 of 7.5; 7 of 0.8
    assert names_of(table) == [("c0", "c1")]
    table = crossmatch(a, b, radius="6 arcmin", n_sigma=3, mode="all")
    # In units of the errors b1 is closer, though its separation is larger.
    assert names_of(table) == [("c0", "c1"), ("c0", "c0")]
    assert len(crossmatch(a, b, radius="5 arcmin", n_sigma=3, mode="all")) == 1
    del a["pos_err"]
    assert len(crossmatch(a, b, n_sigma=1.5)) == 1
    b.rename_column("pos_err", "e_pos")
    assert len(crossmatch(a, b, n_sigma=1.5, columns=(None, {"pos_err": "e_pos"}))) == 1


def test_redshift_tolerance_is_absolute_or_relative():
    a = line([0, 100], redshift=[0.10, 1.0])
    b = line([1, 2, 101], redshift=[0.131, 0.13, 1.05])
    table = crossmatch(a, b, delta_redshift=0.03)
    assert names_of(table) == [("c0", "c1")]  # the nearer one is too far in redshift
    table = crossmatch(a, b, delta_redshift=0.03, redshift_scale="1+z")
    assert names_of(table) == [("c0", "c0"), ("c1", "c2")]
    swapped = crossmatch(b, a, delta_redshift=0.03, redshift_scale="1+z")
    np.testing.assert_allclose(swapped["delta_redshift"], -table["delta_redshift"])


def test_unknown_redshifts_agree_only_if_told():
    a = line([0, 100, 200], redshift=MaskedColumn([0.1, 0.1, 0.3], mask=[False, True, False]))
    b = line([1, 101, 201], redshift=[0.1, 0.1, np.nan])
    assert names_of(crossmatch(a, b, delta_redshift=0.01)) == [("c0", "c0")]
    table = crossmatch(a, b, delta_redshift=0.01, keep_unknown_redshift=True)
    assert len(table) == 3
    assert list(table["delta_redshift"].mask) == [False, True, True]


def test_all_outside_the_tolerance_gives_an_empty_table_with_all_columns(catalogues, tmp_path):
    a, b = catalogues
    full = crossmatch(a, b)
    b["redshift"] += 1
    table = crossmatch(a, b, delta_redshift=0.03)
    assert len(table) == 0
    assert table.colnames == full.colnames
    assert table["separation"].unit == u.arcmin
    write_table(table, tmp_path / "t.fits")
    assert read_table(tmp_path / "t.fits").colnames == full.colnames


@pytest.mark.parametrize("mode", ["best", "nearest", "all"])
@pytest.mark.parametrize("empty", ["a", "b", "both"])
def test_zero_rows(catalogues, empty, mode):
    a, b = catalogues
    a, b = (a[:0] if empty != "b" else a), (b[:0] if empty != "a" else b)
    assert len(crossmatch(a, b, mode=mode, by="position_or_name", delta_redshift=0.1)) == 0
    table = crossmatch(a, b, mode=mode, unmatched=True)
    assert len(table) == len(a) + len(b)
    assert list(table["separation"].mask) == [True] * len(table) if len(table) else True
    if empty == "b":
        assert np.all(table["b_snr"].mask)
        assert table["b_cosmo"].dtype.kind == "b"


def test_unmatched_rows_of_one_or_both(catalogues):
    a, b = catalogues
    table = crossmatch(a, b, unmatched="a")
    assert list(table["a_name"]) == list(a["name"])
    assert list(table["b_name"].mask) == [False, False, True, True]
    assert list(table["separation"].mask) == [False, False, True, True]
    assert list(table["matched_by"].mask) == [False, False, True, True]
    assert list(crossmatch(a, b, unmatched="b")["b_name"][-1:]) == ["other"]
    both = crossmatch(a, b, unmatched=True)
    assert len(both) == 5
    assert list(both["a_name"].mask) == [False] * 4 + [True]
    assert list(both["a_m500"].mask) == [False, False, False, True, True]
    assert list(both["b_index"].mask) == [False, False, True, True, False]
    assert both["b_index"].dtype.kind == "i"


def test_masked_and_nan_positions_never_match(catalogues):
    a, b = catalogues
    table = QTable({"name": ["x", "y", "z"], "redshift": [0.1] * 3})
    table["ra"] = [b["coord"].icrs.ra[0].deg, np.nan, 0] * u.deg
    table["dec"] = Masked([b["coord"].icrs.dec[0].deg, 0, 0] * u.deg, mask=[False, False, True])
    matched = crossmatch(table, b, radius="180 deg", mode="all", unmatched=True)
    assert set(matched["a_name"][~matched["b_name"].mask]) == {"x"}
    assert list(matched["a_name"][matched["b_name"].mask]) == ["y", "z"]
    assert matched.meta["crossmatch"]["without_position"] == [2, 0]
    coord = SkyCoord(
        Masked(b["coord"].l, mask=[True, False, False]), b["coord"].b, frame="galactic"
    )
    b["coord"] = coord
    result = crossmatch(a, b, unmatched="b")
    assert names_of(result)[0] == ("A2142", "PSZ2 G044.20+48.66")
    assert list(result["a_name"].mask) == [False, True, True]
    assert list(result["b_ra"].mask) == [False, True, False]


SAME = [
    ["Abell 2142", "A2142", "ACO 2142", "A 2142", "abell  2142", "ABELL_2142", "A-2142"],
    ["Abell 85", "A0085", "ACO 85", "A 85"],
    ["A115N", "Abell 115 N", "A 115N"],
    ["ACO S 1077", "AS1077", "Abell S1077", "A S1077"],
    ["PSZ2 G044.20+48.66", "PSZ2G044.20+48.66", "psz2 g044.20+48.66"],
    ["PSZ2 G359.07-32.12", "PSZ2 G359.07\u221232.12", "PSZ2 G359.07\u201332.12"],
    ["RXC J1516.5-0056", "RXCJ1516.5-0056", "MCXC J1516.5-0056", "J1516.5-0056"],
    ["SPT-CLJ0000-4356", "SPT-CL J0000-4356", "SPT CL J0000-4356"],
    ["MACS J1149.5+2223", "MACSJ1149.5+2223", "MCS  J1149.5+2223"],
    ["ZwCl 1215.1+0400", "ZWCL1215.1+0400", "Zw 1215.1+0400"],
    ["MKW 3s", "MKW3S"],
]


@pytest.mark.parametrize("names", SAME, ids=lambda names: names[0])
def test_spellings_of_one_name(names):
    assert len({name_key(name) for name in names}) == 1


def test_different_names_stay_different():
    assert len({name_key(names[0]) for names in SAME}) == len(SAME)
    different = ["A2142", "A214", "A21420", "A115N", "A115S", "A115", "AS115", "J1516.5+0056"]
    different += ["RXC J1516.5-0056", "PSZ1 G044.20+48.66", "PSZ2 G044.20-48.66", "1RXS J151630"]
    assert len({name_key(name) for name in different}) == len(different)
    assert {name_key(name) for name in ("", " ", "--", "N/A", "nan")} == {None}


@given(st.integers(1, 4076), st.sampled_from(["", "N", "S", "B"]))
def test_abell_numbers_are_told_apart_by_value(number, part):
    assert name_key(f"Abell {number}{part}") == name_key(f"A{number:04d} {part}")
    assert name_key(f"A{number}{part}") != name_key(f"A{number % 4076 + 1}{part}")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20))
def test_any_text_has_a_stable_key(text):
    key = name_key(text)
    assert key is None or name_key(key) == key


def test_by_name_ignores_the_distance_and_needs_no_position():
    a = QTable({"name": ["Abell 2142", "A85", "A7", "A85 "], "z": [0.1, 0.05, 0.1, 0.05]})
    b = QTable({"cluster": ["A 0085", "A2142", "Zw15"], "z": [0.056, 0.3, 0.1]})
    table = crossmatch(a, b, by="name")
    assert list(table["a_name"]) == ["Abell 2142", "A85"]  # the second A85 finds it taken
    assert list(table["b_cluster"]) == ["A2142", "A 0085"]
    assert table["separation"].mask.all()
    assert table["p_chance"].mask.all()
    assert list(table["matched_by"]) == ["name", "name"]
    assert len(crossmatch(a, b, by="name", mode="nearest")) == 3
    assert len(crossmatch(a, b, by="name", delta_redshift=0.01)) == 1


def test_names_of_several_columns():
    a = line([0, 100, 200], names=["A2142", "MACSJ2214.9-1359", "UGC 12890"])
    b = line([1, 2, 3], names=["J1558.3+2713", "J2214.9-1400", "J0000.1+0816"])
    b["other"] = MaskedColumn(["RXC J1558.3+2713", "MACS J2214.9-1359", "--"], mask=[0, 0, 1])
    b["list"] = ["A2142; X1", "", "RXC J0000.1+0816, UGC  12890"]
    aliases = (None, {"aliases": ["other", "list"]})
    table = crossmatch(a, b, by="name", columns=aliases)
    assert list(table["b_name"]) == ["J1558.3+2713", "J2214.9-1400", "J0000.1+0816"]
    np.testing.assert_allclose(table["separation"].value, [1, 98, 197])
    assert len(crossmatch(a, b, by="name")) == 0


def test_a_name_is_better_than_a_position():
    a, b = line([0, 50], names=["A1", "A2"]), line([1, 30, 51], names=["A9", "Abell 1", "Abell 2"])
    assert list(crossmatch(a, b)["b_name"]) == ["A9", "Abell 2"]
    both = crossmatch(a, b, by="position_or_name")
    assert list(both["b_name"]) == ["Abell 1", "Abell 2"]
    assert list(both["matched_by"]) == ["name", "position+name"]
    every = crossmatch(a, b, by="position_or_name", mode="all")
    assert list(every["matched_by"]) == ["name", "position", "position+name"]


def test_duplicate_names_all_match_and_the_nearest_is_chosen():
    a, b = line([0], names=["A1"]), line([30, 20], names=["Abell 1", "ACO 1"])
    assert list(crossmatch(a, b, by="name", mode="all")["b_name"]) == ["ACO 1", "Abell 1"]
    assert list(crossmatch(a, b, by="name")["b_name"]) == ["ACO 1"]


def test_chance_is_the_share_of_random_positions_that_match():
    rng = np.random.default_rng(3)

    def cap(n):
        lat = np.degrees(np.arcsin(rng.uniform(0.8, 1, n)))
        return QTable({"coord": SkyCoord(rng.uniform(0, 360, n), lat, unit="deg")})

    b, random = cap(3000), cap(3000)
    table = crossmatch(random, b, mode="nearest", radius="4 deg")
    assert len(table) == 3000
    # If the model holds, p_chance of random positions is uniform between 0 and 1.
    shares = [np.mean(table["p_chance"] < p) for p in (0.1, 0.3, 0.5, 0.9)]
    np.testing.assert_allclose(shares, [0.1, 0.3, 0.5, 0.9], atol=0.04)
    area = 2 * np.pi * 0.2 * u.sr
    known = crossmatch(random, b, mode="nearest", radius="4 deg", density=3000 / area)
    expected = -np.expm1(-(3000 / area * 2 * np.pi * u.sr) * (1 - np.cos(known["separation"])))
    np.testing.assert_allclose(known["p_chance"], expected.to_value(""), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(np.median(table["p_chance"] / known["p_chance"]), 1, atol=0.08)


def test_density_ignores_clumps_edges_and_duplicates():
    rng = np.random.default_rng(5)
    side, n = np.radians(20), 4000
    lon, lat = rng.uniform(0, side, n), np.arcsin(rng.uniform(0, np.sin(side), n))
    lon[:30], lat[:30] = rng.normal(side / 2, 1e-4, (2, 30))  # a clump
    lon[30:33], lat[30:33] = lon[33], lat[33]
    b = np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=1)
    density = _local_density(b, np.arange(n)) * side * np.sin(side) / n
    spacing = np.sqrt(side * np.sin(side) / n)
    from_edge = np.minimum.reduce([lon, side - lon, lat, side - lat]) / spacing
    from_clump = np.hypot(lon - side / 2, lat - side / 2) / spacing
    far = np.arange(n) >= 30
    assert 0.95 < np.median(density[from_edge > 4]) < 1.15
    assert 0.75 < np.median(density[from_edge < 0.3]) < 1.1  # half of the neighbours are missing
    assert np.median(density[far & (from_clump > 2.5) & (from_clump < 4)]) < 1.5
    assert np.isfinite(density[far]).all()


def test_density_of_few():
    a = line([0.0])
    one = crossmatch(a, line([6.0]))
    cap = (1 - np.cos(np.radians(0.1))) / 2
    np.testing.assert_allclose(one["p_chance"], cap, rtol=1e-6)
    two = crossmatch(a, line([6.0, 600.0]))
    assert cap < two["p_chance"][0] < 0.01


def columns_of(table):
    for name in table.colnames:
        column = table[name]
        mask = getattr(column, "mask", np.zeros(len(column), bool))
        values = np.asarray(
            column.unmasked if isinstance(column, Masked) else np.ma.getdata(column)
        )
        values = np.char.decode(values) if values.dtype.kind == "S" else values  # FITS
        yield name, values, np.asarray(mask), getattr(column, "unit", None)


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
@pytest.mark.parametrize("unmatched", [False, True])
def test_round_trip(catalogues, tmp_path, suffix, unmatched):
    a, b = catalogues
    table = crossmatch(a, b, unmatched=unmatched, by="position_or_name", delta_redshift=0.1)
    write_table(table, tmp_path / f"t{suffix}")
    back = read_table(tmp_path / f"t{suffix}")
    assert back.colnames == table.colnames
    assert back.meta == table.meta
    for (name, values, mask, unit), (_, again, mask_again, unit_again) in zip(
        columns_of(table), columns_of(back), strict=True
    ):
        # A VOTable has no masked text, a FITS table no masked truth values.
        lost = {".vot": "U", ".fits": "b", ".ecsv": ""}[suffix]
        if values.dtype.kind != lost:
            assert list(mask) == list(mask_again), name
        assert list(values[~mask]) == list(again[~mask]), name
        assert unit == unit_again, name


def test_three_catalogues(catalogues, tmp_path):
    a, b = catalogues
    c = line([0], names=["Abell 1689"])
    table = crossmatch_many(
        {"psz2": b, "wl": a, "x": c},
        reference="wl",
        radius={"psz2": "3 arcmin"},
        by={"x": "name"},
        delta_redshift={"psz2": 0.01},
    )
    assert list(table["wl_name"]) == list(a["name"])
    assert list(table["psz2_name"].mask) == [False, False, True, True]
    assert list(table["psz2_index"][:2]) == [2, 1]
    assert list(table["x_name"].mask) == [True, False, True, True]
    assert table["x_matched_by"][1] == "name"
    for name in NEW_COLUMNS:
        assert f"psz2_{name}" in table.colnames
    meta = table.meta["crossmatch"]
    assert meta["reference"] == "wl"
    assert {key: entry["matched"] for key, entry in meta["catalogs"].items()} == {"psz2": 2, "x": 1}
    assert meta["catalogs"]["psz2"]["radius"] == "3 arcmin"
    assert meta["catalogs"]["x"]["radius"] == "10 arcmin"
    some = crossmatch_many({"psz2": b, "wl": a}, reference="wl", unmatched=False)
    assert list(some["wl_name"]) == ["A2142", "A1689"]
    write_table(table, tmp_path / "t.ecsv")
    assert read_table(tmp_path / "t.ecsv").meta == table.meta


def test_many_equals_two(catalogues):
    a, b = catalogues
    two = crossmatch(a, b, prefixes=("wl", "sz"), unmatched="a")
    many = crossmatch_many({"wl": a, "sz": b}, reference="wl")
    assert list(many["sz_separation"].mask) == list(two["separation"].mask)
    np.testing.assert_array_equal(many["sz_separation"].unmasked, two["separation"].unmasked)


def test_columns_that_no_format_holds_are_plain(catalogues):
    a, b = catalogues
    a["x_ray"] = a["coord"].galactic
    a["ra"] = np.arange(4.0) * u.deg
    table = crossmatch(a, b, columns=({"coord": "coord"}, None), unmatched=True)
    assert {"a_ra", "a_coord_ra", "a_coord_dec", "a_x_ray_ra"} < set(table.colnames)
    b["observed"] = Time([2000.0, 2001.0, 2002.0], format="jyear")
    assert crossmatch(a, b, columns=({"coord": "coord"}, None))["b_observed"][0].jyear == 2001
    b["site"] = EarthLocation.from_geodetic([0, 1, 2] * u.deg, [0, 1, 2] * u.deg)
    with pytest.raises(InvalidInputError, match="'site' \\(EarthLocation\\) cannot be masked"):
        crossmatch(a, b, columns=({"coord": "coord"}, None), unmatched=True)


@pytest.mark.parametrize("n", [3, 0])
def test_times_are_masked_where_there_is_no_match(catalogues, tmp_path, n):
    a, b = catalogues
    b = b[:n]
    b["observed"] = Time(2000.0 + np.arange(n), format="jyear")
    b["exposure"] = TimeDelta(np.arange(n), format="jd")
    table = crossmatch(a, b, unmatched=True)
    none = table["b_name"].mask
    assert none.any()
    assert table["b_observed"].mask.tolist() == table["b_exposure"].mask.tolist() == none.tolist()
    if n:
        names = dict(zip(b["name"], b["observed"].jyear, strict=True))
        for name, time in zip(table["b_name"][~none], table["b_observed"][~none], strict=True):
            assert time.jyear == names[name]
    write_table(table, tmp_path / "x.ecsv")
    back = read_table(tmp_path / "x.ecsv")
    assert back["b_observed"].mask.tolist() == none.tolist()


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"radius": 10}, InvalidUnitError, "'radius' must be a Quantity"),
        ({"radius": 1 * u.Mpc}, InvalidUnitError, "'radius'"),
        ({"radius": [1, 2] * u.arcmin}, InvalidInputError, "one per row of 'a' \\(4\\)"),
        ({"radius": -1 * u.arcmin}, InvalidInputError, "'radius' must be positive"),
        ({"radius": np.nan * u.arcmin}, InvalidInputError, "'radius' must be finite"),
        ({"radius": 200 * u.deg}, InvalidInputError, "at most 180 deg"),
        ({"radius": None}, InvalidInputError, "'radius', or 'n_sigma'"),
        ({"n_sigma": 3}, InvalidInputError, "needs a column of position errors"),
        ({"n_sigma": -3}, InvalidInputError, "'n_sigma' must be a positive number"),
        ({"delta_redshift": 0}, InvalidInputError, "'delta_redshift' must be a positive"),
        ({"delta_redshift": "x"}, InvalidInputError, "'delta_redshift' must be a positive"),
        ({"redshift_scale": "z"}, InvalidInputError, "one of 'absolute', '1\\+z'"),
        ({"by": "redshift"}, InvalidInputError, "'by' must be one of 'position', 'name'"),
        ({"mode": "first"}, InvalidInputError, "'mode' must be one of 'best', 'nearest', 'all'"),
        ({"unmatched": "c"}, InvalidInputError, "'unmatched' must be"),
        ({"prefixes": ("a", "a")}, InvalidInputError, "2 different words"),
        ({"prefixes": ("a", "b c")}, InvalidInputError, "2 different words"),
        ({"prefixes": "ab"}, InvalidInputError, "2 different words"),
        ({"columns": (None, {"mass": "x"})}, InvalidInputError, "'columns' of 'b' takes name"),
        ({"columns": (None, {"dec": "x"})}, InvalidInputError, "must name both 'ra' and 'dec'"),
        ({"columns": (None, {"units": {"x": "deg"}})}, InvalidInputError, "'b' has no column 'x'"),
        ({"columns": (None, {"name": "x"})}, InvalidInputError, "'b' has no column 'x'"),
        ({"columns": (None,)}, InvalidInputError, "'columns' must be a pair"),
        ({"density": 3}, InvalidUnitError, "'density'"),
        ({"density": [1, 2] / u.deg**2}, InvalidInputError, "'density' must be one number"),
    ],
)
def test_bad_options_are_explained(catalogues, options, error, match):
    with pytest.raises(error, match=match):
        crossmatch(*catalogues, **options)


def test_bad_tables_are_explained(catalogues):
    a, b = catalogues
    with pytest.raises(InvalidInputError, match="'b' must be a Table.*Received: list"):
        crossmatch(a, [1, 2])
    with pytest.raises(InvalidInputError, match="'b' has no positions"):
        crossmatch(a, QTable({"name": ["x"]}))
    with pytest.raises(InvalidInputError, match="'b' has no column 'name'.*by"):
        crossmatch(a, QTable({"id": ["x"]}), by="name")
    with pytest.raises(InvalidInputError, match="'b' has no redshifts to compare"):
        crossmatch(a, line([1.0]), delta_redshift=0.1)
    with pytest.raises(InvalidInputError, match="'a': the redshift 'z' is -1 in 2 rows.*Mask"):
        crossmatch(QTable({"z": [-1.0, 0.2, -1.0]}), b, by="name")
    with pytest.raises(InvalidInputError, match="latitude 'dec' is beyond 90 deg in row 0"):
        crossmatch(a, QTable({"ra": [0.0] * u.deg, "dec": [91.0] * u.deg}))
    with pytest.raises(InvalidUnitError, match="'ra' must have an angular unit"):
        crossmatch(a, QTable({"ra": [0.0], "dec": [1.0]}))
    bad = line([1.0, 2.0])
    bad["pos_err"] = [1.0, -1.0] * u.arcmin
    with pytest.raises(InvalidInputError, match="'pos_err' must not be negative.*-1.0 arcmin"):
        crossmatch(a, bad)
    bad["pos_err"] = [1.0, np.nan] * u.arcmin
    with pytest.raises(InvalidInputError, match="'b': the position error is not known in 1 rows"):
        crossmatch(a, bad, n_sigma=2)
    a["a_sep"] = 1
    also = QTable({"sep": [1], "coord": SkyCoord([1], [1], unit="deg")})
    with pytest.raises(InvalidInputError, match="Two columns would have the name 'x_a_sep'"):
        crossmatch_many({"x": a, "x_a": also}, reference="x")


def test_a_radius_that_gives_too_many_pairs_is_refused(monkeypatch, catalogues):
    monkeypatch.setattr(sys.modules["szmass.catalogs.crossmatch._matching"], "_MOST_PAIRS", 10)
    a, b = catalogues
    assert len(crossmatch(a, b, mode="all")) == 2
    with pytest.raises(InvalidInputError, match="gives more than .* pairs of 4 and 3 positions"):
        crossmatch(a, b, radius="170 deg")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"reference": "c"}, "'reference' must be one of a, b"),
        ({"mode": "all"}, "one row per row of the reference"),
        ({"radii": "1 arcmin"}, "Unknown: radii. Options are radius"),
        ({"radius": {"c": "1 arcmin"}}, "'radius' must be a dict by the keys"),
        ({"columns": {"c": {}}}, "'columns' must be a dict by the keys"),
    ],
)
def test_bad_options_of_many(catalogues, options, match):
    a, b = catalogues
    with pytest.raises(InvalidInputError, match=match):
        crossmatch_many({"a": a, "b": b}, **{"reference": "a", **options})
    with pytest.raises(InvalidInputError, match="at least two tables"):
        crossmatch_many({"a": a}, reference="a")


def test_inputs_are_not_changed(catalogues):
    a, b = catalogues
    before = [t.copy() for t in (a, b)]
    crossmatch(a, b, unmatched=True)["a_m500"][:] = 1 * u.solMass
    for old, new in zip(before, (a, b), strict=True):
        assert old.colnames == new.colnames
        assert np.all(old["redshift"] == new["redshift"])
    assert a["m500"][0] == before[0]["m500"][0]


@pytest.mark.parametrize("units", [{}, {"ra": "deg", "dec": "deg"}])
def test_positions_as_text_are_where_they_say(units):
    b = QTable({"name": ["A85"], "ra": [10.46] * u.deg, "dec": [-9.3] * u.deg})
    unit = None if units else "deg"
    a = Table({"ra": Column(["10.46"], unit=unit), "dec": Column(["-9.3"], unit=unit)})
    assert len(crossmatch(a, b, columns=({"units": units}, None))) == 1
    if units:
        with pytest.raises(
            InvalidInputError, match="'a': the position column 'ra' holds text that"
        ):
            crossmatch(a, b)
        with pytest.raises(InvalidInputError, match="'a' has no column 'RA'"):
            crossmatch(a, b, columns=({"units": {"RA": "deg"}}, None))


def test_redshifts_and_errors_as_text_with_gaps(catalogues):
    a, b = catalogues
    a["z"] = ["0.1", "...", "N/A", "0.3"]
    a["pos_err"], told = ["1", "2", "1", "3"], {"pos_err": "arcmin"}
    table = crossmatch(
        a, b, delta_redshift=5, n_sigma=60, columns=({"redshift": "z", "units": told}, None)
    )
    assert len(table) == 1
    assert set(table["a_z"]) <= {"0.1", "0.3"}
    a["z"] = ["0.1", "high", "N/A", "0.3"]
    with pytest.raises(InvalidInputError, match="'a': the column 'z' .* high in row 1"):
        crossmatch(a, b, delta_redshift=5, columns=({"redshift": "z"}, None))


def test_columns_in_logarithmic_units_come_along():
    def table(names, ra, log_mass):
        result = Table({"name": names, "ra": ra * u.deg, "dec": ra * u.deg})
        result["logm"] = MaskedColumn(log_mass, mask=[value == 0 for value in log_mass])
        result["logm"].unit = u.dex(u.solMass)
        return result

    a, b = table(["a"], [1.0], [14.5]), table(["b", "c"], [1.0, 5.0], [0.0, 14.7])
    a["o"] = Column(np.array([{}], dtype=object))
    result = crossmatch(a, b, unmatched=True)
    assert result["a_logm"].unit == result["b_logm"].unit == u.dex(u.solMass)
    assert result["a_logm"].mask.tolist() == [False, True]
    assert result["b_logm"].mask.tolist() == [True, False]
    assert result["b_logm"].unmasked[1].value == 14.7


def test_objects_that_are_no_names_match_nothing():
    a = Table({"name": Column(np.array(["A85", None, "nan"], dtype=object))})
    b = Table({"name": Column(np.array([None, "A 85", np.nan], dtype=object))})
    assert len(crossmatch(a, b, by="name", mode="all")) == 1
