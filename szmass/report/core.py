"""Report that people read: static pages about a table of masses, to be opened from disk."""

import contextlib
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from szmass._io.download import file_sha256
from szmass._io.files import (
    check_output_folder,
    foreign_file,
    full_disk_raises,
    put_in_place,
    temporary_beside,
)
from szmass._tables.files import write_table
from szmass._utils.kinds import as_path, check_kind
from szmass._utils.optional import import_optional
from szmass.exceptions import InvalidInputError
from szmass.report._content import read_content
from szmass.report._pages import (
    as_posteriors,
    environment,
    page_name,
    write_data,
    write_pages,
    write_static,
)
from szmass.report._pictures import CutoutViews, MassMapViews
from szmass.report._statistics import choose_reference, draw_figures, summarise
from szmass.results import rescale_masses
from szmass.version import __version__

__all__ = ["check_folder", "write_report"]

# The file by which a folder is known to be a report.
_MARKER, _FORMAT = "szmass-report.json", "szmass report"


def write_report(
    table,
    path,
    *,
    sample=None,
    cutouts=None,
    ymap=None,
    posteriors=None,
    noise=None,
    mass_maps=None,
    reference=None,
    one_minus_b=None,
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
    mass_maps : `~szmass.massmaps.MassMapStack`, optional
        Maps of the projected mass of clusters, by name, for a panel on their pages.
    reference : str, optional
        The method or column that others are compared with: by default ``mass_true`` if the table
        has it, else ``msz``, else the first method.
    one_minus_b : float, optional
        Bring masses to the scale of this 1-b first, and posteriors with them, where the methods say
        theirs; the others stay as they are. By default all stay, and the report says the scales.
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
    check_folder(path)
    _check_kinds(sample, cutouts, ymap, posteriors, noise)
    if mass_maps is not None:
        check_kind(mass_maps, "MassMapStack", "mass_maps")
    inputs = _check_inputs(inputs)
    if one_minus_b is not None and isinstance(table, Table):
        table = rescale_masses(table, one_minus_b)
        posteriors = {
            name: posterior.rescaled(one_minus_b) for name, posterior in (posteriors or {}).items()
        }
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
    with _report_folder(path) as folder:
        write_static(folder / "static")
        views, pictures = None, np.zeros(count, bool)
        if stack is not None and count:
            views = CutoutViews(stack, content, slugs, folder / "cutouts", noise)
            pictures = views.pictures
        projected = None
        if mass_maps is not None and count:
            projected = MassMapViews(mass_maps, content.names, slugs, folder / "massmaps")
        drawn = []
        if figures:
            cut = (None, None) if views is None else (stack, views.rows)
            drawn = draw_figures(content, reference, summary["ratios"], folder / "figures", *cut)
        write_data(folder / "static" / "data.js", content, reference, slugs, pictures)
        write_pages(folder / "clusters", content, slugs, title, views, curves, projected)
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
                scales={method.label: method.scale for method in content.methods},
                origin=_describe_origin(content, stack, inputs),
                details=_describe_methods(content),
                bibtex=bibtex,
                papers=papers,
                version=__version__,
                date=datetime.now(UTC).strftime("%Y-%m-%d"),
            ),
            encoding="utf-8",
        )
    return Path(path) / "index.html"


def _check_kinds(sample, cutouts, ymap, posteriors, noise):
    for value, kind, argument in (
        (sample, "ClusterSample", "sample"),
        (cutouts, "CutoutStack", "cutouts"),
        (ymap, "ComptonMap", "ymap"),
        (noise, "NoiseModel", "noise"),
    ):
        if value is not None:
            check_kind(value, kind, argument)
    for name, posterior in _as_dict(posteriors, "posteriors").items():
        check_kind(posterior, "LogMassPosterior", f"posteriors[{name!r}]")


def _check_inputs(inputs):
    """Give files by what they are; each must be there."""
    files = {
        label: as_path(file, f"inputs[{label!r}]")
        for label, file in _as_dict(inputs, "inputs").items()
    }
    for label, file in files.items():
        if not file.is_file():
            raise InvalidInputError(f"'inputs[{label!r}]': there is no file {str(file)!r}.")
    return files


def _as_dict(value, argument):
    if value is not None and not isinstance(value, Mapping):
        raise InvalidInputError(f"'{argument}' must be a dict. Received: a {type(value).__name__}")
    return value or {}


def _definition(content):
    found = {method.meta.get("mass_definition") for method in content.estimators}
    return str(found.pop()) if len(found) == 1 and found != {None} else ""


def _citations(table, stack):
    """BibTeX of what was used, and the papers by what they are cited for."""
    from szmass.citations import cite, find_papers

    used = [thing for thing in (table, stack) if thing is not None]
    return cite(*used, "matplotlib"), find_papers(*used, "matplotlib")


