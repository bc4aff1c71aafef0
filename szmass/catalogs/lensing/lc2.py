"""The literature catalogue of weak-lensing clusters LC2 (Sereno 2015)."""

from szmass.catalogs.core import catalog_columns, register_catalog
from szmass.catalogs.lensing._columns import symmetric_masses
from szmass.catalogs.lensing.core import PublishedLensingTable

__all__ = ["LC2Table"]


@register_catalog
class LC2Table(PublishedLensingTable):
    """LC2-single: published weak-lensing masses, one per cluster, brought to one cosmology.

    Its forms are VizieR's table ``single`` of J/MNRAS/450/3665, 505 clusters, and what `write`
    writes.

    Notes
    -----
    The masses are for H0 = 70, Om0 = 0.3. They come from many papers and methods, given by
    ``author`` and ``bibcode``, and differ systematically from paper to paper by up to 40 %: cite
    them, and select by them.

    No copy of the table was at hand when this was written. Of VizieR's labels the names, the
    redshift, author and bibcode are known, those of the masses are not.

    References
    ----------
    Sereno 2015, MNRAS 450, 3665.
    """

    tag = "lc2"
    description = "LC2, a compilation of weak-lensing masses (Sereno 2015)"
    vizier_id = "J/MNRAS/450/3665/single"
    expected_rows = 505
    references = ("2015MNRAS.450.3665S",)
    aliases = ("ned_name",)
    cosmology = "PSZ2"
    columns = catalog_columns(
        """
        name       Name                        str
        ned_name   NameNED                     str      Name in the NASA/IPAC database
        ra         RAJ2000 _RAJ2000 _RA RAdeg  deg      Right ascension (J2000)
        dec        DEJ2000 _DEJ2000 _DE DEdeg  deg      Declination (J2000)
        redshift   z                           float
        m500c      M500                        solMass  Mass 500c
        m500c_err  e_M500                      solMass
        m200c      M200                        solMass  Mass 200c
        m200c_err  e_M200                      solMass
        author     Author                      str      Authors
        bibcode    BibCode                     str      Paper of the mass
        """,
        required=("name",),
        published_units={"deg": "deg", "solMass": "1e14 solMass"},
    )
    mass_columns = symmetric_masses(("500c", "200c"))
