"""Reports: what they say, whose folders they replace, what they make of tables with gaps."""

import html.parser
import itertools
import json
import re

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from click.testing import CliRunner
from report_data import HOSTILE, make_stack, make_table

from szmass._tables.files import write_table
from szmass.catalogs import load_sample
from szmass.cli import main
from szmass.clusters import ClusterSample
from szmass.comparison import relative_difference_table
from szmass.exceptions import FileFormatError, InvalidInputError, InvalidUnitError
from szmass.maps import NoiseModel
from szmass.report import check_folder, write_report
from szmass.report import core as report
from szmass.report._pages import draw_masses, flag_names, page_name, sky_links
from szmass.report._pictures import TOP, _bar, _ColourScale, _draw_profile
from szmass.results import FLAG_WORDS, LogMassPosterior, MassFlag, one_method

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

VOID = {"meta", "link", "img", "br", "input", "circle", "line", "rect", "polyline", "polygon"}


class Page(html.parser.HTMLParser):
    """A page's text, links, and whether its elements are closed in order."""

    def __init__(self, path):
        super().__init__()
        self.path, self.open, self.links, self.loads, self.words = path, [], [], [], []
        self.elements = []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open, f"{path.name}: {self.open} not closed"

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append((tag, attrs))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "a":
            self.links.append(attrs)
        else:
            self.loads += [attrs[name] for name in ("src", "href") if name in attrs]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, f"{self.path.name}: {tag} closed out of order"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def data_of(folder):
    script = (folder / "static" / "data.js").read_text(encoding="utf-8")
    return json.loads(script.removeprefix("window.szmassReport = ").removesuffix(";\n"))


@pytest.fixture(scope="module")
def table():
    return make_table()


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    """A report with everything."""
    grid = np.linspace(14, 15.5, 61)
    centre = np.log10(table["mass_true"].value)[:, np.newaxis]
    posterior = LogMassPosterior(
        grid, np.exp(-0.5 * ((grid - centre) / 0.05) ** 2), np.ones(61), names=table["name"]
    )
    path = tmp_path_factory.mktemp("report") / "report"
    page = write_report(
        table, path, cutouts=make_stack(table), posteriors={"alpha": posterior[::-1]}, title="Mine"
    )
    assert page == path / "index.html"
    return path


def test_pages_are_well_formed_and_load_only_what_is_there(folder):
    pages = [folder / "index.html", *sorted((folder / "clusters").iterdir())]
    assert len(pages) == 31
    for path in pages:
        page = Page(path)
        assert page.loads
        for address in page.loads:
            assert address == "data:," or (path.parent / address).is_file(), address
        for link in page.links:
            if link["href"].startswith("https://"):
                assert "noreferrer" in link["rel"]
            elif not link["href"].startswith("#"):
                assert (path.parent / link["href"].partition("#")[0]).is_file(), link
        for tag, attrs in page.elements:
            assert tag != "img" or "alt" in attrs
            assert tag != "th" or "scope" in attrs


def test_front_page_has_the_numbers(folder, table):
    text = Page(folder / "index.html").text
    assert "30 clusters" in text
    differences = relative_difference_table(
        one_method(table, "alpha")["mass"], table["mass_true"], table["redshift"]
    )
    for row in differences:
        mean = f"{row['mean']:+.3f}".replace("-", "−")
        assert mean + (f" ± {row['std']:.3f}" if row["n"] > 1 else "") in text
    assert "29 of 30" in text  # weighed
    assert "BLENDED" in text
    assert FLAG_WORDS[MassFlag.BLENDED] in text
    assert "Ratio to the true masses" in text
    assert "Arnaud et al. (2010)" in text
    assert "sample.seed 11" in text
    assert "methods.alpha.simulation_seed 7" in text
    assert "y.fits" in text
    assert "@article{2010A&A...517A..92A" in (folder / "references.bib").read_text()


def test_table_of_the_browser_has_the_masses(folder, table):
    data = data_of(folder)
    columns = {column["key"]: column for column in data["columns"]}
    masses = np.array(columns["beta_2"]["values"], dtype=float)
    np.testing.assert_allclose(masses, table["mass_beta_2"].value / 1e14, rtol=1e-3)
    assert columns["beta_2"]["values"][2] is None
    np.testing.assert_allclose(
        np.array(columns["alpha"]["errp"], dtype=float),
        table["mass_errp_alpha"].value / 1e14, rtol=1e-2,
    )  # fmt: skip
    assert columns["redshift"]["label"] == "z"
    assert columns["snr"]["shown"]
    assert data["flags"][1:3] == [MassFlag.BLENDED, MassFlag.NO_CUTOUT | MassFlag.NO_REDSHIFT]
    assert data["reference"] == "true"
    assert len(data["pages"]) == len(data["pictures"]) == 30


