"""Weak-lensing masses of PSZ2 clusters (Sereno et al. 2017)."""

from szmass.catalogs.core import register_catalog
from szmass.catalogs.lensing._columns import layout
from szmass.catalogs.lensing.core import PublishedLensingTable

__all__ = ["Sereno2017Table"]


@register_catalog
class Sereno2017Table(PublishedLensingTable):
    """PSZ2LenS: weak-lensing masses of 35 PSZ2 clusters in CFHTLenS and RCSLenS.

    VizieR is not known to carry the table; newer versions of `~szmass.catalogs.LC2Table` have its
    masses. `read` takes the table typed in as CSV, or any form with units, with the columns
    ``cluster``, ``ra_deg``, ``dec_deg``, ``z``, ``M200c``, ``e_M200c``, ``M500c``, ``e_M500c``;
    masses in 1e14 solMass.

    Notes
    -----
    The masses are from NFW fits, for H0 = 70, Om0 = 0.3. No copy of the table was at hand
    when this was written.

    References
    ----------
    Sereno et al. 2017, MNRAS 472, 1946.
    """

    tag = "sereno2017"
    description = "PSZ2LenS, weak-lensing masses of PSZ2 clusters (Sereno et al. 2017)"
    expected_rows = 35
    references = ("2017MNRAS.472.1946S",)
    download_page = "https://arxiv.org/abs/1703.06886"
    cosmology = "PSZ2"
    columns, mass_columns = layout(("200c", "500c"))
