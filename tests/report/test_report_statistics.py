"""Numbers of a report, each against one that is worked out by hand."""

import astropy.units as u
import numpy as np
import pytest

from szmass.report import write_report
from szmass.report._content import read_content
from szmass.report._statistics import (
    _brightest,
    choose_reference,
    draw_figures,
    summarise,
)
from szmass.results import MassEstimates, MassFlag, side_by_side

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

NAN = np.nan
# Masses and errors down and up [1e14 solMass], and flags.
METHODS = {
    "a": (
        [2.0, 4.0, 8.0, NAN], [0.2, 0.4, 2.4, NAN], [0.4, 1.2, 2.4, NAN],
        [0, MassFlag.BLENDED, 0, MassFlag.NO_CUTOUT | MassFlag.BLENDED],
    ),
    "equal errors": ([2.0, 4.0, 8.0, NAN], [0.2, 0.4, 0.8, NAN], [0.2, 0.4, 0.8, NAN], None),
    "some errors": ([2.0, 3.0, 4.0, 5.0], [NAN, 0.3, 0.4, 0.5], [0.2, 0.3, 0.4, 0.5], None),
    "no errors": ([1.0, 2.0, 4.0, 8.0], [NAN] * 4, [NAN] * 4, None),
}  # fmt: skip
TRUTH = [2.5, 4.0, 4.0, 10.0]


@pytest.fixture(scope="module")
def table():
    tables = {}
    for name, (mass, errn, errp, flag) in METHODS.items():
        values = (1e14 * np.array(part) for part in (mass, errn, errp))
        masses = MassEstimates(*values, flag)
        tables[name] = masses.to_table(list("ABCD"), np.array([0.05, 0.15, 0.3, NAN]), name, {})
    table = side_by_side(tables)
    table["mass_true"] = TRUTH * u.Unit("1e14 solMass")
    return table


@pytest.fixture(scope="module")
def summary(table):
    content = read_content(table)
    return summarise(content, choose_reference(content))


def test_redshifts(summary):
    assert summary["redshift"] == {"n": 3, "low": 0.05, "median": 0.15, "high": 0.3}


def test_methods(summary):
    facts = {method["label"]: method for method in summary["methods"]}
    a = facts["a"]
    assert (a["weighed"], a["flagged"]) == (3, 2)
    assert (a["low"], a["median"], a["high"]) == pytest.approx((2, 4, 8))
    # Half the interval over the mass: 0.3 / 2, 0.8 / 4 and 2.4 / 8.
    assert a["error"] == pytest.approx(20)
    # Of those that have both errors: 0.1 each.
    assert facts["some errors"]["error"] == pytest.approx(10)
    assert facts["no errors"]["error"] is None
    assert facts["no errors"]["median"] == pytest.approx(3)  # between 2 and 4
    assert (facts["truth"]["low"], facts["truth"]["high"]) == pytest.approx((2.5, 10))


def test_flags(summary):
    counts = {row["name"]: row["counts"] for row in summary["flags"]["rows"]}
    assert counts == {"NO_CUTOUT": [1, 0, 0, 0], "BLENDED": [2, 0, 0, 0]}
    assert summary["flags"]["methods"] == list(METHODS)


def test_matrix_of_all_pairs(summary):
    matrix = summary["matrix"]
    rows = {
        row["label"]: dict(zip(matrix["columns"], row["cells"], strict=True))
        for row in matrix["rows"]
    }
    assert rows["a"]["a"] is None
    # 1 - 2.5 / 2, 1 - 4 / 4 and 1 - 4 / 8.
    cell = rows["a"]["truth"]
    assert cell["n"] == 3
    assert cell["mean"] == pytest.approx((-0.25 + 0 + 0.5) / 3)
    assert cell["std"] == pytest.approx(np.sqrt((1 / 9 + 1 / 144 + 25 / 144) / 2))
    # The row is what differences are divided by: 1 - 2 / 2.5, 0 and 1 - 8 / 4.
    assert rows["truth"]["a"]["mean"] == pytest.approx((0.2 + 0 - 1) / 3)


def test_differences_by_redshift(summary):
    first = next(d for d in summary["differences"] if (d["a"], d["b"]) == ("a", "truth"))
    assert first["first"]
    assert not any(d["first"] for d in summary["differences"] if d["b"] != "truth")
    rows = {(row["low"], row["high"]): row for row in first["rows"]}
    assert [row["n"] for row in first["rows"]] == [1, 1, 1, 0, 3]
    assert rows[0.0, 0.1]["mean"] == pytest.approx(-0.25)
    assert rows[0.1, 0.2]["mean"] == pytest.approx(0)
    assert rows[0.2, 0.4]["mean"] == pytest.approx(0.5)
    assert rows[0.4, 1.0]["mean"] is None
    everything = first["rows"][-1]
    assert everything["mean"] == pytest.approx(0.25 / 3)
    assert everything["median"] == pytest.approx(0)
    assert everything["std"] == pytest.approx(np.sqrt((1 / 9 + 1 / 144 + 25 / 144) / 2))
    # Above 10^14.7 there is the one of 8 10^14.
    assert (everything["n_massive"], everything["mean_massive"]) == (1, pytest.approx(0.5))
    assert everything["std_massive"] is None
    assert first["above"] == 14.7


def test_differences_of_clusters_that_are_all_near(table):
    """What lies in other bins of redshift does not decide whether there is a table."""
    content = read_content(table[:1])
    summary = summarise(content, choose_reference(content))
    first = next(d for d in summary["differences"] if (d["a"], d["b"]) == ("a", "truth"))
    assert [row["n"] for row in first["rows"]] == [1, 0, 0, 0, 1]


