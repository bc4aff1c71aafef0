"""Weak-lensing masses of CLASH (Umetsu et al. 2014)."""

from astropy.cosmology import FlatLambdaCDM

from szmass.catalogs.core import register_catalog
from szmass.catalogs.lensing._columns import layout
from szmass.catalogs.lensing.core import PublishedLensingTable

__all__ = ["Umetsu2014Table"]


@register_catalog
class Umetsu2014Table(PublishedLensingTable):
    """Masses of 20 CLASH clusters from weak-lensing shear and magnification.

    VizieR does not carry the table, which is table 6 of the paper. `read` takes it typed in as
    CSV, or any form with units, with the columns ``cluster``, ``z``, ``ra_hms`` and ``dec_dms``
    (text, or ``ra_deg`` and ``dec_deg``), ``M200c``, ``e_M200c``, ``M500c``, ``e_M500c``; masses in
    1e14 solMass.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with these columns or with ours.

    Notes
    -----
    The masses are from NFW fits, for H0 = 70, Om0 = 0.27. No copy of the table was at hand
    when this was written: definition, cosmology and unit are those of the later paper of the
    same sample, `~szmass.catalogs.Umetsu2016Table`, and have to be compared with the paper.

    References
    ----------
    Umetsu et al. 2014, ApJ 795, 163.
    """

    tag = "umetsu2014"
    description = "Weak-lensing masses of CLASH (Umetsu et al. 2014)"
    expected_rows = 20
    references = ("2014ApJ...795..163U",)
    download_page = "https://arxiv.org/abs/1404.1375 (table 6)"
    cosmology = FlatLambdaCDM(H0=70, Om0=0.27, Tcmb0=0, Ob0=0.05, name="CLASH")
    columns, mass_columns = layout(("200c", "500c"), ra="ra_hms ra_deg", dec="dec_dms dec_deg")