def test_page_of_a_cluster(folder, table):
    page = Page(next((folder / "clusters").glob("02-*")))
    assert "CL 0001" in page.text
    mass = table["mass_alpha"][1].to_value("1e14 solMass")
    assert f"{mass:.3g}"[:4] in page.text
    assert "A neighbour in the field" in page.text
    titles = " ".join(page.words)
    assert "posterior densities of alpha" in titles
    assert "Mean Compton-y" in titles
    hosts = [re.match(r"https://([\w.]+)", a["href"]) for a in page.links]
    assert [h.group(1) for h in hosts if h] == [
        "simbad.cds.unistra.fr", "ned.ipac.caltech.edu", "aladin.cds.unistra.fr"
    ]  # fmt: skip
    unweighed = Page(next((folder / "clusters").glob("03-*"))).text
    assert "The map does not cover the cluster at all." in unweighed
    assert "No redshift is known" in unweighed


def test_states_stand_beside_masses(tmp_path, table):
    table = table.copy()
    table["log_chi"] = np.linspace(-0.3, 0.3, len(table))
    table["log_chi_errn"], table["log_chi_errp"] = 0.21, 0.24
    table["p_relaxed"] = np.linspace(0, 1, len(table))
    table["state_flag"] = 24
    write_report(table, tmp_path / "r", figures=False)
    columns = {column["key"]: column for column in data_of(tmp_path / "r")["columns"]}
    assert columns["p_relaxed"]["label"] == "P(relaxed)"
    assert columns["p_relaxed"]["shown"]
    assert columns["log_chi"]["shown"]
    assert not columns["log_chi_errn"]["shown"]
    text = Page(next((tmp_path / "r" / "clusters").glob("01-*"))).text
    assert "−0.3 + 0.24 − 0.21" in text
    assert "LOW_SNR|PRIOR" in text


def test_pictures_are_small_and_blank_where_the_map_is(folder):
    from PIL import Image

    first = folder / "cutouts" / f"{data_of(folder)['pages'][0]}.png"
    with Image.open(first) as image:
        pixels = np.array(image)
        assert image.info["transparency"] == 255
        # Neutral grey for viewers that know no transparency.
        assert image.getpalette()[3 * 255 :] == [128] * 3
    assert pixels.shape == (24, 24)
    assert np.all(pixels[:, :6] == 255)
    assert pixels[:, 6:].max() < 255
    peak = np.unravel_index(np.argmax(np.where(pixels == 255, 0, pixels)), pixels.shape)
    assert np.all(np.abs(np.array(peak) - 11.5) < 3)
    assert first.stat().st_size < 3000


def test_rows_of_pictures_go_downwards(tmp_path, table):
    from PIL import Image

    stack = make_stack(table[:2])
    stack.data[1] = 0
    stack.data[1, 3, 20] = 1e-4  # low and on the right
    write_report(table[:2], tmp_path / "r", cutouts=stack, figures=False)
    with Image.open(next((tmp_path / "r" / "cutouts").glob("2-*"))) as image:
        pixels = np.array(image)
    assert np.unravel_index(np.argmax(pixels), pixels.shape) == (20, 20)


def test_hostile_names_are_text_and_file_names_are_plain(tmp_path):
    table = make_table(names=HOSTILE)
    table.meta["sample"]["<b>key</b>"] = "<img src=y onerror=z>"
    write_report(
        table, tmp_path / "r", cutouts=make_stack(table), title="<i>Title</i> & more", figures=False
    )
    pages = sorted((tmp_path / "r" / "clusters").iterdir())
    assert len({page.name.lower() for page in pages}) == len(HOSTILE)
    for page in pages:
        assert re.fullmatch(r"\d\d(-[a-z0-9-]+)?\.html", page.name)
        assert len(page.name) < 60
    assert not list(tmp_path.glob("*passwd*"))
    for path in [tmp_path / "r" / "index.html", *pages]:
        page = Page(path)
        scripts = [attrs for tag, attrs in page.elements if tag == "script"]
        assert all(attrs.get("src", "").startswith(("static/", "../static/")) for attrs in scripts)
        assert not any("onerror" in attrs for _, attrs in page.elements)
        assert "<i>Title" not in path.read_text(encoding="utf-8")
    first = Page(pages[0])
    assert HOSTILE[0] in first.text
    assert "{{ 7*7 }}" in Page(pages[6]).text
    assert data_of(tmp_path / "r")["columns"][0]["values"][:8] == HOSTILE[:8]


