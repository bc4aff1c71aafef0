"""Columns of mass tables are spelled in one place: `szmass.results`."""

import ast
import re
from pathlib import Path

import szmass

PACKAGE = Path(szmass.__file__).parent
COLUMN = re.compile(r"(mass|flag|samples)_\w*")

# Names that begin like a column of a method and are none, and what they are.
OTHER = {
    "mass_true": "true mass of a simulated cluster",
    "mass_definition": "entry of meta and argument: 500c, ...",
    "mass_scale": "entry of meta",
    "mass_function": "kind of a population, and section of a recipe",
    "mass_min": "argument and attribute of simulations",
    "mass_bins": "argument of comparisons and of the protocol of training",
    "mass_unit": "argument of imported data sets, and a function",
    "mass_columns": "attribute of lensing tables",
    "mass_a": "argument of comparisons",
    "mass_b": "argument of comparisons",
    "mass_label": "function of plots",
    "mass_curve": "function of filters",
    "mass_ratios": "function of the report",
    "mass_bin_statistics": "function of the protocol of training",
    "mass_cnn": "column of the test sets of a training, which are no mass tables",
    "mass_sz": "mass from the Y of the mocks of a reproduction",
    "mass_bias_by_state": "function of comparisons",
    "mass_column": "entry of meta of states",
    "mass_scatter_dex": "entry of cards of states: what was added to masses of the training",
    "mass_err": "column of foreign lensing tables",
    "mass_errn": "column of a lensing table, which has one method",
    "mass_errp": "column of a lensing table, which has one method",
    "mass_limits": "masses of a fit, or of counted haloes, in cards and meta",
    "mass_range": "masses of a fit, in the card of a baryon model",
    "mass_map": "function of plots",
    "mass_maps": "argument of the report, and an option of the shell",
    "mass_from": "entry of meta of mass maps: the method of the masses",
    "mass_unet": "name of a Keras model",
    "flag_names": "function of the report",
}


def spelled(tree):
    """Yield (line, text) of constants and f-strings that begin like a column of a method."""
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and node.values:
            first = node.values[0]
            text = first.value if isinstance(first, ast.Constant) else ""
            if re.fullmatch(r"(mass|flag|samples)(_\w*)?", str(text)) and len(node.values) > 1:
                yield node.lineno, f"{text}{{...}}"
            continue
        text = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
        ours = isinstance(text, str) and COLUMN.fullmatch(text) and text not in OTHER
        if ours and id(node) not in inside:
            yield node.lineno, text


def test_no_code_outside_results_spells_a_column_of_a_mass_table():
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0]
        if room != "results":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [f"{path.relative_to(PACKAGE)}:{line}: {text}" for line, text in spelled(tree)]
    assert not found, (
        "use szmass.results.masses_of, add_method or columns_of_method:\n" + "\n".join(found)
    )


def test_the_search_finds_columns():
    code = 'a = f"mass_{name}"; b = "flag_cnn"; c = t["mass_errn_x"]; d = f"mass{end}"; e = "mass"'
    assert {text for _, text in spelled(ast.parse(code))} == {
        "mass_{...}", "flag_cnn", "mass_errn_x", "mass{...}",
    }  # fmt: skip
