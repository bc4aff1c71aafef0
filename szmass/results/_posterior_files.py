"""Files of posteriors: one row per cluster with its density, the grid and the prior in ``meta``."""

import numpy as np
from astropy.table import MaskedColumn, QTable

from szmass._io.tables import read_table
from szmass._utils.quantities import as_floats
from szmass.exceptions import FileFormatError

__all__ = ["from_table", "read_posterior", "to_table"]

_KIND = "LogMassPosterior"
_SCHEMA_VERSION = 1


def to_table(posterior):
    """Give a posterior as a table that ECSV, FITS and VOTable hold."""
    table = QTable()
    table["name"] = posterior.names
    table["redshift"] = MaskedColumn(posterior.redshift, mask=np.isnan(posterior.redshift))
    table["flag"] = posterior.flag
    if len(posterior):  # ECSV cannot read empty columns of several numbers in a row
        table["density"] = posterior.density
        table[
            "density"
        ].info.description = (
            "Density of log10(M500c / Msun) [1/dex] on the grid log10_mass of the meta"
        )
    table.meta = {
        "kind": _KIND,
        "schema_version": _SCHEMA_VERSION,
        "log10_mass": posterior.log10_mass.tolist(),
        "about": dict(posterior.meta),
    }
    known = np.flatnonzero(~np.isnan(posterior.prior[:, 0]))
    first = posterior.prior[known[:1]]
    if np.array_equal(posterior.prior[known], np.repeat(first, len(known), axis=0)):
        flat = np.ones(len(posterior.log10_mass))
        table.meta["prior"] = (first[0] if len(known) else flat).tolist()
    else:
        table["prior"] = posterior.prior
    return table


def read_posterior(path, format):
    """Read the arguments of a posterior, by name."""
    return from_table(read_table(path, format=format), str(path))


def from_table(table, where):
    """Give the arguments of a posterior, by name."""
    meta = table.meta
    lost = {"name", "redshift", "flag", "density"} - set(table.colnames)
    lost -= set() if len(table) else {"density"}
    if meta.get("kind") != _KIND or lost or "log10_mass" not in meta:
        raise FileFormatError(
            f"{where!r} holds no posteriors: those that LogMassPosterior.write writes have "
            "the columns name, redshift, flag and density, and the grid in their meta."
        )
    if meta.get("schema_version", 0) > _SCHEMA_VERSION:
        raise FileFormatError(
            f"{where!r} has the schema version {meta['schema_version']}; this szmass knows up to "
            f"{_SCHEMA_VERSION}. Update szmass."
        )
    redshift = np.ma.filled(np.ma.asarray(table["redshift"], dtype=float), np.nan)
    density = np.empty((0, len(meta["log10_mass"])))
    if len(table):
        density = as_floats(table["density"], "", "density").reshape(len(table), -1)
    prior = table["prior"] if "prior" in table.colnames else None
    return {
        "log10_mass": np.array(meta["log10_mass"], dtype=float),
        "density": density,
        "prior": np.array(meta["prior"]) if prior is None else as_floats(prior, "", "prior"),
        "names": np.array(table["name"], dtype=str),
        "redshift": redshift,
        "flag": np.array(table["flag"], dtype=int),
        "meta": meta["about"],
    }
