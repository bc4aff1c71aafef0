"""What is known of a published map: where it is, and what has to be said to open it."""

from dataclasses import dataclass, field

import astropy.units as u

__all__ = ["MapProduct", "MapSource"]


@dataclass(frozen=True, kw_only=True)
class MapSource:
    """One place from which a product can be fetched.

    Parameters
    ----------
    url : str
        Address of the file, or of an archive that has it.
    member : str, optional
        Name of the file in a tar archive; folders do not matter.
    size : int, optional
        Number of bytes at ``url``, where it is known exactly: another number is refused.
    sha256 : str, optional
        SHA-256 of what is at ``url``, where it is known.
    verified : bool, optional
        Whether this very address stands in public pages or programs that fetch it. Otherwise it
        was put together from an archive's rules and a published file name.
    """

    url: str
    member: str | None = None
    size: int | None = None
    sha256: str | None = None
    verified: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class MapProduct:
    """A published Compton-y map, or the masks that belong to one.

    Parameters
    ----------
    tag : str
        Short name.
    title : str
        What it is, in a line.
    filename : str
        Name under which it is kept.
    homepage : str
        Page of the release, for people.
    kind : {"map", "mask"}, optional
        A map of y can be opened as a `ComptonMap`.
    sources : tuple of MapSource, optional
        Where it can be fetched, tried in this order; empty if no address is known.
    size : int, optional
        About how many bytes it has.
    sha256 : str, optional
        Its SHA-256, where it is known. Otherwise the one of the first download counts.
    pixels : {"healpix", "car"}, optional
        HEALPix table, or image in plate carree projection.
    nside : int, optional
        Resolution of a HEALPix map.
    ordering : {"ring", "nested"}, optional
        Ordering of its pixels, where it is known; the file says it as well.
    frame : str, optional
        Frame of the pixels.
    column : str, optional
        The column to be used of a table.
    columns : dict, optional
        Its columns that are of use, and what they hold.
    splits : tuple of str, optional
        The two columns whose half-difference is noise.
    beam : `~astropy.units.Quantity`, optional
        FWHM of the Gaussian beam.
    year : int, optional
        Year of the release.
    references : tuple of str, optional
        What to cite: ADS bibcodes.
    notes : str, optional
        What else a user should know, above all what could not be verified.
    """

    tag: str
    title: str
    filename: str
    homepage: str
    kind: str = "map"
    sources: tuple[MapSource, ...] = ()
    size: int | None = None
    sha256: str | None = None
    pixels: str = "healpix"
    nside: int | None = None
    ordering: str | None = None
    frame: str | None = None
    column: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    splits: tuple[str, ...] = ()
    beam: u.Quantity | None = None
    year: int | None = None
    references: tuple[str, ...] = ()
    notes: str = ""

    @property
    def read_options(self):
        """Options of `ComptonMap.read` for any copy of this map, as a dict."""
        options = {"beam": self.beam}
        if self.pixels == "healpix":
            options.update(column=self.column, ordering=self.ordering, frame=self.frame)
        return {name: value for name, value in options.items() if value is not None}
