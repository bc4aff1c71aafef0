"""The meta-catalogue of X-ray detected clusters of galaxies (MCXC)."""

from szmass.catalogs.core import Catalog, CatalogColumn, register_catalog

__all__ = ["MCXCCatalog"]


@register_catalog
class MCXCCatalog(Catalog):
    """MCXC: 1743 X-ray clusters with luminosities and masses brought to one scale.

    Its forms are the CDS file ``mcxc.dat`` with its ReadMe, VizieR's table, and what `write`
    writes.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with the published columns or with ours.

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
    """

    tag = "mcxc"
    description = "Meta-catalogue of X-ray detected clusters"
    vizier_id = "J/A+A/534/A109/mcxc"
    expected_rows = 1743
    references = ("2011A&A...534A.109P",)
    download_page = "https://cdsarc.cds.unistra.fr/ftp/J/A+A/534/A109/ (mcxc.dat and ReadMe)"
    columns = (
        CatalogColumn(
            name="name", vizier=("MCXC",), dtype="str", required=True, description="Name"
        ),
        CatalogColumn(
            name="other_name",
            vizier=("OName",),
            dtype="str",
            description="Name in the input catalogue",
        ),
        CatalogColumn(
            name="alternative_names",
            vizier=("AName",),
            dtype="str",
            description="Further names, separated by commas",
        ),
        CatalogColumn(
            name="ra",
            vizier=("RAdeg", "_RA", "_RAJ2000", "RAJ2000"),
            unit="deg",
            required=True,
            description="Right ascension (J2000)",
        ),
        CatalogColumn(
            name="dec",
            vizier=("DEdeg", "_DE", "_DEJ2000", "DEJ2000"),
            unit="deg",
            required=True,
            description="Declination (J2000)",
        ),
        CatalogColumn(name="redshift", vizier=("z",), required=True, description="Redshift"),
        CatalogColumn(name="survey", vizier=("Cat",), dtype="str", description="Input catalogue"),
        CatalogColumn(
            name="l500",
            vizier=("L500",),
            unit="erg/s",
            published_unit="1e37 W",
            description="Luminosity inside R500, 0.1-2.4 keV",
        ),
        CatalogColumn(
            name="m500",
            vizier=("M500",),
            unit="solMass",
            published_unit="1e14 solMass",
            description="M500c from the luminosity, H0 = 70, Om0 = 0.3",
        ),
        CatalogColumn(name="r500", vizier=("R500",), unit="Mpc", description="R500c"),
        CatalogColumn(name="notes", vizier=("Notes",), dtype="str", description="Notes"),
    )
