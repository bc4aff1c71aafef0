"""Masses of CLASH from weak and strong lensing (Umetsu et al. 2014, 2016)."""

from astropy.cosmology import FlatLambdaCDM

from szmass.catalogs.core import register_catalog
from szmass.catalogs.lensing._columns import layout
from szmass.catalogs.lensing.core import PublishedLensingTable

__all__ = ["Umetsu2014Table", "Umetsu2016Table"]

_COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.27, Tcmb0=0, Ob0=0.05, name="CLASH")


@register_catalog
class Umetsu2014Table(PublishedLensingTable):
    """Masses of 20 CLASH clusters from weak-lensing shear and magnification.

    VizieR does not carry the table, which is table 6 of the paper. `read` takes it typed in as
    CSV, or any form with units, with the columns ``cluster``, ``z``, ``ra_hms`` and ``dec_dms``
    (text, or ``ra_deg`` and ``dec_deg``), ``M200c``, ``e_M200c``, ``M500c``, ``e_M500c``; masses in
    1e14 solMass.

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
    cosmology = _COSMOLOGY
    columns, mass_columns = layout(("200c", "500c"), ra="ra_hms ra_deg", dec="dec_dms dec_deg")


@register_catalog
class Umetsu2016Table(PublishedLensingTable):
    """Masses of 20 CLASH clusters from strong lensing, shear and magnification.

    VizieR does not carry the table. `read` takes tables 2 and 3 of the paper joined, as CSV or
    any form with units, with the columns ``cluster``, ``subsample``, ``z``, ``ra_hms``,
    ``dec_dms``, ``M200c``, ``c200c``, ``M2500c``, ``M1000c``, ``M500c``, ``Mvir``, ``M100c``,
    ``M200m`` and the errors ``e_M200c`` and so on; masses in 1e14 solMass.

    Notes
    -----
    All masses are those of one NFW fit per cluster, for H0 = 70, Om0 = 0.27. ``subsample`` is X
    for clusters selected by regular X-ray emission, HM for those of high magnification.

    References
    ----------
    Umetsu et al. 2016, ApJ 821, 116, tables 2 and 3.
    """

    tag = "umetsu2016"
    description = "Masses of CLASH from strong and weak lensing (Umetsu et al. 2016)"
    expected_rows = 20
    references = ("2016ApJ...821..116U",)
    download_page = "https://arxiv.org/abs/1507.04385 (tables 2 and 3)"
    cosmology = _COSMOLOGY
    columns, mass_columns = layout(
        ("200c", "500c", "2500c", "1000c", "vir", "100c", "200m"),
        ra="ra_hms",
        dec="dec_dms",
        extra="subsample  subsample  str  X or HM\n"
        "c200c  c200c  float  Concentration\n"
        "c200c_err  e_c200c  float",
    )
