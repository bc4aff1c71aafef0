"""Candidates of ACT that the red sequence of their galaxies confirms (MCMF)."""

import numpy as np

from szmass.catalogs._columns import plain_numbers
from szmass.catalogs.core import Catalog, catalog_columns, register_catalog

__all__ = ["ACTDR5MCMFCatalog"]


@register_catalog
class ACTDR5MCMFCatalog(Catalog):
    """The 6237 clusters of ACT's data release 5 that MCMF confirms.

    Its forms are the CDS file ``catalog.dat`` with its ReadMe, VizieR's table, and what `write`
    writes.

    Notes
    -----
    ``redshift`` is the spectroscopic one of the best counterpart where it is known, else the
    photometric one; ``redshift_type`` tells which. Columns that end in ``_2`` are those of the
    second-best counterpart in the line of sight.

    One row in ten is no cluster (10.7 %): ``contamination`` estimates it for each, and is below
    0.2 in all of them.

    No file of it was at hand when this was written. The number of rows is that of the ReadMe, and
    the labels are those that public programs read; the unit of the masses is taken from these.

    References
    ----------
    Klein, Mohr & Davies 2024, A&A 690, A322.
    """

    tag = "act-dr5-mcmf"
    description = "ACT clusters, data release 5, confirmed by MCMF"
    vizier_id = "J/A+A/690/A322/catalog"
    expected_rows = 6237
    references = ("2024A&A...690A.322K",)
    columns = catalog_columns(
        """
        name             Name           str
        ra               RAJ2000 RAdeg  deg      Right ascension (J2000) of the detection
        dec              DEJ2000 DEdeg  deg      Declination (J2000) of the detection
        snr              SNR            float    Signal-to-noise ratio of the detection
        redshift         -              float
        redshift_type    -              str      spec or phot
        redshift_spec    zsp1           float    Spectroscopic redshift, best counterpart
        redshift_phot    z1C            float    Photometric redshift, best counterpart
        redshift_phot_2  z2C            float    Photometric redshift, second counterpart
        richness         L1C            float    Richness, best counterpart
        richness_2       L2C            float    Richness, second counterpart
        contamination    fcont1C        float    Probability that it is no cluster
        m500             M500-1C        solMass  M500c, best counterpart
        m500_2           M500-2C        solMass  M500c, second counterpart
        m500_cal         M500-1CCAL     solMass  M500c, rescaled by a calibration with lensing
        """,
        required=("name", "ra", "dec"),
        optional=("redshift_phot_2", "richness_2", "m500_2", "m500_cal"),
        missing=dict.fromkeys(
            (
                *("redshift", "redshift_spec", "redshift_phot", "redshift_phot_2"),
                *("m500", "m500_2", "m500_cal"),
            ),
            (-1, 0),
        ),
        published_units={"solMass": "1e14 solMass"},
    )

    @classmethod
    def _prepare(cls, table):
        if not {"zsp1", "z1C"} <= set(table.colnames):
            return table
        spec, phot = (plain_numbers(table[name], name) for name in ("zsp1", "z1C"))
        result = table.copy()
        result["redshift"] = np.where(spec > 0, spec, np.where(phot > 0, phot, -1))
        result["redshift_type"] = np.where(spec > 0, "spec", np.where(phot > 0, "phot", ""))
        return result
