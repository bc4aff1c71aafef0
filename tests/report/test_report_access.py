"""Whether everybody can read a report and use it: contrast, labels, targets, a phone's width.

What can be told from the files is told without a browser; what only a browser knows is measured in
one where it is installed.
"""

import colorsys
import re
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise

import numpy as np
import pytest
from headless_browser import Browser, find_browser
from report_data import make_stack, make_table

from szmass.report import write_report

pytest.importorskip("jinja2")
matplotlib_image = pytest.importorskip("matplotlib.image")

CSS = resources.files("szmass.report").joinpath("static/report.css").read_text()
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"}
TEXT, GRAPHIC, TARGET, FINGER, PHONE = 4.5, 3.0, 24, 44, 390  # WCAG 2.2 AA; px


class Page(HTMLParser):
    """Elements of a page as (tag, attributes, tags and classes of what they stand in, text)."""

    def __init__(self, text):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        inside = [(t, a) for t, a, _, _ in self._open]
        element = (tag, dict(attrs), inside, [])
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        for element in self._open:
            element[3].append(data)

    def all(self, *tags):
        return [e for e in self.elements if e[0] in tags]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    names = [*(f"CL {i:04d}" for i in range(13)), "Abell 2142", "PSZ2 G057.80+88.00"]
    table = make_table(names=names)
    table["other_name"] = [*(["-"] * 14), "Abell 1656; MCXC J1259.7+2756"]
    path = tmp_path_factory.mktemp("access") / "report"
    write_report(table, path, cutouts=make_stack(table, rows=[0, 1]), title="Access")
    return path


@pytest.fixture(scope="module")
def pages(folder):
    found = [folder / "index.html", sorted((folder / "clusters").glob("*.html"))[0]]
    return {path.name: Page(path.read_text()) for path in found}


def luminance(colour):
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def themes():
    """Give the variables of the style sheet by theme."""
    blocks = {
        "light": r":root \{(.*?)\}",
        "dark": r':root\[data-theme="dark"\] \{(.*?)\}',
        "dark, by system": r':root:not\(\[data-theme="light"\]\) \{(.*?)\}',
    }
    found = {k: re.search(pattern, CSS, re.DOTALL)[1] for k, pattern in blocks.items()}
    return {k: dict(re.findall(r"--([\w-]+): *(#\w{6})", text)) for k, text in found.items()}


def test_contrast_is_as_it_is_known():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", themes())
def test_contrast_of_the_colours(theme):
    colours = themes()[theme]
    pairs = [
        (text, paper) for text in ("ink", "dim", "link") for paper in ("paper", "card", "soft")
    ]
    pairs += [("ink", "mark"), ("ink", "note"), ("link", "note"), ("c1", "paper")]
    low = {pair: contrast(*(colours[c] for c in pair)) for pair in pairs}
    assert min(low.values()) >= TEXT, low
    # Marks of methods, and the ring about what has the focus.
    marks = {f"c{i}": contrast(colours[f"c{i}"], colours["paper"]) for i in range(7)}
    marks |= {"focus": contrast(colours["focus"], colours["paper"])}
    assert min(marks.values()) >= GRAPHIC, marks


def test_both_ways_into_the_dark_are_one():
    found = themes()
    assert found["dark"] == found["dark, by system"]
    assert found["light"].keys() == found["dark"].keys()
    assert not re.search(r"filter: *invert", CSS)


def test_form_fields_have_labels(pages):
    seen = 0
    for page in pages.values():
        labelled = {a.get("for") for _, a, _, _ in page.all("label")}
        for tag, attrs, inside, text in page.all("input", "select", "button", "textarea"):
            seen += 1
            by = {t for t, _ in inside}
            has_text = tag == "button" and "".join(text).strip()
            named = attrs.get("aria-label") or attrs.get("title") or has_text
            assert named or "label" in by or attrs.get("id") in labelled, (tag, attrs)
    assert seen >= 10


def test_pictures_have_texts(pages):
    for page in pages.values():
        images = page.all("img")
        assert images
        for _, attrs, inside, _ in images:
            decorative = any(a.get("aria-hidden") == "true" for _, a in inside)
            assert "alt" in attrs
            assert attrs["alt"].strip() or decorative, attrs
        for _, attrs, _, text in page.all("svg"):
            assert attrs.get("aria-hidden") == "true" or "".join(text).strip()
        for _, attrs, _, _ in page.all("canvas"):
            assert attrs.get("aria-label")


