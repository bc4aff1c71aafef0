"""Values, masks, units and angles of columns, however tables write them."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Column, MaskedColumn, Table
from astropy.utils.masked import Masked

from szmass._tables.angles import angle_column
from szmass._tables.columns import (
    as_qtable,
    column_of,
    column_parts,
    number_column,
    parse_unit,
    without_value,
)
from szmass._tables.samples import row_names
from szmass.exceptions import InvalidInputError, InvalidUnitError


class NAType:
    """What pandas.NA is: compared with anything it gives itself, and it has no truth."""

    def __eq__(self, other):
        return self

    __hash__ = None

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


NOTHING = [
    *(None, NAType(), np.nan, np.float32(np.nan), np.datetime64("NaT", "s"), np.ma.masked),
    *("", "--", "...", "\u2026", "\u2014", "N/A", "#N/A", "NA", "<NA>", "nan", "NaN", "NaT"),
    *("null", "NULL", "None", "INDEF", "masked", " - ", "---"),
]


def objects(*values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return Column(column)


@pytest.mark.parametrize("nothing", NOTHING, ids=lambda v: type(v).__name__ + str(v)[:9])
def test_no_value_is_masked_in_numbers_and_missed_in_names(nothing):
    values, mask = number_column(objects(0.1, nothing, "0.3"), "redshift")
    np.testing.assert_array_equal(values, [0.1, np.nan, 0.3])
    assert mask.tolist() == [False, True, False]
    with pytest.raises(InvalidInputError, match="needs a name; there is none in row 1"):
        row_names(objects("A85", nothing))


@pytest.mark.parametrize("text", ["high", "0.1?", "0,3", "1_0", "0.3:", "~0.2", "<0.3"])
def test_text_that_is_no_number_is_named(text):
    with pytest.raises(InvalidInputError, match="'z' must hold one number per row.*row 1 .'B'"):
        number_column(Column(["0.1", text]), "z", names=["A", "B"])


@pytest.mark.parametrize(
    ("values", "dtype", "mask"),
    [
        ([1, 2, None], "i", [0, 0, 1]),
        ([1.5, None, 2], "f", [0, 1, 0]),
        (["a", None, "b"], "U", [0, 1, 0]),
        ([b"a", "b", np.nan], "U", [0, 0, 1]),
        ([True, None, False], "b", [0, 1, 0]),
        ([1.5, "a", None], "O", [0, 0, 1]),
        ([None, None, NAType()], "U", [1, 1, 1]),
    ],
)
def test_a_column_of_objects_becomes_one_of_what_it_holds(values, dtype, mask):
    parts, masked, _ = column_parts(objects(*values))
    assert parts.dtype.kind == dtype
    assert masked.tolist() == list(map(bool, mask))


def test_other_ways_to_mask():
    for column in (
        MaskedColumn([1.0, 2.0], mask=[False, True]),
        Masked([1.0, 2.0], mask=[False, True]),
        np.ma.masked_array([1.0, 2.0], mask=[False, True]),
        [1.0, np.nan] * u.dimensionless_unscaled,
    ):
        np.testing.assert_array_equal(number_column(column, "z")[0], [1, np.nan])
    assert column_parts(np.array(["2020-01-01", "NaT"], dtype="M8[D]"))[1].tolist() == [False, True]


def test_bytes_of_any_kind_become_text():
    assert column_parts(np.array(["é".encode(), b"b"]))[0].tolist() == ["é", "b"]
    assert column_parts(np.array([b"\xe9", b"b"]))[0].tolist() == ["é", "b"]
    assert column_parts(objects(b"\xe9", "b"))[0].tolist() == ["é", "b"]


def test_missing_is_compared_in_the_precision_of_the_column():
    values, _ = number_column(np.array([-99.9, 3], dtype=np.float32), "snr", missing=-99.9)
    np.testing.assert_array_equal(values, [np.nan, 3])
    values, _ = number_column(np.array([-1, 99, 3]), "snr", missing=(-1, 99))
    np.testing.assert_array_equal(values, [np.nan, np.nan, 3])
    with pytest.raises(InvalidInputError, match="must be numbers in such a column"):
        number_column([1.0], "snr", missing="x")


def test_names_that_were_numbers_with_some_missing():
    assert row_names(np.array([7.0, 12345678.0])).tolist() == ["7", "12345678"]
    assert row_names(np.array([7.5, 8.0])).tolist() == ["7.5", "8.0"]
    with pytest.raises(InvalidInputError, match="none in row 1"):
        row_names(np.array([7.0, np.nan]))


@pytest.mark.parametrize("text", ["A", "N", "1", "-1", "NaN 1", "Na", "a.", "0"])
def test_values_that_are_values(text):
    assert without_value([text]).tolist() == [text == "Na"]


# ------------------------------------------------------------------------------ units


@pytest.mark.parametrize(
    "text", ["[Msun]", "dex(solMass)", "log(Msun)", "log10(solMass)", "lg(Msun)", "log([Msun])"]
)
def test_logarithms_of_masses(text):
    values, _ = number_column([14.5, 15.0], "msz", u.solMass, unit=text)
    np.testing.assert_allclose(values, [10**14.5, 1e15])
    column = Column([14.5, 15.0], unit=parse_unit(text))
    np.testing.assert_allclose(number_column(column, "msz", u.solMass)[0], values)
    with pytest.raises(InvalidUnitError, match="'msz_errn' is in dex.(sol)?M(ass|sun).*10..-error"):
        number_column([0.1], "msz_errn", u.solMass, unit=text)


def test_other_logarithms():
    assert parse_unit("[10-7W]") == u.dex(u.Unit("1e-7 W"))
    assert parse_unit("[-]") == u.dex(u.Unit("---", format="cds"))
    assert parse_unit("mag(AB)") == u.mag(u.AB)
    assert isinstance(parse_unit("[what]"), u.UnrecognizedUnit)
    for unit, hint in (("dex", "in .dex.(solMass|Msun).."), ("mag(AB)", "mag.AB"), ("mag", "mag")):
        with pytest.raises(InvalidUnitError, match=f"'msz' must have a unit .* solMass.*{hint}"):
            number_column([14.5], "msz", u.solMass, unit=unit)


def test_masked_logarithms_keep_their_unit():
    table = Table({"a": [1, 2], "m": MaskedColumn([17.0, 18.0], mask=[False, True])})
    table["m"].unit, table["m"].description = "mag(AB)", "Magnitude"
    result = as_qtable(table)
    assert result.colnames == ["a", "m"]
    assert result["m"].unit == u.mag(u.AB)
    assert result["m"].mask.tolist() == [False, True]
    assert result["m"].info.description == "Magnitude"
    assert column_of([1.0], [True], u.dex(u.solMass)).unit == u.dex(u.solMass)


@pytest.mark.parametrize(
    ("own", "given", "message"),
    [
        ("keV", "K", "is in keV and units=.* says otherwise"),
        (None, "foo", "'kt' must be one that astropy knows. Received: 'foo'"),
        (None, None, "'kt' has no unit. Say what it is in, for instance units={'kt': 'keV'}"),
        ("what", None, "has the unit 'what', unknown here"),
        ("Mpc", None, "must have a unit that converts to keV. Received: Mpc"),
    ],
)
def test_units_that_cannot_be(own, given, message):
    column = Column([1.0], unit=None if own is None else u.Unit(own, parse_strict="silent"))
    with pytest.raises(InvalidUnitError, match=message):
        number_column(column, "kt", u.keV, unit=given)


# ----------------------------------------------------------------------------- angles


@pytest.mark.parametrize(
    ("kind", "texts", "options", "degrees"),
    [
        ("ra", ["10.46", "239.58"], {"unit": "deg"}, [10.46, 239.58]),
        ("ra", ["10.46", "23.5"], {"unit": "hourangle"}, [156.9, 352.5]),
        ("ra", ["10.46", "23.5"], {"unit": "h"}, [156.9, 352.5]),
        ("ra", ["1", "0.5"], {"unit": "rad"}, [57.29577951, 28.64788976]),
        ("ra", ["10.46", "1e2"], {"plain": u.deg}, [10.46, 100]),
        ("ra", ["12:59:48", "12 59 48"], {}, [194.95, 194.95]),
        ("ra", ["12:59:48", "12 59 48"], {"plain": u.deg}, [194.95, 194.95]),
        ("ra", ["12:59:48", "12 59 48"], {"unit": '"h:m:s"'}, [194.95, 194.95]),
        ("ra", ["12:59:48", "12 30 00"], {"unit": "deg"}, [12.99666667, 12.5]),
        ("ra", ["12h59m48s", "194.95d"], {}, [194.95, 194.95]),
        ("ra", ["12h59m48s", "194.95"], {"unit": "deg"}, [194.95, 194.95]),
        ("ra", ["12:59:48", "12.5"], {"unit": "hourangle"}, [194.95, 187.5]),
        ("lon", ["12:59:48", "350 30 00"], {}, [12.99666667, 350.5]),
        ("lat", ["-09 18 11", "+27.5"], {}, [-9.30305556, 27.5]),
        ("lat", ["\u22120.5", "-0 30 00"], {"unit": "deg"}, [-0.5, -0.5]),
        ("ra", ["10.46", "--"], {"unit": "deg"}, [10.46, np.nan]),
        ("ra", [10.46, None], {"unit": "deg"}, [10.46, np.nan]),
        ("ra", [10.46, "239.58"], {"unit": "deg"}, [10.46, 239.58]),
        ("ra", [-1.0, 2.0], {"unit": "deg", "missing": -1}, [np.nan, 2]),
    ],
)
def test_angles(kind, texts, options, degrees):
    column = objects(*texts)
    np.testing.assert_allclose(angle_column(column, "x", kind, **options), degrees, atol=1e-8)
    if "unit" in options and all(isinstance(text, str) for text in texts):
        column = Column(np.array(texts, dtype=str), unit=parse_unit(options["unit"]))
        np.testing.assert_allclose(angle_column(column, "x", kind), degrees, atol=1e-8)


@pytest.mark.parametrize(
    ("kind", "texts", "unit", "message"),
    [
        ("ra", ["10.46", "2"], None, "does not say whether .* hours in rows 0 .'a'., 1 .*10.46"),
        ("lat", ["10.46", "2"], None, "does not say whether"),
        ("ra", ["194.95", "195.1", "12:59:48"], "deg", "194.95, and hours .* in row 2 .'c'."),
        ("ra", ["194.95", "12:59:48", "1 2 3"], None, "numbers such as 194.95.* in row 0 .'a'."),
        ("ra", ["1", "24:00:01"], "hourangle", "no angle in row 1|hours outside .* in row 1"),
        ("ra", ["1", "24"], "hourangle", "hours outside of 0 to 24 in row 1 .'b'., .* 24"),
        ("ra", ["1:0:0", "-1:0:0"], None, "hours outside of 0 to 24 in row 1 .'b'., .* -1:0:0"),
        ("ra", ["1", "-361"], "deg", "'x' is beyond 360 deg in row 1 .'b'., for instance -361"),
        ("lat", ["1 0 0", "-91 0 0"], None, "latitude 'x' is beyond 90 deg in row 1 .'b'."),
        ("lat", ["1", "90.1"], "deg", "latitude 'x' is beyond 90 deg in row 1 .'b'."),
        ("lat", ["1", "2"], "rad", "latitude 'x' is beyond 90 deg in row 1 .'b'."),
        ("ra", ["1", "north"], "deg", "holds text that is no angle in row 1 .'b'.*north"),
        ("ra", ["1:61:00", "1:0:0"], None, "holds text that is no angle in row 0"),
        ("ra", [1.0, 2.0], "dex(deg)", "'x' must have an angular unit. Received: dex"),
        ("ra", [[1.0, 2.0]], "deg", "'x' must hold one angle per row.*shape .1, 2."),
        ("ra", [True, False], "deg", "'x' must hold one angle per row.*bool"),
        ("ra", ["1", "2"], "km", "'x' must have an angular unit. Received: km"),
        ("ra", [1.0, 30.0], "hourangle", "hours outside of 0 to 24 in row 1"),
        ("ra", [1.0, 400.0], "deg", "beyond 360 deg in row 1"),
        ("ra", [1.0, 2.0], None, "'x' must have an angular unit. Received: None.*{'x': 'deg'}"),
    ],
)
def test_angles_that_cannot_be(kind, texts, unit, message):
    with pytest.raises(InvalidInputError, match=message):
        angle_column(Column(texts), "x", kind, unit=unit, names=["a", "b", "c"])


def test_a_unit_that_says_otherwise():
    with pytest.raises(InvalidUnitError, match="'ra' is in deg and units=.* says otherwise"):
        angle_column([1.0, 2.0] * u.deg, "ra", "ra", unit="hourangle")
    assert angle_column([1.0] * u.deg, "ra", "ra", unit="deg").tolist() == [1]
