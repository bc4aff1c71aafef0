"""ComPRASS: clusters detected jointly in Planck's maps and the ROSAT all-sky survey."""

from szmass.catalogs.core import Catalog, catalog_columns, register_catalog

__all__ = ["ComPRASSCatalog"]


@register_catalog
class ComPRASSCatalog(Catalog):
    """ComPRASS: 2323 candidates from Planck and ROSAT together, 1597 of them known clusters.

    Its forms are VizieR's table and what `write` writes.

    Notes
    -----
    Where a redshift is known, the candidate was identified with a cluster of another catalogue.

    No file of it was at hand when this was written: number and selection are those of the
    ReadMe, and the labels those that public programs read from VizieR's table. The masses that it
    also has are left out, since how they are called could not be seen.

    References
    ----------
    Tarrio, Melin & Arnaud 2019, A&A 626, A7.
    """

    tag = "comprass"
    description = "Joint detections of Planck and ROSAT (ComPRASS)"
    vizier_id = "J/A+A/626/A7/comprass"
    expected_rows = 2323
    references = ("2019A&A...626A...7T",)
    columns = catalog_columns(
        """
        name      Name           str
        ra        RAJ2000 RAdeg  deg    Right ascension (J2000)
        dec       DEJ2000 DEdeg  deg    Declination (J2000)
        redshift  z              float
        """,
        required=("name", "ra", "dec"),
        missing={"redshift": (-1, 0)},
    )