def test_page_names():
    assert page_name(3, 1094, "PSZ2 G359.07-32.12") == "0003-psz2-g359-07-32-12"
    assert page_name(1, 1, "☉") == "1"
    assert page_name(2, 10, "Ærø") == "02-r"
    assert page_name(9, 10, "-" * 80) == "09"


def test_every_flag_has_words():
    assert set(FLAG_WORDS) == set(MassFlag)
    assert [name for name, _ in flag_names(MassFlag.BLENDED | (1 << 20))] == ["BLENDED", "1048576"]
    assert flag_names(0) == []


def test_links_escape_what_they_carry():
    for _, address, _ in sky_links('A"><b>&x=1 #', np.nan, np.nan):
        assert re.fullmatch(r"https://[\w./?=&%+-]+", address)
        assert "x=1" not in address
    assert "+27.95000" in sky_links("Coma", 194.9, 27.95)[0][1].replace("%2B", "+")


# Folders


def test_reports_are_replaced_and_nothing_else_is(tmp_path, table):
    target = tmp_path / "r"
    target.mkdir()  # empty folders are free
    write_report(table, target, title="first", figures=False)
    assert len(list((target / "clusters").iterdir())) == 30
    write_report(table[:2], target, title="second", figures=False)
    assert len(list((target / "clusters").iterdir())) == 2
    assert "second" in (target / "index.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize("entry", ["notes.txt", "index.html"])
def test_other_folders_are_left_alone(tmp_path, table, entry):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / entry).write_text("mine")
    with pytest.raises(InvalidInputError, match="not a report"):
        write_report(table, tmp_path / "r", figures=False)
    assert (tmp_path / "r" / entry).read_text() == "mine"
    assert [path.name for path in tmp_path.rglob("*")] == ["r", entry]


def test_files_put_into_a_report_are_not_lost(tmp_path, table):
    write_report(table, tmp_path / "r", figures=False)
    (tmp_path / "r" / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match=r"'notes\.txt' in it is not part"):
        write_report(table, tmp_path / "r", figures=False)
    assert (tmp_path / "r" / "notes.txt").read_text() == "mine"


def test_files_of_the_user_below_a_report_are_not_lost(tmp_path, table):
    write_report(table, tmp_path / "r", figures=False)
    check_folder(tmp_path / "r")
    (tmp_path / "r" / "clusters" / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match=r"'clusters/notes.txt' in it is not part of"):
        write_report(table, tmp_path / "r", figures=False)
    assert (tmp_path / "r" / "clusters" / "notes.txt").read_text() == "mine"


