"""Papers behind a table, a sample, an estimator, a map, or a name."""

import functools
import inspect
import re
import warnings
from collections.abc import Mapping
from dataclasses import replace

from astropy.cosmology import FLRW
from astropy.table import Table

from szmass._utils.registry import Registry
from szmass.citations.bibliography import BIBLIOGRAPHY, Paper
from szmass.exceptions import InvalidInputError, SzmassWarning, UnknownNameError
from szmass.physics.concentration import CONCENTRATION_PAPERS

__all__ = ["cite", "find_papers"]

# Software by the name of its package.
_SOFTWARE = {
    "szmass": ("szmass",),
    "astropy": ("2013A&A...558A..33A", "2018AJ....156..123A", "2022ApJ...935..167A"),
    "numpy": ("2020Natur.585..357H",),
    "scipy": ("2020NatMe..17..261V",),
    "healpix": ("2005ApJ...622..759G",),
    "healpy": ("2005ApJ...622..759G", "2019JOSS....4.1298Z"),
    "reproject": ("2020ascl.soft11023R",),
    "astroquery": ("2019AJ....157...98G",),
    "colossus": ("2018ApJS..239...35D",),
    "photutils": ("photutils",),
    "matplotlib": ("2007CSE.....9...90H",),
    "keras": ("chollet2015keras",),
    "tensorflow": ("tensorflow2015-whitepaper",),
}
_VIZIER = ("2000A&AS..143...23O",)
_TINKER2008 = ("2008ApJ...688..709T",)
_PLANCK_NOISE = ("2016A&A...594A..24P",)


def cite(*what):
    """Give the BibTeX of what is to be cited.

    Parameters
    ----------
    *what : object
        Any number of: a table that szmass made, a `~szmass.clusters.ClusterSample`, a
        `~szmass.results.LogMassPosterior`, an estimator, a catalogue, a map, cutouts, a pressure
        profile, a scaling relation, a field of mocks, a data set, a cosmology, a model card; or the
        name of one of them, of a package such as ``"matplotlib"``, or a bibcode.

    Returns
    -------
    str
        BibTeX entries, each once, below comments that say what each is cited for. szmass itself
        and astropy are always among them.

    Raises
    ------
    UnknownNameError
        Nothing has that name; the message suggests some.
    InvalidInputError
        An object is of none of these kinds.

    Warns
    -----
    SzmassWarning
        A paper is named that the bibliography does not have; its entry has only a link to ADS.

    Examples
    --------
    >>> import szmass
    >>> bibtex = szmass.cite("arnaud2010")
    """
    found = find_papers(*what)
    comment = ["% Papers by what they are cited for, as szmass puts it together from the names of"]
    comment += ["% methods, catalogues and maps on record. Complete it where you know better."]
    unknown = "not known here, cite its makers"
    comment += [
        f"%   {role}: {', '.join(paper.key for paper in papers) or unknown}"
        for role, papers in found.items()
    ]
    entries = {paper.key: paper.bibtex for papers in found.values() for paper in papers}
    return "\n".join(comment) + "\n\n" + "\n\n".join(entries.values()) + "\n"


def find_papers(*what):
    """Find the papers to cite, sorted by what they are cited for.

    Parameters
    ----------
    *what : object
        As for `cite`.

    Returns
    -------
    dict of str to list of Paper
        For instance ``"estimator scaling"``, ``"catalogue psz2"``, ``"software astropy"``; an empty
        list for a map whose release is not known.

    Raises
    ------
    UnknownNameError, InvalidInputError
        As from `cite`.

    Warns
    -----
    SzmassWarning
        A paper is named that the bibliography does not have.

    Examples
    --------
    >>> from szmass.citations import find_papers
    >>> papers = find_papers("scaling")
    >>> [paper.citation for paper in papers["scaling relation planck2015"]]
    ['Planck Collaboration (2016), Astronomy and Astrophysics 594, A24']
    """
    found = _Found()
    for thing in what:
        _look_at(thing, found)
    for package in ("szmass", "astropy", *sorted(found.software)):
        own = (package,) if package in BIBLIOGRAPHY else ()  # of a plug-in, by add_papers
        found.roles[f"software {package}"] = list(_SOFTWARE.get(package, own))
    # Files do not keep the order of ``meta``: here it is that of the alphabet, software last.
    order = {"software szmass": 1, "software astropy": 2}
    roles = sorted(
        found.roles,
        key=lambda role: (order.get(role, 3) if role.startswith("software ") else 0, role),
    )
    papers = {role: [_paper(key) for key in sorted(set(found.roles[role]))] for role in roles}
    if found.versions:
        note = "version " + ", ".join(sorted(found.versions))
        ours = papers["software szmass"][0]
        papers["software szmass"] = [replace(ours, fields=ours.fields | {"note": note})]
    return papers


class _Found:
    """Bibcodes by role, the packages that were used, and the versions of szmass on record."""

    def __init__(self):
        self.roles, self.software, self.versions = {}, set(), set()

    def add(self, role, references):
        keys = (references,) if isinstance(references, str) else references
        keys = [key for key in keys or () if isinstance(key, str) and key]
        if keys:
            self.roles.setdefault(role, []).extend(keys)


