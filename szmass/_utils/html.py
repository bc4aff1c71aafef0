"""Pieces of HTML for notebooks: everything is escaped, bounded, and asks for no other file."""

import base64
import html
import io

import numpy as np

#: So many of a stack, or of posteriors, are drawn.
SHOWN = 4

# What a cell of a notebook shows at most; what there is beyond is counted.
_CHARACTERS, _FACTS, _COLUMNS, _HEAD, _TAIL = 160, 40, 12, 5, 3
_WIDTH, _HEIGHT, _MARGIN = 300, 110, 22


def short(value):
    """Give any value as escaped text of bounded length."""
    text = "\N{EM DASH}" if value is None else str(value)
    text = text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return html.escape(text)


def measured(value, errn=None, errp=None, unit=""):
    """Write a measurement with the errors down and up, in powers of ten where that is shorter."""
    numbers = [np.nan if v is None else float(v) for v in (value, errn, errp)]
    power = 0
    if np.isfinite(numbers[0]) and numbers[0] and not 1e-2 <= abs(numbers[0]) < 1e4:
        power = int(np.clip(np.floor(np.log10(abs(numbers[0]))), -300, 300))
    scaled = [number / 10.0**power for number in numbers]
    errors = [e for e in scaled[1:] if np.isfinite(e) and e > 0]
    digits = max(0, 1 - int(np.floor(np.log10(min(errors))))) if errors else 3
    digits = min(digits, 6)
    texts = [f"{number:.{digits}f}" for number in scaled]
    shown = texts[0]
    if len(errors) == 2 and texts[1] != texts[2]:
        shown += f" <sup>+{texts[2]}</sup><sub>\N{MINUS SIGN}{texts[1]}</sub>"
    elif errors:
        shown += f" \N{PLUS-MINUS SIGN} {errors[0]:.{digits}f}"
    if power:
        shown = f"({shown}) 10<sup>{power}</sup>" if errors else f"{shown} 10<sup>{power}</sup>"
    return f"{shown} {html.escape(unit)}".strip()


def facts(title, values, *, beside=""):
    """Lay out a title and facts by name, escaped here, with values and ``beside`` that are HTML."""
    left = "text-align:left"
    listed = list(values.items())
    lines = "".join(
        f'<tr><th style="{left}">{short(name)}</th><td style="{left}">{value}</td></tr>'
        for name, value in listed[:_FACTS]
    )
    if len(listed) > _FACTS:
        lines += f'<tr><td colspan="2">and {len(listed) - _FACTS} more</td></tr>'
    picture_cell = f'<div style="flex:none">{beside}</div>' if beside else ""
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f"{picture_cell}<div><p><b>{short(title)}</b></p><table>{lines}</table></div></div>"
    )


def side_by_side(cells):
    """Put pieces of HTML beside each other, as far as there is room."""
    divisions = "".join(f"<div>{cell}</div>" for cell in cells)
    return (
        f'<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-end">{divisions}</div>'
    )


def rows_of(table, columns=None):
    """Show 8 rows at most and 12 columns, from head and tail, and say what is left out."""
    columns = table.colnames if columns is None else columns
    n, names = len(table), columns[:_COLUMNS]
    rows = list(range(n)) if n <= _HEAD + _TAIL else [*range(_HEAD), None, *range(n - _TAIL, n)]
    units = [_unit(table[name]) for name in names]
    head = "".join(f"<th>{short(name)}</th>" for name in ("", *names))
    if any(units):
        head += "</tr><tr><td></td>" + "".join(f"<td>{short(unit)}</td>" for unit in units)
    body = ""
    for row in rows:
        if row is None:
            cells = ["\N{HORIZONTAL ELLIPSIS}"] * (len(names) + 1)
        else:
            cells = [str(row), *(_cell(table[name][row]) for name in names)]
        body += "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    left_out = columns[_COLUMNS:]
    also = f"<p>and the columns {short(', '.join(left_out))}</p>" if left_out else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{also}"


def _unit(column):
    """What stands below the name of a column: its unit, or the frame of positions."""
    if hasattr(column, "frame"):
        return f"{column.frame.name}, deg"
    return str(getattr(column, "unit", None) or "")


