"""One galaxy cluster, and a sample of them: what flows through the whole package."""

import copy
import warnings

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table
from astropy.utils.masked import Masked

from szmass._io.tables import read_table, write_table
from szmass._utils.attributes import Number, Position, Text
from szmass._utils.columns import column_parts
from szmass._utils.kinds import check_kind, hint_for, rows_of
from szmass._utils.names import NameIndex
from szmass._utils.sample_columns import check_columns, map_columns
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning

__all__ = ["Cluster", "ClusterSample"]


class Cluster:
    """A galaxy cluster: where it is and what was measured of it.

    Every attribute is checked when it is set, in the constructor and later. What is masked
    or NaN becomes None.

    Parameters
    ----------
    name : str
        Its name.
    coord : `~astropy.coordinates.SkyCoord`
        Its position, a scalar.
    redshift : float, optional
        Its redshift; None where unknown.
    y5r500, y5r500_err : `~astropy.units.Quantity`, optional
        Compton parameter integrated over the sphere of 5 R500, and its error [arcmin2].
    msz, msz_errn, msz_errp : `~astropy.units.Quantity`, optional
        M500c from the Sunyaev-Zel'dovich signal, and the distances down and up to the ends
        of its 68 % interval [solMass].
    snr : float, optional
        Signal-to-noise ratio of the detection.
    pos_err : `~astropy.units.Quantity`, optional
        Radius of the position error [arcmin].
    measurements : dict, optional
        Anything else by name, kept as it is.
    cutout : `~szmass.maps.Cutout`, optional
        The Compton-y map around it.

    Raises
    ------
    InvalidInputError
        A value is of the wrong kind, sign or shape; the message names the attribute.
    InvalidUnitError
        A quantity has no unit or one that does not convert.
    """

    name = Text("Its name.")
    coord = Position("Its position.")
    redshift = Number("Its redshift, or None.", sign="not negative")
    y5r500 = Number("Compton parameter inside 5 R500 [arcmin2], or None.", "arcmin2")
    y5r500_err = Number("Error of ``y5r500`` [arcmin2], or None.", "arcmin2", "not negative")
    msz = Number("M500c from the SZ signal [solMass], or None.", "solMass", "positive")
    msz_errn = Number("Distance down to the 16 % quantile [solMass].", "solMass", "not negative")
    msz_errp = Number("Distance up to the 84 % quantile [solMass].", "solMass", "not negative")
    snr = Number("Signal-to-noise ratio of the detection, or None.")
    pos_err = Number("Radius of the position error [arcmin], or None.", "arcmin", "not negative")

    def __init__(
        self,
        name,
        coord,
        redshift=None,
        *,
        y5r500=None,
        y5r500_err=None,
        msz=None,
        msz_errn=None,
        msz_errp=None,
        snr=None,
        pos_err=None,
        measurements=None,
        cutout=None,
    ):
        self.name, self.coord, self.redshift = name, coord, redshift
        self.y5r500, self.y5r500_err = y5r500, y5r500_err
        self.msz, self.msz_errn, self.msz_errp = msz, msz_errn, msz_errp
        self.snr, self.pos_err = snr, pos_err
        self.measurements = dict(measurements or {})
        self.cutout = cutout

    def theta500(self, *, mass=None, cosmology):
        """Compute the angular size theta500 = R500 / D_A.

        Parameters
        ----------
        mass : `~astropy.units.Quantity`, optional
            M500c; ``msz`` if None.
        cosmology : str or `~astropy.cosmology.FLRW`
            The cosmology, for instance ``"PSZ2"``.

        Returns
        -------
        `~astropy.units.Quantity`
            The angle in arcmin.

        Raises
        ------
        InvalidInputError
            The redshift is not known, or no mass is.
        """
        from szmass.physics.halos import theta500

        mass = self.msz if mass is None else mass
        for value, what in ((self.redshift, "redshift"), (mass, "mass")):
            if value is None:
                raise InvalidInputError(
                    f"The size of {self.name!r} needs its {what}, which is not known."
                )
        return theta500(mass, self.redshift, cosmology=cosmology)

    def _facts(self):
        position = self.coord.spherical
        names = list(self.coord.frame.get_representation_component_names())[:2]
        angles = zip(names, (position.lon, position.lat), strict=True)
        facts = {"coord": ", ".join(f"{name} = {angle.deg:.4f} deg" for name, angle in angles)}
        for name in _NUMBERS:
            value = getattr(self, name)
            if value is not None or name == "redshift":
                facts[name] = "unknown" if value is None else f"{value:.4g}"
        return facts

    def __repr__(self):
        facts = self._facts()
        return f"<Cluster {self.name!r}: {facts['coord']}, redshift {facts['redshift']}>"

    def _repr_html_(self):
        from szmass._utils import html as _html

        position = self.coord.icrs.to_string("hmsdms", precision=1)
        rows = {
            "position": _html.short(self._facts()["coord"]),
            "ICRS": _html.short(position),
            "redshift": "unknown" if self.redshift is None else f"{self.redshift:.4g}",
        }
        for name, check in _NUMBERS.items():
            value = getattr(self, name)
            if name not in ("redshift", *_ERRORS) and value is not None:
                errors = [getattr(self, f"{name}_{end}", None) for end in ("errn", "errp")]
                if errors == [None, None]:
                    errors = [getattr(self, f"{name}_err", None)]
                numbers = [getattr(v, "value", v) for v in (value, *errors)]
                rows[name] = _html.measured(*numbers, unit=str(check.unit or ""))
        rows |= {name: _html.short(value) for name, value in self.measurements.items()}
        picture = ""
        if self.cutout is not None:
            shown = np.where(self.cutout.footprint, self.cutout.data, np.nan)
            picture = _html.picture(shown, title=f"Compton-y of {self.name}")
        return _html.facts(self.name, rows, beside=picture)