def test_ratios_to_the_truth(summary):
    ratios = {ratio["a"]: ratio for ratio in summary["ratios"]}
    assert {ratio["b"] for ratio in ratios.values()} == {"truth"}
    assert not any(ratio["lensing"] for ratio in ratios.values())
    # Of equal errors the geometric mean: 2 / 2.5, 4 / 4 and 8 / 4.
    fit = ratios["equal errors"]["fit"]
    assert fit.value == pytest.approx(1.6 ** (1 / 3), rel=1e-6)
    assert (fit.n, ratios["equal errors"]["without"]) == (3, 0)
    # The cluster without error would count as exact.
    assert (ratios["some errors"]["fit"].n, ratios["some errors"]["without"]) == (3, 1)
    # 1 / 2.5, 2 / 4, 4 / 4 and 8 / 10, none of which has errors.
    fit = ratios["no errors"]["fit"]
    assert (fit.n, fit.value) == (4, pytest.approx((0.4 * 0.5 * 1 * 0.8) ** 0.25, rel=1e-6))


def test_ratios_to_lensing(table):
    lensing = table.copy()
    lensing["mass_no_errors"][0] = np.nan * u.solMass
    lensing.meta["methods"]["no errors"] = {"kind": "lensing"}
    content = read_content(lensing)
    ratios = summarise(content, choose_reference(content))["ratios"]
    pairs = [(ratio["a"], ratio["b"]) for ratio in ratios if ratio["lensing"]]
    others = ["a", "equal errors", "some errors"]
    assert pairs == [(name, "no errors") for name in others]
    # Neither lensing masses nor true ones are compared with these.
    assert [ratio["a"] for ratio in ratios if ratio["b"] == "truth"] == others
    found = {ratio["a"]: ratio for ratio in ratios if ratio["lensing"]}
    # The cluster without error has no lensing mass either: 3 / 2, 4 / 4 and 5 / 8.
    assert found["some errors"]["without"] == 0
    fit = found["some errors"]["fit"]
    assert (fit.n, fit.value) == (3, pytest.approx((1.5 * 1 * 0.625) ** (1 / 3), rel=1e-6))
    # Two clusters have both, 4 / 2 and 8 / 4.
    assert found["equal errors"]["why"] == "2 cluster(s) have both, and 3 are needed"


def test_page_has_these_numbers(table, tmp_path):
    page = write_report(table, tmp_path / "r", figures=False).read_text(encoding="utf-8")
    row = page[page.index("</span>a</th>") :].split("</tr>")[0]
    cells = [cell.split("<")[0] for cell in row.split('<td class="n">')[1:]]
    assert cells == ["3 ", "2", "2.00", "4.00", "8.00", "20 %"]
    assert "median 0.15)" in page


@pytest.mark.parametrize(
    ("scales", "told"),
    [
        ((1.0, 0.8), "The masses are on different scales (a: 1-b = 1; equal errors: 1-b = 0.8)"),
        ((1.0, "lensing"), "The masses are on different scales (a: 1-b = 1; equal errors: lensing"),
        ((0.8, 0.8), None),
        ((0.8, None), None),
    ],
)
def test_two_scales_are_told_and_one_is_not(table, scales, told):
    scaled = table.copy()
    scaled.meta["methods"] = {
        name: {} if scale is None else {"mass_scale": scale}
        for name, scale in zip(("a", "equal errors"), scales, strict=True)
    }
    notes = [note for note in read_content(scaled).notes if "different scales" in note]
    assert len(notes) == (told is not None)
    assert all(note.startswith(told) for note in notes)


def test_scales_stand_beside_names_and_become_one_on_request(table, tmp_path):
    scaled = table.copy()
    scaled.meta["methods"] = {
        "a": {"mass_scale": 1.0}, "equal errors": {"mass_scale": 0.8},
        "some errors": {"mass_scale": "lensing"}, "no errors": {},
    }  # fmt: skip
    page = write_report(scaled, tmp_path / "r", figures=False).read_text(encoding="utf-8")
    for text in ("(1−b = 1)", "(1−b = 0.8)", "(lensing)", "The masses are on different scales"):
        assert text in page
    page = write_report(scaled, tmp_path / "r", figures=False, one_minus_b=0.8)
    text = page.read_text(encoding="utf-8")
    assert "(1−b = 1)" not in text
    assert "Masses of a, equal errors are on the common scale 1-b = 0.8" in text
    assert "those of some errors, no errors stay as they are" in text
    row = text[text.index("</span>a ") :].split("</tr>")[0]
    assert [cell.split("<")[0] for cell in row.split('<td class="n">')[3:6]] == [
        "2.50",
        "5.00",
        "10.0",
    ]  # 1 / 0.8 as heavy


@pytest.mark.parametrize(("n", "drawn"), [(19, False), (20, True)])
def test_distributions_are_drawn_of_twenty_clusters(tmp_path, n, drawn):
    mass = 1e14 * np.geomspace(2, 9, n)
    masses = MassEstimates(mass, 0.1 * mass, 0.1 * mass, None)
    both = {
        key: masses.to_table([f"c{i}" for i in range(n)], np.full(n, 0.2), key, {}) for key in "ab"
    }
    content = read_content(side_by_side(both))
    figures = draw_figures(content, choose_reference(content), [], tmp_path / "figures")
    kinds = {figure["file"].partition("-")[0] for figure in figures}
    assert "masses" in kinds
    assert ({"residuals", "distribution"} <= kinds) is drawn


def test_the_gallery_shows_the_brightest_that_have_a_cutout(table):
    content = read_content(table)
    reference = choose_reference(content)
    # The first cutout of the stack counts, -1 is none; masses of "a" are 2, 4, 8 and unknown.
    chosen = _brightest(content, reference, np.array([0, 1, -1, 2]))
    np.testing.assert_array_equal(chosen, [1, 0])
