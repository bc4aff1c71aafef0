"""Halo catalogues: lists of Rockstar and of consistent-trees."""

import gzip
import warnings

import numpy as np

from fuzzing.cases import FREE, REFUSED, SAME, Case, changed
from fuzzing.damage import garbled, pick

_SCALE, _ROWS = 0.8, 12
_NAMES = "ID Mvir Vmax Rvir Rs X Y Z Spin M200b M200c M500c PID".split()  # noqa: SIM905
_READ = ("id", "host", "redshift", "m500c", "m200c", "mvir", "rs", "vmax", "x", "spin")
_BASES = {}


def _columns():
    rng = np.random.default_rng(5)
    m200 = 1e15 * 0.8 ** np.arange(_ROWS)
    host = np.where(np.arange(_ROWS) % 4 == 3, 0, -1)
    values = {
        "ID": np.arange(_ROWS), "PID": host, "Mvir": 1.2 * m200, "M200b": 1.3 * m200,
        "M200c": m200, "M500c": 0.7 * m200, "Rvir": np.cbrt(m200) / 50, "Rs": np.cbrt(m200) / 250,
    }  # fmt: skip
    return {name: values.get(name, rng.uniform(0.1, 1, _ROWS)) for name in _NAMES}


def _cells(columns):
    whole = ("ID", "PID")
    return [
        [f"{columns[n][i]:d}" if n in whole else f"{columns[n][i]:.6g}" for n in columns]
        for i in range(_ROWS)
    ]


def _text(form, names, cells, header):
    if form == "trees":
        named = "#" + " ".join(f"{name}({i})" for i, name in enumerate(names))
    else:
        named = "#" + " ".join(names)
    return "\n".join([named, *header, *(" ".join(row) for row in cells)]) + "\n"


def _base(form):
    names, cells = list(_NAMES), _cells(_columns())
    if form == "trees":
        names = ["scale", "id", "desc_id", *names[1:]]
        cells = [[f"{_SCALE}", row[0], "-1", *row[1:]] for row in cells]
        return names, cells, ["#Omega_M = 0.3; Omega_L = 0.7; h0 = 0.7", "#comment"]
    return (
        names,
        cells,
        [
            f"#a = {_SCALE:f}",
            "#Om = 0.3; Ol = 0.7; h = 0.7",
            "#Box size: 100.0 Mpc/h",
            "#Units: Masses in Msun / h",
        ],
    )


def _read(path):
    from szmass.baryons import HaloCatalog

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        halos = HaloCatalog.read(path)
        result = {name: halos[name] for name in _READ if name in halos}
    result["host"] = np.ma.filled(result["host"], -1) if "host" in result else np.zeros(0)
    return {name: np.asarray(getattr(v, "value", v), dtype=float) for name, v in result.items()}


def halos_case(rng, folder):
    """A list of Rockstar or of consistent-trees."""
    form = pick(rng, ("rockstar", "trees"))
    path = folder / ("out_1.list" if form == "rockstar" else "hlist_0.8.list")
    names, cells, header = _base(form)
    if form not in _BASES:
        path.write_text(_text(form, names, cells, header))
        _BASES[form] = _read(path)
    reference = _BASES[form]
    name = pick(rng, tuple(_MUTATIONS))
    if name == "garbled":
        kind, content = garbled(rng, _text(form, names, cells, header).encode())
        path.write_bytes(content)
        return Case(f"{form}: {kind}", FREE, lambda: _read(path), reference)
    expected = _MUTATIONS[name](rng, form, names, cells, header, reference)
    content = _text(form, names, cells, header).encode()
    if name in _OF_BYTES:
        content = _OF_BYTES[name](content)
    path.write_bytes(content)
    return Case(f"{form}: {name}", expected, lambda: _read(path), reference)


def _permuted(rng, form, names, cells, header, reference):
    order = rng.permutation(len(names))
    if form == "trees":  # the number is that of the place
        order = np.concatenate([[0], 1 + rng.permutation(len(names) - 1)])
    names[:] = [names[i] for i in order]
    for row in cells:
        row[:] = [row[i] for i in order]
    return SAME


