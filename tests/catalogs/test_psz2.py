"""PSZ2 in all its forms: the same table from each."""

import gzip

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table

from szmass._tables.columns import column_parts
from szmass.catalogs import PSZ2Catalog
from szmass.exceptions import DuplicateNameError, FileFormatError, InvalidInputError

FORMS = ["fits", "cds", "votable"]


def assert_same(one, other, *, exact):
    """Compare values, masks, units and classes of all columns."""
    assert one.table.colnames == other.table.colnames == [c.name for c in PSZ2Catalog.columns]
    for name in one.table.colnames:
        a, b = one.table[name], other.table[name]
        assert type(a) is type(b), name
        (values, mask, unit), (others, other_mask, other_unit) = map(column_parts, (a, b))
        assert unit == other_unit
        np.testing.assert_array_equal(mask, other_mask, err_msg=name)
        if values.dtype.kind != "f" or exact:
            np.testing.assert_array_equal(values, others, err_msg=name)
        else:  # the CDS file has as many digits as single precision, but after the point
            scale = 1 if unit is None else (1 * PUBLISHED.get(name, unit)).to_value(unit)
            atol = 6e-4 if name == "ami_evidence" else 6e-6
            np.testing.assert_allclose(values / scale, others / scale, rtol=0, atol=atol)


PUBLISHED = {c.name: u.Unit(c.published_unit) for c in PSZ2Catalog.columns if c.published_unit}


@pytest.mark.parametrize("form", FORMS)
def test_values_units_and_masks(published, rows, form):
    catalog = PSZ2Catalog.read(published[form])
    table = catalog.table
    known = rows["REDSHIFT"] > 0
    assert len(catalog) == 60
    assert table["y5r500"].unit == u.arcmin**2
    assert table["msz"].unit == u.solMass
    np.testing.assert_allclose(table["y5r500"].value, rows["Y5R500"] * 1e-3, rtol=2e-6)
    for name in ("redshift", "msz", "msz_errn", "msz_errp"):
        np.testing.assert_array_equal(table[name].mask, ~known)
    np.testing.assert_allclose(
        table["msz"].unmasked.value[known], rows["MSZ"][known] * 1e14, rtol=1e-6
    )
    # Upper case is the upper error: the names differ by nothing else at VizieR.
    assert np.all(table["msz_errp"][known] > table["msz_errn"][known])
    np.testing.assert_array_equal(table["psz"].mask, rows["PSZ"] == -1)
    np.testing.assert_array_equal(table["mcxc"].mask, np.array(rows["MCXC"]) == "")
    assert table["cosmo"].dtype == table["pccs2"].dtype == bool
    assert list(table["name"]) == rows["NAME"]
    assert table.meta["catalog"] == "psz2"
    assert table.meta["form"] == form
    assert table.meta["source"] == published[form].name
    assert table.meta["form"] == form
    assert len(table.meta["sha256"]) == 64


@pytest.mark.parametrize("form", ["cds", "votable"])
def test_all_published_forms_give_the_same_table(published, form):
    assert_same(PSZ2Catalog.read(published["fits"]), PSZ2Catalog.read(published[form]), exact=False)


@pytest.mark.parametrize("form", FORMS)
def test_redshifts_fall_into_the_same_bins_from_all_forms(published, form):
    catalog = PSZ2Catalog.read(published[form])
    names = set(catalog.sample(redshift=(0.2, 0.4)).names)
    assert str(catalog.table["name"][0]) in names  # 0.2 in single precision
    assert str(catalog.table["name"][1]) not in names  # 0.4 in single precision


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
def test_written_table_comes_back_unchanged(catalog, tmp_path, suffix):
    path = tmp_path / f"psz2{suffix}"
    catalog.write(path)
    again = PSZ2Catalog.read(path)
    assert_same(catalog, again, exact=True)
    assert again.table.meta == catalog.table.meta
    with pytest.raises(InvalidInputError, match="exists"):
        catalog.write(path)


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
def test_no_rows(catalog, tmp_path, suffix):
    empty = PSZ2Catalog(catalog.table[:0])
    assert len(empty) == len(empty.sample(redshift=(0, 1))) == 0
    empty.write(tmp_path / f"empty{suffix}")
    again = PSZ2Catalog.read(tmp_path / f"empty{suffix}")
    assert_same(empty, again, exact=True)


@pytest.mark.parametrize("form", FORMS)
def test_gzip(published, tmp_path, form):
    path = tmp_path / f"{published[form].name}.gz"
    path.write_bytes(gzip.compress(published[form].read_bytes()))
    readme = published["cds"].with_name("ReadMe") if form == "cds" else None
    assert_same(
        PSZ2Catalog.read(path, readme=readme), PSZ2Catalog.read(published[form]), exact=True
    )
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FileFormatError, match="damaged"):
        PSZ2Catalog.read(path, readme=readme)


