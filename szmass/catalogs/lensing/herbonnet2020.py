"""Weak-lensing masses of CCCP and MENeaCS (Herbonnet et al. 2020)."""

from szmass.catalogs.core import catalog_columns, register_catalog
from szmass.catalogs.lensing._columns import symmetric_masses
from szmass.catalogs.lensing.core import MassColumn, PublishedLensingTable

__all__ = ["Herbonnet2020Table"]


@register_catalog
class Herbonnet2020Table(PublishedLensingTable):
    """Weak-lensing masses of 100 clusters at 0.02 < z < 0.6: CCCP and MENeaCS.

    VizieR is not known to carry the table; it is in the source of arXiv:1912.04414
    (``masses.tex``). `read` takes it as CSV, or any form with units, with the columns
    ``Cluster``, ``RA_BCG_deg``, ``Dec_BCG_deg``, ``z``, ``M200_NFW``, ``e_M200_NFW``, ``M500_NFW``,
    ``e_M500_NFW``, ``M500_ap``, ``M500_ap_em``, ``M500_ap_ep``, ``State``, ``survey``; masses in
    1e14 solMass.

    Notes
    -----
    The masses are for H0 = 70, Om0 = 0.3. The paper prefers ``m500c_aperture``, deprojected
    aperture masses, over ``m500c_nfw``, from NFW fits between 0.5 and 2 Mpc with the
    concentrations of Dutton & Maccio (2014).

    A115N/S and A223N/S are halves of clusters that SZ surveys do not resolve; the paper leaves
    them and A2163 out of its comparison with Planck. ``state`` is D for disturbed, R for
    relaxed.

    References
    ----------
    Herbonnet et al. 2020, MNRAS 497, 4684, tables 2 and 3.

    Examples
    --------
    >>> from szmass.catalogs import Herbonnet2020Table
    >>> lensing = Herbonnet2020Table.read("herbonnet2020.csv")  # doctest: +SKIP
    >>> masses = lensing.masses(mass_definition="500c", cosmology="PSZ2")  # doctest: +SKIP
    >>> [column.name for column in Herbonnet2020Table.mass_columns]
    ['m500c_aperture', 'm500c_nfw', 'm200c_nfw']
    """

    tag = "herbonnet2020"
    description = "Weak-lensing masses of CCCP and MENeaCS (Herbonnet et al. 2020)"
    expected_rows = 100
    references = ("2020MNRAS.497.4684H",)
    download_page = "https://arxiv.org/abs/1912.04414 (masses.tex of the source)"
    cosmology = "PSZ2"
    columns = catalog_columns(
        """
        name                 Cluster      str
        ra                   RA_BCG_deg   deg      Right ascension of the brightest galaxy
        dec                  Dec_BCG_deg  deg      Declination of the brightest galaxy
        redshift             z            float
        m500c_aperture       M500_ap      solMass  M500c, deprojected aperture mass
        m500c_aperture_errn  M500_ap_em   solMass  Error of m500c_aperture, downwards
        m500c_aperture_errp  M500_ap_ep   solMass  Error of m500c_aperture, upwards
        m500c_nfw            M500_NFW     solMass  M500c, NFW fit
        m500c_nfw_err        e_M500_NFW   solMass
        m200c_nfw            M200_NFW     solMass  M200c, NFW fit
        m200c_nfw_err        e_M200_NFW   solMass
        state                State        str      Dynamical state
        survey               survey       str      CCCP or MENeaCS
        """,
        required=("name", "redshift"),
        published_units={"deg": "deg", "solMass": "1e14 solMass"},
    )
    mass_columns = (
        MassColumn(
            name="m500c_aperture",
            definition="500c",
            errn="m500c_aperture_errn",
            errp="m500c_aperture_errp",
            method="deprojected aperture mass",
        ),
        *symmetric_masses(("500c", "200c"), suffix="_nfw", method="NFW fit, 0.5-2 Mpc"),
    )
