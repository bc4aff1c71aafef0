"""A report that people read: static pages about a table of masses, to be opened from disk."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from szmass._io.tables import write_table
from szmass._utils.optional import import_optional
from szmass.exceptions import InvalidInputError
from szmass.report._content import read_content
from szmass.report._data import write_data
from szmass.report._figures import draw_figures
from szmass.report._folder import check_target, report_folder
from szmass.report._pages import ClusterPages, as_posteriors, environment, write_static
from szmass.report._provenance import describe_methods, describe_origin
from szmass.report._summary import choose_reference, summarise
from szmass.report._views import CutoutViews
from szmass.report._words import page_name
from szmass.version import __version__

__all__ = ["write_report"]


def write_report(
    table,
    path,
    *,
    sample=None,
    cutouts=None,
    ymap=None,
    posteriors=None,
    noise=None,
    reference=None,
    title="Masses of galaxy clusters",
    max_pages=2000,
    figures=True,
    inputs=None,
):
    """Write static pages about a table of masses: statistics, figures, a table, a page per cluster.

    The pages open from disk and ask nothing of the network. The table of clusters is sorted,
    searched and filtered in the browser.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Masses side by side, as from `~szmass.estimators.estimate_masses`, or of one method. What a
        table of another origin lacks is said in the report.
    path : path-like
        The folder: a name that is free, an empty folder, or an earlier report, which is replaced
        when the new one is complete.
    sample : `~szmass.clusters.ClusterSample`, optional
        The clusters by name, in any order: measurements that the table lacks, such as ``snr``, and
        cutouts.
    cutouts : `~szmass.maps.CutoutStack`, optional
        Cutouts by name, in any order; by default those of the sample.
    ymap : `~szmass.maps.ComptonMap`, optional
        The map, to take cutouts from where none are given; positions are those of the table, or
        else of the sample.
    posteriors : dict of str to `~szmass.results.LogMassPosterior`, optional
        Posteriors by method, of clusters by name or in the order of the table.
    noise : `~szmass.maps.NoiseModel`, optional
        Noise of the map that the cutouts are from, for errors of the profiles.
    reference : str, optional
        The method or column that others are compared with: by default ``mass_true`` if the table
        has it, else ``msz``, else the first method.
    title : str, optional
        Title of the report.
    max_pages : int, optional
        So many clusters from the beginning of the table have a page and a picture.
    figures : bool, optional
        Draw figures; without them a report is there sooner.
    inputs : dict of str to path-like, optional
        Files that went into the table, by what they are: names, sizes and SHA-256 are recorded.

    Returns
    -------
    pathlib.Path
        The page to open, ``index.html`` in the folder.

    Raises
    ------
    FileFormatError
        The table has no column ``name``, no masses, or no rows.
    InvalidInputError
        The folder holds something else than a report, or an argument does not fit the table; then
        nothing is touched.
    InvalidUnitError
        A mass has no unit of mass.
    MissingDependencyError
        Jinja2 or matplotlib is not installed.
    """
    import_optional("jinja2", extra="report", purpose="write a report")
    import_optional("matplotlib", extra="report", purpose="draw the figures of a report")
    if not (isinstance(max_pages, int | np.integer) and max_pages >= 0):
        raise InvalidInputError(
            f"'max_pages' must be a whole number of at least 0. Received: {max_pages!r}"
        )
    check_target(Path(path).absolute())
    content = read_content(table, sample)
    reference = choose_reference(content, reference)
    stack = sample.cutouts if cutouts is None and sample is not None else cutouts
    count = min(len(content), int(max_pages))
    slugs = [page_name(i + 1, len(content), content.names[i]) for i in range(count)]
    if stack is None and ymap is not None:
        coord = SkyCoord(content.ra[:count], content.dec[:count], unit="deg")
        stack = ymap.cutouts(coord, names=content.names[:count])
    curves = as_posteriors(posteriors or {}, content, count)
    summary = summarise(content, reference)
    with report_folder(path) as folder:
        write_static(folder / "static")
        views, pictures = None, np.zeros(count, bool)
        if stack is not None and count:
            views = CutoutViews(stack, content, slugs, folder / "cutouts", noise)
            pictures = views.pictures
        drawn = []
        if figures:
            cut = (None, None) if views is None else (stack, views.rows)
            drawn = draw_figures(content, reference, summary["ratios"], folder / "figures", *cut)
        write_data(folder / "static" / "data.js", content, reference, slugs, pictures)
        ClusterPages(content, slugs, title, views, curves).write(folder / "clusters")
        write_table(table, folder / "masses.ecsv")
        bibtex, papers = _citations(table, stack)
        (folder / "references.bib").write_text(bibtex, encoding="utf-8")
        page = environment().get_template("index.html")
        example = (content.estimators or content.methods)[0]
        (folder / "index.html").write_text(
            page.render(
                root="",
                title=title,
                total=len(content),
                pages=count,
                with_pictures=bool(pictures.any()),
                estimators=[method.label for method in content.estimators],
                definition=_definition(content),
                notes=content.notes,
                summary=summary,
                reference=reference.label,
                example_key=example.key,
                figures=drawn,
                table_file="masses.ecsv",
                origin=describe_origin(content, stack, inputs),
                details=describe_methods(content),
                bibtex=bibtex,
                papers=papers,
                version=__version__,
                date=datetime.now(UTC).strftime("%Y-%m-%d"),
            ),
            encoding="utf-8",
        )
    return Path(path) / "index.html"


def _definition(content):
    found = {method.meta.get("mass_definition") for method in content.estimators}
    return str(found.pop()) if len(found) == 1 and found != {None} else ""


def _citations(table, stack):
    """BibTeX of what was used, and the papers by what they are cited for."""
    from szmass.citations import cite, find_papers

    used = [thing for thing in (table, stack) if thing is not None]
    return cite(*used, "matplotlib"), find_papers(*used, "matplotlib")
