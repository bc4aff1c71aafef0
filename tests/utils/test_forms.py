"""Every form of a table is read, also compressed; text stays text; what cannot be is refused."""

import gzip
import http.server
import re
import threading

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.time import Time

from szmass._tables.files import read_table, write_table
from szmass._tables.forms import parse_votable
from szmass._tables.text import read_csv
from szmass.catalogs import load_sample
from szmass.clusters import ClusterSample
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning
from szmass.simulations import import_maps

NAMES = [
    *("0016", "1E2215", "007", "True", "1e5", "inf", "0x10"),
    *("a,b", 'say "hi"', "x;y", "Ü 12", "A\tB", "'quoted'", "1_000", "12:30:01"),
]
RUN = ["=cmd|' /C calc'!A0", "+1+1", "-1", "@SUM(A1)", "'=x", "''"]
WORDS = ["nan", "--", "None", "N/A", "NULL", "-"]  # no names, but a comment may say so
pytestmark = pytest.mark.filterwarnings("ignore:CSV keeps neither units")
SUFFIXES = ("csv", "ecsv", "fits", "vot")


def sample_of(names, **more):
    n = len(names)
    columns = {"name": names, "ra": np.arange(n) * u.deg, "dec": np.arange(n) * u.deg}
    return ClusterSample.from_table(QTable({**columns, "z": np.full(n, 0.1), **more}))


def read_sample(path):
    units = {"ra": "deg", "dec": "deg"} if ".csv" in path.name else None
    return ClusterSample.read(path, units=units)


def compressed(path):
    target = path.with_name(f"{path.name}.gz")
    target.write_bytes(gzip.compress(path.read_bytes()))
    return target


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_that_look_like_something_else_come_back(tmp_path, suffix):
    said = (WORDS + NAMES[::-1] + RUN)[: len(NAMES + RUN)]
    sample = sample_of(NAMES + RUN, redshift_id=said)
    path = tmp_path / f"sample.{suffix}"
    sample.write(path)
    for file in (path, compressed(path)):
        back = read_sample(file)
        assert back.names.tolist() == NAMES + RUN
        assert back.table["redshift_id"].tolist() == said


def test_nothing_in_csv_begins_as_what_a_spreadsheet_runs(tmp_path):
    sample_of(RUN, **{"=1+1": np.ones(len(RUN))}).write(tmp_path / "sample.csv")
    for line in (tmp_path / "sample.csv").read_text().splitlines():
        for cell in line.split(","):
            assert cell.strip('"')[:1] not in ("=", "+", "-", "@")
    assert "=1+1" in read_sample(tmp_path / "sample.csv").table.colnames


@pytest.mark.parametrize("name", ["name", "cluster", "Name", "id"])
def test_names_in_csv_of_others_are_text(tmp_path, name):
    path = tmp_path / "t.csv"
    path.write_text(f"{name},ra,dec,z,number\n0016,1,2,0.1,5\n0017,2,3,0.2,6\n12,3,4,,7\n")
    sample = ClusterSample.read(path, name=name, units={"ra": "deg", "dec": "deg"})
    assert sample.names.tolist() == ["0016", "0017", "12"]
    assert sample.table["number"].tolist() == [5, 6, 7]
    assert np.isnan(sample.redshift[2])


