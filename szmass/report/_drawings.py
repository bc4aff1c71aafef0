"""Drawings of a cluster's page as SVG text: masses and posteriors on one axis, the profile.

They take their colours from the style sheet, so that they follow its light and dark.
"""

import math
from html import escape

import numpy as np

__all__ = ["draw_masses", "draw_profile"]

_WIDTH = 480
_ROW = 30
_TOP = 10
_CURVES = 110
_AXIS = 46
_COLOURS = 7
# Labels of ticks are so many units apart.
_APART = 26
# Curves of several methods differ in their dashes, too.
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "1 3", "12 4")


def draw_masses(rows, curves):
    """Draw the masses of one cluster by all methods, and their posteriors above.

    Parameters
    ----------
    rows : list of tuple
        (label, mass, errn, errp, number of the colour), masses [1e14 solMass], NaN where not known.
    curves : list of tuple
        (label, log10 of mass / 1e14 solMass, density, number of the colour); may be empty.

    Returns
    -------
    str
        An ``svg`` element; empty if no mass is known.
    """
    known = [row for row in rows if math.isfinite(row[1])]
    if not known and not curves:
        return ""
    labels = min(max(max((len(row[0]) for row in known), default=0) * 7.6 + 30, 80), 190)
    low, high = _mass_range(known, curves)
    left, right = labels, _WIDTH - 12
    x = _scale(low, high, left, right)
    above = _CURVES if curves else 0
    bottom = _TOP + above + _ROW * len(known) + 6
    parts = []
    labelled = []
    for value in _mass_ticks(low, high):
        at = x(math.log10(value))
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{bottom}"/>')
        if all(abs(at - other) > _APART for other in labelled):
            labelled.append(at)
            parts.append(_text(at, bottom + 17, f"{value:g}", "middle"))
    parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(
        f'<text x="{(left + right) / 2:.0f}" y="{bottom + 38}" text-anchor="middle">'
        'M<tspan class="sub" dy="4">500c</tspan><tspan dy="-4"> [10</tspan>'
        '<tspan class="sub" dy="-6">14</tspan><tspan dy="6"> M</tspan>'
        '<tspan class="sub" dy="4">☉</tspan><tspan dy="-4">]</tspan></text>'
    )
    highest = max((float(np.max(curve[2])) for curve in curves), default=1.0)
    for i, (_, log_mass, density, colour) in enumerate(curves):
        dash = _DASHES[i % len(_DASHES)]
        parts.append(_curve(log_mass, density / highest, x, (low, high), colour, dash))
    for i, (label, mass, errn, errp, colour) in enumerate(known):
        y = _TOP + above + _ROW * (i + 0.5) + 3
        parts.append(_text(left - 12, y + 5, label, "end"))
        if math.isfinite(errn) and math.isfinite(errp):
            ends = [mass - errn, mass + errp]
            ends = [x(math.log10(max(end, 10**low))) for end in ends]
            parts.append(
                f'<line class="bar c{colour % _COLOURS}" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" '
                f'y1="{y:.1f}" y2="{y:.1f}"/>'
            )
        parts.append(
            f'<circle class="dot c{colour % _COLOURS}" cx="{x(math.log10(mass)):.1f}" '
            f'cy="{y:.1f}" r="5.5"/>'
        )
    said = "; ".join(f"{row[0]} {row[1]:.3g}" for row in known)
    title = f"Masses in units of 1e14 solar masses: {said or 'none'}"
    if curves:
        title += f". Above, posterior densities of {', '.join(curve[0] for curve in curves)}"
    return _svg(bottom + _AXIS, parts, title)


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


def _curve(log_mass, height, x, limits, colour, dash):
    grid = np.linspace(*limits, 161)
    values = np.interp(grid, log_mass, height, left=0.0, right=0.0)
    base = _TOP + _CURVES - 6
    points = " ".join(
        f"{x(place):.1f},{base - (_CURVES - 12) * value:.1f}"
        for place, value in zip(grid, values, strict=True)
        if value > 1e-4
    )
    dash = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline class="curve c{colour % _COLOURS}"{dash} points="{points}"/>'


