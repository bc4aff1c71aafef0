"""Catalogues: what all of them have in common, to read, fetch, write, select and look up."""

import hashlib
import inspect
import re
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from szmass._io.files import naming
from szmass._io.limits import read_content
from szmass._tables.angles import known_positions
from szmass._tables.columns import column_parts, shown
from szmass._tables.files import read_table, write_table
from szmass._tables.forms import read_form
from szmass._utils.kinds import check_kind, rows_of
from szmass._utils.names import NameIndex
from szmass._utils.quantities import as_floats
from szmass._utils.registry import Registry
from szmass.catalogs._columns import (
    CatalogColumn,
    add_published_units,
    catalog_columns,
    standardise,
)
from szmass.catalogs._remote import (
    latest_snapshot,
    query_vizier,
    read_snapshot,
    require_consistent,
    write_snapshot,
)
from szmass.catalogs._selection import selected, warn_if_empty
from szmass.catalogs._values import check_values, require_possible
from szmass.clusters import ClusterSample
from szmass.exceptions import (
    FileFormatError,
    IntegrityError,
    InvalidInputError,
    RemoteDataError,
    SzmassWarning,
    UnknownNameError,
)

__all__ = ["CATALOGS", "Catalog", "CatalogColumn", "catalog_columns", "register_catalog"]


_PARAMETERS = """Parameters
----------
table : `~astropy.table.Table`
    The rows, with the published columns or with ours."""


def _require_catalog(tag, catalog):
    if not (isinstance(catalog, type) and issubclass(catalog, Catalog)):
        raise InvalidInputError(
            f"A catalogue must be a sub-class of szmass.catalogs.Catalog. Received: {catalog!r}"
        )
    if catalog.tag is None or catalog.tag != tag:
        raise InvalidInputError(
            f"The catalogue {catalog.__name__} must be registered under its tag, {catalog.tag!r}, "
            f"a string. Received: {tag!r}"
        )


#: Catalogue classes by tag, also of other packages: their entry points of the group
#: ``szmass.catalogs`` have the tag as their name and the class as their object.
CATALOGS = Registry("catalogue", entry_point_group="szmass.catalogs", check=_require_catalog)


def register_catalog(catalog):
    """Add a catalogue class to `CATALOGS` under its tag; a class decorator.

    Parameters
    ----------
    catalog : type
        A sub-class of `Catalog` with a ``tag``.

    Returns
    -------
    type
        ``catalog``.

    Raises
    ------
    DuplicateNameError
        Another catalogue has that tag.
    InvalidInputError
        It is no such class, or has no tag.
    """
    return CATALOGS.add(getattr(catalog, "tag", None), catalog)


