"""Table 1 and the figures of de Andres et al. (2022), from networks and data at hand."""

import json
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime

import astropy
import numpy as np
from astropy.table import QTable, Table

from szmass._io.files import check_output_folder, output_folder
from szmass._tables.files import write_table
from szmass._utils.optional import import_optional
from szmass.estimators.core import named_estimators
from szmass.exceptions import InvalidInputError
from szmass.reproduce._shown import (
    COLUMNS,
    draw_figures,
    fit_ratios,
    fit_table,
    format_fits,
    format_table1,
    make_table1,
)
from szmass.reproduce._weigh import (
    make_mocks,
    match_lensing,
    read_catalog,
    read_published,
    weigh_clusters,
)
from szmass.version import __version__

__all__ = ["Reproduction", "check_folder", "reproduce"]

#: The file by which a folder is known to be ours.
_MARKER = "provenance.json"
_RESERVED = {"sz", "sz_blind", "published", "msz", "mass_true"}


@dataclass(frozen=True)
class Reproduction:
    """What `reproduce` found.

    Parameters
    ----------
    table1 : `~astropy.table.QTable`
        A row per method, data (key of the columns of Table 1) and redshift bin, the last of them
        for all redshifts: the columns of `~szmass.comparison.relative_difference_table`, and the
        published means and standard deviations.
    masses : dict of str to `~astropy.table.QTable` or None
        Masses side by side of "clean" and "planck_like" mocks and of "planck" clusters.
    about : dict of str to dict of str to str
        By column of Table 1 and by method what it was made from, or why it is empty.
    lensing : `~astropy.table.QTable` or None
        Real clusters with lensing masses, in ``mass_wl``.
    lensing_fits : dict of (str, str) to `~szmass.comparison.RelationFit`
        1-b by method and lensing table.
    models : `~astropy.table.Table` or None
        Metrics of trained models, as given.
    histories : dict or `~astropy.table.Table` or None
        Losses by epoch, as given.
    provenance : dict
        Versions, arguments, and what estimators and data say of themselves.
    """

    table1: QTable
    masses: dict
    about: dict
    lensing: QTable | None = None
    lensing_fits: dict = field(default_factory=dict)
    models: Table | None = None
    histories: object = None
    provenance: dict = field(default_factory=dict)

    @property
    def methods(self):
        """Names of the methods, in order."""
        return list(dict.fromkeys(str(name) for name in self.table1["method"]))

    def table(self, column):
        """Give the masses of a column of Table 1.

        Parameters
        ----------
        column : str
            "clean", "planck_like", "planck_like_blind", "planck_like_sz" or "planck".

        Returns
        -------
        `~astropy.table.QTable` or None
            Masses side by side, or None without data.
        """
        mocks = column in ("planck_like_blind", "planck_like_sz")
        return self.masses["planck_like" if mocks else column]

    def summary(self):
        """Say what came out.

        Returns
        -------
        str
            Markdown: Table 1, mean and standard deviation with the number of clusters, what each
            column was made from, and the ratios to lensing masses.
        """
        lines = [
            "# Table 1 of de Andres et al. (2022)",
            "",
            "Mean ± standard deviation (number of clusters) of relative differences of masses.",
            "",
            format_table1(self.table1, self.methods),
            "",
            "## What each column was made from",
            "",
        ]
        for name, column in COLUMNS.items():
            lines.append(f"- **{column.title}, {column.what}**")
            texts = self.about[name]
            if len(set(texts.values())) == 1:
                lines[-1] += f": {next(iter(texts.values()))}"
            else:
                lines += [f"  - {method}: {text}" for method, text in texts.items()]
        lines += ["", "## Weak lensing", "", self.about["lensing"]["all"]]
        if self.lensing_fits:
            lines += ["", format_fits(self.lensing_fits)]
        return "\n".join(lines)

    def figures(self):
        """Draw the figures for which there are data.

        Returns
        -------
        dict of str to `~matplotlib.figure.Figure`
            "residuals", "sz_masses", "error_distributions", "relative_errors", "y500", "lensing",
            "selection".

        Raises
        ------
        MissingDependencyError
            Matplotlib is not installed.
        """
        return draw_figures(self)

    def write(self, folder, *, overwrite=False):
        """Write tables, summary, figures and provenance into a folder.

        Parameters
        ----------
        folder : path-like
            Where to. It appears when all is done; nothing half-written is left.
        overwrite : bool, optional
            Replace an earlier reproduction.

        Raises
        ------
        InvalidInputError
            The folder is a file, its parent does not exist, or it has something in it: without
            ``overwrite`` anything, with it something that is no reproduction.
        MissingDependencyError
            Matplotlib is not installed.
        """
        with output_folder(folder, overwrite=overwrite, marker=_MARKER) as temporary:
            (temporary / "summary.md").write_text(self.summary() + "\n", encoding="utf-8")
            write_table(self.table1, temporary / "table1.ecsv")
            tables = {f"masses_{name}": table for name, table in self.masses.items()}
            tables["lensing"] = self.lensing
            if self.lensing_fits:
                tables["lensing_fits"] = fit_table(self.lensing_fits)
            for name, table in tables.items():
                if table is not None:
                    write_table(table, temporary / f"{name}.ecsv")
            for name, figure in self.figures().items():
                figure.savefig(temporary / f"{name}.png", dpi=150)
                # Without the date the same numbers give the same file.
                figure.savefig(temporary / f"{name}.pdf", metadata={"CreationDate": None})
            files = sorted(file.name for file in temporary.iterdir())
            text = json.dumps(self.provenance | {"files": [*files, _MARKER]}, indent=1, default=str)
            (temporary / _MARKER).write_text(text + "\n", encoding="utf-8")