def _more(rng, form, names, cells, header, reference):
    place = int(rng.integers(1, len(names)))
    names.insert(place, pick(rng, ("T/|U|", "b_to_a(500c)", "Foo", "A[x]")))
    for row in cells:
        row.insert(place, pick(rng, ("0.5", "-1", "nan", "7")))
    return SAME


def _missing(rng, form, names, cells, header, reference):
    gone = pick(rng, ("M500c", "Vmax", "X", "Spin"))
    place = names.index(gone)
    for row in (names, *cells):
        del row[place]
    lost = {"M500c": "m500c", "Vmax": "vmax", "X": "x", "Spin": "spin"}[gone]
    return changed({lost: None}, rtol=1e-9)


def _cell(rng, form, names, cells, header, reference):
    row, (theirs, ours) = (
        int(rng.integers(_ROWS)),
        pick(rng, (("M500c", "m500c"), ("Rs", "rs"), ("Vmax", "vmax"))),
    )
    cells[row][names.index(theirs)] = pick(
        rng, ("nan", "****", "--", "-3e14", "0", "1.#IND", "1_0")
    )
    values = reference[ours].copy()
    values[row] = np.nan
    return changed({ours: values})


def _short_row(rng, form, names, cells, header, reference):
    row = int(rng.integers(_ROWS - 1))
    del cells[row][int(rng.integers(3, len(names))) :]
    lost = {}
    for name in _READ:
        values = reference[name].copy()
        values[row] = np.nan
        lost[name] = values
    for name in ("id", "host"):
        lost[name] = reference[name].copy()
        lost[name][row] = -1
    lost["redshift"] = reference["redshift"] if form == "rockstar" else lost["redshift"]
    return changed(lost)


def _long_rows(rng, form, names, cells, header, reference):
    for row in cells:
        row.append("1")
    return REFUSED


def _second_header(rng, form, names, cells, header, reference):
    cells.insert(int(rng.integers(1, _ROWS)), ["#ID", "DescID", "Mvir", "Vmax", "Rs"])
    return REFUSED


def _comment(rng, form, names, cells, header, reference):
    cells.insert(int(rng.integers(0, _ROWS)), ["#", "a", "comment"])
    return SAME


def _no_fact(rng, form, names, cells, header, reference):
    lost = pick(rng, ("h", "a") if form == "rockstar" else ("h",))
    if lost == "a":
        del header[0]
    else:
        header[:] = [line.replace("h = ", "g = ").replace("h0 = ", "g = ") for line in header]
    return REFUSED


def _odd_mass(rng, form, names, cells, header, reference):
    power = float(pick(rng, (1e10, 1e-10, 1e14)))
    for row in cells:
        for name in ("Mvir", "M200b", "M200c", "M500c"):
            row[names.index(name)] = f"{float(row[names.index(name)]) * power:.6g}"
    return REFUSED


def _odd_column(rng, form, names, cells, header, reference):
    place = names.index("M500c")
    for row in cells:
        row[place] = f"{float(row[place]) * 1e-4:.6g}"
    return REFUSED


def _as_it_is(rng, form, names, cells, header, reference):
    return SAME


_OF_BYTES = {
    "ends of lines": lambda content: content.replace(b"\n", b"\r\n"),
    "tabs": lambda content: content.replace(b" ", b"\t \t"),
    "empty lines": lambda content: content + b"\n\n",
    "no last end of line": lambda content: content[:-1],
    "gzip": gzip.compress,
    "no names": lambda content: content.partition(b"\n")[2],
    "ends within a row": lambda content: content[: content.rstrip().rindex(b" ")],
}
_MUTATIONS = {
    "columns in another order": _permuted,
    "another column": _more,
    "a missing column": _missing,
    "a cell": _cell,
    "a short row": _short_row,
    "longer rows": _long_rows,
    "a second header": _second_header,
    "a comment": _comment,
    "no h, or no scale": _no_fact,
    "masses in other units": _odd_mass,
    "a mass in other units": _odd_column,
    "garbled": None,
    **dict.fromkeys(("ends of lines", "empty lines", "no last end of line", "gzip"), _as_it_is),
    **dict.fromkeys(("no names", "ends within a row"), lambda *_: REFUSED),
}
