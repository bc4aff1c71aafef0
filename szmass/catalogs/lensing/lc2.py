"""The literature catalogue of weak-lensing clusters LC2 (Sereno 2015)."""

from szmass.catalogs.core import CatalogColumn, register_catalog
from szmass.catalogs.lensing.core import MassColumn, PublishedLensingTable

__all__ = ["LC2Table"]

_COMMON = {"unit": "solMass", "published_unit": "1e14 solMass"}


def _mass(name, published):
    return (
        CatalogColumn(name=name, vizier=(published,), description=f"Mass {name[1:]}", **_COMMON),
        CatalogColumn(
            name=f"{name}_err",
            vizier=(f"e_{published}",),
            description=f"Error of {name}",
            **_COMMON,
        ),
    )


@register_catalog
class LC2Table(PublishedLensingTable):
    """LC2-single: published weak-lensing masses, one per cluster, brought to one cosmology.

    Its forms are VizieR's table ``single`` of J/MNRAS/450/3665, 505 clusters, and what `write`
    writes.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with the published columns or with ours.

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
    download_page = "https://cdsarc.cds.unistra.fr/ftp/J/MNRAS/450/3665/"
    cosmology = "PSZ2"
    columns = (
        CatalogColumn(
            name="name", vizier=("Name",), dtype="str", required=True, description="Name"
        ),
        CatalogColumn(
            name="ned_name",
            vizier=("NameNED",),
            dtype="str",
            description="Name in the NASA/IPAC database",
        ),
        CatalogColumn(
            name="ra",
            vizier=("RAJ2000", "_RAJ2000", "_RA", "RAdeg"),
            unit="deg",
            published_unit="deg",
            description="Right ascension (J2000)",
        ),
        CatalogColumn(
            name="dec",
            vizier=("DEJ2000", "_DEJ2000", "_DE", "DEdeg"),
            unit="deg",
            published_unit="deg",
            description="Declination (J2000)",
        ),
        CatalogColumn(name="redshift", vizier=("z",), description="Redshift"),
        *_mass("m500c", "M500"),
        *_mass("m200c", "M200"),
        CatalogColumn(name="author", vizier=("Author",), dtype="str", description="Authors"),
        CatalogColumn(
            name="bibcode", vizier=("BibCode",), dtype="str", description="Paper of the mass"
        ),
    )
    mass_columns = tuple(
        MassColumn(name=name, definition=name[1:], errn=f"{name}_err", errp=f"{name}_err")
        for name in ("m500c", "m200c")
    )