def test_inputs_and_posteriors_are_looked_at_first(tmp_path, table):
    for options, message in (
        ({"inputs": {"map": "none.fits"}}, r"inputs\['map'\]'.*no file 'none.fits'"),
        ({"inputs": ["a"]}, "'inputs' must be a dict"),
        ({"posteriors": {"alpha": "p.fits"}}, "LogMassPosterior.read"),
        ({"sample": table}, "must be a ClusterSample.*from_table"),
        ({"cutouts": "c.fits"}, "CutoutStack.read"),
        ({"ymap": "m.fits"}, "open_map"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            write_report(table, tmp_path / "r", figures=False, **options)
    assert not list(tmp_path.iterdir())


def test_a_marker_of_something_else_is_no_report(tmp_path, table):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "szmass-report.json").write_text("[1, 2")
    with pytest.raises(InvalidInputError, match="not a report"):
        write_report(table, tmp_path / "r", figures=False)


def test_files_and_missing_folders_are_refused(tmp_path, table):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidInputError, match="is a file"):
        write_report(table, tmp_path / "file", figures=False)
    with pytest.raises(InvalidInputError, match="does not exist"):
        write_report(table, tmp_path / "none" / "r", figures=False)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_run_leaves_the_old_report(tmp_path, table, monkeypatch, error):
    target = tmp_path / "r"
    write_report(table, target, title="first", figures=False)

    def interrupt(*args, **kwargs):
        raise error

    monkeypatch.setattr(report, "write_data", interrupt)
    with pytest.raises(error):
        write_report(table, target, title="second", figures=False)
    assert "first" in (target / "index.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_the_old_report_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path, table, monkeypatch
):
    import os

    write_report(table, tmp_path / "r", title="first", figures=False)
    replace, calls = os.replace, itertools.count()

    def fail_first(made, path):
        if path == tmp_path / "r" and next(calls) == 0:
            raise OSError("no room")
        replace(made, path)

    monkeypatch.setattr(os, "replace", fail_first)
    with pytest.raises(OSError, match="no room"):
        write_report(table, tmp_path / "r", title="second", figures=False)
    assert "first" in (tmp_path / "r" / "index.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_links_to_folders_stay(tmp_path, table):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_report(table[:1], tmp_path / "link", figures=False)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "index.html").is_file()


# Tables with gaps


def test_what_cannot_be_reported_on(tmp_path, table):
    nameless = table.copy()
    nameless.remove_column("name")
    with pytest.raises(FileFormatError, match="no column 'name'"):
        write_report(nameless, tmp_path / "r", figures=False)
    with pytest.raises(FileFormatError, match="no masses"):
        write_report(table["name", "redshift"], tmp_path / "r", figures=False)
    with pytest.raises(FileFormatError, match="no rows"):
        write_report(table[:0], tmp_path / "r", figures=False)
    unitless = table.copy()
    unitless["mass_alpha"] = table["mass_alpha"].value
    with pytest.raises(InvalidUnitError, match="'mass_alpha' must have a unit of mass"):
        write_report(unitless, tmp_path / "r", figures=False)
    with pytest.raises(InvalidInputError, match="'table' must be a table"):
        write_report({"name": ["A"]}, tmp_path / "r", figures=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("redshift", "no column 'redshift'"),
        ("ra", "no columns 'ra' and 'dec'"),
        ("mass_errp_alpha", "no column 'mass_errp_alpha'"),
        ("flag_beta_2", "no column 'flag_beta_2'"),
        ("mass_alpha", "no column 'mass_alpha'"),
    ],
)
def test_a_missing_column_is_named_and_the_rest_is_there(tmp_path, table, column, said):
    part = table.copy()
    part.remove_column(column)
    write_report(part, tmp_path / "r", figures=False)
    text = Page(tmp_path / "r" / "index.html").text
    assert said in text
    assert "30 clusters" in text


def test_a_table_without_meta(tmp_path):
    masses = [3, 4, 5] * u.Unit("1e14 solMass")
    plain = QTable({"name": ["A", "B", "C"], "mass_mine": masses, "redshift": [0.1, 0.2, 0.3]})
    write_report(plain, tmp_path / "r", figures=False)
    text = Page(tmp_path / "r" / "index.html").text
    assert "does not say what its masses were made with" in text
    assert "weighed by mine" in text


def test_columns_without_unit(tmp_path, table):
    bare = table.copy()
    for name in ("ra", "dec"):
        bare[name] = table[name].value
    bare["msz"] = 1.0
    write_report(bare, tmp_path / "r", figures=False)
    text = Page(tmp_path / "r" / "index.html").text
    assert "The column 'ra' has no unit: it is taken to be in degrees." in text
    assert "The column 'msz' has no unit of mass" in text
    columns = {column["key"]: column for column in data_of(tmp_path / "r")["columns"]}
    assert columns["msz"]["kind"] == "number"
    np.testing.assert_allclose(columns["ra"]["values"], table["ra"].value, rtol=1e-6)
    bare.replace_column("ra", ["12:00:00"] * len(bare))
    with pytest.raises(FileFormatError, match="'ra' does not hold numbers"):
        write_report(bare, tmp_path / "r", figures=False)


def test_a_table_of_one_method(tmp_path, table):
    write_report(one_method(table, "beta-2"), tmp_path / "r", figures=False)
    text = Page(tmp_path / "r" / "index.html").text
    assert "weighed by beta-2" in text
    assert "positions are not known" in text
    assert [c["key"] for c in data_of(tmp_path / "r")["columns"]] == ["name", "redshift", "beta_2"]


def test_one_cluster(tmp_path, table):
    write_report(table[5:6], tmp_path / "r", cutouts=make_stack(table[5:6]), figures=False)
    assert "1 cluster, redshift" in Page(tmp_path / "r" / "index.html").text
    assert len(list((tmp_path / "r" / "clusters").iterdir())) == 1