def draw_profile(radius, y, err, band, unit, beam=None):
    """Draw the mean Compton-y of rings.

    Parameters
    ----------
    radius : ndarray, shape (B,)
        Mean radii of the rings.
    y : ndarray, shape (B,)
        Mean y [1e-6], NaN where not known.
    err : ndarray or None
        Its error.
    band : ndarray, shape (3, B), or None
        Low, middle and high quantiles of other clusters.
    unit : str
        Unit of the radii.
    beam : float, optional
        FWHM of the beam in the same unit.

    Returns
    -------
    str
        An ``svg`` element; empty if no y is known.
    """
    known = np.isfinite(y)
    if not known.any():
        return ""
    height, left, right, bottom = 270, 56, _WIDTH - 12, 270 - _AXIS
    values = [y[known], [0.0]]
    if err is not None:
        values += [(y + err)[known], (y - err)[known]]
    if band is not None:
        values.append(band[np.isfinite(band)])
    values = np.concatenate(values)
    low, high = float(values.min()), float(values.max())
    pad = 0.07 * ((high - low) or 1.0)
    x = _scale(0, float(radius[-1]) * 1.04, left, right)
    v = _scale(low - pad, high + pad, bottom, _TOP)
    parts = []
    if beam is not None:
        parts.append(
            f'<rect class="beam" x="{left}" y="{_TOP}" width="{x(beam / 2) - left:.1f}" '
            f'height="{bottom - _TOP}"/>'
        )
    for value in _even_ticks(low - pad, high + pad):
        at = v(value)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(_text(left - 8, at + 5, f"{value:g}", "end"))
    for value in _even_ticks(0, radius[-1] * 1.04):
        parts.append(_text(x(value), bottom + 17, f"{value:g}", "middle"))
    parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{v(0):.1f}" y2="{v(0):.1f}"/>')
    if band is not None:
        inside = np.isfinite(band).all(axis=0)
        edge = [(r, b) for r, b in zip(radius[inside], band[2][inside], strict=True)]
        edge += [(r, b) for r, b in zip(radius[inside], band[0][inside], strict=True)][::-1]
        parts.append(f'<polygon class="band" points="{_points(edge, x, v)}"/>')
        middle = zip(radius[inside], band[1][inside], strict=True)
        parts.append(f'<polyline class="middle" points="{_points(middle, x, v)}"/>')
    if err is not None:
        for r, value, e in zip(radius[known], y[known], err[known], strict=True):
            parts.append(
                f'<line class="bar thin c0" x1="{x(r):.1f}" x2="{x(r):.1f}" '
                f'y1="{v(value - e):.1f}" y2="{v(value + e):.1f}"/>'
            )
    line = list(zip(radius[known], y[known], strict=True))
    parts.append(f'<polyline class="curve c0" points="{_points(line, x, v)}"/>')
    parts += [f'<circle class="dot c0" cx="{x(r):.1f}" cy="{v(b):.1f}" r="4"/>' for r, b in line]
    parts.append(_text((left + right) / 2, height - 8, f"radius [{unit}]", "middle"))
    parts.append(
        f'<text transform="translate(16 {(bottom + _TOP) / 2:.0f}) rotate(-90)" '
        'text-anchor="middle">Compton-y [10<tspan class="sub" dy="-6">−6</tspan>'
        '<tspan dy="6">]</tspan></text>'
    )
    first, last = line[0], line[-1]
    title = (
        f"Mean Compton-y falls from {first[1]:.3g}e-6 at {first[0]:.3g} {unit} to "
        f"{last[1]:.3g}e-6 at {last[0]:.3g} {unit}"
        if first[1] > last[1]
        else f"Mean Compton-y from {first[0]:.3g} to {last[0]:.3g} {unit}"
    )
    return _svg(height, parts, title)


def _points(pairs, x, v):
    return " ".join(f"{x(a):.1f},{v(b):.1f}" for a, b in pairs)


def _even_ticks(low, high):
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first = math.ceil(low / step)
    return [round(i * step, 12) for i in range(first, math.floor(high / step) + 1)]


def _scale(low, high, start, end):
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _text(x, y, text, anchor):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height, parts, title):
    return (
        f'<svg class="drawing" viewBox="0 0 {_WIDTH} {height}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
