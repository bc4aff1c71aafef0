"""Pages of a report, and the data of its table, filled into their templates."""

import json
import math
import shutil
from importlib import resources
from pathlib import Path

import numpy as np

from szmass._utils.html import density_points, svg_scale
from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar
from szmass.report._content import LABELS, match_rows
from szmass.report._pictures import AXIS, COLOURS, TOP, WIDTH, svg_element, svg_text
from szmass.report._words import flag_names, position_facts, sky_links
from szmass.results import FLAG_WORDS

__all__ = ["ClusterPages", "as_posteriors", "environment", "write_data", "write_static"]

_PACKAGE = "szmass.report"
# Drawing of masses: height of a row and of the curves, and the least distance of labels.
_ROW, _CURVES, _APART = 30, 110, 26
# Curves of several methods differ in their dashes, too.
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "1 3", "12 4")
# Further columns that the table shows from the beginning.
_SHOWN = {"snr"}
# Values of words beyond this are kept on the clusters' pages only.
_LONGEST = 60


def environment():
    """Make the templates' environment: everything is escaped unless marked as safe."""
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
    """Copy style sheet and scripts into a new folder."""
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

    ``slugs`` are the names of the pages, of the first clusters; ``views`` the `CutoutViews`, or
    None; ``curves`` posteriors as of `as_posteriors`.
    """

    def __init__(self, content, slugs, title, views, curves):
        self._content, self._slugs, self._title = content, slugs, title
        self._views, self._curves = views, curves
        self._template = environment().get_template("cluster.html")
        n = len(slugs)
        self._positions = position_facts(content.ra[:n], content.dec[:n])
        self._flags = {}

    def write(self, folder):
        """Write the pages into a new folder."""
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
                    "scale": method.scale,
                    "colour": number % COLOURS,
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
            "curves": [(label, number % COLOURS) for label, *_, number in curves],
            "view": None if self._views is None else self._views.view(i),
            "profile": None if self._views is None else self._views.profile(i),
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


def as_posteriors(posteriors, content, count):
    """Sort posteriors by method, for so many clusters.

    Each is (label, number of the colour, {row: (log10 mass / 1e14, density)}).
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


def draw_masses(rows, curves):
    """Draw the masses of one cluster by all methods, and their posteriors above, as an ``svg``.

    ``rows`` are (label, mass, errn, errp, number of the colour), masses [1e14 solMass], NaN where
    not known; ``curves`` are (label, log10 of mass / 1e14 solMass, density, number of the colour).
    It is empty if no mass is known.
    """
    known = [row for row in rows if math.isfinite(row[1])]
    if not known and not curves:
        return ""
    labels = min(max(max((len(row[0]) for row in known), default=0) * 7.6 + 30, 80), 190)
    low, high = _mass_range(known, curves)
    left, right = labels, WIDTH - 12
    x = svg_scale(low, high, left, right)
    above = _CURVES if curves else 0
    bottom = TOP + above + _ROW * len(known) + 6
    parts = []
    labelled = []
    for value in _mass_ticks(low, high):
        at = x(math.log10(value))
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}"/>')
        if all(abs(at - other) > _APART for other in labelled):
            labelled.append(at)
            parts.append(svg_text(at, bottom + 17, f"{value:g}", "middle"))
    parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(
        f'<text x="{(left + right) / 2:.0f}" y="{bottom + 38}" text-anchor="middle">'
        'M<tspan class="sub" dy="4">500c</tspan><tspan dy="-4"> [10</tspan>'
        '<tspan class="sub" dy="-6">14</tspan><tspan dy="6"> M</tspan>'
        '<tspan class="sub" dy="4">☉</tspan><tspan dy="-4">]</tspan></text>'
    )
    highest = max((float(np.max(curve[2])) for curve in curves), default=1.0)
    base = TOP + _CURVES - 6
    up = svg_scale(0, 1, base, base - (_CURVES - 12))
    for i, (_, log_mass, density, colour) in enumerate(curves):
        points = density_points(log_mass, density, (low, high), x, up, highest=highest)
        dash = _DASHES[i % len(_DASHES)]
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<polyline class="curve c{colour % COLOURS}"{dash} points="{points}"/>')
    for i, (label, mass, errn, errp, colour) in enumerate(known):
        y = TOP + above + _ROW * (i + 0.5) + 3
        parts.append(svg_text(left - 12, y + 5, label, "end"))
        if math.isfinite(errn) and math.isfinite(errp):
            ends = [mass - errn, mass + errp]
            ends = [x(math.log10(max(end, 10**low))) for end in ends]
            parts.append(
                f'<line class="bar c{colour % COLOURS}" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" '
                f'y1="{y:.1f}" y2="{y:.1f}"/>'
            )
        parts.append(
            f'<circle class="dot c{colour % COLOURS}" cx="{x(math.log10(mass)):.1f}" '
            f'cy="{y:.1f}" r="5.5"/>'
        )
    said = "; ".join(f"{row[0]} {row[1]:.3g}" for row in known)
    title = f"Masses in units of 1e14 solar masses: {said or 'none'}"
    if curves:
        title += f". Above, posterior densities of {', '.join(curve[0] for curve in curves)}"
    return svg_element(bottom + AXIS, parts, title)


