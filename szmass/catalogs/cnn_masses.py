"""Published masses by convolutional neural networks."""

from pathlib import Path

import numpy as np
from astropy.table import Table

from szmass._utils.paths import cache_folder
from szmass.catalogs._columns import plain_numbers
from szmass.catalogs._remote import require_consistent
from szmass.catalogs.core import Catalog, catalog_columns, register_catalog
from szmass.exceptions import FileFormatError, RemoteDataError

__all__ = ["DeAndres2022Catalog"]

_URL = "https://raw.githubusercontent.com/The300th/DeepPlanck/main/DeepPlanck.csv"
_SHA256 = "adc1734e3a7b06437c0c22a82c72d6fd2bbbdf9bed0cf893164771275b9c538f"


@register_catalog
class DeAndres2022Catalog(Catalog):
    """Masses of 1094 PSZ2 clusters by the networks of de Andres et al. (2022).

    Its forms are the authors' file ``DeepPlanck.csv`` and what `write` writes. It has no
    positions: join it with `PSZ2Catalog` by name.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with our columns.

    Notes
    -----
    What the columns are was worked out from the file, which has no description:

    * ``cnn_mass`` is M500c in solMass, without h.
    * Its errors are not those of the single cluster: they depend on ``cnn_mass`` alone. They
      are the 68 % widths of the true masses of the simulated test clusters with that
      predicted mass, and are unreliable where few of these were, below 10^14.3 and above 10^15.1.
    * ``y500_uncalibrated`` is a function of ``cnn_mass``, no measurement. Stated to be
      E(z)^(-2/3) D_A^2 Y500 / 1e-4 Mpc^2, it is larger than the Planck relation by a factor
      5.57 at 6e14 solMass that nobody has explained: only its slope, 1.63, means something.
    * For redshifts above 0.4 the masses are not those behind the comparison with MSZ that the
      authors showed (mean difference -0.09 there, +0.142 here); below they are.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325 (arXiv:2209.10333).

    Examples
    --------
    >>> from szmass.catalogs import DeAndres2022Catalog
    >>> table = DeAndres2022Catalog.fetch().table  # doctest: +SKIP
    >>> [column.name for column in DeAndres2022Catalog.columns[:4]]
    ['name', 'redshift', 'msz', 'cnn_mass']
    """

    tag = "deandres2022"
    description = "CNN masses of PSZ2 clusters (de Andres et al. 2022)"
    expected_rows = 1094
    references = ("2022NatAs...6.1325D",)
    position = None
    download_page = "https://github.com/The300th/DeepPlanck"
    columns = catalog_columns(
        """
        name                   -  str      Name in PSZ2
        redshift               -  float32  Redshift in PSZ2
        msz                    -  solMass  MSZ of PSZ2
        cnn_mass               -  solMass  M500c by the networks
        cnn_mass_errn          -  solMass
        cnn_mass_errp          -  solMass
        log10_cnn_mass         -  float    log10(cnn_mass / solMass)
        log10_cnn_mass_errn    -  float    Lower error in dex
        log10_cnn_mass_errp    -  float    Upper error in dex
        y500_uncalibrated      -  float    Y500 up to an unknown factor
        y500_uncalibrated_err  -  float
        """,
        required=True,
    )

    @classmethod
    def fetch(cls, *, offline=False, refresh=False, folder=None):
        """Download the authors' file, or use the copy that is there.

        Parameters
        ----------
        offline : bool, optional
            Only look for a copy; also if ``szmass.catalogs.conf.offline`` is set.
        refresh : bool, optional
            Without effect, since only the one file on record is accepted.
        folder : path-like, optional
            Where it is kept; the cache of szmass if None.

        Returns
        -------
        DeAndres2022Catalog
            The catalogue.

        Raises
        ------
        RemoteDataError
            The server could not be reached; or there is no copy and ``offline`` was asked for.
        IntegrityError
            The file is not the one on record.
        InvalidInputError
            ``offline`` and ``refresh`` are both asked for.
        """
        from szmass._io.download import fetch_file

        offline = require_consistent(offline, refresh)
        path = Path(cache_folder() if folder is None else folder) / "DeepPlanck.csv"
        if offline and not path.exists():
            raise RemoteDataError(
                f"There is no file {str(path)!r}, and nothing is asked for offline. Fetch it once "
                f"with a connection, or use {cls.__name__}.read(path)."
            )
        catalog = cls.read(fetch_file(_URL, _SHA256, "DeepPlanck.csv", folder=folder))
        catalog.table.meta["url"] = _URL
        return catalog

    @classmethod
    def _prepare(cls, table):
        if "cluster" not in table.colnames:
            return table
        lost = {"Planck_mass", "CNN_mass", "err+", "err-", "redshift", "Y_500", "err_Y"}
        lost -= set(table.colnames)
        if lost:
            raise FileFormatError(f"It lacks the columns {', '.join(sorted(lost))}.")
        result = Table(meta=table.meta)
        result["name"] = [
            str(name).removesuffix(".fits").replace("PSZ2G", "PSZ2 G", 1)
            for name in table["cluster"]
        ]
        result["redshift"] = table["redshift"]
        log_msz, log_mass, errp, errn = (
            plain_numbers(table[name], name) for name in ("Planck_mass", "CNN_mass", "err+", "err-")
        )
        mass = 10**log_mass
        for name, values in (
            ("msz", 10**log_msz),
            ("cnn_mass", mass),
            ("cnn_mass_errn", -mass * np.expm1(-errn * np.log(10))),
            ("cnn_mass_errp", mass * np.expm1(errp * np.log(10))),
        ):
            result[name] = values
            result[name].unit = "solMass"
        result["log10_cnn_mass"], result["log10_cnn_mass_errn"] = log_mass, errn
        result["log10_cnn_mass_errp"] = errp
        result["y500_uncalibrated"] = table["Y_500"]
        result["y500_uncalibrated_err"] = table["err_Y"]
        return result
