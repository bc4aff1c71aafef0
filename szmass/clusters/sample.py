"""Many galaxy clusters, stored by column: what flows through the whole package."""

import copy
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, QTable, Table
from astropy.utils.masked import Masked
from numpy.typing import NDArray

from szmass._io.files import naming
from szmass._tables.columns import column_parts, shown
from szmass._tables.files import read_table, write_table
from szmass._tables.roles import as_table
from szmass._tables.samples import check_columns, cutout_rows, map_columns
from szmass._utils.kinds import check_kind, rows_of
from szmass._utils.names import NameIndex
from szmass.clusters._joining import joined, stack_of, table_of
from szmass.clusters.cluster import NUMBERS, Cluster, as_clusters
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassWarning, UnknownNameError

__all__ = ["ClusterSample", "as_sample"]

_KNOWN = ("name", "coord", *NUMBERS)
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
        The cutouts around the clusters, in their order or with their names.

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

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from szmass import ClusterSample
    >>> table = QTable({"name": ["A2142", "A85"], "z": [0.0894, 0.0555]})
    >>> table["ra"], table["dec"] = [239.583, 10.460] * u.deg, [27.233, -9.303] * u.deg
    >>> sample = ClusterSample.from_table(table)
    >>> len(sample)
    2
    >>> sample["A85"]
    <Cluster 'A85': ra = 10.4600 deg, dec = -9.3030 deg, redshift 0.0555>
    >>> sample[sample.redshift > 0.06].names
    array(['A2142'], dtype='<U5')
    """

    def __init__(self, table: Table, *, cutouts: Any = None) -> None:
        table = as_table(table)
        columns = dict(table.items())
        lost = [name for name in ("name", "coord") if name not in columns]
        if lost or not isinstance(columns["coord"], SkyCoord):
            raise InvalidInputError(
                "'table' must have the columns 'name' and 'coord' (a SkyCoord). Received: "
                f"{', '.join(columns) or 'no columns'}. For another layout use "
                "ClusterSample.from_table."
            )
        self.table = check_columns(columns, NUMBERS, {}, {}, table.meta)
        self._index = NameIndex(self.names)
        self.cutouts, self.fields = cutouts, {}
        _warn_of_alike(self._index)

    @classmethod
    def from_table(
        cls,
        table: Table,
        *,
        name: str | None = None,
        coord: str | tuple[str, str] | None = None,
        redshift: str | None = None,
        frame: str | None = None,
        columns: Mapping[str, str] | None = None,
        units: Mapping[str, str | u.UnitBase] | None = None,
        missing: Mapping[str, Any] | None = None,
    ) -> Self:
        """Make a sample of any table that has names, positions and redshifts.

        Parameters
        ----------
        table : `~astropy.table.Table` or `pandas.DataFrame`
            The table; it is not changed. Columns that are not asked for are kept.
        name : str, optional
            The column of names; by default ``name``, ``cluster``, ``main_id`` (SIMBAD) or
            ``Object Name`` (NED), in any case, else the one with the UCD ``meta.id;meta.main``.
        coord : str or (str, str), optional
            The SkyCoord column, or the columns of longitude and latitude. By default a
            SkyCoord column if there is one, else ra/dec, RAdeg/DEdeg, _RAJ2000/_DEJ2000,
            RAJ2000/DEJ2000, _RA.icrs/_DE.icrs, RA_ICRS/DE_ICRS, glon/glat (in any case), l/b, and
            a few more. Several of them have to agree.
        redshift : str, optional
            The column of redshifts; by default ``redshift``, ``z``, ``rvz_redshift`` or ``z_value``
            (SIMBAD), in any case, else the one with the UCD ``src.redshift``. A column with a unit
            is none.
        frame : str, optional
            Frame of the positions, where their columns' names do not tell.
        columns : dict, optional
            Other column names by ours, for instance ``{"msz": "M500"}``; also those of the
            arguments above: ``name``, ``redshift``, and ``coord``, or ``ra`` and ``dec``, or
            ``glon`` and ``glat``.
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
            A column cannot be found, several could be meant and differ, or one holds values that
            cannot be.
        InvalidUnitError, DuplicateNameError
            As from the class.

        Warns
        -----
        SzmassWarning
            Two clusters have names that mean the same.

        Notes
        -----
        Positions can be text. What has hours or degrees, minutes and seconds ("12:59:48", "12 59
        48") is in hours for right ascensions, and in degrees otherwise, unless a unit is given,
        by the column or in ``units``; "12h59m48s" or "194.95d" say what they are. Plain numbers
        ("194.95") need a unit, whether they stand as numbers or as text, and a column of right
        ascensions in degrees must not hold "12:59:48" as well. Only where numbers without a unit,
        as in a DataFrame, go beyond 24, so that they can be neither hours nor radians, they are
        degrees.

        What stands for no value is masked: NaN, None, `pandas.NA`, and in columns of numbers that
        stand as text also "", "--", "...", "N/A", "nan", "null", "None", "INDEF". Any other text is
        an error. A logarithmic unit, such as ``"dex(solMass)"``, is converted in the columns of
        `Cluster`; others keep theirs.
        """
        table = as_table(table)
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
        sample = cls._of(check_columns(columns, NUMBERS, units, missing, table.meta), None)
        _warn_of_alike(sample._index)
        return sample

    @classmethod
    def _of(cls, table: QTable, cutouts: Any, fields: dict[str, Any] | None = None) -> Self:
        sample = cls.__new__(cls)
        sample.table = table
        sample._index = NameIndex(sample.names)
        sample._attach(cutouts)
        sample._fields, sample._fields_for = fields or {}, sample.names
        return sample

    @classmethod
    def from_clusters(cls, clusters: Cluster | Sequence[Cluster]) -> Self:
        """Make a sample of single clusters.

        Parameters
        ----------
        clusters : Cluster or sequence of Cluster
            At least one. Measurements that only some have are masked for the others.

        Returns
        -------
        ClusterSample
            The sample, with positions in the frame of the first, and with the cutouts if the
            clusters have them.

        Raises
        ------
        InvalidInputError
            There is no cluster, only some have cutouts, or measurements of one name do not go
            together.
        DuplicateNameError
            Two clusters have the same name.

        Warns
        -----
        SzmassWarning
            Two clusters have names that mean the same.

        Examples
        --------
        >>> from astropy.coordinates import SkyCoord
        >>> from szmass import Cluster, ClusterSample
        >>> a2142 = Cluster("A2142", SkyCoord(239.58, 27.23, unit="deg"), 0.0894)
        >>> ClusterSample.from_clusters([a2142])["Abell 2142"]
        <Cluster 'A2142': ra = 239.5800 deg, dec = 27.2300 deg, redshift 0.0894>
        """
        found = as_clusters(clusters)
        if found is None:
            raise InvalidInputError(
                "'clusters' must be a Cluster, or a list of at least one and of nothing else. "
                f"Received: {clusters!r:.200}"
            )
        return cls(table_of(found), cutouts=stack_of(found))

    @classmethod
    def concatenate(cls, samples: Any) -> Self:
        """Join samples, one below the other; ``a + b`` is the same for two.

        Parameters
        ----------
        samples : sequence of ClusterSample
            At least one. Units and frames become those of the first; columns that only some have
            are masked for the others.

        Returns
        -------
        ClusterSample
            The sample, with cutouts if all have some of one geometry, beam and noise. Of ``meta``
            what is the same in all is kept.

        Raises
        ------
        InvalidInputError
            Columns or cutouts do not go together.
        DuplicateNameError
            A cluster stands in two of them under the same name.

        Warns
        -----
        SzmassWarning
            A cluster seems to stand in two of them, under names that mean the same; or cutouts of
            some are left out, because others have none.
        """
        samples = list(samples) if np.iterable(samples) else [samples]
        for sample in samples:
            check_kind(sample, "ClusterSample", "samples")
        if not samples:
            raise InvalidInputError(
                "'samples' must hold at least one ClusterSample. Received: none"
            )
        table, stack = joined(samples)
        return cls(table, cutouts=stack)

    def __add__(self, other: object) -> Self:
        return (
            self.concatenate([self, other]) if isinstance(other, ClusterSample) else NotImplemented
        )

    def sort_by(self, column: str, *, descending: bool = False) -> Self:
        """Sort the clusters; the cutouts go with them.

        Parameters
        ----------
        column : str
            Name of a column of numbers or text, for instance ``"redshift"``.
        descending : bool, optional
            The largest first.

        Returns
        -------
        ClusterSample
            A sorted sample; equal ones keep their order, and what is not known stands last.

        Raises
        ------
        InvalidInputError
            There is no such column, or it holds neither numbers nor text.

        Examples
        --------
        >>> from szmass.estimators.checks import make_check_sample
        >>> sample = make_check_sample(3).sort_by("redshift", descending=True)
        >>> bool((sample.redshift[:-1] >= sample.redshift[1:]).all())
        True
        """
        if not isinstance(column, str):
            raise InvalidInputError(
                f"'column' must be the name of one column. Received: {column!r:.200}. To sort by "
                "several, sort by the last one first."
            )
        kind = getattr(self.table.columns.get(column), "dtype", np.dtype(float)).kind
        if kind in "SU":
            values, unknown, _ = column_parts(self.table[column])
            values = np.unique(values, return_inverse=True)[1].astype(float)
            values[unknown] = np.nan
        else:
            values = self.quantity(column).value
        return self[np.argsort(-values if descending else values, kind="stable")]

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        readme: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Self:
        """Read a sample that `write` wrote, or any table.

        Parameters
        ----------
        path : path-like
            An ECSV, FITS, VOTable, CSV or TSV file, or a CDS file, also compressed. Names are
            text, whatever CSV has.
        format : str, optional
            ``"ecsv"``, ``"fits"``, ``"votable"``, ``"csv"`` or ``"tsv"``, where the suffix does not
            say.
        readme : path-like, optional
            The ReadMe of a CDS file; by default the file ``ReadMe`` in the same folder.
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
        name = options.get("name") or dict(options.get("columns") or {}).get("name")
        text = [name] if isinstance(name, str) else ()
        table = read_table(path, format=format, readme=readme, text=text)
        frame = table.meta.pop(_FRAME_KEY, None)
        with naming(path):
            sample = cls.from_table(table, **options)
        if frame is not None and frame != sample.coord.frame.name:
            try:
                sample.table["coord"] = sample.coord.transform_to(frame)
            except (ValueError, TypeError) as err:
                raise FileFormatError(f"{str(path)!r} has positions in {frame!r}: {err}") from err
        return sample

    def write(
        self, path: str | os.PathLike[str], *, overwrite: bool = False, format: str | None = None
    ) -> None:
        """Write the table; cutouts are written by themselves.

        Parameters
        ----------
        path : path-like
            The target: ``.ecsv``, ``.fits``, ``.vot``, ``.csv`` or ``.tsv``.
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
    def names(self) -> NDArray[np.str_]:
        """Names, an array of str."""
        return np.array(self.table["name"], dtype=str)

    @property
    def coord(self) -> SkyCoord:
        """Positions, a SkyCoord of shape (N,)."""
        return self.table["coord"]

    @property
    def redshift(self) -> NDArray[np.float64]:
        """Redshifts, a float array with NaN where unknown."""
        return np.ma.filled(np.ma.asarray(self.table["redshift"], dtype=float), np.nan)

    @property
    def meta(self) -> dict[str, Any]:
        """What is known about the sample as a whole, a dict."""
        return self.table.meta

    @property
    def cutouts(self) -> Any:
        """The cutouts, a `~szmass.maps.CutoutStack` in the order of the clusters, or None.

        Cutouts that are set in another order are put in that of the clusters by name. They are
        refused where names and centres do not tell which is whose, or contradict one another. The
        same is done when ``table`` has been sorted, or got other rows.
        """
        # A table that was sorted or cut would otherwise have cutouts of other clusters.
        if self._cutouts is not None and not np.array_equal(self.table["name"], self._cut_for):
            self.cutouts = self._cutouts
        return self._cutouts

    @cutouts.setter
    def cutouts(self, stack: Any) -> None:
        if stack is not None and len(check_kind(stack, "CutoutStack", "cutouts", "__len__")) != len(
            self
        ):
            raise InvalidInputError(
                f"'cutouts' must hold one cutout per cluster ({len(self)}). Received: {len(stack)}"
            )
        if unit := getattr(stack, "unit", None):
            raise InvalidInputError(
                f"'cutouts' must be of Compton-y. Received: maps in {unit}, which go into 'fields'."
            )
        self._attach(self._ordered(stack))

    def _ordered(self, stack: Any) -> Any:
        """Maps in the order of the clusters."""
        if stack is None or not hasattr(stack, "coord"):
            return stack
        rows = cutout_rows(stack, self.names, self.coord)
        return stack if np.array_equal(rows, np.arange(len(rows))) else stack[rows]

    @property
    def fields(self) -> dict[str, Any]:
        """Maps of other fields than Compton-y by name, a dict: mass, X-rays, galaxies of mocks.

        Each is a `~szmass.simulations.FieldStack`, in the order of the clusters as ``cutouts`` are.
        """
        if self._fields and not np.array_equal(self.table["name"], self._fields_for):
            self.fields = self._fields
        return self._fields

    @fields.setter
    def fields(self, stacks: Mapping[str, Any]) -> None:
        for name, stack in stacks.items():
            if len(check_kind(stack, "FieldStack", "fields")) != len(self):
                raise InvalidInputError(
                    f"'fields' must hold a map per cluster ({len(self)}). Received: {len(stack)} "
                    f"of {name!r}"
                )
        self._fields = {name: self._ordered(stack) for name, stack in stacks.items()}
        self._fields_for = self.names

    def _attach(self, stack: Any) -> None:
        self._cutouts, self._cut_for = stack, self.names

    def attach_cutouts(self, ymap: Any, **options: Any) -> Self:
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

    def quantity(self, name: str) -> u.Quantity:
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

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Cluster]:
        cutouts = self.cutouts
        return (self._cluster(row, cutouts) for row in range(len(self)))

    def __contains__(self, name: object) -> bool:
        """Tell whether a cluster has a name, in any spelling."""
        return name in self._names_index()

    def __getitem__(self, item: Any) -> Any:
        try:
            index = rows_of(item, len(self), self._names_index, "cluster", "sample")
        except UnknownNameError as err:
            if not isinstance(item, str) or item not in self.table.colnames:
                raise
            raise UnknownNameError(
                f"No cluster is named {item!r}, but a column: sample.table[{item!r}] is it, and "
                f"sample.quantity({item!r}) its numbers, NaN where they are not known."
            ) from err
        if isinstance(index, int):
            return self._cluster(index, self.cutouts)
        table = self.table[index]
        table.meta = copy.deepcopy(self.table.meta)
        fields = {name: stack[index] for name, stack in self.fields.items()}
        return self._of(table, None if self.cutouts is None else self.cutouts[index], fields)

    def _names_index(self) -> NameIndex:
        if not np.array_equal(self._index.names, self.names):  # the table was edited
            self._index = NameIndex(self.names)
        return self._index

    def _cluster(self, row: int, cutouts: Any) -> Cluster:
        values = {name: _value(self.table[name][row]) for name in self.table.colnames}
        known = {name: values.pop(name) for name in _KNOWN if name in values}
        cutout = None if cutouts is None else cutouts[row]
        return Cluster(**known, measurements=values, cutout=cutout)

    def _summary(self) -> str:
        known = self.redshift[np.isfinite(self.redshift)]
        redshift = f"{known.min():.4g} to {known.max():.4g}" if len(known) else "none known"
        return f"{len(self)} clusters, redshift {redshift} ({len(self) - len(known)} unknown), " + (
            "no cutouts" if self._cutouts is None else "with cutouts"
        )

    def __repr__(self) -> str:
        return f"<ClusterSample: {self._summary()}; columns {', '.join(self.table.colnames)}>"

    def __str__(self) -> str:
        """The rows, with four digits."""
        return "\n".join([repr(self), *shown(self.table)])

    def _repr_html_(self) -> str:
        from szmass._utils import html as _html

        attached = f"<p>{_html.short(repr(self._cutouts))}</p>" if self._cutouts is not None else ""
        title = f"<p><b>ClusterSample</b>: {_html.short(self._summary())}</p>"
        first = [name for name in _KNOWN if name in self.table.colnames]
        others = [name for name in self.table.colnames if name not in _KNOWN]
        return title + attached + _html.rows_of(self.table, [*first, *others])


def as_sample(
    value: "ClusterSample | Cluster | Sequence[Cluster]", argument: str = "sample"
) -> ClusterSample:
    """Give a sample for a sample, one cluster or a list of clusters.

    Parameters
    ----------
    value : ClusterSample or Cluster or sequence of Cluster
        What a caller passed.
    argument : str, optional
        Name of the argument, for the error message.

    Returns
    -------
    ClusterSample
        The sample itself, or one of the clusters with their cutouts.

    Raises
    ------
    InvalidInputError
        It is something else.
    """
    if (clusters := as_clusters(value)) is not None:
        return ClusterSample.from_clusters(clusters)
    return check_kind(value, "ClusterSample", argument)


def _warn_of_alike(index: NameIndex) -> None:
    if alike := index.alike():
        warnings.warn(
            f"{alike} Remove all but one, or go on if they are different ones.",
            SzmassWarning,
            stacklevel=3,
        )


def _value(entry: Any) -> Any:
    """Give one entry of a table as a plain value, None where masked."""
    if np.any(getattr(entry, "mask", False)):
        return None
    if isinstance(entry, Masked):
        return entry.unmasked
    return entry.item() if isinstance(entry, np.generic) else entry
