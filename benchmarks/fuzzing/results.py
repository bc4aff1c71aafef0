"""Mutated posteriors and mass tables, and samples with odd rows that are weighed."""

import functools

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable

from fuzzing import damage
from fuzzing.cases import FREE, REFUSED, SAME, SAME_OR_REFUSED, Case, changed
from fuzzing.damage import pick
from fuzzing.maps import reference_of
from fuzzing.tables import _edited_xml, _laughs, _meta
from szmass import estimate_masses
from szmass.clusters import ClusterSample
from szmass.estimators.checks import make_check_sample
from szmass.exceptions import InvalidInputError
from szmass.results import LogMassPosterior, masses_of, methods_of, read_masses, rescale_masses

_FORMS = ("ecsv", "fits", "vot")
_GRID = np.linspace(14.0, 15.0, 7)


@functools.cache
def _posterior():
    density = np.exp(-0.5 * ((_GRID - np.array([[14.3], [14.6], [14.5]])) / 0.15) ** 2)
    density[2] = np.nan
    names, redshift = ["A 1", "0016", "C"], [0.25, np.nan, 0.5]
    meta = {"mass_scale": 1.0, "estimator": "likelihood"}
    about = {"names": names, "redshift": redshift, "flag": [0, 0, 4], "meta": meta}
    return LogMassPosterior(_GRID, density, np.ones(7), **about)


@functools.cache
def _posterior_file(form, folder):
    path = folder / f"made.{form}"
    _posterior().write(path)
    content = path.read_bytes()
    path.unlink()
    return content


def _read_posterior(path):
    posterior = LogMassPosterior.read(path)
    return {
        "grid": posterior.log10_mass,
        "density": posterior.density,
        "prior": posterior.prior,
        "name": posterior.names,
        "redshift": posterior.redshift,
        "flag": posterior.flag,
        "median": posterior.median().to_value(u.solMass),
        "rescaled": posterior.rescaled(0.8).median().to_value(u.solMass),
    }


def posterior_case(rng, folder):
    """A file of posteriors."""
    form = pick(rng, _FORMS)
    return _of_file(
        rng,
        folder / f"posterior.{form}",
        _posterior_file(form, folder),
        _read_posterior,
        functools.partial(_edited_table, write=_posterior_table, edits=_POSTERIOR),
    )


def _of_file(rng, path, content, read, edit):
    """A file of ours that was damaged, or edited with another program."""
    form = path.suffix[1:]
    key = path.name
    reference = reference_of(key, path, content, read)
    path.unlink(missing_ok=True)
    ways = {
        "fits": ("garbled", "card", "table", "table"),
        "vot": ("garbled", "xml", "table", "table"),
    }
    way = pick(rng, ways.get(form, ("garbled", "yaml", "table", "table")))
    if way == "garbled":
        name, content = damage.garbled(rng, content)
        name, expected = f"bytes: {name}", FREE
    elif way == "card":
        what, keyword, value, content = damage.mutated_card(rng, content)
        name = f"card {keyword} {what}" + ("" if value is None else f": {value}")
        free = ("TTYPE", "TUNIT", "TNULL", "TSCAL", "TZERO", "NAXIS2", "CONTINUE", "SZMETA", "TDIM")
        expected = FREE if what == "garbage" or keyword.startswith(free) else SAME_OR_REFUSED
    elif way == "xml":
        name, _, content = _edited_xml(rng, content)
        expected = FREE
    elif way == "yaml":
        text = content.decode()
        ways = {
            "no meta": _meta(text, "{}"),
            "list": _meta(text, "[1, 2]"),
            "aliases": _meta(text, _laughs()),
            "nested": _meta(text, "[" * 3000 + "]" * 3000),
            "object": _meta(text, "!!python/object/apply:os.getcwd []"),
            "methods": _meta(text, "{methods: 3, schema_version: 2}"),
            "version": _meta(text, "{kind: LogMassPosterior, schema_version: x}"),
            "kind": _meta(text, "{kind: LogMassPosterior, log10_mass: 4, about: 3}"),
            "grid": _meta(text, "{kind: LogMassPosterior, log10_mass: [a, b], about: {}}"),
        }
        name = pick(rng, tuple(ways))
        name, expected, content = f"YAML {name}", FREE, ways[name].encode()
    else:
        name, expected, content = edit(rng, path, reference)
    path.write_bytes(content)
    return Case(f"{form}: {name}", expected, lambda: read(path), reference)