def test_no_cluster_could_be_weighed(tmp_path, table):
    nothing = table[:4].copy()
    for name in nothing.colnames:
        if name.startswith("mass_"):
            nothing[name] = np.nan * u.solMass
    write_report(nothing, tmp_path / "r", cutouts=make_stack(nothing))
    page = next((tmp_path / "r" / "clusters").iterdir())
    assert "No method could weigh this cluster" in Page(page).text


def test_masses_that_cannot_be_are_left_out_and_told(tmp_path, table):
    wrong = table.copy()
    wrong["mass_alpha"][4:6] = [-1e14, np.inf] * u.solMass
    wrong["mass_errn_alpha"][7] = -1e13 * u.solMass
    write_report(wrong, tmp_path / "r", figures=False)
    text = Page(tmp_path / "r" / "index.html").text
    assert "2 masses in 'mass_alpha' are infinite or not positive" in text
    assert "Some values of 'mass_errn_alpha' are negative" in text
    assert data_of(tmp_path / "r")["columns"][4]["key"] == "snr"
    alpha = next(c for c in data_of(tmp_path / "r")["columns"] if c["key"] == "alpha")
    assert alpha["values"][4:6] == [None, None]


def test_redshifts_names_and_masses_that_cannot_be_are_told(tmp_path, table):
    wrong = table.copy()
    wrong["redshift"][2:4] = [-1, 99]
    wrong["mass_alpha"][4] = 8.7e28 * u.solMass
    wrong["flag_alpha"][5] = 2**30
    wrong["name"][1] = wrong["name"][0]
    write_report(wrong, tmp_path / "r", figures=False)
    text = Page(tmp_path / "r" / "index.html").text
    for said in (
        "2 redshifts are negative or above 20; they are left out",
        "1 masses in 'mass_alpha' are outside 1e+08 to 1e+18 solMass",
        "1 flags in 'flag_alpha' are no sum of bits of MassFlag",
        "1 clusters have the name of an earlier one",
    ):
        assert said in text
    assert "redshift -1" not in text
    assert " 99" not in text
    columns = {c["key"]: c["values"] for c in data_of(tmp_path / "r")["columns"]}
    assert columns["redshift"][2:4] == [None, None]
    assert columns["alpha"][4] is None


# What else is given


def test_lensing_masses_give_one_minus_b(tmp_path, table):
    lensing = table.copy()
    lensing.remove_column("mass_true")
    mass = table["mass_true"]
    for name, values in (("mass", mass), ("mass_errn", 0.05 * mass), ("mass_errp", 0.05 * mass)):
        lensing[f"{name}_lensing"] = values
    lensing["flag_lensing"] = 0
    lensing.meta["methods"]["lensing"] = {"kind": "lensing", "mass_scale": "lensing"}
    write_report(lensing, tmp_path / "r", reference="lensing", figures=False)
    text = Page(tmp_path / "r" / "index.html").text
    part = text[text.index("1 − b, from lensing") :]
    ratio = float(re.search(r"clusters alpha (\d\.\d+)", part)[1])
    assert ratio == pytest.approx(0.8, abs=0.07)


def test_too_few_lensing_masses_are_told(tmp_path, table):
    lensing = table[:6].copy()
    lensing["mass_lensing"] = np.full(6, np.nan) * u.solMass
    lensing["mass_lensing"][0] = 5e14 * u.solMass
    lensing.meta["methods"]["lensing"] = {"kind": "lensing"}
    write_report(lensing, tmp_path / "r", figures=False)
    assert "1 cluster(s) have both, and 3 are needed" in Page(tmp_path / "r" / "index.html").text


def test_a_sample_in_another_order_gives_columns_and_cutouts(tmp_path, table):
    keep = ["name", "ra", "dec", "redshift"]
    for name in ("mass_true", "snr"):
        keep.append(name)
    rows = np.arange(len(table))[::-1][:-5]  # five are missing
    sample = ClusterSample.from_table(table[keep][rows])
    sample.cutouts = make_stack(table, rows)
    part = table.copy()
    part.remove_columns(["mass_true", "snr", "redshift", "ra", "dec"])
    write_report(part, tmp_path / "r", sample=sample, figures=False)
    data = data_of(tmp_path / "r")
    columns = {column["key"]: column["values"] for column in data["columns"]}
    assert columns["snr"][:5] == [None] * 5
    assert columns["true"][:5] == [None] * 5
    np.testing.assert_allclose(columns["snr"][5:], table["snr"][5:], rtol=1e-3)
    np.testing.assert_allclose(columns["true"][5:], table["mass_true"][5:].value / 1e14, rtol=1e-3)
    np.testing.assert_allclose(columns["ra"][5:], table["ra"][5:].value, rtol=1e-6)
    assert data["pictures"] == [0] * 5 + [1] * 25
    assert "No cutout of this cluster" in Page(next((tmp_path / "r/clusters").glob("01*"))).text