class Catalog:
    """A published table of clusters under one set of column names and units.

    A sub-class describes one publication by its class attributes. Where its docstring has no
    section on parameters, it gets this one.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows, with the published columns or with ours. It is copied and not changed.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        The columns that `columns` describes; ``meta`` tells where they came from.

    Raises
    ------
    FileFormatError
        A column is not there, or has other units or values than it can have.
    InvalidInputError
        A redshift or an error of a mass is negative, or a mass is not positive.
    DuplicateNameError
        Two rows have the same name.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from szmass.catalogs import Catalog, catalog_columns
    >>> class TwoClusters(Catalog):
    ...     tag = "two"
    ...     columns = catalog_columns(
    ...         '''
    ...         name      ID   str
    ...         ra        RA   deg    Right ascension (J2000)
    ...         dec       DEC  deg    Declination (J2000)
    ...         redshift  Z    float
    ...         ''',
    ...         required=("name", "ra", "dec"),
    ...     )
    >>> published = QTable({"ID": ["A85", "A2142"], "Z": [0.0555, 0.0894]})
    >>> published["RA"], published["DEC"] = [10.46, 239.58] * u.deg, [-9.30, 27.23] * u.deg
    >>> TwoClusters(published).sample(redshift=(0.06, None)).names
    array(['A2142'], dtype='<U5')
    """

    #: Short name, as on the command line.
    tag = None
    #: One line for lists.
    description = ""
    #: The table at VizieR, or None.
    vizier_id = None
    #: Number of rows of the publication.
    expected_rows = None
    #: Columns, how many of their values are known, and the mean of these, in a table of
    #: `published_rows` rows: what is fetched must have them.
    published = ()
    #: Number of rows that `published` is of.
    published_rows = None
    #: ADS bibcodes of the papers to cite.
    references = ()
    #: The columns, as `CatalogColumn`.
    columns = ()
    #: Columns of further names of the clusters, by which they are found too.
    aliases = ()
    #: Columns of longitude and latitude and their frame, or None without positions.
    position = ("ra", "dec", "icrs")
    #: Where the files can be had by hand; by default the folder of `vizier_id` at the CDS.
    download_page = None
    #: Forms of the published file that do not say their units, such as ``"csv"``: numbers in
    #: them are in the units that `columns` gives as the published ones.
    unitless_forms = ()

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if cls.vizier_id is not None and cls.download_page is None:
            folder = cls.vizier_id.rpartition("/")[0]
            cls.download_page = f"https://cdsarc.cds.unistra.fr/ftp/{folder}/"
        doc = inspect.cleandoc(cls.__doc__ or "")
        if doc and "Parameters\n---" not in doc:
            body, *sections = re.split(r"\n\n(?=\w+\n---)", doc)
            cls.__doc__ = "\n\n".join([body, _PARAMETERS, *sections])

    def __init__(self, table):
        self.table = standardise(check_kind(table, "Table", "table"), self.columns)
        self.table.meta = {**table.meta, "catalog": self.tag, "references": list(self.references)}
        aliases = [column_parts(self.table[name]) for name in self.aliases]
        self._index = NameIndex(
            self.table["name"],
            kind=f"{self.tag or 'table'} row",
            aliases=[np.where(mask, "", values) for values, mask, _ in aliases],
        )
        require_possible(self.table, self._index.names)

    @classmethod
    def read(cls, path, *, readme=None):
        """Read the catalogue from a file; its content tells the form.

        Parameters
        ----------
        path : path-like
            The published FITS or CDS file, an answer of VizieR, or what `write` wrote; also
            compressed with gzip.
        readme : path-like, optional
            The ReadMe of a CDS file; by default the file ``ReadMe`` in the same folder.

        Returns
        -------
        Catalog
            The catalogue; all forms give the same table to rounding.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        FileFormatError
            The form is not known, the file is damaged, or it is another catalogue.
        """
        return cls._read(path, readme)

    @classmethod
    def _read(cls, path, readme, **options):
        """Read a file; ``options`` are those of the constructor."""
        text = [name for column in cls.columns if column.dtype == "str" for name in column.aliases]
        table, form, packed = read_form(path, readme=readme, text=text)
        if packed is not None or form == "ecsv":
            table = read_table(path, format=form)
        ours = table.meta.get("catalog")
        if ours not in (None, cls.tag):
            raise FileFormatError(
                f"{str(path)!r} holds the catalogue {ours!r}, not {cls.tag!r}: read it with "
                f"szmass.CATALOGS[{ours!r}].read."
            )
        if ours is None:
            table.meta = {
                "source": Path(path).name,
                "form": form,
                "sha256": hashlib.sha256(read_content(path)).hexdigest(),
            }
        if ours is None and form in cls.unitless_forms:
            table = add_published_units(table, cls.columns)
        with naming(path):
            try:
                return cls(cls._prepare(table), **options)
            except FileFormatError as err:
                raise FileFormatError(
                    f"{str(path)!r} is not the catalogue {cls.tag!r}: {err}"
                ) from err

    @classmethod
    def fetch(cls, *, offline=False, refresh=False, timeout=None):
        """Give the whole catalogue, from its snapshot if there is one, else from VizieR.

        Rows, columns and units of VizieR's answer are compared with those of the publication,
        so that an incomplete or changed answer is an error and not a table. A good one is
        kept as a snapshot, a readable file whose name has the date.

        Parameters
        ----------
        offline : bool, optional
            Only look for a snapshot; also if ``szmass.catalogs.conf.offline`` is set.
        refresh : bool, optional
            Ask VizieR even if there is a snapshot; the older ones are kept.
        timeout : float, optional
            Longest silence of the server [s]; ``szmass.catalogs.conf.vizier_timeout`` if None.

        Returns
        -------
        Catalog
            The catalogue. Its table's ``meta`` has the query, the date, the SHA-256 of the
            answer, and ``snapshot``, the file, if it was read from one.

        Raises
        ------
        RemoteDataError
            The server did not give the table, or not the one that is expected; or there is
            no snapshot and ``offline`` was asked for.
        IntegrityError
            The snapshot was changed or damaged and ``offline`` was asked for.
        InvalidInputError
            ``offline`` and ``refresh`` are both asked for.

        Warns
        -----
        SzmassWarning
            The snapshot was damaged and the catalogue is fetched again; or it could not be
            kept.
        """
        offline = require_consistent(offline, refresh)
        if cls.vizier_id is None:
            raise RemoteDataError(
                f"VizieR does not carry {cls.tag!r}. Get it from {cls.download_page} and use "
                f"{cls.__name__}.read(path)."
            )
        path = None if refresh else latest_snapshot(cls.tag)
        if path is not None:
            try:
                return cls(read_snapshot(path))
            except (IntegrityError, FileFormatError) as err:
                if offline:
                    raise
                warnings.warn(f"{err} It is fetched again now.", SzmassWarning, stacklevel=2)
        elif offline:
            raise RemoteDataError(
                f"There is no snapshot of {cls.tag!r}, and nothing is asked for offline. Fetch it "
                f"once with a connection, or use {cls.__name__}.read(path)."
            )
        catalog = cls._fetch(timeout)
        write_snapshot(catalog.table, cls.tag)
        return catalog

    @classmethod
    def _fetch(cls, timeout):
        table, provenance = query_vizier(cls.vizier_id, timeout=timeout)
        by_hand = (
            f"Download the table by hand from {cls.download_page} and use "
            f"{cls.__name__}.read(path); if this persists, report it."
        )
        if len(table) != cls.expected_rows:
            raise RemoteDataError(
                f"VizieR gave {len(table)} rows of {cls.vizier_id!r} instead of "
                f"{cls.expected_rows}. {by_hand}"
            )
        table.meta = provenance
        try:
            table = cls._prepare(table)
            check_values(standardise(table, cls.columns, strict=True), cls)
            return cls(table)
        except (FileFormatError, InvalidInputError) as err:
            raise RemoteDataError(
                f"VizieR's {cls.vizier_id!r} is not as it is known here: {err} {by_hand}"
            ) from err

    @classmethod
    def _prepare(cls, table):
        """Give a published table units and columns that its form cannot hold."""
        return table

    def write(self, path, *, overwrite=False):
        """Write the table; `read` gives it back unchanged.

        Parameters
        ----------
        path : path-like
            The target: ``.ecsv``, ``.fits`` or ``.vot``.
        overwrite : bool, optional
            Replace an existing file.

        Raises
        ------
        InvalidInputError
            The format is not known, the file exists, or its folder does not.
        """
        table = self.table.copy(copy_data=False)
        table.meta = _published(table.meta)
        write_table(table, path, overwrite=overwrite)

    def sample(self, *, names=None, where=None, **selection):
        """Select rows as a sample.

        Parameters
        ----------
        names : sequence of str, optional
            Only these, in this order.
        where : array-like of bool, optional
            A mask over the rows.
        **selection : dict
            By column: ``(low, high)`` keeps low < value <= high (None is open), anything else
            keeps what equals it. Masked values are not kept. For instance
            ``redshift=(0, 1)``, ``snr=(6, None)``, ``cosmo=True``.

        Returns
        -------
        `~szmass.clusters.ClusterSample`
            The clusters; columns of positions become its ``coord``.

        Raises
        ------
        UnknownNameError
            There is no row of that name.
        InvalidInputError
            There is no such column, it cannot have such values, a range has its higher end first,
            or the catalogue has no positions.

        Warns
        -----
        SzmassWarning
            Nothing is selected.
        """
        keep = selected(self.table, where, selection, self.tag)
        rows = np.flatnonzero(keep)
        if names is not None:
            wanted = [names] if isinstance(names, str) else names
            chosen = [self._index[name] for name in wanted]
            rows = np.array([row for row in chosen if keep[row]], dtype=int)
        return self._sample_of(rows)

    def _sample_of(self, rows):
        if self.position is None:
            raise InvalidInputError(
                f"The catalogue {self.tag!r} has no positions. Use its table, or the names of its "
                "rows to select from another: other.sample(names=catalog.table['name'])."
            )
        lon, lat, frame = self.position
        table = self.table[rows]
        others = {"ra", "dec", "glon", "glat"}.difference((lon, lat)).intersection(table.colnames)
        table.remove_columns(list(others))  # they would say the same as ``coord``
        table.meta = _published(table.meta)
        return ClusterSample.from_table(
            table, name="name", coord=(lon, lat), frame=frame, redshift="redshift"
        )

    def row(self, name):
        """Give the row of one cluster.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        `~astropy.table.Row`
            The row of ``table``.

        Raises
        ------
        UnknownNameError
            There is no such name; the message lists close ones.
        """
        return self.table[self._index[name]]

    def near(self, coord, radius="10 arcmin"):
        """Select the rows around a position as a sample.

        Parameters
        ----------
        coord : `~astropy.coordinates.SkyCoord` or `~szmass.clusters.Cluster`
            The position, or the cluster there.
        radius : `~astropy.units.Quantity` or str, optional
            Largest separation.

        Returns
        -------
        `~szmass.clusters.ClusterSample`
            The clusters, the nearest first; its column ``separation`` says how far they are.

        Raises
        ------
        InvalidInputError
            ``coord`` is not one position, ``radius`` is not a positive angle, or the catalogue has
            no positions.
        InvalidUnitError
            ``radius`` has no angular unit.

        Warns
        -----
        SzmassWarning
            There is none.

        Examples
        --------
        >>> import astropy.units as u
        >>> from astropy.coordinates import SkyCoord
        >>> from szmass.catalogs import SPTSZCatalog
        >>> catalog = SPTSZCatalog.fetch()  # doctest: +SKIP
        >>> catalog.near(SkyCoord(344.7, -43.0, unit="deg"), 30 * u.arcmin)  # doctest: +SKIP
        """
        coord = getattr(coord, "coord", coord)
        if not (isinstance(coord, SkyCoord) and coord.isscalar and known_positions(coord)):
            raise InvalidInputError(
                f"'coord' must be one position, a SkyCoord, or a Cluster. Received: {coord!r:.200}"
            )
        limit = as_floats(radius, u.arcmin, "radius", positive=True, finite=True)
        if limit.ndim:
            raise InvalidInputError(f"'radius' must be one angle. Received: {radius!r:.200}")
        sample = self._sample_of(np.arange(len(self)))
        separation = sample.coord.separation(coord.transform_to(sample.coord.frame)).arcmin
        rows = np.flatnonzero(separation <= limit)
        warn_if_empty(separation <= limit, f"a distance of {limit:.4g} arcmin at most")
        rows = rows[np.argsort(separation[rows], kind="stable")]
        found = sample[rows]
        found.table["separation"] = separation[rows] * u.arcmin
        return found

    def __getitem__(self, item):
        if isinstance(item, str):
            return self._sample_of([self._row_of(item)])[0]
        index = rows_of(item, len(self), lambda: self._index, "cluster", "catalogue")
        if isinstance(index, int):
            return self._sample_of([index])[0]
        return self._sample_of(np.arange(len(self))[index])

    def __contains__(self, name):
        """Tell whether a row has a name, in any spelling and also of another catalogue."""
        return name in self._index

    def __iter__(self):
        return iter(self._sample_of(np.arange(len(self))))

    def _row_of(self, name):
        try:
            return self._index[name]
        except UnknownNameError as err:
            if name not in self.table.colnames:
                raise
            raise UnknownNameError(
                f"No {self.tag} row is named {name!r}, but a column: catalog.table[{name!r}] is it."
            ) from err

    def __len__(self):
        return len(self.table)

    def __repr__(self):
        return f"<{type(self).__name__}: {len(self)} rows, {len(self.table.colnames)} columns>"

    def _repr_html_(self):
        from szmass._utils import html as _html

        title = _html.short(f"{type(self).__name__}: {self.description}")
        return f"<p>{title}, {len(self)} rows</p>{_html.rows_of(self.table)}"

    def __str__(self):
        """The rows, with four digits."""
        return "\n".join([repr(self), *shown(self.table)])


def _published(meta):
    """What is on record, for files that people publish: of a snapshot its name alone."""
    return {**meta, "snapshot": Path(meta["snapshot"]).name} if "snapshot" in meta else meta