def _paper(key):
    if key in BIBLIOGRAPHY:
        return BIBLIOGRAPHY[key]
    warnings.warn(
        f"The bibliography of szmass has no paper {key!r}: its entry is but a link. "
        "szmass.citations.add_papers makes it known.",
        SzmassWarning,
        stacklevel=4,
    )
    paper = Paper(re.sub(r"[\s,{}%#\\]", "", key), "misc", {})
    year = re.match(r"\d{4}", key)
    paper.fields.update(
        {"title": "ADS " + paper.key.replace("&", r"\&"), "howpublished": paper.url or ""}
        | ({"year": year.group()} if year else {})
    )
    return paper


@functools.cache
def _registries():
    """What has names: kind to registry, and the key of ``meta`` that names one."""
    from szmass.catalogs import CATALOGS
    from szmass.estimators import ESTIMATORS
    from szmass.maps.products import MAP_PRODUCTS
    from szmass.networks.published import published_card
    from szmass.physics import (
        BARYON_MODELS,
        COSMOLOGIES,
        GAS_DENSITY_PROFILES,
        PRESSURE_PROFILES,
        SCALING_RELATIONS,
    )
    from szmass.simulations import CLUSTER_MODELS, FIELDS, STATE_MODELS

    cards = Registry("network")
    cards.add(published_card().name, published_card())
    return {
        "estimator": (ESTIMATORS, ("method",)),
        "catalogue": (CATALOGS, ("catalog", "table")),
        "map": (MAP_PRODUCTS, ("product",)),
        "scaling relation": (SCALING_RELATIONS, ("relation",)),
        "pressure profile": (PRESSURE_PROFILES, ("profile",)),
        "gas density profile": (GAS_DENSITY_PROFILES, ()),
        "cluster model": (CLUSTER_MODELS, ("model", "diversity", "gas")),
        "state model": (STATE_MODELS, ("state_model",)),
        "field": (FIELDS, ()),
        "baryon model": (BARYON_MODELS, ("baryon_model",)),
        "cosmology": (COSMOLOGIES, ("cosmology",)),
        "network": (cards, ("model_card",)),
    }


def _references(thing):
    """Bibcodes that an object names itself."""
    from szmass.physics import cosmology_references

    if isinstance(thing, FLRW):
        return cosmology_references(thing)
    return getattr(thing, "papers", None) or getattr(thing, "references", ())


def _look_at(thing, found):
    from szmass.maps import ComptonMap, Cutout, CutoutStack, NoiseModel
    from szmass.simulations import FieldStack

    if isinstance(thing, str):
        _look_up(thing, found)
    elif isinstance(thing, FLRW) or hasattr(thing, "references"):
        _look_at_object(thing, found)
    elif isinstance(thing, ComptonMap | Cutout | CutoutStack):
        _read_map({str(key).lower(): value for key, value in thing.meta.items()}, found)
    elif isinstance(thing, NoiseModel):
        _trace({"noise": thing.meta.get("source")}, found)
    elif isinstance(getattr(thing, "meta", None), Mapping):  # a table, a sample, a posterior
        _read_meta(
            thing.meta, found, f"field {thing.name}" if isinstance(thing, FieldStack) else "table"
        )
        if getattr(thing, "cutouts", None) is not None:
            _look_at(thing.cutouts, found)
    else:
        raise InvalidInputError(
            "'what' must be a table, a sample, an estimator, a catalogue, a map, cutouts, a "
            f"profile, a relation, a cosmology, or the name of one. Received: {thing!r}"
        )


def _look_at_object(thing, found):
    from szmass.estimators import MassEstimator

    for kind, (registry, _) in _registries().items():
        for name, entry in registry.items():
            if thing is entry or type(thing) is entry or (kind == "cosmology" and thing == entry):
                _add_named(kind, name, thing, found)
                return
    name = getattr(thing, "tag", None) or getattr(thing, "name", None) or type(thing).__name__
    own = issubclass(thing if inspect.isclass(thing) else type(thing), MassEstimator)
    _add_named("estimator" if own else "reference", str(name), thing, found)


def _add_named(kind, name, thing, found):
    """Add what an entry of a registry refers to, and what it needs."""
    if kind == "field":
        # Its papers depend on its options; of a class they are those by default.
        thing = thing() if inspect.isclass(thing) else thing
        found.software |= set(thing.software)
    found.add(f"{kind} {name}", _references(thing))
    if kind == "catalogue" and isinstance(getattr(thing, "table", None), Table):
        _read_meta(thing.table.meta, found, f"{kind} {name}")
    if kind == "estimator":
        found.software |= set(thing.software)
        if inspect.isclass(thing):
            parameters = inspect.signature(thing).parameters.values()
            options = {p.name: p.default for p in parameters if p.default is not p.empty}
        else:
            options = thing.options
        _read_options(options, found)
    if kind == "network":
        found.software |= {"keras", "tensorflow"}


def _read_options(options, found):
    """Read options of an estimator: names, or objects that name their papers."""
    plain = {key: value for key, value in options.items() if isinstance(value, str)}
    _read_meta(plain, found, "options")
    for value in options.values():
        if isinstance(value, FLRW) or (value is not None and hasattr(value, "references")):
            _look_at_object(value, found)