def test_sample_is_galactic_and_keeps_measurements(catalog, rows):
    sample = catalog.sample(redshift=(0, 1))
    known = rows["REDSHIFT"] > 0
    assert len(sample) == known.sum()
    assert sample.coord.frame.name == "galactic"
    np.testing.assert_array_equal(sample.coord.l.deg, rows["GLON"][known])
    assert not {"glon", "glat", "ra", "dec"} & set(sample.table.colnames)
    np.testing.assert_allclose(
        sample.quantity("msz").to_value("1e14 solMass"), rows["MSZ"][known], rtol=1e-6
    )
    assert sample[0].measurements["q_neural"] == catalog.table["q_neural"][known][0]
    assert sample.meta["catalog"] == "psz2"


def test_selection(catalog, rows):
    table = catalog.table
    snr = np.asarray(rows["SNR"], dtype=float)
    assert len(catalog.sample(snr=(10, None))) == np.sum(snr > 10)
    assert len(catalog.sample(snr=(None, 10), cosmo=True)) == np.sum((snr <= 10) & rows["COSMO"])
    assert len(catalog.sample(pipeline=2)) == np.sum(rows["PIPELINE"] == 2)
    heavy = catalog.sample(msz=(5e14 * u.solMass, None))
    assert len(heavy) == np.sum(rows["MSZ"] > 5)
    # A comparison with masked values gives a masked mask: masked is not selected.
    where = table["redshift"] < 0.3
    assert where.mask.any()
    assert len(catalog.sample(where=where)) == np.sum((rows["REDSHIFT"] > 0) & where.data)
    names = [rows["NAME"][5], rows["NAME"][2].lower()]
    assert list(catalog.sample(names=names).names) == [rows["NAME"][5], rows["NAME"][2]]
    with pytest.raises(InvalidInputError, match="no column 'sn' to select by"):
        catalog.sample(sn=(1, 2))
    with pytest.raises(InvalidInputError, match=r"'snr' must be \(low, high\)"):
        catalog.sample(snr=(1, 2, 3))
    with pytest.raises(InvalidInputError, match="one value, not a range"):
        catalog.sample(mcxc=("a", "b"))
    with pytest.raises(InvalidInputError, match="one entry per row"):
        catalog.sample(where=[True])
    with pytest.raises(InvalidInputError, match="'msz' must be a Quantity"):
        catalog.sample(msz=(5e14, None))


def test_rows_by_name(catalog, rows):
    name = rows["NAME"][7]
    cluster = catalog[name.replace(" ", "").lower()]
    assert cluster.name == name
    assert cluster.y5r500 == catalog.row(name)["y5r500"]
    assert catalog[7].name == catalog[-53].name == name
    assert list(catalog[5:8].names) == rows["NAME"][5:8]
    assert repr(catalog) == "<PSZ2Catalog: 60 rows, 30 columns>"
    assert "PSZ2Catalog" in catalog._repr_html_()


def test_input_table_is_not_changed(published):
    table = QTable(PSZ2Catalog.read(published["fits"]).table)
    before = table["msz"].copy()
    catalog = PSZ2Catalog(table)
    catalog.table["msz"][:] = 1 * u.solMass
    np.testing.assert_array_equal(table["msz"].unmasked, before.unmasked)


def test_readme_under_another_name(published, tmp_path):
    path = tmp_path / "psz2.dat"
    path.write_bytes(published["cds"].read_bytes())
    readme = tmp_path / "psz2_ReadMe"
    readme.write_bytes(published["cds"].with_name("ReadMe").read_bytes())
    assert len(PSZ2Catalog.read(path, readme=readme)) == 60
    with pytest.raises(FileFormatError, match="its ReadMe is needed to read it"):
        PSZ2Catalog.read(path)
    with pytest.raises(FileFormatError, match="There is no ReadMe"):
        PSZ2Catalog.read(path, readme=tmp_path / "nothing")
    with pytest.raises(FileFormatError, match="not describe 'other.dat'; it describes psz2.dat"):
        PSZ2Catalog.read(path.rename(tmp_path / "other.dat"), readme=readme)


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.98])
@pytest.mark.parametrize("form", FORMS)
def test_truncated_file(published, tmp_path, form, keep):
    (tmp_path / "ReadMe").write_bytes(published["cds"].with_name("ReadMe").read_bytes())
    path = tmp_path / published[form].name
    content = published[form].read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(FileFormatError, match="psz2|answer"):
        PSZ2Catalog.read(path)


def test_last_record_cut_short(published, tmp_path):
    (tmp_path / "ReadMe").write_bytes(published["cds"].with_name("ReadMe").read_bytes())
    path = tmp_path / "psz2.dat"
    path.write_bytes(published["cds"].read_bytes()[:-150])
    with pytest.raises(FileFormatError, match="is truncated or another version: it has 60 records"):
        PSZ2Catalog.read(path)


def test_unknown_form_lists_the_forms(tmp_path):
    path = tmp_path / "catalogue.png"
    path.write_bytes(b"\x89PNG\r\n\0\0")
    with pytest.raises(FileFormatError, match="Known forms are FITS, ECSV, VOTable, CSV, or a CDS"):
        PSZ2Catalog.read(path)
    with pytest.raises(FileNotFoundError, match="nothing.fits"):
        PSZ2Catalog.read(tmp_path / "nothing.fits")