def csv_of(text, **options):
    return read_csv(text if isinstance(text, bytes) else text.encode(), "t.csv", **options)


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfname,ra\r\nA85,10.5\r\nA86,11\r\n",
        "# made by hand\n# on a day\nname,ra\nA85,10.5\n# A87,12\nA86,11\n\n",
        "# name,ra\nA85,10.5\nA86,11\n",
        "name;ra\nA85;10.5\nA86;11\n",
        "name\tra\nA85\t10.5\nA86\t11",
        '"name","ra"\n"A85","10.5"\n"A86","11"\n',
        "name,ra\rA85,10.5\rA86,11\r",
        " name , ra\n A85 , 10.5\n A86 ,11 \n",
    ],
)
def test_ways_to_write_csv(text):
    table = csv_of(text)
    assert table.colnames == ["name", "ra"]
    assert table["name"].tolist() == ["A85", "A86"]
    assert table["ra"].tolist() == [10.5, 11]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2"], [1, 2]),
        (["1", "2.5"], [1.0, 2.5]),
        (["-09.30", "+9"], [-9.3, 9.0]),
        (["1e3", "2D-1"], [1000.0, 0.2]),
        (["1", ""], [1, None]),
        (["1", "--"], [1, None]),
        (["1.5", "NULL"], [1.5, None]),
        (["True", "False"], [True, False]),
        (["True", ""], [True, None]),
        (["007", "008"], ["007", "008"]),
        (["1E2215", "2"], ["1E2215", "2"]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
        (["9223372036854775807", "1"], [9223372036854775807, 1]),
        (["1", "x"], ["1", "x"]),
        (['"1"', '"2"'], ["1", "2"]),
        (['""', ""], ["", None]),
    ],
)
def test_what_csv_cells_are(cells, expected):
    column = csv_of("name,value\n" + "".join(f"a,{cell}\n" for cell in cells))["value"]
    mask = np.ma.getmaskarray(column)
    found = [None if hidden else value for value, hidden in zip(column.tolist(), mask, strict=True)]
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_kind_that_only_a_late_row_shows():
    rows = 40_000
    text = "name,number,text\n" + "a,1,1\n" * rows + "b,1.5,x\n"
    table = csv_of(text)
    assert table["number"][0] == 1.0
    assert table["number"][-1] == 1.5
    assert table["text"][0] == "1"
    assert len(table) == rows + 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,ra\nA85,1\n".encode("utf-16"), "UTF-16"),
        (b"name,ra\nA85,1\n\xfc,2\n", "must be text in UTF-8. Line 3"),
        ("name,ra\nA85\n", "line 2 has 1 cells, the header 2. It may be truncated"),
        ("name,ra\nA85,1,2\n", "line 2 has 3 cells"),
        ('name,ra\n"A85,1\n', "quoted cell that begins in line 2 has no end"),
        ("name,name\na,b\n", "no two the same"),
        ("# nothing\n\n", "empty"),
    ],
)
def test_csv_that_cannot_be_read(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FileFormatError, match=message) as caught:
        read_table(path)
    assert "t.csv" in str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_gzipped_tables_of_all_forms_by_every_reader(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    sample_of(["a", "b"], mass=[1e14, 2e14] * u.solMass).write(path)
    packed = compressed(path)
    hidden = packed.rename(tmp_path / f"packed.{suffix}")  # gzip without a suffix that says so
    for file in (path, hidden, compressed(path)):
        assert read_table(file)["name"].tolist() == ["a", "b"]
        if suffix != "csv":
            assert load_sample(file).names.tolist() == ["a", "b"]


@pytest.mark.parametrize("suffix", ["ecsv", "vot"])
def test_byte_order_mark(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    sample_of(["a", "b"]).write(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_sample(path).names.tolist() == ["a", "b"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_damaged_gzip_is_an_error_that_names_the_file(tmp_path, suffix, share):
    path = tmp_path / f"t.{suffix}"
    sample_of(["a", "b"]).write(path)
    packed = compressed(path)
    content = packed.read_bytes()
    packed.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FileFormatError, match=f"t.{suffix}.gz"):
        read_table(packed)


def test_content_wins_over_the_suffix(tmp_path):
    sample_of(["a"]).write(tmp_path / "t.fits")
    moved = (tmp_path / "t.fits").rename(tmp_path / "t.csv")
    assert read_table(moved)["name"].tolist() == ["a"]


@pytest.fixture
def asked():
    """Paths that somebody asked a server on this machine for."""
    paths = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    paths.append(f"http://127.0.0.1:{server.server_port}/data")
    yield paths
    server.shutdown()
    server.server_close()
    thread.join()


VOTABLE = """<?xml version="1.0"?>{declared}
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>
<TABLE {table}><FIELD name="name" datatype="char" arraysize="*"/>
<FIELD name="x" datatype="double" {field}/>{data}</TABLE></RESOURCE></VOTABLE>"""
ROWS = "<DATA><TABLEDATA><TR><TD>a</TD><TD>1</TD></TR></TABLEDATA></DATA>"


def votable(path, *, declared="", table="", field="", data=ROWS):
    path.write_text(VOTABLE.format(declared=declared, table=table, field=field, data=data))
    return path


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("scheme", ["http", "file"])
@pytest.mark.parametrize(
    "stream",
    ['<STREAM href="{}"/>', "<STREAM encoding='base64' actuate='>' \n href = '{}' />"],
)
def test_votable_that_refers_to_elsewhere(tmp_path, asked, scheme, stream, pack):
    address = asked[0] if scheme == "http" else (tmp_path / "secret").as_uri()
    (tmp_path / "secret").write_bytes(b"secret")
    data = f"<DATA><BINARY>{stream.format(address)}</BINARY></DATA>"
    path = votable(tmp_path / "t.vot", data=data)
    with pytest.raises(FileFormatError, match="refers to data elsewhere"):
        read_table(compressed(path) if pack else path)
    assert asked[1:] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"declared": '<!DOCTYPE VOTABLE [<!ENTITY a "aaaa">]>'}, "declares an entity"),
        ({"table": 'nrows="2000000000"'}, "states 2000000000 rows"),
        ({"field": 'arraysize="1000000000000"'}, "states larger cells"),
        ({"data": "<DATA><TABLEDATA><TR><TD>a"}, "truncated|mismatched|no VOTable"),
        ({"field": 'arraysize="x"'}, "could not be read|no VOTable"),
        ({"data": "<DATA><BINARY><STREAM encoding='base64'>AAA</STREAM></BINARY></DATA>"}, "t.vot"),
    ],
)
def test_votable_that_cannot_be(tmp_path, options, message):
    with pytest.raises(FileFormatError, match=message):
        read_table(votable(tmp_path / "t.vot", **options))