def _edited_table(rng, path, reference, *, write, edits):
    table = write()
    edit = pick(rng, edits)
    name, expected = edit(rng, table, reference)
    from szmass._tables.files import write_table

    try:
        write_table(table, path)
    except InvalidInputError:  # the form cannot hold it
        name, expected = "as it was", SAME
        write_table(write(), path)
    content = path.read_bytes()
    path.unlink()
    return name, expected, content


# Edits of a table of posteriors, as it stands in a file.


def _posterior_table():
    from szmass.results.files import posterior_to_table

    return posterior_to_table(_posterior())


def _p_density(rng, table, reference):
    value = pick(rng, (np.nan, np.inf, -np.inf, -1.0, 1e308))
    table["density"][0, 3] = value
    if value == 1e308:
        return "density 1e308", FREE
    lost = {}
    for name in ("density", "prior", "median", "rescaled"):
        lost[name] = reference[name].copy()
        lost[name][0] = np.nan
    expected = changed(lost, refused=True) if np.isnan(value) else REFUSED
    return f"density {value}", expected


def _p_zero(rng, table, reference):
    table["density"][0] = 0
    return "density of zeros", REFUSED


def _p_lost(rng, table, reference):
    name = pick(rng, table.colnames)
    del table[name]
    return f"no {name}", REFUSED


def _p_meta(rng, table, reference):
    key = pick(rng, ("kind", "schema_version", "log10_mass", "about", "prior"))
    value = pick(rng, ("removed", None, 3, "x", [], {}, [1, 2], -1.5, True, ["a"], [[1]]))
    if value == "removed":
        del table.meta[key]
        # Without a version it is that of the first tables, which is the present one.
        return f"meta {key} removed", SAME_OR_REFUSED if key == "schema_version" else REFUSED
    table.meta[key] = value
    if key == "about" and value == {}:
        return "meta about {}", changed({"rescaled": reference["median"]})
    return f"meta {key} {value!r}", SAME_OR_REFUSED if key == "schema_version" else REFUSED


def _p_grid(rng, table, reference):
    grid = list(table.meta["log10_mass"])
    kind = pick(rng, ("short", "falls", "nan", "text", "equal", "huge"))
    grid = {
        "short": grid[:-1],
        "falls": grid[::-1],
        "nan": [*grid[:-1], float("nan")],
        "text": [*grid[:-1], "x"],
        "equal": [grid[0], *grid[:-1]],
        "huge": [*grid[:-1], 1e308],
    }[kind]
    table.meta["log10_mass"] = grid
    return f"grid {kind}", FREE if kind == "huge" else REFUSED


def _p_prior(rng, table, reference):
    prior = list(table.meta["prior"])
    kind = pick(rng, ("short", "negative", "nan", "zero", "text"))
    table.meta["prior"] = {
        "short": prior[:-1],
        "negative": [-1.0, *prior[1:]],
        "nan": [float("nan"), *prior[1:]],
        "zero": [0.0] * 7,
        "text": ["x", *prior[1:]],
    }[kind]
    return f"prior {kind}", REFUSED


def _p_flag(rng, table, reference):
    value = pick(rng, (-1, 2**40, 0))
    table["flag"][2] = value
    if value == 0:
        return "flag 0", changed({"flag": np.array([0, 0, 0])})
    flag = reference["flag"].copy()
    flag[2] = value
    return f"flag {value}", changed({"flag": flag}, refused=True)


def _p_type(rng, table, reference):
    kind = pick(rng, ("density text", "flag real", "flag text", "redshift text", "density single"))
    if kind == "density text":
        table["density"] = np.asarray(table["density"]).astype("U30")
        return kind, SAME_OR_REFUSED
    if kind == "density single":
        table["density"] = np.asarray(table["density"], dtype=np.float32)
        return kind, changed({}, rtol=1e-6, same=True)
    if kind == "redshift text":
        table["redshift"] = ["0.25", "...", "0.5"]
        return kind, SAME_OR_REFUSED
    table["flag"] = [0.0, 0.5, 4.0] if kind == "flag real" else ["0", "0", "4"]
    return kind, REFUSED if kind == "flag real" else SAME_OR_REFUSED