def _mass_range(rows, curves):
    ends = []
    for _, mass, errn, errp, _ in rows:
        ends.append(math.log10(mass))
        if math.isfinite(errp):
            ends.append(math.log10(mass + errp))
        if math.isfinite(errn):
            # An error as large as the mass must not squeeze all others.
            ends.append(math.log10(max(mass - errn, 0.3 * mass)))
    for _, log_mass, density, _ in curves:
        inside = log_mass[density > 0.01 * density.max()]
        ends += [float(inside[0]), float(inside[-1])]
    low, high = min(ends), max(ends)
    pad = max(0.06 * (high - low), 0.5 * (0.3 - (high - low)), 0.02)
    return low - pad, high + pad


def _mass_ticks(low, high):
    """Round masses, those to be labelled first."""
    powers = range(math.floor(low) - 1, math.ceil(high) + 1)
    ticks = [float(f"{digit}e{power}") for digit in (1, 5, 2, 3, 7, 4, 6, 8, 9) for power in powers]
    ticks = [value for value in ticks if low <= math.log10(value) <= high]
    if len(ticks) < 2:
        middle = 10 ** (0.5 * (low + high))
        ticks = [float(f"{factor * middle:.2g}") for factor in (0.8, 1.0, 1.25)]
    return [value for value in ticks if low <= math.log10(value) <= high]


def write_data(path, content, reference, slugs, pictures):
    """Write the columns of the browser's table, as a script that needs no server to be read.

    Differences are shown to ``reference``; ``slugs`` are the names of the pages of the first
    clusters, ``pictures`` (bool) which of them have one.
    """
    columns = [_text("name", "Cluster", content.names, True)]
    if np.isfinite(content.redshift).any():
        columns.append(_number("redshift", "z", content.redshift, "", True, 4))
    if np.isfinite(content.ra).any():
        columns.append(_number("ra", "RA", content.ra, "deg", False, 8))
        columns.append(_number("dec", "Dec", content.dec, "deg", False, 8))
    later = []
    for key, column in content.columns.items():
        if column.values.dtype.kind == "f":
            shown = key in _SHOWN and bool(np.isfinite(column.values).any())
            item = _number(key, column.label, column.values, column.unit, shown, 4)
        elif max(map(len, column.values), default=0) <= _LONGEST:
            item = _text(key, column.label, column.values.tolist(), False)
        else:
            continue
        (columns if key in _SHOWN else later).append(item)
    columns += [_masses(method) for method in content.methods]
    flags = np.bitwise_or.reduce([method.flag for method in content.methods])
    columns += later
    facts = {
        "total": len(content),
        "reference": reference.key,
        "flagWords": {
            bit.name: {"bit": int(bit), "words": words} for bit, words in FLAG_WORDS.items()
        },
        "unknownFlag": flag_names(1 << 40)[0][1],
    }
    parts = [
        '"columns": [' + ",\n".join(columns) + "]",
        f'"flags": [{",".join(map(str, flags.tolist()))}]',
        f'"pages": {json.dumps(slugs)}',
        f'"pictures": [{",".join("1" if has else "0" for has in pictures)}]',
    ]
    script = f"window.szmassReport = {{{json.dumps(facts)[1:-1]},\n{', '.join(parts)}}};\n"
    path.write_text(script, encoding="utf-8")


def _text(key, label, values, shown):
    about = {"key": key, "label": label, "kind": "text", "shown": shown}
    return f'{{{json.dumps(about)[1:-1]}, "values": {json.dumps(list(values))}}}'


def _number(key, label, values, unit, shown, digits):
    about = {"key": key, "label": label, "kind": "number", "shown": shown, "unit": unit}
    return f'{{{json.dumps(about)[1:-1]}, "values": {_numbers(values, digits)}}}'


def _masses(method):
    about = {
        "key": method.key,
        "label": method.label,
        "kind": "mass",
        "shown": True,
        "unit": "10¹⁴ M☉",
        "origin": method.kind,
    }
    parts = [json.dumps(about)[1:-1], f'"values": {_numbers(method.mass / 1e14, 4)}']
    for name, values in (("errn", method.errn), ("errp", method.errp)):
        if np.isfinite(values).any():
            parts.append(f'"{name}": {_numbers(values / 1e14, 3)}')
    return f"{{{', '.join(parts)}}}"


def _numbers(values, digits):
    form = f"%.{digits}g"
    return (
        "["
        + ",".join(
            form % value if known else "null"
            for value, known in zip(values.tolist(), np.isfinite(values).tolist(), strict=True)
        )
        + "]"
    )
