"""1-b of the literature, to hold one's own beside it."""

import numpy as np
from astropy.table import MaskedColumn, QTable

from szmass.comparison.regression import RelationFit
from szmass.exceptions import InvalidInputError, UnknownNameError

__all__ = ["published_one_minus_b"]

# name, label, 1-b, errors down and up, clusters, what stands for the true mass, what is assumed,
# bibcode. Where statistical and systematic errors are apart, they are added in quadrature.
_PUBLISHED = (
    ("wtg2014", "WtG (von der Linden 2014)", 0.69, 0.07, 0.07, None, "weak lensing",
     "MSZ; X-ray selected lenses, NFW of a given concentration", "2014MNRAS.443.1973V"),
    ("cccp2015", "CCCP (Hoekstra 2015)", 0.76, 0.078, 0.078, None, "weak lensing",
     "MSZ; X-ray selected lenses, aperture masses; errors .05 and .06", "2015MNRAS.449..685H"),
    ("locuss2016", "LoCuSS (Smith 2016)", 0.95, 0.04, 0.04, None, "weak lensing",
     "MSZ; X-ray luminosity selected, z = 0.15-0.3", "2016MNRAS.456L..74S"),
    ("clash2017", "CLASH (Penna-Lima 2017)", 0.73, 0.10, 0.10, 21, "weak and strong lensing",
     "MSZ; prior of 8 % on the bias of lensing, selection modelled", "2017A&A...604A..89P"),
    ("psz2lens2017", "PSZ2LenS (Sereno 2017)", 0.73, 0.136, 0.136, 35, "weak lensing",
     "MSZ; SZ selected, NFW; errors .11 and .08", "2017MNRAS.472.1946S"),
    ("hsc2018", "HSC (Medezinski 2018)", 0.80, 0.14, 0.14, 5, "weak lensing",
     "MSZ; SZ selected, mass of the stacked profile", "2018PASJ...70S..28M"),
    ("herbonnet2020", "CCCP + MENeaCS (Herbonnet 2020)", 0.84, 0.04, 0.04, None, "weak lensing",
     "MSZ; X-ray selected lenses, aperture masses", "2020MNRAS.497.4684H"),
    ("planck2015-cmb", "CMB lensing (Planck XXIV)", 1.01, 0.163, 0.24, None, "CMB lensing",
     "MSZ; published as 1/(1-b) = 0.99 +- 0.19", "2016A&A...594A..24P"),
    ("zubeldia2019", "CMB lensing (Zubeldia 2019)", 0.71, 0.10, 0.10, 433, "CMB lensing",
     "MSZ; with the number counts", "2019MNRAS.489..401Z"),
    ("amodeo2017", "Dispersions (Amodeo 2017)", 0.64, 0.11, 0.11, 17, "galaxy velocities",
     "MSZ; velocity bias of galaxies from simulations", "2017ApJ...844..101A"),
    ("salvati2019", "Counts and CMB (Salvati 2019)", 0.62, 0.05, 0.05, None, "primary CMB",
     "MSZ; what the number counts need in the cosmology of the CMB", "2019A&A...626A..27S"),
    ("aymerich2024-chandra", "Chandra (Aymerich 2024)", 0.89, 0.04, 0.04, None, "weak lensing",
     "Y-M relation from hydrostatic masses of Chandra", "2024A&A...690A.238A"),
    ("aymerich2024-xmm", "XMM-Newton (Aymerich 2024)", 0.76, 0.04, 0.04, None, "weak lensing",
     "Y-M relation from hydrostatic masses of XMM-Newton", "2024A&A...690A.238A"),
    ("aymerich2025", "Chandra and DES (Aymerich 2025)", 0.844, 0.062, 0.055, None,
     "weak lensing", "Y-M relation of Chandra; shear of DES, with the number counts and BAO",
     "2025arXiv250902068A"),
)  # fmt: skip


def published_one_minus_b(fit=None, *, names=None):
    """Give published values of 1-b, the ratio of SZ masses of Planck clusters to true ones.

    Parameters
    ----------
    fit : RelationFit, optional
        One's own, from `fit_mass_ratio`, to hold beside them.
    names : sequence of str, optional
        Only these, in this order; by default all, by year.

    Returns
    -------
    `~astropy.table.QTable`
        A row for each, with ``name``, ``label``, ``one_minus_b``, ``errn``, ``errp`` (68 %),
        ``n`` (clusters, masked where not known here), ``true_mass`` (what stands for it),
        ``assumes`` (whose masses are compared, and how) and ``reference`` (ADS bibcode). With a
        ``fit`` also ``deviation``: its value less the published one, over the errors of both.

    Raises
    ------
    UnknownNameError
        There is no such name.
    InvalidInputError
        ``fit`` is none, or not of a ratio of masses.

    Notes
    -----
    The values are not independent: samples overlap, and most are about the same MSZ. They differ in
    what they call the SZ mass: one from a relation calibrated with Chandra is larger by a sixth
    than one from XMM-Newton, and so is its 1-b.

    Those of ``wtg2014``, ``locuss2016``, ``herbonnet2020`` and ``planck2015-cmb`` were not compared
    with the papers when this was written; of papers that give two errors the two are added in
    quadrature.

    Errors of `fit_mass_ratio` are statistical; those of lensing masses that all clusters share,
    5 to 10 %, come on top of ``deviation``.

    References
    ----------
    In the column ``reference``; see `szmass.cite`.

    Examples
    --------
    >>> from szmass.comparison import published_one_minus_b
    >>> names = ["cccp2015", "aymerich2024-xmm", "aymerich2024-chandra"]
    >>> table = published_one_minus_b(names=names)
    >>> print(table["label", "one_minus_b", "errp"])
              label            one_minus_b  errp
    -------------------------- ----------- -----
          CCCP (Hoekstra 2015)        0.76 0.078
    XMM-Newton (Aymerich 2024)        0.76  0.04
       Chandra (Aymerich 2024)        0.89  0.04
    """
    known = {row[0]: row for row in _PUBLISHED}
    names = list(known) if names is None else ([names] if isinstance(names, str) else list(names))
    if lost := [name for name in names if name not in known]:
        raise UnknownNameError(
            f"No published 1-b is called {lost[0]!r}. Known: {', '.join(known)}."
        )
    rows = [known[name] for name in names]
    columns = list(zip(*rows, strict=True)) or [()] * 9
    table = QTable()
    table["name"], table["label"] = (np.array(columns[i], dtype=str) for i in (0, 1))
    for i, name in enumerate(("one_minus_b", "errn", "errp"), start=2):
        table[name] = np.array(columns[i], dtype=float)
    table["n"] = MaskedColumn([n or 0 for n in columns[5]], mask=[n is None for n in columns[5]])
    for i, name in enumerate(("true_mass", "assumes", "reference"), start=6):
        table[name] = np.array(columns[i], dtype=str)
    if fit is not None:
        table["deviation"] = _deviation(fit, table)
        table["deviation"].info.format = ".2f"
    table.meta["references"] = list(dict.fromkeys(table["reference"].tolist()))
    return table


def _deviation(fit, table):
    if not isinstance(fit, RelationFit) or not np.isscalar(fit.value):
        raise InvalidInputError(
            f"'fit' must be a RelationFit of a ratio, from fit_mass_ratio. Received: {fit!r}"
        )
    difference = fit.value - table["one_minus_b"]
    above = difference > 0
    # Each error is the one on the side of the other value.
    own = np.where(above, fit.errn, fit.errp)
    theirs = np.where(above, table["errp"], table["errn"])
    return difference / np.hypot(own, theirs)