def test_what_has_no_names_must_be_in_the_order_of_the_table(tmp_path, table):
    stack = make_stack(table, np.arange(len(table))[::-1])
    stack.names[:] = ""
    with pytest.raises(InvalidInputError, match="not of the clusters in their order"):
        write_report(table, tmp_path / "r", cutouts=stack, figures=False)
    posterior = LogMassPosterior(
        np.linspace(14, 15, 5), np.ones((len(table), 5)), np.ones(5), redshift=table["redshift"]
    )
    with pytest.raises(InvalidInputError, match="'posteriors.'alpha'.' .* row 0 its redshift"):
        write_report(table, tmp_path / "r", posteriors={"alpha": posterior[::-1]}, figures=False)
    assert not list(tmp_path.iterdir())
    stack = make_stack(table)
    stack.names[:] = ""
    write_report(
        table, tmp_path / "r", cutouts=stack, posteriors={"alpha": posterior}, figures=False
    )
    assert data_of(tmp_path / "r")["pictures"] == [1] * 30


def test_cutouts_of_other_clusters_are_refused(tmp_path, table):
    other = make_table(names=["X", "Y"])
    with pytest.raises(InvalidInputError, match="'cutouts' holds none of the clusters"):
        write_report(table, tmp_path / "r", cutouts=make_stack(other), figures=False)
    twice = make_table(names=["CL 0001", "CL 0001", "CL 0002"])
    with pytest.raises(InvalidInputError, match="'CL 0001' more than once"):
        write_report(table, tmp_path / "r", cutouts=make_stack(twice), figures=False)
    with pytest.raises(InvalidInputError, match="'cutouts' must be a CutoutStack"):
        write_report(table, tmp_path / "r", cutouts=np.zeros((30, 4, 4)), figures=False)
    assert not list(tmp_path.iterdir())


def test_cutouts_are_taken_from_a_map(tmp_path, table):
    from astropy.wcs import WCS

    from szmass.maps import ComptonMap

    part = table[:2].copy()
    part["ra"], part["dec"] = [10.0, 200.0] * u.deg, [0.0, 0.0] * u.deg
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [10, 0], [-0.03, 0.03]
    wcs.wcs.crpix = [100.5, 100.5]
    ymap = ComptonMap.from_image(np.full((200, 200), 1e-5), wcs, beam=10 * u.arcmin)
    write_report(part, tmp_path / "r", ymap=ymap, figures=False)
    assert data_of(tmp_path / "r")["pictures"] == [1, 0]
    assert "the beam, 10′ FWHM" in Page(next((tmp_path / "r/clusters").glob("1-*"))).text


def test_noise_gives_errors_of_profiles(tmp_path, table):
    noise = NoiseModel.planck("total")
    write_report(
        table[:1], tmp_path / "r", cutouts=make_stack(table[:1]), noise=noise, figures=False
    )
    assert "Bars are the noise" in Page(next((tmp_path / "r/clusters").iterdir())).text


def test_pages_are_limited(tmp_path, table):
    write_report(table, tmp_path / "r", cutouts=make_stack(table), max_pages=3, figures=False)
    assert len(list((tmp_path / "r" / "clusters").iterdir())) == 3
    assert len(list((tmp_path / "r" / "cutouts").iterdir())) == 4  # with the scale
    assert "The first 3 clusters of the table have a page" in Page(tmp_path / "r/index.html").text
    assert len(data_of(tmp_path / "r")["columns"][0]["values"]) == 30
    write_report(table, tmp_path / "r", cutouts=make_stack(table), max_pages=0, figures=False)
    assert not list((tmp_path / "r" / "clusters").iterdir())
    with pytest.raises(InvalidInputError, match="'max_pages'"):
        write_report(table, tmp_path / "r", max_pages=-1, figures=False)