def test_votable_that_can_be(tmp_path):
    assert read_table(votable(tmp_path / "t.vot", table='nrows="1"'))["x"].tolist() == [1]


SURVIVES = {
    "objects_of_text": np.array(["x", None], dtype=object),
    "objects_of_numbers": np.array([1.5, None], dtype=object),
    "bytes": np.array([b"x", b"yy"]),
    "masked_truths": MaskedColumn([True, False], mask=[False, True]),
    "masked_text": MaskedColumn(["", "x"], mask=[True, False]),
    "empty_text": ["", "x"],
    "infinite": [np.inf, -np.inf],
    "not_a_number": [np.nan, 1.0],
    "single_precision": np.array([0.1, 0.2], dtype=np.float32),
    "large": np.array([2**62 + 1, -(2**62)]),
    "two_lines": ["a\nb", "c"],
    "all_masked": MaskedColumn([1.0, 2.0], mask=[True, True]),
    "flux": [1.0, 2.0] * u.Unit("keV / (cm2 s arcmin2)"),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("what", list(SURVIVES))
def test_column_that_survives(tmp_path, what, suffix):
    column = SURVIVES[what]
    table = QTable({"name": ["a", "b"], what: column})
    write_table(table, tmp_path / f"t.{suffix}")
    back = read_table(tmp_path / f"t.{suffix}")[what]
    plain = np.ma.asarray(getattr(column, "value", column))
    values = [v.decode() if isinstance(v, bytes) else v for v in list(plain)]
    assert suffix == "csv" or getattr(back, "unit", None) == getattr(column, "unit", None)
    back = getattr(back, "value", back)
    if what == "single_precision":
        back = np.asarray(back, np.float32)
    for value, found in zip(values, back, strict=True):
        if value is None or value is np.ma.masked:
            assert np.ma.is_masked(found)
        else:
            assert found == value or (np.isnan(value) and np.isnan(found))
            assert np.asarray(found).dtype.kind == np.asarray(value).dtype.kind


REFUSED = {
    "objects": (np.array([{"a": 1}, None], dtype=object), SUFFIXES),
    "several": (np.ones((2, 3)), ("csv",)),
    "complex": (np.array([1 + 2j, 3]), ("csv",)),
    "time": (Time([50000.0, 50001.0], format="mjd"), ("csv", "vot")),
    "Ünicode": (np.ones(2), ("fits",)),
    "long" * 20: (np.ones(2), ("fits",)),
    "return": (["a\rb", "c"], ("csv", "ecsv", "vot")),
    "control": (["a\x01b", "c"], ("vot",)),
    "padded": ([" a ", "b"], ("vot",)),
    "half": (np.ones(2, np.float16), ("vot",)),
    "position": (SkyCoord([1, 2], [3, 4], unit="deg"), ("csv", "vot")),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_column_that_is_refused_by_name(tmp_path, what):
    column, suffixes = REFUSED[what]
    table = QTable({"name": ["a", "b"], "ra": [7, 8] * u.deg, "dec": [1, 2] * u.deg})
    table[what] = column if isinstance(column, SkyCoord | Time) else Column(column)
    for suffix in suffixes:
        path = tmp_path / f"t.{suffix}"
        path.write_text("before")
        with pytest.raises(InvalidInputError, match=what):
            write_table(table, path, overwrite=True)
        assert path.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == len(suffixes)


def test_padded_text_comes_back(tmp_path):
    for suffix in ("fits", "csv", "ecsv"):
        table = Table({"name": ["a", "b"], "text": [" padded ", "x  "]})
        write_table(table, tmp_path / f"t.{suffix}")
        back = read_table(tmp_path / f"t.{suffix}")["text"]
        assert back.tolist() == [" padded ", "x  "]
        assert back.dtype.kind == "U"


def test_names_that_a_format_cannot_hold_are_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="ECSV cannot hold the column 'name'.*begins with"):
        sample_of(["#12", "b"]).write(tmp_path / "t.ecsv")
    assert not list(tmp_path.iterdir())


def test_data_set_from_gzipped_table(tmp_path):
    pytest.importorskip("zarr")
    from szmass.maps import CutoutGeometry

    table = Table({"cluster": ["1", "2"], "m": [1e14, 2e14], "z": [0.1, 0.2]})
    table.write(tmp_path / "t.csv")
    dataset = import_maps(
        tmp_path / "set",
        np.zeros((2, 8, 8)),
        compressed(tmp_path / "t.csv"),
        cluster="cluster",
        mass="m",
        mass_unit="solMass",
        redshift="z",
        geometry=CutoutGeometry(shape=(8, 8), pixel_scale=1 * u.arcmin),
        beam=None,
        unit="",
    )
    assert len(dataset) == 2


def test_damaged_text_in_fits_is_an_error_that_names_the_column(tmp_path):
    path = tmp_path / "t.fits"
    Table({"name": ["abc", "d"], "x": [1.0, 2.0]}).write(path)
    path.write_bytes(path.read_bytes().replace(b"abc", b"a\x99c"))
    with pytest.raises(FileFormatError, match="column 'name' is not UTF-8"):
        read_table(path)


def test_damaged_words_of_astropy_or_of_ours_in_fits(tmp_path):
    path = tmp_path / "t.fits"
    table = QTable({"name": ["a", "b"], "coord": SkyCoord([1, 2], [3, 4], unit="deg")})
    write_table(table, path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"datatype:", b"datatype}}"))
    with pytest.raises(FileFormatError, match="could not be read as fits"):
        read_table(path)
    path.write_bytes(content.replace(b'"masked":', b'"massed":'))
    with pytest.raises(FileFormatError, match="of its columns is damaged"):
        read_table(path)