def _p_redshift(rng, table, reference):
    value = pick(rng, (-1.0, 99.0, np.inf))
    table["redshift"][0] = value
    kept, lost = reference["redshift"].copy(), reference["redshift"].copy()
    kept[0], lost[0] = value, np.nan
    return f"redshift {value}", changed({"redshift": kept}, {"redshift": lost}, refused=True)


_POSTERIOR = (
    *(_p_density, _p_zero, _p_lost, _p_meta, _p_meta, _p_meta, _p_grid, _p_prior, _p_flag),
    *(_p_type, _p_redshift),
)


# Mass tables


@functools.cache
def _sample():
    return ClusterSample(make_check_sample(3).table)


@functools.cache
def _made_masses(several):
    return estimate_masses(_sample(), ["scaling"] if several else "scaling")


def _masses_table(several):
    return _made_masses(several).copy()


@functools.cache
def _masses_file(form, several, folder):
    path = folder / f"made.{form}"
    from szmass._tables.files import write_table

    write_table(_masses_table(several), path)
    content = path.read_bytes()
    path.unlink()
    return content


def _read_masses(path):
    table = read_masses(path)
    result = {"name": np.asarray(table["name"]).astype(str)}
    result["redshift"] = np.ma.filled(np.ma.asarray(table["redshift"], dtype=float), np.nan)
    for method in methods_of(table):
        masses = masses_of(table, method)
        for field in ("mass", "errn", "errp", "flag"):
            result[f"{field} {method}"] = getattr(masses, field)
        result[f"scale {method}"] = str(masses.mass_scale)
    rescaled = rescale_masses(table, 0.8)
    result["rescaled"] = masses_of(rescaled, method).mass
    return result


def masses_case(rng, folder):
    """A file of a mass table."""
    form, several = pick(rng, _FORMS), bool(rng.integers(2))
    return _of_file(
        rng,
        folder / f"masses-{several}.{form}",
        _masses_file(form, several, folder),
        _read_masses,
        functools.partial(
            _edited_table, write=functools.partial(_masses_table, several), edits=_MASSES
        ),
    )


def _column(table, start):
    return next(name for name in table.colnames if name in (start, f"{start}_scaling"))


def _m_number(rng, table, reference):
    field = pick(rng, ("mass", "mass_errn", "mass_errp"))
    value = pick(rng, (np.nan, np.inf, -np.inf, -1e14, 0.0, 1e300))
    table[_column(table, field)][1] = value * u.solMass
    key = f"{field.removeprefix('mass_')} scaling"
    kept, lost = reference[key].copy(), reference[key].copy()
    kept[1], lost[1] = value, np.nan
    if field == "mass":
        # The masses on another scale follow those of the table.
        return f"{field} {value}", changed(
            lambda found: (
                np.array_equal(found[key], kept, equal_nan=True)
                or np.array_equal(found[key], lost, equal_nan=True)
            ),
            refused=True,
        )
    return f"{field} {value}", changed({key: kept}, {key: lost}, refused=True)


def _m_unit(rng, table, reference):
    name = _column(table, pick(rng, ("mass", "mass_errn")))
    unit = pick(rng, ("kg", "1e14 solMass", "m", None))
    if unit in ("m", None):
        values = table[name].value
        table[name] = Column(values, unit=unit)
        return f"{name} in {unit}", REFUSED if unit else SAME_OR_REFUSED
    table[name] = table[name].to(unit)
    return f"{name} in {unit}", changed({}, rtol=1e-7)


def _m_lost(rng, table, reference):
    name = pick(rng, table.colnames)
    del table[name]
    return f"no {name}", FREE


def _m_text(rng, table, reference):
    name = _column(table, pick(rng, ("mass", "mass_errn", "flag")))
    table[name] = ["x", "1e14", "..."]
    return f"{name} of text", REFUSED