def test_the_reference_can_be_chosen(tmp_path, table):
    write_report(table, tmp_path / "r", reference="alpha", figures=False)
    assert data_of(tmp_path / "r")["reference"] == "alpha"
    assert "By redshift, against alpha" in Page(tmp_path / "r" / "index.html").text
    with pytest.raises(InvalidInputError, match=r"'reference' must be one of alpha, beta_2, true"):
        write_report(table, tmp_path / "r", reference="gamma", figures=False)


# On the command line


def run(*args):
    return CliRunner().invoke(main, ["report", *map(str, args)])


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot"])
def test_command(tmp_path, table, suffix):
    path = tmp_path / f"masses{suffix}"
    write_table(table, path)
    make_stack(table).write(tmp_path / "stack.fits")
    result = run(
        path, "-o", tmp_path / "r", "--cutouts", tmp_path / "stack.fits", "--title", "Mine",
        "--max-pages", 4, "--no-figures",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Report on 30 clusters: open" in result.output
    data = data_of(tmp_path / "r")
    assert len(data["pages"]) == 4
    assert all(data["pictures"])
    text = Page(tmp_path / "r" / "index.html").text
    assert path.name in text
    assert re.search(r"SHA-256 [0-9a-f]{64}", text)
    assert "methods.alpha.simulation_seed 7" in text


def test_command_reads_posteriors_and_older_tables(tmp_path, table):
    old = table.copy()
    old.remove_column("flag_alpha")
    write_table(old, tmp_path / "m.ecsv")
    grid = np.linspace(14, 15.5, 31)
    centre = np.log10(table["mass_true"].value)[:, np.newaxis]
    density = np.exp(-0.5 * ((grid - centre) / 0.1) ** 2)
    meta = {"method": "beta-2"}
    posterior = LogMassPosterior(grid, density, np.ones(31), names=table["name"], meta=meta)
    posterior.write(tmp_path / "p.fits")
    result = run(
        tmp_path / "m.ecsv", "-o", tmp_path / "r", "--posteriors", tmp_path / "p.fits",
        "--no-figures",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "lacks flag_alpha" in result.stderr
    assert "lacked the columns flag_alpha" in Page(tmp_path / "r" / "index.html").text
    page = Page(next((tmp_path / "r" / "clusters").glob("05*"))).text
    assert "posterior densities of beta-2" in page


def test_command_brings_masses_and_posteriors_to_one_scale(tmp_path, table):
    scaled = table.copy()
    scaled.meta["methods"]["alpha"]["mass_scale"] = 1.0
    write_table(scaled, tmp_path / "m.ecsv")
    grid = np.linspace(14, 15.5, 31)
    meta = {"method": "alpha", "mass_scale": 1.0}
    density = np.where(abs(grid - 14.5) < 0.06, 1.0, 0.0) * np.ones((30, 1))
    posterior = LogMassPosterior(grid, density, np.ones(31), names=table["name"], meta=meta)
    posterior.write(tmp_path / "p.fits")
    result = run(
        tmp_path / "m.ecsv", "-o", tmp_path / "r", "--posteriors", tmp_path / "p.fits",
        "--no-figures", "--one-minus-b", 0.8,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    columns = {column["key"]: column for column in data_of(tmp_path / "r")["columns"]}
    got = np.array(columns["alpha"]["values"], dtype=float)
    np.testing.assert_allclose(got, table["mass_alpha"].value / 0.8e14, rtol=1e-3)
    got = np.array(columns["beta_2"]["values"], dtype=float)
    np.testing.assert_allclose(got, table["mass_beta_2"].value / 1e14, rtol=1e-3)
    curve = posterior.rescaled(0.8)
    assert curve.log10_mass[0] == pytest.approx(14 - np.log10(0.8))
    bad = run(tmp_path / "m.ecsv", "-o", tmp_path / "r2", "--one-minus-b", -1, "--no-figures")
    assert bad.exit_code == 1
    assert "--one-minus-b" in bad.stderr
    assert not (tmp_path / "r2").exists()


def test_command_tells_errors_in_one_line(tmp_path, table):
    write_table(table, tmp_path / "m.ecsv")
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "thesis.tex").write_text("mine")
    result = run(tmp_path / "m.ecsv", "-o", tmp_path / "r")
    assert result.exit_code == 1
    assert "not a report" in result.stderr
    assert run(tmp_path / "none.ecsv", "-o", tmp_path / "x").exit_code == 1
    both = ("--cutouts", "a.fits", "--map", "b.fits")
    assert run(tmp_path / "m.ecsv", "-o", tmp_path / "x", *both).exit_code == 2


@pytest.mark.real_data
def test_command_on_the_coma_field(tmp_path, real_data):
    catalog = real_data("psz2/HFI_PCCS_SZ-union_R2.08.fits")
    ymap = real_data("milca_coma/map2048_MILCA_Coma_20deg_G.fits")
    estimate = [
        "estimate", "--catalog", catalog, "--map", ymap, "--beam", "10 arcmin", "--covered",
        "--redshift", 0, 1, "--estimators", "scaling", "-o", tmp_path / "m.ecsv",
    ]  # fmt: skip
    assert CliRunner().invoke(main, list(map(str, estimate))).exit_code == 0
    result = run(
        tmp_path / "m.ecsv", "-o", tmp_path / "r", "--catalog", catalog, "--map", ymap, "--beam",
        "10 arcmin",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    data = data_of(tmp_path / "r")
    columns = {column["key"]: column["values"] for column in data["columns"]}
    coma = columns["name"].index("PSZ2 G057.80+88.00")
    sample = load_sample(catalog)
    assert columns["snr"][coma] == pytest.approx(sample["PSZ2 G057.80+88.00"].snr, rel=1e-3)
    assert all(data["pictures"])
    assert "Planck" in Page(tmp_path / "r" / "index.html").text


def test_colours_are_those_of_all_cutouts():
    data = np.full((1200, 2, 2), 1e-6)
    data[1:] = np.random.default_rng(1).normal(0, 5e-6, (1199, 2, 2))
    scale = _ColourScale(data, np.ones(data.shape, bool))
    assert scale.low < -10
    assert scale.high > 10


def test_colours_reach_three_of_the_noise_below_the_middle():
    noise = np.random.default_rng(1).normal(0, 5e-6, (200, 4, 4))
    scale = _ColourScale(noise + 1e-4, np.ones(noise.shape, bool))
    assert scale.low == pytest.approx(100 - 15, rel=0.2)
    assert scale.linear == pytest.approx(10, rel=0.2)


def test_bars_of_profiles_reach_as_far_up_as_down():
    y, err = np.array([40.0, 20.0, 5.0]), np.array([3.0, 2.0, 6.0])
    drawn = _draw_profile(np.array([1.0, 3.0, 5.0]), y, "arcmin", err=err, band=None, beam=None)
    bars = re.findall(r"<line[^>]*bar thin c0[^>]*>", drawn)
    ends = np.array([[float(e) for e in re.findall(r"y[12]=.([\d.]+)", bar)] for bar in bars])
    dots = [float(cy) for cy in re.findall(r"<circle[^>]*dot c0[^>]*cy=.([\d.]+)", drawn)]
    assert len(bars) == len(dots) == 3
    np.testing.assert_allclose(ends.mean(axis=1), dots, atol=0.11)
    length = ends[:, 0] - ends[:, 1]  # upwards is less
    np.testing.assert_allclose(length / length[2], err / err[2], atol=0.01)


def test_ticks_of_the_colour_bar_are_round_and_apart():
    data = np.random.default_rng(1).normal(0, 5e-6, (200, 4, 4))
    data[0] = 5e-5
    scale = _ColourScale(data, np.ones(data.shape, bool))
    assert (scale.low, scale.high, scale.linear) == (-15, 50, 10)
    places, labels = zip(*scale.ticks(), strict=True)
    assert labels == ("-10", "-5", "0", "5", "10", "20", "50")
    assert np.all(np.diff(places) > 0.09)
    low, high = np.arcsinh([-1.5, 5.0])
    expected = (np.arcsinh([float(label) / 10 for label in labels]) - low) / (high - low)
    np.testing.assert_allclose(places, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("width", "length"),
    [(163.2, 30), (120.0, 30), (119.9, 20), (20.0, 5), (4.4, 1), (0.05, 0.01), (0.02, 0.005)],
)
def test_scale_bar_is_round_and_at_most_a_quarter(width, length):
    assert _bar(width) == pytest.approx(length, rel=1e-12)


@pytest.mark.parametrize("n", [1, 3])
def test_axis_of_masses_stands_below_the_last_row(n):
    drawn = draw_masses([(f"m{i}", 5.0, 1.0, 1.0, i) for i in range(n)], [])
    (axis,) = re.findall(r"<line[^>]*class=.axis.[^>]*>", drawn)
    ends = [float(end) for end in re.findall(r"y[12]=.([\d.]+)", axis)]
    assert ends == [TOP + 30 * n + 6] * 2
