"""UPCluster-SZ: the sources of PSZ2, validated again."""

from szmass.catalogs._columns import with_prefix
from szmass.catalogs.core import Catalog, catalog_columns, register_catalog

__all__ = ["UPClusterSZCatalog"]


@register_catalog
class UPClusterSZCatalog(Catalog):
    """UPCluster-SZ: newer redshifts of PSZ2 from the literature, 1334 clusters validated.

    Its forms are VizieR's table and what `write` writes. `PSZ2Catalog.sample
    <szmass.catalogs.PSZ2Catalog.sample>` takes its redshifts.

    Notes
    -----
    Of the 1653 sources 139 are validated and 399 have another redshift than in PSZ2, the paper
    says. ``redshift_type`` is ``spec``, ``phot`` or ``unct``, an uncertain one.

    No file of it was at hand when this was written. The labels are those that public programs
    read from VizieR's table; others that it may have are left out, and that it has a row for each
    of the 1653 sources is taken from the paper.

    References
    ----------
    Bahk & Hwang 2024, ApJS 272, 7.
    """

    tag = "upcluster-sz"
    description = "Sources of PSZ2, validated again (UPCluster-SZ)"
    vizier_id = "J/ApJS/272/7/table2"
    expected_rows = 1653
    references = ("2024ApJS..272....7B",)
    columns = catalog_columns(
        """
        name           PSZ2           str
        ra             RAJ2000 RAdeg  deg    Right ascension (J2000)
        dec            DEJ2000 DEdeg  deg    Declination (J2000)
        redshift       z              float
        redshift_type  f_z            str    spec, phot, or unct for an uncertain one
        """,
        required=("name", "ra", "dec"),
        missing={"redshift": (-1, 0)},
    )

    @classmethod
    def _prepare(cls, table):
        return with_prefix(table, "PSZ2", "PSZ2 ")