def check_folder(folder, *, overwrite=False):
    """Make sure that a reproduction can be written, before it is made.

    Parameters
    ----------
    folder : path-like
        Where to.
    overwrite : bool, optional
        Allow an earlier reproduction.

    Raises
    ------
    InvalidInputError
        See `Reproduction.write`.
    MissingDependencyError
        Matplotlib is not installed.
    """
    check_output_folder(folder, overwrite=overwrite, marker=_MARKER)
    import_optional("matplotlib", extra="plot", purpose="draw the figures")


def reproduce(
    estimators,
    *,
    n=1000,
    seed=1,
    observation="planck-like",
    model="a10",
    population="flat",
    min_snr=4.5,
    planck_like=None,
    clean=None,
    catalog=None,
    ymap=None,
    published=None,
    lensing=(),
    exclude_lensing=("A2163",),
    models=None,
    histories=None,
    folder=None,
    overwrite=False,
):
    """Make Table 1 and the figures of de Andres et al. (2022) from the data at hand.

    Table 1 has four columns: masses of mock clusters without noise against the true ones; of
    mocks as in a Planck map against the true ones, and against M_SZ, measured without knowing
    position and size; of real clusters against MSZ. Beside them stand mocks against an M_SZ for
    which all of it is known. A column without data says so. Several estimators stand side by side.

    Parameters
    ----------
    estimators : str, `~szmass.estimators.MassEstimator`, list of these, or dict
        As for `~szmass.estimators.estimate_masses`: networks such as
        ``DeAndres2022(weights=...)``, or anything else that weighs cutouts. Where the option
        ``noise`` is "planck" or None it is replaced by the noise of the mocks when these are
        weighed, and so are ``depth`` and ``map_pixel`` if they are None.
    n : int, optional
        Number of mock clusters; at most so many are taken from a data set. 0 for none.
    seed : int, optional
        Seed of the mocks and of all choices.
    observation : str or `~szmass.simulations.Observation`, optional
        How mocks are observed; with noise.
    model : str or `~szmass.simulations.ClusterModel`, optional
        What mocks are made of.
    population : {"flat", "twin"}, optional
        Masses and redshifts of the mocks. "flat": even in log M from 10^14 to 2 10^15 Msun, with
        redshifts from ``catalog``, or without one roughly those of PSZ2; "twin": the redshifts of
        ``catalog`` and its MSZ / (1-b), each cluster once.
    min_snr : float or None, optional
        Mocks are detected above this signal-to-noise ratio; None for all.
    planck_like, clean : path-like, `~szmass.simulations.SimulationDataset` or \
            `~szmass.clusters.ClusterSample`, optional
        Mocks with and without noise to take instead of simulated ones. If one of them is given
        the other is not simulated.
    catalog : path-like or `~szmass.clusters.ClusterSample`, optional
        Real clusters with ``msz``: a catalogue's tag or file, as PSZ2. Redshifts above 1 are left
        out.
    ymap : path-like or `~szmass.maps.ComptonMap`, optional
        Map of these clusters, by name or file. What it does not cover wholly is left out.
    published : `~szmass.catalogs.DeAndres2022Catalog` or path-like, optional
        Published masses, which stand as the method "published"; a file, or "deandres2022" to fetch
        it.
    lensing : sequence of `~szmass.catalogs.LensingTable` or str, optional
        Lensing tables, their files or tags, the preferred first. Needs ``catalog``.
    exclude_lensing : sequence of str, optional
        Lensing clusters to leave out. A2163 is an extreme merger that Herbonnet et al. (2020) leave
        out. Several lensing clusters in one SZ source are left out in any case.
    models : `~astropy.table.Table`, optional
        Metrics of trained models, for `~szmass.plots.plot_selection`.
    histories : `~astropy.table.Table` or dict, optional
        Losses by epoch, for `~szmass.plots.plot_training`.
    folder : path-like, optional
        Write all of it there, as `Reproduction.write` does.
    overwrite : bool, optional
        Replace an earlier reproduction in ``folder``.

    Returns
    -------
    Reproduction
        Tables, figures and provenance.

    Raises
    ------
    InvalidInputError
        An argument is out of range or lacks something, or the folder may not be replaced.
    UnknownNameError
        There is no such estimator, catalogue, map, model or observation.
    MissingDependencyError
        Something that an estimator or the figures need is not installed.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325.
    """
    if folder is not None:
        check_folder(folder, overwrite=overwrite)
    named = named_estimators(estimators)
    if not named or _RESERVED & set(named):
        raise InvalidInputError(
            "'estimators' must be at least one, and none may be called "
            f"{', '.join(map(repr, sorted(_RESERVED)))}. Received: {', '.join(named) or 'none'}"
        )
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise InvalidInputError(f"'n' must be a number of at least 0. Received: {n!r}")
    if lensing and catalog is None:
        raise InvalidInputError("'lensing' needs 'catalog', which has the positions of clusters.")
    if population not in ("flat", "twin") or (population == "twin" and catalog is None):
        raise InvalidInputError(
            "'population' must be 'flat', or 'twin' where a catalogue is given. "
            f"Received: {population!r}"
        )
    given = {"catalog": catalog, "published": published}
    catalog, published = read_catalog(catalog), read_published(published)
    real, about_real = weigh_clusters(named, catalog=catalog, ymap=ymap, published=published)
    noisy, without, about = make_mocks(
        named, planck_like, clean, n=n, seed=seed, observation=observation, model=model,
        population=population, real=catalog, min_snr=min_snr,
    )  # fmt: skip
    about["planck"] = about_real
    methods = [*named, *(["published"] if published is not None else [])]
    for column in [name for name in COLUMNS if name != "planck"]:
        about[column] = dict.fromkeys(named, about[column])
        if published is not None:
            about[column]["published"] = "no data: a table of masses weighs no mocks"
    if published is None:
        about_real.pop("published")
    masses = {"clean": without, "planck_like": noisy, "planck": real}
    pairs, fits = None, {}
    about["lensing"] = {"all": "no data: no lensing table was given"}
    if lensing:
        pairs = match_lensing(real, lensing, exclude_lensing)
        fits = fit_ratios(pairs, ["msz", *methods])
        unique = len(np.unique(np.asarray(pairs["name"], dtype=str)))
        about["lensing"]["all"] = (
            f"{unique} clusters of the catalogue with a lensing mass, "
            f"{len(pairs)} pairs in {len(lensing)} table{'s' * (len(lensing) != 1)}"
        )
    result = Reproduction(
        table1=make_table1(methods, masses),
        masses=masses,
        about=about,
        lensing=pairs,
        lensing_fits=fits,
        models=models,
        histories=histories,
        provenance=_describe(
            masses,
            about,
            {
                "n": n, "seed": seed, "observation": observation, "model": model,
                "population": population, "min_snr": min_snr, "planck_like": planck_like,
                "clean": clean, **given, "ymap": ymap, "lensing": list(lensing),
                "exclude_lensing": list(exclude_lensing),
            },
        ),
    )  # fmt: skip
    if folder is not None:
        result.write(folder, overwrite=overwrite)
    return result


def _describe(masses, about, arguments):
    """Describe what was made by version, date, arguments, columns and methods, for JSON."""
    return {
        "what": "szmass reproduce",
        "versions": {
            "szmass": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "astropy": astropy.__version__,
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "arguments": {name: _plainly(value) for name, value in arguments.items()},
        "columns": about,
        "methods": {
            data: {} if table is None else table.meta.get("methods", {})
            for data, table in masses.items()
        },
    }


def _plainly(value):
    if isinstance(value, list):
        return [_plainly(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
