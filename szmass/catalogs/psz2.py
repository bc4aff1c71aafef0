"""The second Planck catalogue of Sunyaev-Zel'dovich sources (PSZ2), union of three codes."""

import copy

import numpy as np

from szmass._tables.columns import column_of, column_parts
from szmass._utils.kinds import check_kind
from szmass._utils.names import rows_by_name
from szmass.catalogs._selection import warn_if_empty
from szmass.catalogs.core import Catalog, catalog_columns, register_catalog
from szmass.catalogs.upcluster import UPClusterSZCatalog

__all__ = ["PSZ2Catalog"]


@register_catalog
class PSZ2Catalog(Catalog):
    """PSZ2, the union catalogue R2.08: 1653 detections, 1094 with redshift and mass.

    Its forms are the FITS file of the Planck Legacy Archive, the CDS file ``psz2.dat`` with its
    ReadMe, VizieR's table, and what `write` writes. -1 for an unknown redshift or PSZ1 row, 0
    for an unknown mass, -10 for no analysis in WISE, -1000 and -100 for no evidence from AMI, and
    empty strings are masked.

    Notes
    -----
    The positions of `sample` are the Galactic ones, which the published cutouts are centred on.

    Redshifts have the single precision of the release in all forms. So the five clusters at
    0.2 and the two at 0.4 lie just above these numbers and fall into the upper one of the bins
    (0.1, 0.2], (0.2, 0.4], (0.4, 1], as in the published tables.

    ``y5r500`` is the mean over all cluster sizes and not the Y that ``msz`` was derived from.
    The errors of ``msz`` hold neither the scatter nor the errors of the Y-M relation.

    References
    ----------
    Planck Collaboration 2016, A&A 594, A27.

    Examples
    --------
    >>> from szmass import PSZ2Catalog
    >>> sample = PSZ2Catalog.fetch().sample(redshift=(0, 1))  # doctest: +SKIP
    >>> [column.name for column in PSZ2Catalog.columns[:4]]
    ['index', 'name', 'glon', 'glat']
    >>> PSZ2Catalog.expected_rows
    1653
    """

    tag = "psz2"
    description = "Second Planck catalogue of Sunyaev-Zel'dovich sources, union"
    vizier_id = "J/A+A/594/A27/psz2"
    expected_rows = 1653
    published_rows = 1653
    published = (
        ("glon", 1653, 178.838),
        ("glat", 1653, -1.949248),
        ("ra", 1653, 178.953),
        ("dec", 1653, -0.5890262),
        ("pos_err", 1653, 3.031821),
        ("snr", 1653, 6.862846),
        ("psz", 937, 614.7289),
        ("q_neural", 1653, 0.8543083),
        ("y5r500", 1653, 0.004347466),
        ("y5r500_err", 1653, 0.00117573),
        ("redshift", 1094, 0.2504248),
        ("msz", 1094, 4.832474e14),
        ("msz_errp", 1094, 4.203687e13),
        ("msz_errn", 1094, 4.434996e13),
    )
    references = ("2016A&A...594A..27P",)
    aliases = ("redshift_id", "mcxc", "redmapper", "act", "spt")
    # After the FITS name those of the CDS ReadMe, then other spellings that VizieR uses.
    columns = catalog_columns(
        """
        index         INDEX Index recno        int      Number of the row in the release
        name          NAME Name PSZ2           str
        glon          GLON                     deg      Galactic longitude
        glat          GLAT                     deg      Galactic latitude
        ra            RA RAdeg RAJ2000 RA_ICRS  deg
                      Right ascension (J2000), made from the Galactic position
        dec           DEC DEdeg DEJ2000 DE_ICRS  deg
                      Declination (J2000), made from the Galactic position
        pos_err       POS_ERR e_pos e_Pos ePos  arcmin
                      Radius that holds the true position with 95 %
        snr           SNR                      float    Signal-to-noise ratio of the detection
        pipeline      PIPELINE Pipeline Pipe   int
                      Code that the values are from: 1 MMF1, 2 MMF3, 3 PwS
        pipe_det      PIPE_DET PipeDet         int
                      Codes that detect it, a digit each: hundreds MMF1, tens MMF3, units PwS
        pccs2         PCCS2                    bool     Whether it matches a PCCS2 source
        psz           PSZ PSZ1                 int
                      Number of the row in PSZ1, masked for new detections
        ir_flag       IR_FLAG f_IR IR          int
                      1 where infrared emission contaminates the signal heavily
        q_neural      Q_NEURAL q_neural Qneural QN Qn  float
                      Quality by a neural network; below 0.4 is low
        y5r500        Y5R500                   arcmin2
                      Compton parameter inside 5 R500, mean over all sizes (blind)
        y5r500_err    Y5R500_ERR e_Y5R500      arcmin2
        validation    VALIDATION Val Valid     int
                      Code of the best external identification, -1 for none
        redshift_id   REDSHIFT_ID zID RedID    str      Name of the object that the redshift is of
        redshift      REDSHIFT z               float32
        msz           MSZ                      solMass
                      Hydrostatic-equivalent M500c from the Y-M relation, H0 = 70, Om0 = 0.3
        msz_errp      MSZ_ERR_UP E_MSZ         solMass
                      Distance up to the end of the 68 % interval of msz, statistical
        msz_errn      MSZ_ERR_LOW e_MSZ        solMass
                      Distance down to the end of the 68 % interval of msz, statistical
        mcxc          MCXC                     str      Counterpart in MCXC
        redmapper     REDMAPPER RedMAPPer redMaPPer RedMaPPer  str      Counterpart in redMaPPer
        act           ACT                      str      Counterpart in ACT
        spt           SPT                      str      Counterpart in SPT
        wise_flag     WISE_FLAG f_WISE WISE    int
                      Overdensity in WISE, -3 to 3; masked where not analysed
        ami_evidence  AMI_EVIDENCE AMIevi AMI  float
                      Bayesian evidence of a counterpart in AMI; masked where there is none
        cosmo         COSMO Cosmo              bool     Whether it is in a cosmology sample
        comment       COMMENT Comment Com      str      Comment
        """,
        required=("name", "glon", "glat"),
        missing={
            "psz": -1,
            "redshift": -1,
            **dict.fromkeys(("msz", "msz_errp", "msz_errn"), 0),
            "wise_flag": -10,
            "ami_evidence": (-1000, -100),
        },
        published_units={"arcmin2": "1e-3 arcmin2", "solMass": "1e14 solMass"},
    )
    position = ("glon", "glat", "galactic")
    download_page = "https://cdsarc.cds.unistra.fr/ftp/J/A+A/594/A27/ (psz2.dat and ReadMe)"

    def sample(self, *, redshifts=None, **selection):
        """Select rows as a sample.

        Parameters
        ----------
        redshifts : UPClusterSZCatalog or "upcluster-sz", optional
            Take its spectroscopic and photometric redshifts where it has one; ``"upcluster-sz"``
            fetches it. The redshifts of the release stand in the column ``redshift_release``, of
            which ``msz`` remains the mass, and the kind of the new ones in ``redshift_type``.
        **selection : dict
            ``names``, ``where`` and columns, as in `Catalog.sample`; by ``redshift`` the new ones.

        Returns
        -------
        `~szmass.clusters.ClusterSample`
            The clusters; the Galactic positions become its ``coord``.

        Raises
        ------
        UnknownNameError, InvalidInputError
            As from `Catalog.sample`, or ``redshifts`` is something else.
        RemoteDataError
            UPCluster-SZ could not be fetched.

        Warns
        -----
        SzmassWarning
            Nothing is selected, or ``redshifts`` has none of these clusters.
        """
        if redshifts is None:
            return super().sample(**selection)
        if isinstance(redshifts, str) and redshifts == UPClusterSZCatalog.tag:
            redshifts = UPClusterSZCatalog.fetch()
        check_kind(
            redshifts,
            "UPClusterSZCatalog",
            "redshifts",
            wanted='UPClusterSZCatalog or "upcluster-sz"',
        )
        updated = copy.copy(self)
        updated.table = self._with_redshifts_of(redshifts)
        return updated.sample(**selection)

    def _with_redshifts_of(self, other):
        new, unknown, _ = column_parts(other.table["redshift"])
        kind = column_parts(other.table["redshift_type"])[0].astype(str)
        usable = ~unknown & np.isin(kind, ("spec", "phot"))
        rows = rows_by_name(self._index.names, np.asarray(other.table["name"], dtype=str))
        # What is not there, -1, is the row behind the last.
        new, kind, usable = np.append(new, np.nan), np.append(kind, ""), np.append(usable, False)
        known = usable[rows]
        warn_if_empty(known, f"the redshifts of {other.tag}")
        redshift, mask, _ = column_parts(self.table["redshift"])
        table = self.table.copy()
        table["redshift_release"] = table["redshift"]
        table["redshift"] = column_of(np.where(known, new[rows], redshift), mask & ~known)
        table["redshift_type"] = column_of(np.where(known, kind[rows], ""), ~known)
        table["redshift"].info.description = f"Redshift of {other.tag} where it has one"
        table["redshift_release"].info.description = "Redshift in PSZ2, which msz is for"
        table["redshift_type"].info.description = "spec or phot, of redshifts of " + other.tag
        table.meta["references"] = [*table.meta["references"], *other.references]
        return table
