"""Pages of a report, and the data of its table, filled into their templates."""

import functools
import json
import math
import re
import shutil
import unicodedata
from importlib import resources
from urllib.parse import quote_plus

import numpy as np

from szmass._utils.html import density_points, svg_dot, svg_line, svg_scale, svg_text
from szmass._utils.names import name_key
from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar
from szmass.exceptions import InvalidInputError
from szmass.report._content import LABELS, format_mass, format_number, match_rows, minus_sign
from szmass.report._pictures import AXIS, COLOURS, TOP, WIDTH, svg_element
from szmass.results import MassFlag

_PACKAGE = "szmass.report"
# Drawing of masses: height of a row and of the curves, and the least distance of labels.
_ROW, _CURVES, _APART = 30, 110, 26
# Curves of several methods differ in their dashes, too.
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "1 3", "12 4")
# Further columns that the table shows from the beginning.
_SHOWN = {"snr", "log_chi", "p_relaxed"}
# Endings of columns of errors: both ways, down and up.
_ERRORS = ("err", "errn", "errp")
# Values of words beyond this are kept on the clusters' pages only.
_LONGEST = 60
_SLUG_LENGTH = 40
# Columns of further names of clusters, beside those whose own names say it.
_NAMED = {"mcxc", "redmapper", "act", "spt", "psz2", "redshift_id", "oname", "aname"}
_SEPARATORS = re.compile("[,;|]")
# Redshifts of one cluster in two tables differ by rounding at most.
_SAME_REDSHIFT = 1e-3


def environment():
    """Make the templates' environment: everything is escaped unless marked as safe."""
    return _environment(import_optional("jinja2", extra="report", purpose="write a report"))


