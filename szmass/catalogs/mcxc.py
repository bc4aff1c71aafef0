"""The meta-catalogue of X-ray detected clusters of galaxies (MCXC), both releases."""

from szmass.catalogs._columns import with_prefix
from szmass.catalogs.core import Catalog, catalog_columns, register_catalog

__all__ = ["MCXCCatalog", "MCXCIICatalog"]


@register_catalog
class MCXCCatalog(Catalog):
    """MCXC: 1743 X-ray clusters with luminosities and masses brought to one scale.

    Its forms are the CDS file ``mcxc.dat`` with its ReadMe, VizieR's table, and what `write`
    writes.

    Notes
    -----
    ``name`` is "J0000.1+0816" as in the column ``mcxc`` of PSZ2; ``other_name`` and
    ``alternative_names`` (separated by commas) are good for matching by name.

    ``m500`` is M500c from the luminosity by the L-M relation of REXCESS, for H0 = 70, Om0 = 0.3;
    the table has no errors of it. The labels of VizieR's own table could not be checked, apart
    from those of the CDS file.

    References
    ----------
    Piffaretti et al. 2011, A&A 534, A109.

    Examples
    --------
    >>> from szmass.catalogs import MCXCCatalog
    >>> sample = MCXCCatalog.fetch().sample(redshift=(0, 0.5))  # doctest: +SKIP
    >>> MCXCCatalog.expected_rows
    1743
    """

    tag = "mcxc"
    description = "Meta-catalogue of X-ray detected clusters"
    vizier_id = "J/A+A/534/A109/mcxc"
    expected_rows = 1743
    published_rows = 1743
    published = (
        ("ra", 1743, 180.5896),
        ("dec", 1743, 7.58569),
        ("redshift", 1743, 0.1774748),
        ("l500", 1743, 2.107255e44),
        ("m500", 1743, 2.283651e14),
        ("r500", 1743, 0.8080381),
    )
    references = ("2011A&A...534A.109P",)
    aliases = ("other_name", "alternative_names")
    download_page = "https://cdsarc.cds.unistra.fr/ftp/J/A+A/534/A109/ (mcxc.dat and ReadMe)"
    columns = catalog_columns(
        """
        name               MCXC                        str
        other_name         OName                       str      Name in the input catalogue
        alternative_names  AName                       str      Further names, separated by commas
        ra                 RAdeg _RA _RAJ2000 RAJ2000  deg      Right ascension (J2000)
        dec                DEdeg _DE _DEJ2000 DEJ2000  deg      Declination (J2000)
        redshift           z                           float
        survey             Cat                         str      Input catalogue
        l500               L500                        erg/s    Luminosity inside R500, 0.1-2.4 keV
        m500               M500                        solMass  M500c from the luminosity, H0 = 70,
                                                                Om0 = 0.3
        r500               R500                        Mpc      R500c
        notes              Notes                       str      Notes
        """,
        required=("name", "ra", "dec", "redshift"),
        published_units={"erg/s": "1e37 W", "solMass": "1e14 solMass"},
    )


@register_catalog
class MCXCIICatalog(Catalog):
    """MCXC-II: 2221 X-ray clusters, the second release.

    Its forms are VizieR's table, the FITS file of the M2C database, and what `write` writes.

    Notes
    -----
    ``m500`` is M500c from the luminosity. Its errors stand in the FITS file alone and are masked
    for tables from VizieR; ``other_name`` and ``r500`` are masked for the FITS file.

    No file of it was at hand when this was written. The number of rows is that of the ReadMe, the
    labels are those that public programs read from the two forms. The luminosities and the
    membership in the input catalogues are left out, since how they are called could not be seen.

    References
    ----------
    Sadibekova et al. 2024, A&A 688, A187.
    """

    tag = "mcxc2"
    description = "Meta-catalogue of X-ray detected clusters, second release"
    vizier_id = "J/A+A/688/A187/mcxcii"
    expected_rows = 2221
    references = ("2024A&A...688A.187S",)
    aliases = ("other_name",)
    unitless_forms = ("fits",)
    columns = catalog_columns(
        """
        name           NAME MCXC      str
        other_name     OName          str      Name in the input catalogue
        ra             RAJ2000 RAdeg  deg      Right ascension (J2000)
        dec            DEJ2000 DEdeg  deg      Declination (J2000)
        redshift       Z z            float
        redshift_type  Z_TYPE         str      How the redshift was measured
        m500           M500           solMass  M500c from the luminosity
        m500_errn      ERRMM500       solMass
        m500_errp      ERRPM500       solMass
        r500           R500           Mpc      R500c
        """,
        required=("name", "ra", "dec", "redshift"),
        optional=("other_name", "redshift_type", "m500_errn", "m500_errp", "r500"),
        missing={"m500_errn": 0, "m500_errp": 0},
        published_units={"solMass": "1e14 solMass"},
    )

    @classmethod
    def _prepare(cls, table):
        return with_prefix(table, "MCXC", "MCXC ")
