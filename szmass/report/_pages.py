"""The pages of the report, filled into their templates."""

import math
import shutil
from importlib import resources
from pathlib import Path

import numpy as np

from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar
from szmass.report._columns import LABELS, match_rows
from szmass.report._drawings import draw_masses, draw_profile
from szmass.report._words import flag_names, position_facts, sky_links

__all__ = ["ClusterPages", "as_posteriors", "environment", "write_static"]

_PACKAGE = "szmass.report"


def environment():
    """Make the templates' environment: everything is escaped unless marked as safe.

    Returns
    -------
    `jinja2.Environment`
        The environment.
    """
    jinja2 = import_optional("jinja2", extra="report", purpose="write a report")
    made = jinja2.Environment(
        loader=jinja2.PackageLoader(_PACKAGE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["mass"] = format_mass
    made.filters["number"] = format_number
    made.filters["signed"] = lambda value, digits=3: _minus(f"{value:+.{digits}f}")
    return made


def write_static(folder):
    """Copy style sheet and scripts.

    Parameters
    ----------
    folder : pathlib.Path
        Where to.
    """
    folder.mkdir()
    with resources.as_file(resources.files(_PACKAGE) / "static") as static:
        for file in sorted(static.iterdir()):
            if file.suffix in (".css", ".js"):
                shutil.copyfile(file, folder / file.name)


def format_number(value, digits=4):
    """Write a number with so many significant digits; an em dash where it is not known."""
    if value is None or not math.isfinite(value):
        return "—"
    if value == int(value) and abs(value) < 1e7:
        return _minus(str(int(value)))
    return _minus(f"{value:.{digits}g}")


def format_mass(value, errn=math.nan, errp=math.nan):
    """Write a mass and its errors with the same number of decimals."""
    if value is None or not math.isfinite(value):
        return "—", "", ""
    decimals = min(max(0, 2 - math.floor(math.log10(value))), 6)
    errors = (f"{e:.{decimals}f}" if math.isfinite(e) else "" for e in (errn, errp))
    return f"{value:.{decimals}f}", *errors


def _minus(text):
    return text.replace("-", "−")


class ClusterPages:
    """Writes one page per cluster.

    Parameters
    ----------
    content : Content
        The clusters.
    slugs : list of str
        Names of the pages of the first clusters.
    title : str
        Title of the report.
    pictures : dict or None
        What `~szmass.report._views.CutoutViews` knows.
    curves : list of (str, int, dict)
        Posteriors: label, number of the colour, and (log10 mass / 1e14, density) by row.
    """

    def __init__(self, content, slugs, title, pictures, curves):
        self._content, self._slugs, self._title = content, slugs, title
        self._views, self._curves = pictures, curves
        self._template = environment().get_template("cluster.html")
        n = len(slugs)
        self._positions = position_facts(content.ra[:n], content.dec[:n])
        self._flags = {}

    def write(self, folder):
        """Write the pages.

        Parameters
        ----------
        folder : pathlib.Path
            Where to.
        """
        folder.mkdir()
        slugs = self._slugs
        for i, slug in enumerate(progress_bar(slugs, desc="pages", unit="cluster")):
            page = self._template.render(
                root="../",
                title=self._title,
                name=self._content.names[i],
                slug=slug,
                number=i + 1,
                total=len(self._content),
                before=self._neighbour(i - 1),
                after=self._neighbour(i + 1),
                links=sky_links(self._content.names[i], self._content.ra[i], self._content.dec[i]),
                **self._facts(i),
            )
            (Path(folder) / f"{slug}.html").write_text(page, encoding="utf-8")

    def _neighbour(self, i):
        if 0 <= i < len(self._slugs):
            return {"slug": self._slugs[i], "name": self._content.names[i]}
        return None

    def _facts(self, i):
        content = self._content
        facts = []
        if self._positions[i]:
            degrees, hours, galactic = self._positions[i]
            facts += [
                ("Position (ICRS)", hours), ("", degrees), ("Galactic", galactic)
            ]  # fmt: skip
        facts.append(("Redshift", format_number(content.redshift[i])))
        more = []
        for key, column in content.columns.items():
            text = self._value(key, i)
            if text:
                (facts if key in LABELS else more).append((column.label, text))
        masses, drawn = [], []
        for number, method in enumerate(content.methods):
            values = [float(v[i]) / 1e14 for v in (method.mass, method.errn, method.errp)]
            masses.append(
                {
                    "label": method.label,
                    "kind": method.kind,
                    "colour": number % 7,
                    "value": format_mass(*values),
                    "flags": self._flag(int(method.flag[i])),
                }
            )
            drawn.append((method.label, *values, number))
        curves = [
            (label, *by_row[i], number) for label, number, by_row in self._curves if i in by_row
        ]
        return {
            "facts": facts,
            "more": more,
            "masses": masses,
            "explained": {name: words for entry in masses for name, words in entry["flags"]},
            "masses_drawing": draw_masses(drawn, curves),
            "curves": [(label, number % 7) for label, *_, number in curves],
            "view": None if self._views is None else self._views.view(i),
            "profile": self._profile(i),
        }

    def _value(self, key, i):
        """Write a measurement with its error; errors by themselves are not written."""
        columns = self._content.columns
        column = columns[key]
        value = column.values[i]
        if column.values.dtype.kind != "f":
            return str(value)
        if not math.isfinite(value) or (key.endswith("_err") and key[:-4] in columns):
            return ""
        error = columns.get(f"{key}_err")
        text = format_number(value)
        if error is not None and error.values.dtype.kind == "f" and math.isfinite(error.values[i]):
            text += f" ± {format_number(error.values[i], 2)}"
        return f"{text} {column.unit}".strip()

    def _flag(self, value):
        if value not in self._flags:
            self._flags[value] = flag_names(value)
        return self._flags[value]

    def _profile(self, i):
        if self._views is None:
            return None
        profile = self._views.profile(i)
        if profile is None:
            return None
        drawing = draw_profile(*profile)
        return {"drawing": drawing, "err": profile[2] is not None, "band": profile[3] is not None,
                "beam": profile[5] is not None} if drawing else None  # fmt: skip


def as_posteriors(posteriors, content, count):
    """Sort posteriors by method and row.

    Parameters
    ----------
    posteriors : dict of str to `~szmass.results.LogMassPosterior`
        By method.
    content : Content
        The clusters.
    count : int
        How many clusters have a page.

    Returns
    -------
    list of (str, int, dict)
        Label, number of the colour, and (log10 mass / 1e14, density) by row.
    """
    curves = []
    for label, posterior in posteriors.items():
        numbers = [n for n, m in enumerate(content.methods) if label in (m.label, m.key)]
        number = numbers[0] if numbers else len(content.methods) + len(curves)
        if not any(posterior.names) and len(posterior) == len(content):
            rows = np.arange(len(content))
        else:
            rows = match_rows(content.names, posterior.names, f"posteriors[{label!r}]")
        log_mass = posterior.log10_mass - 14.0
        by_row = {
            i: (log_mass, posterior.density[row])
            for i, row in enumerate(rows[:count])
            if row >= 0 and np.isfinite(posterior.density[row]).all()
        }
        curves.append((label, number, by_row))
    return curves