def test_pages_say_what_they_are(pages):
    for page in pages.values():
        ((_, html, _, _),) = page.all("html")
        assert html["lang"] == "en"
        assert "".join(page.all("title")[0][3]).strip()
        assert len(page.all("h1")) == 1
        view = next(a for _, a, _, _ in page.all("meta") if a.get("name") == "viewport")
        assert view["content"] == "width=device-width, initial-scale=1"
        levels = [int(e[0][1]) for e in page.all("h1", "h2", "h3", "h4")]
        assert all(b - a <= 1 for a, b in pairwise(levels)), levels
        ids = [a["id"] for _, a, _, _ in page.elements if "id" in a]
        assert len(ids) == len(set(ids))
        known = set(ids)
        for _, attrs, _, _ in page.elements:
            for name in ("aria-labelledby", "aria-describedby", "for"):
                assert set(attrs.get(name, "").split()) <= known
        for _, attrs, _, text in page.all("a"):
            assert (
                "".join(text).strip()
                or attrs.get("aria-label")
                or any(a.get("href") == attrs.get("href") for _, a, _, _ in page.all("a"))
            )


def test_wide_tables_scroll_by_themselves(pages):
    for page in pages.values():
        for _, attrs, inside, _ in page.all("table"):
            classes = {c for _, a in inside for c in (a.get("class") or "").split()}
            assert "scroll" in classes or "facts" in attrs.get("class", ""), attrs
        for _, attrs, _, _ in page.elements:
            if "scroll" in (attrs.get("class") or "").split():
                assert attrs.get("tabindex") == "0", "a keyboard must reach it"
    # Nothing outside of what scrolls is as wide as a phone.
    fixed = re.findall(r"(?<![-\w])(?:min-)?width: *([\d.]+)rem", CSS)
    assert max(map(float, fixed)) * 16 < PHONE - 2 * 14


def test_targets_of_fingers_are_large_enough():
    phone = re.search(r"@media \(max-width: 40rem\) \{(.*?)\n\}", CSS, re.DOTALL)[1]
    (rule,) = re.findall(r"([^{}]*)\{ min-height: 44px; min-width: 44px; \}", phone)
    selectors = {part.strip() for part in rule.split(",")}
    assert {"button", "select", "summary", ".menu label", ".top nav a", ".button"} <= selectors
    small = float(re.search(r"button, select \{ min-height: ([\d.]+)rem", CSS)[1])
    assert small * 16 >= TARGET