def _look_up(name, found):
    entries = [
        (kind, registry[name]) for kind, (registry, _) in _registries().items() if name in registry
    ]
    for kind, entry in entries:
        _add_named(kind, name, entry, found)
    if name.lower() in _SOFTWARE:
        found.software.add(name.lower())
    elif name in BIBLIOGRAPHY:
        found.add("paper", (name,))
    elif not entries:
        known = Registry("estimator, catalogue, map, profile, relation, cosmology or paper")
        names = {n for registry, _ in _registries().values() for n in registry}
        for known_name in sorted(names | set(_SOFTWARE)):
            known.add(known_name, known_name)
        try:
            known[name]
        except UnknownNameError as err:
            raise UnknownNameError(str(err)) from None


# What light cones and counts, perhaps of several physics, call papers by what they are for.
_ROLES = {
    "physics_references": "baryon model",
    "halo_references": "haloes",
    "cooling_references": "X-ray emission",
}


def _read_meta(meta, found, role):
    """Walk through nested ``meta``: references, names of what was used, and traces of software."""
    named = {key: kind for kind, (_, keys) in _registries().items() for key in keys}
    for key, value in meta.items():
        if key == "references":
            found.add(role, value)
        elif str(key).partition(" of ")[0] in _ROLES and isinstance(value, str | list | tuple):
            found.add(_ROLES[key.partition(" of ")[0]], value)
        elif key in named and isinstance(value, str):
            registry = _registries()[named[key]][0]
            # Cosmologies of lensing tables are put into words: "PSZ2 (H0 = 70, Om0 = 0.3)".
            name = value.partition(" (")[0]
            if name in registry and key == "diversity":  # nothing but profiles is taken from it
                found.add(f"diversity of profiles {name}", registry[name].profile_papers)
            elif name in registry:
                found.add(f"{named[key]} {name}", _references(registry[name]))
        elif key == "map" and isinstance(value, Mapping):
            _read_map(value, found)
        elif key in ("methods", "fields") and isinstance(value, Mapping):
            kind = "estimator" if key == "methods" else "field"
            for inner, about in value.items():
                if isinstance(about, Mapping):
                    _read_meta(about, found, f"{kind} {inner}")
        elif isinstance(value, Mapping):
            inner = value.get("catalog")
            _read_meta(value, found, f"catalogue {inner}" if isinstance(inner, str) else str(key))
    _trace(meta, found)


def _trace(meta, found):
    """Papers and software that follow from what ``meta`` says was done."""
    if isinstance(meta.get("szmass_version"), str):
        found.versions.add(meta["szmass_version"])
    software = meta.get("software")
    if isinstance(software, list | tuple):
        found.software |= {str(package) for package in software}
    else:
        _trace_schema_1(meta, found)
    if str(meta.get("source", "")).startswith("VizieR"):
        found.add("VizieR", _VIZIER)
        found.software.add("astroquery")
    if str(meta.get("noise", "")).startswith(("planck", "mmf")):
        found.add("noise", _PLANCK_NOISE)
    if "simulation_seed" in meta:
        found.software |= {"numpy", "scipy", "healpy"} if "nside" in meta else {"numpy", "scipy"}


def _trace_schema_1(meta, found):
    """What records without ``software`` tell by their other entries."""
    if "estimator" in meta or "method" in meta:
        found.software |= {"numpy", "scipy"}
    if "model_card" in meta:
        found.software |= {"keras", str(meta.get("backend", "tensorflow"))} & {*_SOFTWARE}
    prior = str(meta.get("prior", ""))
    if "tinker08" in prior or "MassFunction" in prior:
        found.add("mass function", _TINKER2008)
        found.software.add("colossus")
    steps = meta.get("conversion")
    if isinstance(steps, list | tuple):
        if any("NFW with concentration" in str(step) for step in steps):
            found.software.add("colossus")
        for model, paper in CONCENTRATION_PAPERS.items():
            if any(model in str(step) for step in steps):
                found.add("concentration", paper)


def _read_map(about, found):
    """Papers of a map, by the name of the release or else by that of the file."""
    from szmass.maps.products import MAP_PRODUCTS

    product, file = about.get("product"), about.get("mapfile")
    if product in MAP_PRODUCTS:
        found.add(f"map {product}", MAP_PRODUCTS[product].references)
    elif file:
        for tag, entry in MAP_PRODUCTS.items():
            if entry.has_file(file):
                found.add(f"map {tag}", entry.references)
                break
    if file and not any(role.startswith("map ") for role in found.roles):
        found.roles[f"map {file}"] = []
    if about.get("pixels") == "healpix" or "mapcol" in about:
        found.software.add("healpix")
    elif about.get("pixels") == "image":
        found.software.add("reproject")
    if "model" in about:  # a sky that szmass painted
        from szmass.simulations import CLUSTER_MODELS

        model = str(about["model"])
        if model in CLUSTER_MODELS:
            found.add(f"cluster model {model}", CLUSTER_MODELS[model].papers)