def test_fits_without_table(tmp_path):
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "image.fits")
    with pytest.raises(FileFormatError, match="holds no table, only images"):
        PSZ2Catalog.read(tmp_path / "image.fits")


def test_server_error_saved_as_a_file(tmp_path):
    path = tmp_path / "answer.xml"
    path.write_text(
        '<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        '<INFO name="Error" value="no connection"/><RESOURCE/></VOTABLE>'
    )
    with pytest.raises(FileFormatError, match="holds no table, but an error: no connection"):
        PSZ2Catalog.read(path)


def test_another_table(tmp_path, catalog):
    path = tmp_path / "other.ecsv"
    Table({"name": ["a"], "x": [1.0]}).write(path)
    with pytest.raises(FileFormatError, match="not the catalogue 'psz2': The table lacks .*GLON"):
        PSZ2Catalog.read(path)
    catalog.table.meta["catalog"] = "deandres2022"
    catalog.write(path, overwrite=True)
    with pytest.raises(FileFormatError, match="holds the catalogue 'deandres2022', not 'psz2'"):
        PSZ2Catalog.read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace_column("msz", t["msz"].unmasked.value), "'msz' must be in .*no unit"),
        (lambda t: t.replace_column("msz", [1] * 60 * u.keV), "'msz' must be in .*keV"),
        (lambda t: t.remove_column("glat"), "lacks the column glat or GLAT"),
        (lambda t: t.remove_columns(["msz", "ra"]), "lacks the columns ra or RA .*, msz or MSZ"),
        (lambda t: t.replace_column("cosmo", np.arange(60)), "'cosmo' .* neither 0 nor 1"),
        (lambda t: t.replace_column("pipeline", np.arange(60) / 2), "'pipeline' .* not whole"),
        (lambda t: t.replace_column("snr", ["a"] * 60), "'snr' does not hold values of kind"),
        (lambda t: t.replace_column("name", [""] * 60), "'name' has no value in 60 rows"),
        (lambda t: t.replace_column("glon", [np.nan] * 60 * u.deg), "'glon' has no value"),
    ],
)
def test_wrong_columns(catalog, change, message):
    change(catalog.table)
    with pytest.raises(FileFormatError, match=message):
        PSZ2Catalog(catalog.table)


def test_other_unit_of_the_same_kind_is_converted(catalog):
    expected = catalog.table["y5r500"].copy()
    catalog.table["y5r500"] = catalog.table["y5r500"].to(u.arcsec**2)
    np.testing.assert_allclose(PSZ2Catalog(catalog.table).table["y5r500"], expected, rtol=1e-14)


def test_repeated_name(catalog):
    catalog.table["name"][4] = catalog.table["name"][9]
    with pytest.raises(DuplicateNameError, match="is repeated: 'PSZ2 .*' in rows 4, 9"):
        PSZ2Catalog(catalog.table)


def test_codes_for_no_value_enter_no_means(published, rows, tmp_path):
    evidence, flag = np.array(rows["AMI_EVIDENCE"]), np.array(rows["WISE_FLAG"])
    for form in ("fits", "cds", "votable"):
        table = PSZ2Catalog.read(published[form]).table
        np.testing.assert_array_equal(table["ami_evidence"].mask, evidence == -1000)
        np.testing.assert_array_equal(table["wise_flag"].mask, flag == -10)
        assert table["ami_evidence"].min() > -10
        assert table["wise_flag"].min() >= -3
    # A table that was kept when the codes were no gaps yet.
    before = table.copy()
    before["ami_evidence"] = np.where(evidence == -1000, [-1000, -100] * 30, evidence)
    before["wise_flag"] = flag
    before.write(tmp_path / "before.ecsv")
    again = PSZ2Catalog.read(tmp_path / "before.ecsv").table
    for name in ("ami_evidence", "wise_flag"):
        np.testing.assert_array_equal(again[name].mask, table[name].mask)
        np.testing.assert_array_equal(again[name].filled(0), table[name].filled(0))
    assert again.meta["references"] == table.meta["references"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("msz", -5e14, "'msz' is not positive in 1 rows: -5e.14 in row 7"),
        ("redshift", -0.5, "'redshift' is negative in 1 rows: -0.5 in row 7"),
        ("msz_errn", -1e13, "'msz_errn' is negative in 1 rows"),
        ("dec", 95, "'dec' is beyond 90 deg in 1 rows: 95 in row 7"),
        ("ra", -1e30, "'ra' is beyond 360 deg in 1 rows"),
    ],
)
def test_values_that_no_cluster_has(catalog, name, value, message):
    table = catalog.table.copy()
    table[name][7] = value * (table[name].unit or 1)
    with pytest.raises(InvalidInputError, match=message):
        PSZ2Catalog(table)


@pytest.mark.parametrize(("name", "value"), [("redshift", 0.0), ("dec", 90.0), ("ra", 360.0)])
def test_values_at_their_ends_pass(catalog, name, value):
    table = catalog.table.copy()
    table[name][7] = value * (table[name].unit or 1)
    assert PSZ2Catalog(table).table[name][7] == table[name][7]