def test_figures_have_two_papers(folder, pages):
    images = [a["src"] for _, a, inside, _ in pages["index.html"].all("img")]
    dark = [name for name in images if name.endswith("-dark.png")]
    assert len(dark) * 2 == len([name for name in images if name.startswith("figures/")]) >= 4
    for name in dark:
        by_night = matplotlib_image.imread(folder / name)[..., :3]
        by_day = matplotlib_image.imread(folder / name.replace("-dark", ""))[..., :3]
        assert by_night.shape == by_day.shape
        assert np.median(by_night[:8]) < 0.2 < 0.9 < np.median(by_day[:8])
        # Colours keep their hue: no inversion.
        saturated = (np.ptp(by_day, axis=2) > 0.5) & (np.ptp(by_night, axis=2) > 0.3)
        if np.count_nonzero(saturated) < 50:
            continue
        places = np.argwhere(saturated)[:: max(1, np.count_nonzero(saturated) // 100)]
        hues = [
            [colorsys.rgb_to_hsv(*picture[tuple(place)])[0] for picture in (by_day, by_night)]
            for place in places
        ]
        apart = np.abs(np.subtract(*np.transpose(hues)))
        assert np.median(np.minimum(apart, 1 - apart)) < 0.05


# What a browser measures: visible texts with less contrast, targets that are too small (but for
# links within texts), pictures without words, fields without names.
MEASURE = r"""
(() => {
  const seen = function (e) {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (e.closest("[hidden], .hidden, .skip") || style.visibility === "hidden") return false;
    return box.width > 1 && box.height > 1 && style.display !== "none";
  };
  const rgba = function (text) {
    const [r, g, b, a] = text.match(/[\d.]+/g).map(Number);
    return [r, g, b, a === undefined ? 1 : a];
  };
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = function (c) {
    const [r, g, b] = c.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = function (e) {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (colour.startsWith("rgb") && rgba(colour)[3] > 0.9) return rgba(colour);
    }
    return [255, 255, 255, 1];
  };
  const faint = [], small = [];
  let texts = 0, targets = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement, words = node.data.trim();
    if (!words || !seen(e) || e.closest("svg, noscript, script, style, :disabled")) continue;
    texts += 1;
    const pair = [luminance(rgba(getComputedStyle(e).color)), luminance(paper(e))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) faint.push([words.slice(0, 30), ratio]);
  }
  for (const e of document.querySelectorAll("a[href], button, select, input, summary")) {
    // Links within a text are as high as its lines.
    if (!seen(e) || (e.tagName === "A" && getComputedStyle(e).display === "inline")) continue;
    const whole = e.type === "checkbox" ? e.closest("label") : e;
    const { width, height } = whole.getBoundingClientRect();
    targets += 1;
    if (Math.min(width, height) < LEAST - 0.5) {
      small.push([e.tagName, e.id || e.textContent.trim().slice(0, 20), width, height]);
    }
  }
  const wide = document.documentElement.scrollWidth;
  return { faint, small, texts, targets, wide, view: innerWidth };
})()
"""
OPEN = "document.querySelectorAll('details').forEach((e) => { e.open = true; })"
SHOWN = """[...document.querySelectorAll('.figures img')]
  .filter((e) => e.offsetWidth).map((e) => e.getAttribute('src'))"""
NAMES = "[...document.querySelectorAll('#table tbody .name')].map((e) => e.textContent)"


@pytest.fixture(scope="module")
def browser():
    browser = Browser(find_browser())
    yield browser
    browser.close()


@pytest.mark.parametrize(
    ("width", "dark", "least"),
    [(1280, False, TARGET), (1280, True, TARGET), (PHONE, False, FINGER), (PHONE, True, FINGER)],
)
def test_in_a_browser(browser, folder, width, dark, least):
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.call("Emulation.setEmulatedMedia", features=[scheme])
    for page in (folder / "index.html", sorted((folder / "clusters").glob("*.html"))[0]):
        browser.open(page)
        browser.run(OPEN)
        found = browser.run(MEASURE.replace("LEAST", str(least)))
        assert found["texts"] > 30
        assert found["targets"] > 5
        assert found["faint"] == []
        assert found["small"] == []
        assert found["wide"] <= found["view"] == width
    browser.open(folder / "index.html")
    sources = browser.run(SHOWN)
    assert len(sources) >= 2
    assert {source.endswith("-dark.png") for source in sources} == {dark}


def test_faults_are_found_in_a_browser(browser, folder):
    size = {"width": PHONE, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    browser.open(folder / "index.html")
    browser.run(
        "document.querySelector('main').insertAdjacentHTML('beforeend', "
        '\'<p style="color: #999; background: #fff">faint</p>'
        '<button style="all: unset; display: block; width: 30px">x</button>'
        '<div style="width: 500px; height: 9px"></div>\')'
    )
    found = browser.run(MEASURE.replace("LEAST", str(FINGER)))
    assert [words for words, _ in found["faint"]] == ["faint"]
    assert [tag for tag, *_ in found["small"]] == ["BUTTON"]
    assert found["wide"] > PHONE


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("A2142", "Abell 2142"),
        ("abell 2142", "Abell 2142"),
        ("ACO 2142 z>0", "Abell 2142"),
        ("a1656", "PSZ2 G057.80+88.00"),
        ("Abell1656", "PSZ2 G057.80+88.00"),
        ("RXC J1259.7+2756", "PSZ2 G057.80+88.00"),
        ("CL0007", "CL 0007"),
        ("A9999", None),
    ],
)
def test_search_by_other_names(browser, folder, words, found):
    browser.open(folder / "index.html")
    browser.run(
        "(() => { const box = document.getElementById('search');"
        f"box.value = {words!r}; box.dispatchEvent(new Event('input')); }})()"
    )
    assert browser.run(NAMES) == ([] if found is None else [found])