def _cell(entry):
    if np.all(getattr(entry, "mask", False)):
        return "\N{EM DASH}"
    if hasattr(entry, "to_string") and hasattr(entry, "frame"):
        return short(entry.to_string(precision=4))
    value = getattr(entry, "unmasked", entry)
    value = getattr(value, "value", value)
    if isinstance(value, float | np.floating):
        return f"{value:.5g}"
    if np.ndim(value):
        return short(f"{np.size(value)} numbers")
    return short(value)


def picture(data, *, size=160, title=""):
    """Draw a map (ny, nx), north of the grid up, as an inline PNG of a height [pixel].

    NaN stays blank. It is empty without matplotlib, or if nothing is finite.
    """
    try:
        from matplotlib.image import imsave
    except ImportError:
        return ""
    known = data[np.isfinite(data)]
    if not known.size:
        return ""
    step = max(1, max(data.shape) // 256)
    low, high = np.percentile(known, [0.5, 99.8]) if known.size > 1 else (known[0], known[0])
    buffer = io.BytesIO()
    imsave(
        *(buffer, np.asarray(data[::step, ::step], dtype=float)),
        vmin=low,
        vmax=high if high > low else low + 1,
        cmap="viridis",
        origin="lower",
        format="png",
    )
    code = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<img alt="{short(title)}" title="{short(title)}" height="{int(size)}" '
        f'style="image-rendering:pixelated" src="data:image/png;base64,{code}">'
    )


def svg_scale(low, high, start, end):
    """Make the linear function that takes values from low to high to places from start to end."""
    return lambda value: start + (value - low) / (high - low) * (end - start)


def svg_points(x, y):
    """Write places (N,) as the points of a line."""
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def svg_text(x, y, text, anchor):
    """Write text at a place, which is its ``anchor``: "start", "middle" or "end"."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def svg_line(kind, x1, x2, y1, y2):
    """Draw a line between two places, of a class of the style sheet."""
    ends = f'x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"'
    return f'<line class="{kind}" {ends}/>'


def svg_dot(kind, x, y, radius):
    """Draw a dot, of a class of the style sheet."""
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'


def density_points(x, density, limits, across, up, *, highest=None):
    """Write the points of a density (N,) between two limits, as far as there is something to see.

    ``across`` takes x to places, ``up`` heights from 0 to 1, which is ``highest`` or the maximum.
    """
    grid = np.linspace(*limits, 161)
    height = np.interp(grid, x, density / (highest or density.max()), left=0.0, right=0.0)
    seen = height > 1e-4
    return svg_points(across(grid[seen]), up(height[seen]))


def density_svg(x, density, *, low, middle, high, label):
    """Draw a density (N,), its median and 68 % interval as inline SVG in the colour of the text."""
    # Only where there is something to see, with a little room beside.
    seen = np.flatnonzero(density > 1e-3 * density.max())
    ends = x[max(seen[0] - 1, 0)], x[min(seen[-1] + 1, len(x) - 1)]
    base = _HEIGHT - _MARGIN
    across, up = svg_scale(*ends, _MARGIN, _WIDTH - _MARGIN), svg_scale(0, 1, base, 6)
    area = density_points(x, density, (low, high), across, up)
    place, top = across(middle), up(np.interp(middle, x, density) / density.max())
    ticks = "".join(
        svg_text(across(value), base + 14, f"{value:.2f}", "middle")
        for value in (ends[0], middle, ends[1])
    )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" font-size="10" fill="currentColor" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{short(label)}</title>'
        f'<polygon points="{across(low):.1f},{base} {area} {across(high):.1f},{base}" '
        'fill="#0072b2" fill-opacity="0.35"/>'
        f'<polyline points="{density_points(x, density, ends, across, up)}" fill="none" '
        f'stroke="currentColor"/><line x1="{_MARGIN}" y1="{base}" x2="{_WIDTH - _MARGIN}" '
        f'y2="{base}" stroke="currentColor"/><line x1="{place:.1f}" y1="{base}" x2="{place:.1f}" '
        f'y2="{top:.1f}" stroke="currentColor" stroke-dasharray="3"/>'
        f'{ticks}<text x="2" y="10">{short(label)}</text>'
        "</svg>"
    )
