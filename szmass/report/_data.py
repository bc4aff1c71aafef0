"""The columns of the browser's table, as a script that needs no server to be read."""

import json

import numpy as np

from szmass.report._words import FLAG_WORDS, flag_names

__all__ = ["write_data"]

# Further columns that the table shows from the beginning.
_SHOWN = {"snr"}
# Values of words beyond this are kept on the clusters' pages only.
_LONGEST = 60


def write_data(path, content, reference, slugs, pictures):
    """Write the columns.

    Parameters
    ----------
    path : path-like
        The target, a script that sets ``window.szmassReport``.
    content : Content
        The clusters.
    reference : Masses
        What differences are shown to.
    slugs : list of str
        Names of the pages of the first clusters.
    pictures : ndarray of bool
        Which of them have a picture.
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
