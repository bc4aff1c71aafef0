"""Clusters found by the South Pole Telescope."""

import numpy as np

from szmass.catalogs.core import Catalog, CatalogColumn, register_catalog

__all__ = ["SPTSZCatalog"]


@register_catalog
class SPTSZCatalog(Catalog):
    """The SPT-SZ 2500 deg2 survey: 677 candidates, 516 of them with redshift and mass.

    Its forms are the authors' file ``SPT2500d.fits``, which has no units, VizieR's table, and
    what `write` writes.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with the published columns or with ours.

    Notes
    -----
    **The file does not say whether its masses are in solMass or in solMass/h.** They are taken
    to be in solMass, since for 83 clusters in common with PSZ2 the median of M500/MSZ is then
    1.26, in line with 1-b = 0.8, and would be 1.80 otherwise.

    Eight clusters stand twice in the file, as detections in two fields of the survey: the
    detection with the higher ``snr`` is kept, and ``meta["rows_left_out"]`` has the others'
    rows. 0 for an unknown redshift or mass is masked.

    ``m500`` is for a fixed cosmology and relation; the masses marginalised over the cosmological
    analysis, which the file also has, are not read. Of VizieR's labels only ``SPT-CL``, the
    position and ``z`` are known.

    References
    ----------
    Bleem et al. 2015, ApJS 216, 27; Bocquet et al. 2019, ApJ 878, 55.
    """

    tag = "spt-sz"
    description = "SPT-SZ clusters, 2500 deg2"
    vizier_id = "J/ApJ/878/55/table5"
    expected_rows = 677
    references = ("2019ApJ...878...55B", "2015ApJS..216...27B")
    download_page = "https://pole.uchicago.edu/public/data/sptsz-clusters/"
    unitless_forms = ("fits",)
    columns = (
        CatalogColumn(
            name="name",
            fits="SPT_ID",
            vizier=("SPT-CL",),
            dtype="str",
            required=True,
            description="Name",
        ),
        CatalogColumn(
            name="ra",
            fits="RA",
            vizier=("RAJ2000",),
            unit="deg",
            required=True,
            description="Right ascension (J2000)",
        ),
        CatalogColumn(
            name="dec",
            fits="DEC",
            vizier=("DEJ2000",),
            unit="deg",
            required=True,
            description="Declination (J2000)",
        ),
        CatalogColumn(
            name="snr",
            fits="xi",
            vizier=("xi",),
            description="Signal-to-noise ratio at the best of all filter scales",
        ),
        CatalogColumn(
            name="redshift", fits="redshift", vizier=("z",), missing=0, description="Redshift"
        ),
        CatalogColumn(
            name="redshift_err",
            fits="redshift_err",
            vizier=("e_z",),
            description="Error; 0 if spectroscopic or unknown",
        ),
        CatalogColumn(
            name="m500",
            fits="M500",
            vizier=("M500c", "M500"),
            unit="solMass",
            published_unit="1e14 solMass",
            missing=0,
            description="M500c for fixed cosmology and relation; h is not stated",
        ),
        CatalogColumn(
            name="m500_errn",
            fits="M500_lerr",
            vizier=("e_M500c", "e_M500"),
            unit="solMass",
            published_unit="1e14 solMass",
            missing=0,
            description="Distance down to the end of the 68 % interval",
        ),
        CatalogColumn(
            name="m500_errp",
            fits="M500_uerr",
            vizier=("E_M500c", "E_M500"),
            unit="solMass",
            published_unit="1e14 solMass",
            missing=0,
            description="Distance up to the end of the 68 % interval",
        ),
    )

    @classmethod
    def _prepare(cls, table):
        if "SPT-CL" in table.colnames:  # VizieR leaves the prefix out
            table = table.copy()
            names = np.char.strip(np.asarray(table["SPT-CL"], dtype=str))
            bare = ~np.char.startswith(names, "SPT-CL")
            table["SPT-CL"] = np.where(bare, np.char.add("SPT-CL", names), names)
            return table
        if not {"SPT_ID", "xi"}.issubset(table.colnames):
            return table
        names = np.char.strip(np.asarray(table["SPT_ID"], dtype=str))
        best = np.argsort(-np.asarray(table["xi"], dtype=float), kind="stable")
        first = np.unique(names[best], return_index=True)[1]
        keep = np.sort(best[first])
        result = table[keep]
        left_out = np.setdiff1d(np.arange(len(table)), keep)
        result.meta["rows_left_out"] = [int(row) for row in left_out]
        return result
