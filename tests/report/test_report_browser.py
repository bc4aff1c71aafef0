"""Reports in a real browser that is not allowed anything but files."""

import numpy as np
import pytest
from headless_browser import Browser, find_browser
from report_data import HOSTILE, make_stack, make_table

from szmass.report import write_report

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

NAMES = "[...document.querySelectorAll('#table tbody .name')].map(e => e.textContent)"
COUNT = "document.getElementById('count').textContent"


@pytest.fixture(scope="module")
def table():
    """A table of more clusters than stand on one page, of all kinds of names."""
    names = [f"CL {i:04d}" for i in range(60)] + HOSTILE
    return make_table(names=names)


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "a folder, with #hash & space"
    write_report(table, path, cutouts=make_stack(table), title="<b>Browser</b>")
    return path


@pytest.fixture(scope="module")
def desktop():
    browser = Browser(find_browser())
    yield browser
    browser.close()


@pytest.fixture
def page(desktop, folder):
    """The front page, fresh; afterwards nothing was complained of and nothing else asked for."""
    desktop.open("about:blank")
    desktop.requests.clear()
    desktop.messages.clear()
    desktop.open(folder / "index.html")
    yield desktop
    assert desktop.messages == []
    assert desktop.requests
    assert all(url.startswith(("file://", "data:,")) for url in desktop.requests)
    assert desktop.run("window.hacked === undefined && document.querySelector('b') === null")


def shown(names):
    """Names as the report writes them: what has none is called by its row."""
    return [str(name) if name.strip() else f"row {61 + HOSTILE.index(name)}" for name in names]


def search(page, words):
    page.run(
        "(() => { const box = document.getElementById('search');"
        f"box.value = {words!r}; box.dispatchEvent(new Event('input')); }})()"
    )
    return page.run(NAMES)


def click_head(page, key):
    page.run(f"document.querySelector('[data-sort={key}]').click()")
    return page.run(NAMES)


def test_first_page_is_that_of_the_table(page, table):
    assert page.run(NAMES) == [str(name) for name in table["name"][:50]]
    assert page.run(COUNT) == f"{len(table)} clusters"
    assert page.run("document.title") == "<b>Browser</b>"


def test_sorting(page, table):
    mass = table["mass_alpha"].value
    known = np.flatnonzero(np.isfinite(mass))
    falling = table["name"][known[np.argsort(-mass[known])]]
    assert click_head(page, "alpha") == shown(falling[:50])
    head = "document.querySelector('[data-sort=alpha]').closest('th').getAttribute('aria-sort')"
    assert page.run(head) == "descending"
    assert click_head(page, "alpha") == shown(falling[::-1][:50])
    assert page.run(head) == "ascending"
    page.run("document.getElementById('last').click()")
    assert page.run(NAMES)[-1] == table["name"][2]  # what is not known stands last
    assert click_head(page, "alpha") == list(table["name"][:50])
    assert page.run(head) == "none"
    assert click_head(page, "name")[:3] != list(table["name"][:3])


def test_sorting_with_the_keyboard(page, table):
    page.run("document.querySelector('[data-sort=snr]').focus()")
    page.press("Enter")
    order = np.argsort(-table["snr"])
    assert page.run(NAMES) == shown(table["name"][order][:50])
    assert page.run("document.activeElement.dataset.sort") == "snr"
    page.press(" ")
    assert page.run(NAMES)[:1] == shown(table["name"][order[-1:]])
    page.press("Tab")
    assert page.run("document.activeElement.dataset.sort") == "alpha"


def test_search(page, table):
    assert search(page, "cl 0017") == ["CL 0017"]
    assert page.run(COUNT) == f"1 of {len(table)} clusters"
    assert search(page, "CL0017") == ["CL 0017"]
    assert search(page, "psz2 g057") == ["PSZ2 G057.80+88.00"]
    assert search(page, "onerror") == [HOSTILE[1]]
    assert search(page, "blended") == ["CL 0001"]
    assert search(page, "no such thing") == []
    wanted = (table["redshift"] > 0.3) & (table["snr"] <= 10)
    expected = [n for n, w in zip(table["name"], wanted, strict=True) if w and "CL" in n]
    assert search(page, "z>0.3 snr <= 10 cl")[:50] == expected[:50]
    heavy = table["name"][table["mass_beta_2"].value > 8e14]
    assert search(page, "beta_2>8")[:50] == shown(heavy)[:50]
    assert page.run("document.getElementById('bad-words').textContent") == ""
    search(page, "colour>3")
    assert "no column of numbers “colour”" in page.run(
        "document.getElementById('bad-words').textContent"
    )