@contextlib.contextmanager
def _report_folder(path):
    """Give a temporary folder beside the target, which it replaces as a whole on success."""
    path = Path(path).absolute()
    if path.is_symlink():
        path = path.resolve()
    check_folder(path)
    with full_disk_raises(path), temporary_beside(path) as temporary:
        temporary.mkdir()
        yield temporary
        made = (path for path in temporary.rglob("*") if path.is_file())
        files = [*sorted(path.relative_to(temporary).as_posix() for path in made), _MARKER]
        marker = {"format": _FORMAT, "szmass": __version__, "files": files}
        (temporary / _MARKER).write_text(json.dumps(marker))
        put_in_place(temporary, path)


def check_folder(path):
    """Make sure that a report can be written, before anything is read for it.

    Parameters
    ----------
    path : path-like
        The folder, as for `write_report`.

    Raises
    ------
    InvalidInputError
        It is a file, its parent does not exist or cannot be written to, or it holds something else
        than a report.
    """
    path = as_path(path).absolute()
    check_output_folder(path, overwrite=True)
    if not path.exists():
        return
    try:
        marker = json.loads((path / _MARKER).read_text())
        ours = set(marker["files"]) if marker["format"] == _FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        ours = None
    foreign = foreign_file(path, ours or ())
    if foreign is None:
        return
    if ours is None:
        raise InvalidInputError(
            f"The output folder {str(path)!r} has something in it that is not a report. Nothing "
            "was changed; choose another name or empty the folder."
        )
    raise InvalidInputError(
        f"The output folder {str(path)!r} is a report, but {foreign!r} in it is not part of "
        "the report and would be lost. Nothing was changed; move it elsewhere."
    )


def _describe_origin(content, stack, inputs):
    """Collect what the masses were made from: (str, object) as rows of the table of provenance.

    Objects are plain or nested dicts and lists; ``inputs`` are files by what they are.
    """
    rows = [("Report", f"szmass {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")]
    packages = ("numpy", "scipy", "astropy", "matplotlib", "healpy", "keras")
    found = [f"{name} {version}" for name in packages if (version := _version(name))]
    rows.append(("Versions here", ", ".join([f"Python {platform.python_version()}", *found])))
    made = {
        str(method.meta["szmass_version"])
        for method in content.estimators
        if "szmass_version" in method.meta
    }
    if made:
        rows.append(("Masses made by", ", ".join(f"szmass {version}" for version in sorted(made))))
    for label, file in inputs.items():
        size, digest = file.stat().st_size, file_sha256(file)
        rows.append((f"File: {label}", f"{file.name}, {size} bytes, SHA-256 {digest}"))
    sample = content.meta.get("sample")
    if isinstance(sample, dict) and sample.get("catalog"):
        rows.append(("Catalogue", _plainly(sample)))
    if stack is not None:
        facts = {
            "cutouts": len(stack),
            "grid": repr(stack.geometry),
            "beam": "not known" if stack.beam is None else str(stack.beam),
            "interpolation": stack.interpolation or "not known",
        }
        rows.append(("Cutouts", facts | {str(k): _plainly(v) for k, v in stack.meta.items()}))
    cards = {
        method.label: {key: value for key, value in method.meta.items() if "card" in key}
        for method in content.methods
    }
    cards = {label: _plainly(card) for label, card in cards.items() if card}
    if cards:
        rows.append(("Model cards", cards))
    seeds = dict(_seeds(content.meta))
    rows.append(("Seeds", seeds or "none on record"))
    return rows


def _seeds(meta, path=""):
    for key, value in meta.items():
        where = f"{path}{key}"
        if isinstance(value, dict):
            yield from _seeds(value, f"{where}.")
        elif "seed" in str(key).lower():
            yield where, value


def _describe_methods(content):
    """Collect all that the table has on record: headings, and what stands below each."""
    details = [(method.label, _plainly(method.meta)) for method in content.methods if method.meta]
    rest = {
        key: value
        for key, value in content.meta.items()
        if key not in ("methods", "__serialized_columns__", *_method_keys(content))
    }
    return details + [("Everything else on record", _plainly(rest))] * bool(rest)


def _method_keys(content):
    """Keys of a table of one method, whose meta is that of the table."""
    return content.methods[0].meta if content.methods[0].meta == content.meta else ()


def _plainly(value):
    """Reduce what stands in meta to what the template shows."""
    if isinstance(value, dict):
        return {str(key): _plainly(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plainly(inner) for inner in value]
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return value if isinstance(value, int | float) or value is None else str(value)


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