@functools.cache  # it keeps the templates that it has compiled
def _environment(jinja2):
    made = jinja2.Environment(
        loader=jinja2.PackageLoader(_PACKAGE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["mass"] = format_mass
    made.filters["number"] = format_number
    made.filters["signed"] = lambda value, digits=3: minus_sign(f"{value:+.{digits}f}")
    return made


def write_static(folder):
    """Copy style sheet and scripts into a new folder."""
    folder.mkdir()
    with resources.as_file(resources.files(_PACKAGE) / "static") as static:
        for file in sorted(static.iterdir()):
            if file.suffix in (".css", ".js"):
                shutil.copyfile(file, folder / file.name)


def write_pages(folder, content, slugs, title, views, curves, projected=None):
    """Write one page per cluster into a new folder.

    ``slugs`` are the names of the pages, of the first clusters; ``views`` the `CutoutViews`, or
    None; ``curves`` posteriors as of `as_posteriors`; ``projected`` the `MassMapViews`, or None.
    """
    folder.mkdir()
    template = environment().get_template("cluster.html")
    n = len(slugs)
    positions = position_facts(content.ra[:n], content.dec[:n])
    pages = zip(slugs, content.names, strict=False)
    pages = [None, *({"slug": slug, "name": name} for slug, name in pages), None]
    for i, slug in enumerate(progress_bar(slugs, desc="pages", unit="cluster")):
        page = template.render(
            root="../",
            title=title,
            name=content.names[i],
            slug=slug,
            number=i + 1,
            total=len(content),
            before=pages[i],
            after=pages[i + 2],
            links=sky_links(content.names[i], content.ra[i], content.dec[i]),
            view=None if views is None else views.view(i),
            profile=None if views is None else views.profile(i),
            projected=None if projected is None else projected.view(i),
            **_measurements(content, i, positions[i]),
            **_masses_facts(content, i, curves),
        )
        (folder / f"{slug}.html").write_text(page, encoding="utf-8")


def _measurements(content, i, position):
    """Give (label, text) of what is measured of a cluster: what is shown first, and the rest."""
    facts, more = [], []
    if position:
        degrees, hours, galactic = position
        facts += [("Position (ICRS)", hours), ("", degrees), ("Galactic", galactic)]
    facts.append(("Redshift", format_number(content.redshift[i])))
    for key, column in content.columns.items():
        text = _value(content.columns, key, i)
        if text:
            (facts if key in LABELS else more).append((column.label, text))
    return {"facts": facts, "more": more}


def _value(columns, key, i):
    """Write a measurement with its error; errors by themselves are not written."""
    column = columns[key]
    value = column.values[i]
    if column.values.dtype.kind != "f":
        return str(value)
    of_another = any(key.endswith(f"_{e}") and key[: -len(e) - 1] in columns for e in _ERRORS)
    if not math.isfinite(value) or of_another:
        return ""
    error = columns.get(f"{key}_err")
    text = format_number(value)
    if error is not None and error.values.dtype.kind == "f" and math.isfinite(error.values[i]):
        text += f" ± {format_number(error.values[i], 2)}"
    both = [columns[name].values for e in _ERRORS[1:] if (name := f"{key}_{e}") in columns]
    if len(both) == 2 and all(v.dtype.kind == "f" and math.isfinite(v[i]) for v in both):
        down, up = (format_number(v[i], 2) for v in both)
        text += f" + {up} − {down}"
    return f"{text} {column.unit}".strip()


def _masses_facts(content, i, curves):
    """Give the masses of a cluster and their drawing."""
    masses, drawn = [], []
    for number, method in enumerate(content.methods):
        values = [float(v[i]) / 1e14 for v in (method.mass, method.errn, method.errp)]
        about = {"label": method.label, "scale": method.scale, "colour": number % COLOURS}
        flags = flag_names(int(method.flag[i]))
        masses.append(about | {"value": format_mass(*values), "flags": flags})
        drawn.append((method.label, *values, number))
    curves = [(label, *by_row[i], number) for label, number, by_row in curves if i in by_row]
    return {
        "masses": masses,
        "explained": {name: words for entry in masses for name, words in entry["flags"]},
        "masses_drawing": draw_masses(drawn, curves),
        "curves": [(label, number % COLOURS) for label, *_, number in curves],
    }


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
            apart = np.abs(posterior.redshift - content.redshift) > _SAME_REDSHIFT
            if apart.any():
                first = int(np.argmax(apart))
                raise InvalidInputError(
                    f"'posteriors[{label!r}]' has no names and another order than the table: in "
                    f"row {first} its redshift is {posterior.redshift[first]:g}, that of "
                    f"{str(content.names[first])!r} is {content.redshift[first]:g}. Give it names."
                )
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
        parts.append(svg_line("grid", at, at, TOP, bottom))
        if all(abs(at - other) > _APART for other in labelled):
            labelled.append(at)
            parts.append(svg_text(at, bottom + 17, f"{value:g}", "middle"))
    parts.append(svg_line("axis", left, right, bottom, bottom))
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
            ends = (x(math.log10(max(end, 10**low))) for end in (mass - errn, mass + errp))
            parts.append(svg_line(f"bar c{colour % COLOURS}", *ends, y, y))
        parts.append(svg_dot(f"dot c{colour % COLOURS}", x(math.log10(mass)), y, 5.5))
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


def _aliases(content):
    """Give the keys of all names of each cluster, each after the end of a line."""
    columns = [c.values for key, c in content.columns.items() if _holds_names(key, c)]
    found = []
    for cells in zip(content.names, *columns, strict=True):
        names = (name for cell in cells for name in _SEPARATORS.split(str(cell)))
        keys = {key.lower() for name in names if (key := name_key(name))}
        found.append("".join(f"\n{key}" for key in sorted(keys)))
    return found


def _holds_names(key, column):
    is_text = column.values.dtype.kind in "UO"
    return is_text and (key in _NAMED or key.endswith(("_name", "_names", "alias", "aliases")))


def write_data(path, content, reference, slugs, pictures):
    """Write the columns of the browser's table, as a script that needs no server to be read.

    Differences are shown to ``reference``; ``slugs`` are the names of the pages of the first
    clusters, ``pictures`` (bool) which of them have one.
    """
    columns = [_column("name", "Cluster", "text", content.names)]
    if np.isfinite(content.redshift).any():
        columns.append(_numbers("redshift", "z", content.redshift))
    if np.isfinite(content.ra).any():
        for key, label, angle in (("ra", "RA", content.ra), ("dec", "Dec", content.dec)):
            columns.append(_numbers(key, label, angle, "deg", shown=False, digits=8))
    later = []
    for key, column in content.columns.items():
        values = column.values
        if values.dtype.kind == "f":
            shown = key in _SHOWN and bool(np.isfinite(values).any())
            item = _numbers(key, column.label, values, column.unit, shown=shown)
        elif max(map(len, values), default=0) <= _LONGEST:
            item = _column(key, column.label, "text", values.tolist(), shown=False)
        else:
            continue
        (columns if key in _SHOWN else later).append(item)
    columns += [_masses(method) for method in content.methods] + later
    data = {
        "total": len(content),
        "reference": reference.key,
        "flagWords": {bit.name: {"bit": int(bit), "words": bit.words} for bit in MassFlag},
        "unknownFlag": flag_names(1 << 40)[0][1],
        "columns": columns,
        "aliases": _aliases(content),
        "flags": np.bitwise_or.reduce([method.flag for method in content.methods]).tolist(),
        "pages": slugs,
        "pictures": [int(has) for has in pictures],
    }
    text = json.dumps(data, separators=(",", ":"))
    path.write_text(f"window.szmassReport = {text};\n", encoding="utf-8")


def _column(key, label, kind, values, *, shown=True, **more):
    return {"key": key, "label": label, "kind": kind, "shown": shown, "values": values, **more}


def _numbers(key, label, values, unit="", *, shown=True, digits=4):
    return _column(key, label, "number", _rounded(values, digits), shown=shown, unit=unit)


def _masses(method):
    errors = {
        name: _rounded(values / 1e14, 3)
        for name, values in (("errn", method.errn), ("errp", method.errp))
        if np.isfinite(values).any()
    }
    return _column(
        method.key, method.label, "mass", _rounded(method.mass / 1e14, 4),
        unit="10¹⁴ M☉", origin=method.kind, **errors,
    )  # fmt: skip


def _rounded(values, digits):
    """Keep so many significant digits of numbers (N,), for JSON; None where not finite."""
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in values.tolist()]


@functools.cache
def flag_names(value):
    """Split a flag into (name, meaning) of its bits; those not known stand as numbers."""
    found = [(bit.name, bit.words) for bit in MassFlag if value & bit]
    unknown = value & ~sum(MassFlag)
    if unknown:
        found.append((str(unknown), "A flag that this version of szmass does not know."))
    return found


def page_name(number, total, name):
    """Make the file name of a cluster's page: lower-case letters, digits and hyphens, no suffix.

    The number, from 1, makes the name unique, also where case does not count.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", plain)[:_SLUG_LENGTH].strip("-")
    return f"{number:0{len(str(total))}d}" + (f"-{plain}" if plain else "")


def sky_links(name, ra, dec, radius=5.0):
    """Make links to other services about a place (ICRS [deg]), and objects in a radius [arcmin].

    Each is (label, address, what is there). The name is used where the position is not known.
    """
    simbad = "https://simbad.cds.unistra.fr/simbad/sim-"
    ned = "https://ned.ipac.caltech.edu/"
    if not (np.isfinite(ra) and np.isfinite(dec)):
        name, what = quote_plus(name), "the object of this name"
        return [
            ("SIMBAD", f"{simbad}id?Ident={name}", what),
            ("NED", f"{ned}byname?objname={name}", what),
        ]
    around = f"objects within {radius:g} arcmin"
    place, degrees = (quote_plus(f"{ra:.5f}{d} {dec:+.5f}{d}") for d in ("", "d"))
    near = f"Coord={place}&CooFrame=ICRS&Radius={radius:g}&Radius.unit=arcmin"
    cone = "search_type=Near+Position+Search&in_csys=Equatorial&in_equinox=J2000"
    view = f"target={place}&fov=0.50&survey=P%2FDSS2%2Fcolor"
    return [
        ("SIMBAD", f"{simbad}coo?{near}", around),
        ("NED", f"{ned}conesearch?{cone}&coordinates={degrees}&radius={radius:g}", around),
        (
            "Aladin Lite",
            f"https://aladin.cds.unistra.fr/AladinLite/?{view}",
            "optical image of half a degree",
        ),
    ]


def position_facts(ra, dec):
    """Write ICRS positions [deg] in degrees, in hours and degrees, and Galactic.

    There are three str for each, or None where it is not known.
    """
    from astropy.coordinates import SkyCoord

    known = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90)
    facts = [None] * len(ra)
    if not known.any():
        return facts
    coord = SkyCoord(ra[known], dec[known], unit="deg")
    hours = zip(
        coord.ra.to_string("hour", sep=":", precision=1, pad=True),
        coord.dec.to_string("deg", sep=":", precision=0, pad=True, alwayssign=True),
        strict=True,
    )
    galactic = coord.galactic
    rows = zip(np.flatnonzero(known), hours, galactic.l.deg, galactic.b.deg, strict=True)
    for i, (hour, degree), lon, lat in rows:
        facts[i] = (f"{ra[i]:.4f}°, {dec[i]:+.4f}°", f"{hour} {degree}", f"{lon:.4f}°, {lat:+.4f}°")
    return facts