def _m_flag(rng, table, reference):
    name = _column(table, "flag")
    kind = pick(rng, ("real", "half", "masked", "bool", "negative"))
    if kind == "real":
        table[name] = np.asarray(table[name], dtype=float)
        return "flag real", SAME
    if kind == "half":
        table[name] = np.asarray(table[name], dtype=float) + 0.5
        return "flag half", SAME_OR_REFUSED
    if kind == "masked":
        table[name] = MaskedColumn(np.asarray(table[name]), mask=[True, False, False])
        return "flag masked", SAME_OR_REFUSED
    if kind == "negative":
        table[name] = -np.ones(3, int)
        return "flag negative", FREE
    table[name] = np.zeros(3, bool)
    return "flag bool", SAME_OR_REFUSED


def _m_meta(rng, table, reference):
    keys = [key for key in table.meta if key != "kind"]
    key = pick(rng, keys)
    value = pick(rng, ("removed", None, 3, "x", [], {}, [1, 2], -1.5, True, {"a": {"b": 1}}))
    name = f"meta {key} {value!r}"
    if value == "removed":
        del table.meta[key]
    else:
        table.meta[key] = value
    return name, FREE


def _m_rows(rng, table, reference):
    kind = pick(rng, ("turned", "twice", "none"))
    if kind == "turned":
        table.reverse()
        turned = {
            name: value if name.startswith("scale") else value[::-1]
            for name, value in reference.items()
        }
        return "rows turned", changed(turned)
    if kind == "twice":
        table.add_row(table[0])
        return "a row twice", FREE
    table.remove_rows(slice(None))
    return "no rows", FREE


def _m_type(rng, table, reference):
    name = _column(table, pick(rng, ("mass", "mass_errp")))
    table[name] = u.Quantity(np.asarray(table[name].value, np.float32), u.solMass, dtype=np.float32)
    return f"{name} single", changed({}, rtol=2e-7)


_MASSES = (
    *(_m_number, _m_number, _m_unit, _m_unit, _m_lost, _m_text, _m_flag, _m_meta, _m_meta),
    *(_m_rows, _m_type),
)


# Rows that are weighed


def _weigh(sample, method="scaling"):
    table = estimate_masses(sample, method)
    masses = masses_of(table, method)
    return {
        "mass": masses.mass,
        "errn": masses.errn,
        "errp": masses.errp,
        "flagged": masses.flag != 0,
    }


@functools.cache
def _weighed():
    return _weigh(_sample())


def estimate_case(rng, folder):
    """A sample with an odd row, which is weighed: flagged or refused, and the others as before."""
    reference, row = _weighed(), int(rng.integers(3))
    table = _sample().table.copy()
    name = pick(rng, ("redshift", "y5r500", "y5r500_err", "position", "order", "part", "single"))
    if name in ("order", "part"):
        rows = rng.permutation(3) if name == "order" else [row]
        sample = ClusterSample(table[rows])
        expected = changed({key: value[rows] for key, value in reference.items()}, rtol=0)
        return Case(f"rows {name}", expected, lambda: _weigh(sample), reference)
    if name == "single":
        values = np.asarray(table["redshift"], dtype=np.float32)
        table["redshift"] = values
        return Case("redshift single", changed({}, rtol=1e-5), lambda: _made(table), reference)
    value = pick(rng, (0.0, -0.5, 1e-12, 99.0, 1e300, np.nan, np.inf, -np.inf, 1e-300, 12.0))
    if name == "position":
        ra = np.array(table["coord"].icrs.ra.deg)
        ra[row] = np.nan
        table["coord"] = SkyCoord(ra, table["coord"].icrs.dec.deg, unit="deg")
        return Case("position NaN", FREE, lambda: _made(table), reference)
    column = table[name]
    unit = getattr(column, "unit", None)
    values = np.array(_sample().quantity(name).value if unit else _sample().redshift)
    values[row] = value
    table[name] = u.Quantity(values, unit) if unit else MaskedColumn(values, mask=np.isnan(values))

    def test(found):
        others = np.arange(3) != row
        same = all(np.array_equal(found[k][others], reference[k][others]) for k in reference)
        mass = found["mass"][row]
        # Either it is flagged, or the mass is one that a cluster can have.
        return same and bool(found["flagged"][row] or 1e12 < mass < 1e16)

    expected = changed(test, refused=True)
    return Case(f"{name} {value}", expected, lambda: _made(table), reference)


def _made(table):
    return _weigh(ClusterSample(QTable(table)))