def test_filter_by_flag_and_columns(page, table):
    choose = "(() => {{ const s = document.getElementById('flag'); s.value = '{}';"
    choose += "s.dispatchEvent(new Event('change')); }})()"
    page.run(choose.format("any"))
    assert page.run(NAMES) == list(table["name"][1:3])
    page.run(choose.format("none"))
    assert page.run(COUNT) == f"{len(table) - 2} of {len(table)} clusters"
    heads = "document.querySelectorAll('#table thead th').length"
    before = page.run(heads)
    page.run("document.querySelector('#columns input').click()")
    assert page.run(heads) == before - 1


def test_turning_pages(page, table):
    page.run("document.getElementById('next').click()")
    assert page.run(NAMES) == shown(table["name"][50:])
    assert page.run("document.getElementById('page').textContent") == "page 2 of 2"
    assert page.run("document.getElementById('next').disabled")
    page.run("document.getElementById('first').click()")
    assert page.run(NAMES)[0] == table["name"][0]


def test_a_cluster_is_opened_and_the_way_back_keeps_the_search(page, table):
    search(page, "CL 00")
    first = click_head(page, "snr")[0]
    page.run("document.querySelector('#table tbody .name a').focus()")
    with page.loading():
        page.press("Enter")
    assert page.run("document.querySelector('h1').textContent") == first
    assert page.run("document.querySelector('.picture img').naturalWidth") == 24
    assert page.run("document.querySelectorAll('svg.drawing circle.dot').length") > 4
    with page.loading():
        page.run("document.getElementById('back').click()")
    assert page.run(NAMES)[0] == first
    assert page.run("document.getElementById('search').value") == "CL 00"
    assert page.run("document.querySelector('[data-sort=snr]').closest('th').ariaSort") == (
        "descending"
    )


def test_arrow_keys_turn_the_pages_of_clusters(page, table):
    with page.loading():
        page.run("document.querySelector('#table tbody .name a').click()")
    with page.loading():
        page.press("ArrowRight")
    assert page.run("document.querySelector('h1').textContent") == table["name"][1]


def test_all_hostile_pages_open(page, table, folder):
    for place, name in enumerate(HOSTILE):
        file = next((folder / "clusters").glob(f"{61 + place}*.html"))
        page.open(file)
        assert [page.run("document.querySelector('h1').textContent")] == shown([name])


def test_explorer_draws_what_the_search_leaves_and_opens_clusters(page, table):
    drawn = "Number(document.getElementById('plot').dataset.drawn)"
    known = int(np.isfinite(table["mass_alpha"].value).sum())
    page.until(f"{drawn} === {known}")
    search(page, "CL 0017")
    page.until(f"{drawn} === 1")
    # The one point: walk over the canvas until the pointer finds it.
    found = page.run(
        """(() => {
          const canvas = document.getElementById('plot'), tip = document.getElementById('tip');
          canvas.scrollIntoView();
          const box = canvas.getBoundingClientRect();
          for (let y = 0; y < box.height; y += 9) for (let x = 0; x < box.width; x += 9) {
            const place = { clientX: box.left + x, clientY: box.top + y };
            canvas.dispatchEvent(new PointerEvent('pointermove', place));
            if (!tip.hidden) { window.place = place; return tip.textContent; }
          }
        })()"""
    )
    assert found.startswith("CL 0017, z = ")
    with page.loading():
        page.run("document.getElementById('plot').dispatchEvent(new MouseEvent('click', place))")
    assert page.run("document.querySelector('h1').textContent") == "CL 0017"


def test_theme_can_be_switched_and_is_kept(page, folder):
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.run(background)
    page.run("document.getElementById('theme').click()")
    dark = page.run(background)
    assert dark != light
    page.open(folder / "index.html")
    assert page.run(background) == dark
    page.run("document.getElementById('theme').click()")
    assert page.run(background) == light


def test_a_phone_in_the_dark(folder):
    phone = Browser(find_browser(), width=360, height=740, dark=True)
    try:
        for file in (folder / "index.html", next((folder / "clusters").glob("01*.html"))):
            phone.open(file)
            assert phone.run("document.documentElement.scrollWidth") <= 360
            colour = phone.run("getComputedStyle(document.body).backgroundColor")
            assert max(map(int, colour[4:-1].split(","))) < 60
            small = phone.run(
                "[...document.querySelectorAll('svg.drawing text')].filter("
                "t => t.getBoundingClientRect().height < 9).length"
            )
            assert small == 0
        assert phone.messages == []
    finally:
        phone.close()


def test_one_cluster_has_nothing_to_explore(desktop, tmp_path, table):
    write_report(table[:1], tmp_path / "r", figures=False)
    desktop.messages.clear()
    desktop.open(tmp_path / "r" / "index.html")
    assert desktop.run(NAMES) == [table["name"][0]]
    assert desktop.run("document.getElementById('explore').hidden")
    assert desktop.messages == []
