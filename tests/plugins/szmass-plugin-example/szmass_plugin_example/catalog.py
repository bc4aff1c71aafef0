"""A catalogue whose file comes with the package."""

from pathlib import Path

from szmass.catalogs import Catalog, catalog_columns


class ExampleCatalog(Catalog):
    """Three clusters that were made up.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with the published columns or with ours.
    """

    tag = "example-clusters"
    description = "Three clusters that were made up"
    references = ("2016A&A...594A..27P",)
    unitless_forms = ("csv",)
    columns = catalog_columns(
        """
        name      EXAMPLE_ID  str
        ra        RAdeg       deg      Right ascension (J2000)
        dec       DEdeg       deg      Declination (J2000)
        redshift  zEx         float
        y500      Y500ex      arcmin2  Spherical Y500
        y500_err  e_Y500ex    arcmin2
        """,
        required=("name", "ra", "dec"),
        missing={"redshift": -1},
    )

    @classmethod
    def fetch(cls, *, offline=False, refresh=False, timeout=None):
        """Read the file of this package: nothing is asked of a server.

        Parameters
        ----------
        offline, refresh, timeout : optional
            Not used.

        Returns
        -------
        ExampleCatalog
            The catalogue.
        """
        return cls.read(Path(__file__).with_name("clusters.csv"))