# The checks of one cluster serve for the columns of a sample as well.
_NUMBERS = {name: check for name, check in vars(Cluster).items() if isinstance(check, Number)}
_KNOWN = ("name", "coord", *_NUMBERS)
_ERRORS = ("y5r500_err", "msz_errn", "msz_errp")
# A VOTable holds positions as ra and dec: this key of ``meta`` tells the frame they had.
_FRAME_KEY = "coord_frame"


class ClusterSample:
    """Many clusters, stored by column.

    Parameters
    ----------
    table : `~astropy.table.Table`
        One row per cluster, with the columns ``name`` and ``coord`` (a SkyCoord), and as
        far as known ``redshift`` and the measurements of `Cluster`. It is copied and not
        changed. For tables laid out otherwise see `from_table`.
    cutouts : `~szmass.maps.CutoutStack`, optional
        The cutouts around the clusters, in their order.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        The columns: ``name``, ``coord``, ``redshift`` (masked where unknown), then the
        measurements, those of `Cluster` as masked quantities in its units.

    Raises
    ------
    InvalidInputError
        A column is missing, or holds values that cannot be; the message names the rows.
    InvalidUnitError
        A column has no unit or one that does not convert.
    DuplicateNameError
        Two clusters have the same name.

    Warns
    -----
    SzmassWarning
        Two clusters have names that mean the same, such as "A1" and "Abell 1".
    """

    def __init__(self, table, *, cutouts=None):
        _require_table(table)
        columns = dict(table.items())
        lost = [name for name in ("name", "coord") if name not in columns]
        if lost or not isinstance(columns["coord"], SkyCoord):
            raise InvalidInputError(
                "'table' must have the columns 'name' and 'coord' (a SkyCoord). Received: "
                f"{', '.join(columns) or 'no columns'}. For another layout use "
                "ClusterSample.from_table."
            )
        self.table = check_columns(columns, _NUMBERS, {}, {}, table.meta)
        self._index = NameIndex(self.names)
        self.cutouts = cutouts
        _warn_of_alike(self._index)

    @classmethod
    def from_table(
        cls,
        table,
        *,
        name=None,
        coord=None,
        redshift=None,
        frame=None,
        columns=None,
        units=None,
        missing=None,
    ):
        """Make a sample of any table that has names, positions and redshifts.

        Parameters
        ----------
        table : `~astropy.table.Table`
            The table; it is not changed. Columns that are not asked for are kept.
        name : str, optional
            The column of names; by default ``name`` or ``cluster``, in any case.
        coord : str or (str, str), optional
            The SkyCoord column, or the columns of longitude and latitude. By default a
            SkyCoord column if there is one, else ra/dec, RAdeg/DEdeg, RAJ2000/DEJ2000,
            RA_ICRS/DE_ICRS, glon/glat (in any case) or l/b.
        redshift : str, optional
            The column of redshifts; by default ``redshift`` or ``z``, in any case.
        frame : str, optional
            Frame of the positions, where their columns' names do not tell.
        columns : dict, optional
            Other column names by ours, for instance ``{"msz": "M500"}``.
        units : dict, optional
            Units of columns without one, for instance ``{"msz": "1e14 solMass"}``.
        missing : dict, optional
            Numbers that stand for "not known", for instance ``{"redshift": -1}``; several as a
            tuple.

        Returns
        -------
        ClusterSample
            The sample, without cutouts.

        Raises
        ------
        InvalidInputError
            A column cannot be found, or holds values that cannot be.
        InvalidUnitError
            A column has no unit or one that does not convert.
        DuplicateNameError
            Two clusters have the same name.

        Warns
        -----
        SzmassWarning
            Two clusters have names that mean the same, such as "A1" and "Abell 1".

        Notes
        -----
        Positions can be text. What has hours or degrees, minutes and seconds ("12:59:48", "12 59
        48") is in hours for right ascensions, and in degrees otherwise, unless a unit is given,
        by the column or in ``units``; "12h59m48s" or "194.95d" say what they are. Plain numbers
        ("194.95") need a unit, whether they stand as numbers or as text, and a column of right
        ascensions in degrees must not hold "12:59:48" as well.

        What stands for no value is masked: NaN, None, `pandas.NA`, and in columns of numbers that
        stand as text also "", "--", "...", "N/A", "nan", "null", "None", "INDEF". Any other text is
        an error. A logarithmic unit, such as ``"dex(solMass)"``, is converted in the columns of
        `Cluster`; others keep theirs.
        """
        _require_table(table)
        columns, units, missing = map_columns(
            table,
            name=name,
            coord=coord,
            redshift=redshift,
            frame=frame,
            columns=columns,
            units=units,
            missing=missing,
        )
        sample = cls._of(check_columns(columns, _NUMBERS, units, missing, table.meta), None)
        _warn_of_alike(sample._index)
        return sample

    @classmethod
    def _of(cls, table, cutouts):
        sample = cls.__new__(cls)
        sample.table = table
        sample._index = NameIndex(sample.names)
        sample.cutouts = cutouts
        return sample

    @classmethod
    def read(cls, path, *, format=None, **options):
        """Read a sample that `write` wrote, or any table.

        Parameters
        ----------
        path : path-like
            An ECSV, FITS, VOTable or CSV file, also compressed. Names are text, whatever CSV has.
        format : str, optional
            ``"ecsv"``, ``"fits"``, ``"votable"`` or ``"csv"``, where the suffix does not say.
        **options : dict
            Passed to `from_table`.

        Returns
        -------
        ClusterSample
            The sample, without cutouts.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        FileFormatError
            The file is truncated or of another format.
        InvalidInputError
            See `from_table`.
        """
        name = options.get("name")
        table = read_table(path, format=format, text=[name] if isinstance(name, str) else ())
        frame = table.meta.pop(_FRAME_KEY, None)
        sample = cls.from_table(table, **options)
        if frame is not None and frame != sample.coord.frame.name:
            try:
                sample.table["coord"] = sample.coord.transform_to(frame)
            except (ValueError, TypeError) as err:
                raise FileFormatError(f"{str(path)!r} has positions in {frame!r}: {err}") from err
        return sample

    def write(self, path, *, overwrite=False, format=None):
        """Write the table; cutouts are written by themselves.

        Parameters
        ----------
        path : path-like
            The target: ``.ecsv``, ``.fits``, ``.vot`` or ``.csv``.
        overwrite : bool, optional
            Replace an existing file.
        format : str, optional
            The format, where the suffix does not say.

        Raises
        ------
        InvalidInputError
            The format is not known, the file exists, or its folder does not.

        Warns
        -----
        SzmassWarning
            The format is CSV, which keeps neither units nor ``meta``.
        """
        table = self.table.copy(copy_data=False)
        # A VOTable holds positions as ra and dec: the frame is restored from here.
        table.meta[_FRAME_KEY] = self.coord.frame.name
        write_table(table, path, overwrite=overwrite, format=format)

    @property
    def names(self):
        """Names, an array of str."""
        return np.array(self.table["name"], dtype=str)

    @property
    def coord(self):
        """Positions, a SkyCoord of shape (N,)."""
        return self.table["coord"]

    @property
    def redshift(self):
        """Redshifts, a float array with NaN where unknown."""
        return np.ma.filled(np.ma.asarray(self.table["redshift"], dtype=float), np.nan)

    @property
    def meta(self):
        """What is known about the sample as a whole, a dict."""
        return self.table.meta

    @property
    def cutouts(self):
        """The cutouts, a `~szmass.maps.CutoutStack` in the order of the clusters, or None."""
        return self._cutouts

    @cutouts.setter
    def cutouts(self, stack):
        if stack is not None and len(check_kind(stack, "CutoutStack", "cutouts", "__len__")) != len(
            self
        ):
            raise InvalidInputError(
                f"'cutouts' must hold one cutout per cluster ({len(self)}). Received: {len(stack)}"
            )
        self._cutouts = stack

    def attach_cutouts(self, ymap, **options):
        """Cut the surroundings of every cluster out of a map and keep them in ``cutouts``.

        Parameters
        ----------
        ymap : `~szmass.maps.ComptonMap`
            The map.
        **options : dict
            Passed to its method ``cutouts``: geometry, interpolation, ...

        Returns
        -------
        ClusterSample
            This sample.

        Raises
        ------
        InvalidInputError
            ``ymap`` is no map, or an option of ``cutouts`` cannot be.
        """
        check_kind(ymap, "ComptonMap", "ymap", able="cutouts")
        self.cutouts = ymap.cutouts(self.coord, names=self.names, **options)
        return self

    def quantity(self, name):
        """Give a measurement as a plain array with a unit.

        Parameters
        ----------
        name : str
            Name of the column, for instance ``"msz"``.

        Returns
        -------
        `~astropy.units.Quantity`
            A copy, float64, NaN where masked; dimensionless if the column has no unit.

        Raises
        ------
        InvalidInputError
            There is no such column, or it does not hold numbers.
        """
        if name not in self.table.colnames:
            raise InvalidInputError(
                f"The sample has no column {name!r}. It has {', '.join(self.table.colnames)}."
            )
        column = self.table[name]
        if isinstance(column, Column | u.Quantity):
            values, mask, unit = column_parts(column)
            if values.dtype.kind in "fiub":
                values = values.astype(float)
                values[mask] = np.nan
                return u.Quantity(values, unit or u.dimensionless_unscaled, subok=True)
        raise InvalidInputError(f"The column {name!r} of the sample does not hold numbers.")

    def __len__(self):
        return len(self.table)

    def __iter__(self):
        return (self._cluster(row) for row in range(len(self)))

    def __getitem__(self, item):
        index = rows_of(item, len(self), self._names_index, "cluster", "sample")
        if isinstance(index, int):
            return self._cluster(index)
        table = self.table[index]
        table.meta = copy.deepcopy(self.table.meta)
        return self._of(table, None if self._cutouts is None else self._cutouts[index])

    def _names_index(self):
        if not np.array_equal(self._index.names, self.names):  # the table was edited
            self._index = NameIndex(self.names)
        return self._index

    def _cluster(self, row):
        values = {name: _value(self.table[name][row]) for name in self.table.colnames}
        known = {name: values.pop(name) for name in _KNOWN if name in values}
        cutout = None if self._cutouts is None else self._cutouts[row]
        return Cluster(**known, measurements=values, cutout=cutout)

    def _summary(self):
        known = self.redshift[np.isfinite(self.redshift)]
        redshift = f"{known.min():.4g} to {known.max():.4g}" if len(known) else "none known"
        return f"{len(self)} clusters, redshift {redshift} ({len(self) - len(known)} unknown), " + (
            "no cutouts" if self._cutouts is None else "with cutouts"
        )

    def __repr__(self):
        return f"<ClusterSample: {self._summary()}; columns {', '.join(self.table.colnames)}>"

    def _repr_html_(self):
        from szmass._utils import html as _html

        attached = f"<p>{_html.short(repr(self._cutouts))}</p>" if self._cutouts is not None else ""
        title = f"<p><b>ClusterSample</b>: {_html.short(self._summary())}</p>"
        first = [name for name in _KNOWN if name in self.table.colnames]
        others = [name for name in self.table.colnames if name not in _KNOWN]
        return title + attached + _html.rows_of(self.table, [*first, *others])


def _require_table(table):
    if not isinstance(table, Table):
        raise InvalidInputError(
            f"'table' must be an astropy Table or QTable. Received: {type(table).__name__}"
            f"{hint_for(table, 'Table')}"
        )


def _warn_of_alike(index):
    if alike := index.alike():
        warnings.warn(
            f"{alike} Remove all but one, or go on if they are different ones.",
            SzmassWarning,
            stacklevel=3,
        )


def _value(entry):
    """Give one entry of a table as a plain value, None where masked."""
    if np.any(getattr(entry, "mask", False)):
        return None
    if isinstance(entry, Masked):
        return entry.unmasked
    return entry.item() if isinstance(entry, np.generic) else entry