@pytest.mark.parametrize("form", ["votable", "ecsv"])
def test_rows_that_are_lost_are_told(tmp_path, form):
    path = tmp_path / f"t.{'vot' if form == 'votable' else form}"
    table = Table({"name": ["a", "b c"], "note": ["x", "last, one"]})
    if form == "votable":
        table.write(path, format="votable", tabledata_format="binary")
        text = re.sub(r"(<STREAM[^>]*>)[^<]*", r"\1AAAA////", path.read_text())
    else:
        table.write(path, format="ascii.ecsv")
        text = path.read_text().rstrip()[:-1]  # the last quotation mark
    path.write_text(text)
    with pytest.raises(FileFormatError, match="give no row|is open"):
        read_table(path)


def two_tables(path):
    """A file with a table of events before that of clusters; both have names and positions."""
    first = sample_of(["a"]).table["name", "redshift"]
    second = sample_of(["b", "c"]).table["name", "redshift"]
    for table in (first, second):
        table["ra"], table["dec"] = 10.0 * u.deg, 5.0 * u.deg
    if path.suffix == ".fits":
        hdus = [fits.table_to_hdu(first), fits.table_to_hdu(second)]
        hdus[1].name = "CLUSTERS"
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
        return
    document = from_table(first)
    document.resources[0].tables.append(from_table(second).get_first_table())
    document.to_xml(str(path))


@pytest.mark.parametrize(
    ("name", "second"), [("x.fits", "HDU 2 'CLUSTERS'"), ("x.vot", "number 1 '1'")]
)
@pytest.mark.parametrize("read", [ClusterSample.read, load_sample])
def test_a_file_with_several_tables_says_which_is_read(tmp_path, read, name, second):
    two_tables(tmp_path / name)
    with pytest.warns(SzmassWarning) as told:
        sample = read(tmp_path / name)
    assert sample.names.tolist() == ["a"]
    (message,) = {str(warning.message) for warning in told}
    for part in ("holds 2 tables", f"{second} (2 rows of name, redshift, ra, dec)", "The first is"):
        assert part in message
    assert "hdu=" in message
    assert "from_table" in message


def test_tables_of_one_name_in_a_votable_are_all_kept(tmp_path):
    two_tables(tmp_path / "x.vot")
    content = re.sub(rb"<TABLE\b", b'<TABLE name="T"', (tmp_path / "x.vot").read_bytes())
    tables, _ = parse_votable(content)
    assert [len(table) for table in tables.values()] == [1, 2]
