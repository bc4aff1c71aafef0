"""Fields of simulated clusters beside Compton-y: their form and registry."""

import abc

import numpy as np

from szmass._utils.docs import InheritsDocstrings
from szmass._utils.registry import Registry
from szmass.exceptions import InvalidInputError

__all__ = ["FIELDS", "ClusterField", "get_fields"]

#: Classes of fields known by name.
FIELDS = Registry("field")


class ClusterField(InheritsDocstrings, abc.ABC):
    """What else than Compton-y a simulated cluster shows, on the same grid, from the same side.

    A subclass is a frozen dataclass with its options and gives `paint`. Its random numbers come
    from the stream of its name (``fields.generator(self, i)``), so that one field more or less
    changes no other.

    Attributes
    ----------
    name : str
        Name of the field, and of its stream.
    unit : `~astropy.units.UnitBase`
        Unit of the maps.
    smooth : bool
        Whether maps are seen through beam and pixels of the observation, as Compton-y is. Counts
        of points are not.
    references : tuple of str
        ADS bibcodes of the papers to cite for it, as its options are.
    software : tuple of str
        Packages that it needs and that are to be cited.
    """

    name = None
    unit = None
    smooth = True
    references = ()
    software = ()

    @abc.abstractmethod
    def paint(self, fields):
        """Paint the field.

        Parameters
        ----------
        fields : FieldSet
            Clusters, grid and directions.

        Returns
        -------
        maps : ndarray
            In the field's unit, float32, shape (N, projections, ny, nx).
        columns : dict
            Truth: arrays or quantities of shape (N, ...).
        """

    def observe(self, maps, columns, fields):
        """Give maps, as they are sampled, the field's own noise; none by default.

        Parameters
        ----------
        maps : ndarray
            Shape (N, projections, ny, nx); may be changed.
        columns : dict
            From `paint`.
        fields : FieldSet
            As in `paint`.

        Returns
        -------
        ndarray
            The maps.
        """
        return maps


def get_fields(fields):
    """Make fields of names, names with options, or fields.

    Parameters
    ----------
    fields : str or ClusterField or sequence of them or dict or None
        Keys of `FIELDS`; with options as a dict of dicts.

    Returns
    -------
    tuple of ClusterField
        The fields.

    Raises
    ------
    UnknownNameError
        No field has that name; the message lists them.
    InvalidInputError
        It is something else, options do not exist, or a name is there twice.
    """
    if fields is None:
        return ()
    if isinstance(fields, str | ClusterField):
        fields = [fields]
    if not isinstance(fields, list | tuple | dict):
        raise InvalidInputError(
            f"'fields' must be names ({', '.join(FIELDS)}), fields, or a dict of names and "
            f"options. Received: {fields!r}"
        )
    pairs = fields.items() if isinstance(fields, dict) else ((entry, {}) for entry in fields)
    made = tuple(_made(entry, options) for entry, options in pairs)
    names = [field.name for field in made]
    if len(set(names)) < len(names):
        raise InvalidInputError(f"'fields' must have each field once. Received: {names}")
    return made


def _made(field, options):
    if isinstance(field, str):
        try:
            return FIELDS[field](**(options or {}))
        except TypeError as err:
            raise InvalidInputError(
                f"The field {field!r} cannot be made of the options {options!r}: {err}"
            ) from err
    if not isinstance(field, ClusterField):
        raise InvalidInputError(
            f"A field must be a name ({', '.join(FIELDS)}) or a ClusterField. Received: {field!r}"
        )
    return field


def check_counts(field, mean, cure, most=1e18):
    """Refuse mean numbers of a field from which no Poisson numbers can be drawn."""
    if np.size(mean) and not np.max(mean) < most:
        raise InvalidInputError(
            f"The field {field.name!r} would have {np.max(mean):.3g} counts in one place, more "
            f"than can be drawn. {cure}"
        )


def normals(field, fields, n):
    """Draw n standard normal numbers of a field for each cluster, shape (N, n)."""
    streams = (fields.generator(field, i) for i in range(len(fields.clusters)))
    return np.array([stream.standard_normal(n) for stream in streams]).reshape(-1, n)


def substructure(clusters):
    """Mass ratios (N, S), shares of gas, places [R500 of the gas]: subhaloes, last companions."""
    ratio = np.column_stack([clusters["subhalo_ratio"], clusters["companion_ratio"]])
    share = np.column_stack([clusters["subhalo_gas"], np.ones(len(clusters))])
    place = [clusters["subhalo_position"], clusters["companion_position"][:, np.newaxis]]
    return ratio, share, np.concatenate(place, axis=1)
