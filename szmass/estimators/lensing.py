"""Masses looked up in tables of weak-lensing masses."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from szmass.catalogs import crossmatch, load_lensing_table
from szmass.estimators.core import MassEstimator, register_estimator
from szmass.results import MassEstimates, MassFlag, masses_of, methods_of

__all__ = ["LensingMass"]


@register_estimator
@dataclass(kw_only=True, eq=False, repr=False)
class LensingMass(MassEstimator):
    """Look clusters up in a table of weak-lensing masses.

    Parameters
    ----------
    table : `~szmass.catalogs.LensingTable` or str or path-like, optional
        The table; a tag such as ``"lc2"``, to fetch it; or a file of a published table, with its
        tag before it where the columns do not tell it: ``"sereno2017:masses.csv"``. For a table of
        your own pass a `~szmass.catalogs.LensingTable`.
    radius : `~astropy.units.Quantity` or str, optional
        Largest distance between the positions.
    delta_redshift : float or None, optional
        Largest difference of the redshifts, None for any.
    by : {"position", "name", "position_or_name"}, optional
        What makes a match, see `~szmass.catalogs.crossmatch`.
    column : str, optional
        Which mass of the table; by default the one that the paper prefers.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        Cosmology that the masses are converted to; None leaves that of the table.
    concentration : str or float, optional
        Concentration for a change of definition, see `szmass.physics.convert_mass`.

    Notes
    -----
    Each cluster gets the nearest row of the table within the limits, whatever the other
    clusters of the sample are: two of them can get the same row. What has no match is flagged
    ``NO_MATCH``. ``meta`` says how masses were converted, see
    `LensingTable.masses <szmass.catalogs.LensingTable.masses>`.

    Errors are those of the table, without the scatter of 10 to 20 % that the lensing mass of a
    single cluster has because clusters are not spherical.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from szmass import ClusterSample
    >>> from szmass.catalogs import LensingTable
    >>> from szmass.estimators import LensingMass
    >>> rows = QTable({"name": ["A85", "A2142"], "redshift": [0.0555, 0.0894]})
    >>> rows["ra"], rows["dec"] = [10.460, 239.583] * u.deg, [-9.303, 27.233] * u.deg
    >>> sample = ClusterSample.from_table(rows)
    >>> rows["mass"] = [5.9, 9.4] * u.Unit("1e14 solMass")
    >>> rows["mass_err"] = [2.0, 2.0] * u.Unit("1e14 solMass")
    >>> lensing = LensingTable(rows, mass_definition="500c", cosmology="PSZ2")
    >>> table = LensingMass(table=lensing).predict(sample)
    >>> print(table["mass"].to("1e14 solMass").round(1))
    [5.9 9.4] 1e+14 solMass
    """

    tag = "lensing"
    description = "Weak-lensing masses looked up in a published table"
    kind = "lensing"
    mass_scale = "lensing"
    errors_hold = ("noise",)
    point_estimate = "published mass"

    table: object = "lc2"
    radius: object = "10 arcmin"
    delta_redshift: float | None = 0.03
    by: str = "position"
    column: str | None = None
    cosmology: object = None
    concentration: object = "diemer19"
    _fetched = None  # (tag, table), so that a server is asked once

    @property
    def needs(self):
        """What a cluster must have under the present options."""
        return frozenset() if self.delta_redshift is None else frozenset({"redshift"})

    def _masses(self):
        return self._loaded().masses(
            mass_definition=self.mass_definition,
            cosmology=self.cosmology,
            column=self.column,
            concentration=self.concentration,
        )

    def _loaded(self):
        if self._fetched is not None and self._fetched[0] == self.table:
            return self._fetched[1]
        loaded = load_lensing_table(self.table)
        if isinstance(self.table, str) and self.table == loaded.tag:
            self._fetched = self.table, loaded
        return loaded

    def _extra_meta(self, sample):
        about = dict(self._masses().meta)
        software, references = list(self.software), list(about.pop("references"))
        if about["published_definition"] != about.pop("mass_definition"):
            software.append("colossus")
            references += ["2019ApJ...871..168D"] if self.concentration == "diemer19" else []
        table = about.pop("catalog") or "LensingTable"
        if isinstance(self.table, str | os.PathLike):
            table = Path(self.table).name
        return {"table": table, **about, "references": references, "software": software}

    def _weigh(self, sample):
        masses = self._masses()
        # Only what matching needs: the sample may have columns that cannot be masked.
        rows = sample.table["name", "coord", "redshift"]
        rows.meta = {}
        rows["row"] = np.arange(len(rows))
        masses["index"] = np.arange(len(masses))
        matches = crossmatch(
            rows,
            masses,
            radius=self.radius,
            delta_redshift=self.delta_redshift,
            by=self.by,
            mode="nearest",
        )
        found = np.full(len(sample), -1)
        found[np.asarray(matches["a_row"])] = np.asarray(matches["b_index"])
        matched = found >= 0
        estimates = MassEstimates.unknown(np.where(matched, 0, MassFlag.NO_MATCH))
        (method,) = methods_of(masses)
        published = masses_of(masses, method)
        estimates.put(
            matched,
            MassEstimates(
                *(getattr(published, n)[found[matched]] for n in ("mass", "errn", "errp"))
            ),
        )
        known = np.isfinite(estimates.mass)
        estimates.flag[matched & ~known] |= MassFlag.NO_MEASUREMENT
        unsure = ~(np.isfinite(estimates.errn) & np.isfinite(estimates.errp))
        estimates.flag[known & unsure] |= MassFlag.NO_ERROR
        return estimates
