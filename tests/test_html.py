"""What notebooks show: escaped, bounded, complete in itself, and quick."""

import re
from html.parser import HTMLParser

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass._utils import html as _html
from szmass.clusters import Cluster, ClusterSample
from szmass.maps import ComptonMap, Cutout, CutoutGeometry, CutoutStack
from szmass.results import LogMassPosterior
from szmass.simulations import draw_flat

EVIL = "<script>alert(1)</script>&\"'<b>"
COORD = SkyCoord(10 * u.deg, 20 * u.deg, frame="galactic")
GRID = np.linspace(13.5, 15.8, 231)
VOID = {"img", "br", "polygon", "polyline", "line"}


class Checker(HTMLParser):
    """Collect tags and attributes, and see that what is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links, self.text = [], set(), [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [v for k, v in attrs if k in ("src", "href", "data") or k.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def check(thing):
    text = thing if isinstance(thing, str) else thing._repr_html_()
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert not checker.open
    assert "script" not in checker.tags
    assert all(link.startswith("data:image/png;base64,") for link in checker.links)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    return checker.text


def cutout(name=EVIL, value=1e-6):
    data = np.full((32, 32), value, np.float32)
    data[:4] = np.nan
    return Cutout(data, COORD, CutoutGeometry((32, 32)), name=name, meta={EVIL[:8]: EVIL})


def posterior(n=2, **options):
    log_l = -0.5 * ((GRID - np.linspace(14, 15, n)[:, np.newaxis]) / 0.1) ** 2
    return LogMassPosterior.from_log_likelihood(GRID, log_l, "flat", **options)


def test_cluster_says_all_and_runs_nothing():
    cluster = Cluster(
        EVIL,
        COORD,
        0.25,
        y5r500=3.4e-3 * u.arcmin**2,
        y5r500_err=1e-4 * u.arcmin**2,
        msz=5.2e14 * u.solMass,
        msz_errn=2e13 * u.solMass,
        msz_errp=4e13 * u.solMass,
        snr=6.1,
        measurements={EVIL: EVIL, "long": "x" * 1000, "none": None},
        cutout=cutout(),
    )
    text = check(cluster)
    for part in (EVIL, "l = 10.0000 deg", "0.25", "(5.20 +0.40\N{MINUS SIGN}0.20) 1014 solMass"):
        assert part in text
    assert "(3.40 \N{PLUS-MINUS SIGN} 0.10) 10-3 arcmin2" in text
    assert "x" * 200 not in text
    assert "6.1" in text
    assert "unknown" in check(Cluster("a", COORD))


def test_thumbnail_needs_matplotlib_and_nothing_else(monkeypatch):
    pytest.importorskip("matplotlib")
    with_picture = Cluster("a", COORD, cutout=cutout())._repr_html_()
    assert "data:image/png;base64,iVBOR" in with_picture
    assert "<img" not in Cluster("a", COORD, cutout=cutout(value=np.nan))._repr_html_()
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.image", None)
    without = Cluster("a", COORD, cutout=cutout())._repr_html_()
    assert "<img" not in without
    assert "no picture" in check(CutoutStack.from_cutouts([cutout()]))


def test_sample_shows_head_tail_and_what_is_attached():
    sample = draw_flat(20, seed=1)
    sample.table["name"][0] = EVIL[:6]
    sample.table["msz"] = sample.table["mass_true"]
    text = check(sample)
    assert "20 clusters" in text
    assert "galactic, deg" in text
    assert text.index("msz") < text.index("cluster_id")
    assert len(re.findall("MOCK", text)) == 7
    assert "CutoutStack" not in text
    assert "8 clusters" in check(sample[:8])
    assert "0 clusters" in check(sample[:0])
    values = np.zeros(12 * 16**2, np.float32)
    ymap = ComptonMap.from_healpix(values, ordering="ring", frame="galactic")
    assert "CutoutStack of 8" in check(sample[:8].attach_cutouts(ymap))


def test_large_sample_is_bounded(monkeypatch):
    n = 20_000
    table = draw_flat(10, seed=1).table[np.arange(n) % 10]
    table["name"] = [f"M {i}" for i in range(n)]
    for i in range(15):
        table[f"column_{i}"] = np.zeros((n, 3))
    sample = ClusterSample(table)
    # Not one of its columns may be gone through row by row.
    looked_at = []
    cell = _html._cell
    monkeypatch.setattr(_html, "_cell", lambda entry: looked_at.append(1) or cell(entry))
    text = sample._repr_html_()
    assert len(looked_at) == 8 * 12
    assert len(text) < 8000
    assert "M 19999" in check(text)
    assert "3 numbers" in text


def test_maps_and_cutouts():
    assert "32" in check(cutout())
    assert EVIL in check(cutout())
    stack = CutoutStack.from_cutouts([cutout()] * 6)
    assert "and 2 more" in check(stack)
    assert "CutoutStack of 0" in check(stack[:0])
    values = np.zeros(12 * 16**2, np.float32)
    ymap = ComptonMap.from_healpix(values, ordering="ring", frame="galactic", beam="10 arcmin")
    text = check(ymap)
    for part in ("nside = 16, ring", "galactic", "10.0 arcmin"):
        assert part in text
    one = cutout()
    image = ComptonMap.from_image(one.data, one.wcs)
    image.meta["MAPFILE"] = EVIL
    assert "32 x 32 pixels, projection TAN" in check(image)
    assert EVIL in check(image)


def test_posteriors_draw_their_densities():
    text = check(posterior(1, names=[EVIL]))
    assert EVIL in text
    assert "log10 M = 14.00 \N{PLUS-MINUS SIGN} 0.10" in text
    html = posterior(6)._repr_html_()
    assert html.count("<svg") == 4
    assert "and 2 more" in html
    density = np.array([posterior(1).density[0], np.full(len(GRID), np.nan)])
    with_gap = LogMassPosterior(GRID, density, np.ones(len(GRID)), flag=[0, 4])
    assert "not weighed: NO_CUTOUT" in check(with_gap)
    assert check(posterior(2)[:0])
    narrow = LogMassPosterior([14.0, 14.5, 15.5], [[1, 0, 0]], np.ones(3))
    assert "svg" in narrow._repr_html_()


@given(
    *(st.floats() | st.none() for _ in range(3)),
    st.text(max_size=5),
)
@settings(max_examples=100, deadline=None)
def test_any_measurement_is_written(value, errn, errp, unit):
    text = _html.measured(value, errn, errp, unit)
    assert len(text) < 700
    check(f"<p>{text}</p>")


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        (
            (5.163e14, 2.2e13, 3.1e13),
            "(5.16 <sup>+0.31</sup><sub>\N{MINUS SIGN}0.22</sub>) 10<sup>14</sup>",
        ),
        ((12.34, 0.5, 0.5), "12.34 \N{PLUS-MINUS SIGN} 0.50"),
        ((6.5,), "6.500"),
        ((1e15,), "1.000 10<sup>15</sup>"),
        ((0.0, 1.0), "0.0 \N{PLUS-MINUS SIGN} 1.0"),
        ((None,), "nan"),
    ],
)
def test_measurements(numbers, text):
    assert _html.measured(*numbers) == text
