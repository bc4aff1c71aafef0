"""Differences of the masses of two methods, per redshift bin, as in the published Table 1."""

import itertools

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass._tables.columns import column_parts
from szmass._utils.kinds import check_kind
from szmass._utils.quantities import as_doubles, as_floats
from szmass.exceptions import InvalidInputError

__all__ = ["REDSHIFT_BINS", "format_difference_table", "relative_difference_table"]

#: Edges of the redshift bins of de Andres et al. (2022); bins hold their upper edge.
REDSHIFT_BINS = (0.0, 0.1, 0.2, 0.4, 1.0)


def relative_difference_table(
    mass_a, mass_b, redshift, *, redshift_bins=REDSHIFT_BINS, log_mass_above=14.7, ddof=1
):
    """Compute mean and scatter of (M_a - M_b) / M_a per redshift bin.

    Parameters
    ----------
    mass_a, mass_b : `~astropy.units.Quantity`, shape (N,)
        The masses of the same clusters by two methods. Where one of them is NaN or masked the
        cluster is left out.
    redshift : array-like, shape (N,)
        The redshifts; NaN or masked ones are left out.
    redshift_bins : sequence of float, optional
        Edges of the bins, increasing; a bin holds its upper edge and not its lower one.
    log_mass_above : float, optional
        The columns ``*_massive`` are for clusters with log10(M_a / solMass) above this.
    ddof : int, optional
        The standard deviation divides by N - ``ddof``. The published numbers come out with 1.

    Returns
    -------
    `~astropy.table.QTable`
        One row per bin and a last one for all of them: ``redshift_min``, ``redshift_max``, and
        for all clusters ``n``, ``mean``, ``std``, ``median``, then the same for the massive
        ones: ``n_massive``, ``mean_massive``, ``std_massive``, ``median_massive``. NaN in empty
        bins. ``meta`` has the arguments, and how many clusters were left out: ``n_invalid`` for
        unknown masses or redshifts, ``n_outside`` for redshifts outside all bins.

    Raises
    ------
    InvalidInputError
        The arrays differ in length, a mass is not positive, or the edges do not increase.
    InvalidUnitError
        A mass has no unit of mass.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325, Table 1.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.comparison import relative_difference_table
    >>> cnn = [2.5, 4.4, 6.0] * u.Unit("1e14 solMass")
    >>> msz = [2.4, 3.6, 5.4] * u.Unit("1e14 solMass")
    >>> table = relative_difference_table(cnn, msz, [0.05, 0.15, 0.18])
    >>> print(table["n", "mean"][-1]["mean"].round(3))
    0.107
    """
    edges = np.asarray(redshift_bins, dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise InvalidInputError(
            f"'redshift_bins' must be at least two increasing edges. Received: {redshift_bins!r}"
        )
    a = as_floats(mass_a, u.solMass, "mass_a", positive=True)
    b = as_floats(mass_b, u.solMass, "mass_b", positive=True)
    values, mask, _ = column_parts(redshift)
    z = np.where(mask, np.nan, as_doubles(values))
    if not a.shape == b.shape == z.shape or a.ndim != 1:
        raise InvalidInputError(
            "'mass_a', 'mass_b' and 'redshift' must be arrays of one length. Received shapes: "
            f"{a.shape}, {b.shape}, {z.shape}"
        )
    known = np.isfinite(a) & np.isfinite(b) & np.isfinite(z)
    inside = known & (z > edges[0]) & (z <= edges[-1])
    difference = (a[inside] - b[inside]) / a[inside]
    massive = np.log10(a[inside]) > log_mass_above
    z = z[inside]

    rows = []
    for low, high in [*itertools.pairwise(edges), (edges[0], edges[-1])]:
        in_bin = (z > low) & (z <= high)
        rows.append(
            {
                "redshift_min": low,
                "redshift_max": high,
                **_statistics(difference[in_bin], ddof, ""),
                **_statistics(difference[in_bin & massive], ddof, "_massive"),
            }
        )
    table = QTable(rows=rows)
    table.meta = {
        "difference": "(mass_a - mass_b) / mass_a",
        "log_mass_above": float(log_mass_above),
        "ddof": int(ddof),
        "n_invalid": int(np.count_nonzero(~known)),
        "n_outside": int(np.count_nonzero(known & ~inside)),
    }
    return table


def _statistics(values, ddof, suffix):
    n = len(values)
    results = {
        "n": n,
        "mean": values.mean() if n else np.nan,
        "std": values.std(ddof=ddof) if n > ddof else np.nan,
        "median": np.median(values) if n else np.nan,
    }
    return {name + suffix: value for name, value in results.items()}


def format_difference_table(table, *, digits=3):
    """Lay a table of relative differences out as the published one.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        From `relative_difference_table`.
    digits : int, optional
        Digits after the point.

    Returns
    -------
    str
        Lines of bin, N, mean +- standard deviation, for all and for massive clusters.

    Raises
    ------
    InvalidInputError
        The table is another one.

    Examples
    --------
    >>> import astropy.units as u
    >>> from szmass.comparison import format_difference_table, relative_difference_table
    >>> cnn = [2.5, 4.4, 6.0, 5.5, 8.0] * u.Unit("1e14 solMass")
    >>> msz = [2.4, 3.6, 5.4, 4.8, 6.6] * u.Unit("1e14 solMass")
    >>> table = relative_difference_table(cnn, msz, [0.05, 0.15, 0.18, 0.3, 0.5])
    >>> print(format_difference_table(table))
             z      N              all      N   log10 M > 14.7
         0-0.1      1     0.040 +- nan      0       nan +- nan
       0.1-0.2      2   0.141 +- 0.058      1     0.100 +- nan
       0.2-0.4      1     0.127 +- nan      1     0.127 +- nan
         0.4-1      1     0.175 +- nan      1     0.175 +- nan
           0-1      5   0.125 +- 0.058      3   0.134 +- 0.038
    """
    if "log_mass_above" not in check_kind(table, "Table", "table").meta:
        raise InvalidInputError(
            "'table' must be one that relative_difference_table gave. Received: a table with the "
            f"columns {', '.join(table.colnames)}"
        )
    above = f"log10 M > {table.meta['log_mass_above']:g}"
    width = 2 * digits + 10
    lines = [f"{'z':>10}  {'N':>5} {'all':>{width}}  {'N':>5} {above:>{width}}"]
    for row in table:
        span = f"{row['redshift_min']:g}-{row['redshift_max']:g}"
        cells = [
            f"{row['n' + suffix]:>5} "
            + f"{row['mean' + suffix]:.{digits}f} +- {row['std' + suffix]:.{digits}f}".rjust(width)
            for suffix in ("", "_massive")
        ]
        lines.append(f"{span:>10}  {'  '.join(cells)}")
    return "\n".join(lines)
