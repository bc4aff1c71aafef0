"""What is cited: every paper that is named anywhere is known, and tables name what they used."""

import re
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from click.testing import CliRunner

import szmass
from szmass.catalogs import CATALOGS
from szmass.citations import BIBLIOGRAPHY, Paper, add_papers, cite, find_papers
from szmass.citations.bibliography import parse_bibtex
from szmass.cli import main
from szmass.clusters import ClusterSample
from szmass.estimators import ESTIMATORS, ScalingRelationMass, estimate_masses
from szmass.exceptions import (
    DuplicateNameError,
    FileFormatError,
    InvalidInputError,
    SzmassWarning,
    UnknownNameError,
)
from szmass.maps import ComptonMap, CutoutStack, NoiseModel
from szmass.maps.products import MAP_PRODUCTS
from szmass.morphology import STATE_ESTIMATORS
from szmass.networks.published import published_card
from szmass.physics import (
    BARYON_MODELS,
    COSMOLOGIES,
    DYNAMICAL_STATES,
    GAS_DENSITY_PROFILES,
    PRESSURE_PROFILES,
    SCALING_RELATIONS,
    cosmology_references,
    get_pressure_profile,
)
from szmass.physics.concentration import CONCENTRATION_MODELS, CONCENTRATION_PAPERS
from szmass.simulations import (
    CLUSTER_MODELS,
    FIELDS,
    STATE_MODELS,
    GalaxyField,
    MassField,
    XRayField,
    draw_flat,
    make_dataset,
    simulate,
)

ROOT = Path(szmass.__file__).parent
BIBCODE = re.compile(r"\b(?:19|20)\d\d[A-Z][A-Za-z&.]{4}[\w.]{9}[A-Z]\b")
REGISTRIES = (
    ESTIMATORS,
    CATALOGS,
    MAP_PRODUCTS,
    PRESSURE_PROFILES,
    SCALING_RELATIONS,
    STATE_MODELS,
    DYNAMICAL_STATES,
    BARYON_MODELS,
    GAS_DENSITY_PROFILES,
    STATE_ESTIMATORS,
)
ASTROPY = "2022ApJ...935..167A"


def all_references():
    """Yield (who, bibcode) for everything that is registered."""
    for registry in REGISTRIES:
        for name, entry in registry.items():
            yield from ((f"{registry.kind} {name}", key) for key in entry.references)
    for name, model in CLUSTER_MODELS.items():
        yield from ((f"cluster model {name}", key) for key in model.papers)
    for name, field in FIELDS.items():
        yield from ((f"field {name}", key) for key in field().references)
    yield from CONCENTRATION_PAPERS.items()
    for name in COSMOLOGIES:
        yield from ((f"cosmology {name}", key) for key in cosmology_references(name))
    yield from (("network card", key) for key in published_card().references)
    for path in (*ROOT.rglob("*.py"), *ROOT.glob("data/*.json")):
        yield from ((path.name, key) for key in BIBCODE.findall(path.read_text()))


def keys(*what):
    return {paper.key for papers in find_papers(*what).values() for paper in papers}


def sample_of(n=4):
    sample = draw_flat(n, seed=1)
    sample.table["y500"] = np.linspace(1e-4, 1e-3, n) * u.arcmin**2
    return sample


def test_every_paper_that_is_named_is_in_the_bibliography():
    named = list(all_references())
    assert len(named) > 100
    lost = [f"{who}: {key}" for who, key in named if key not in BIBLIOGRAPHY]
    assert not lost, f"not in szmass/data/bibliography.bib: {lost}"


@pytest.mark.parametrize(
    "registry",
    REGISTRIES,
    ids=lambda r: r.kind,
)
def test_everything_registered_names_its_papers(registry):
    # The papers of looked-up masses are those of their table, of networks those of their card.
    elsewhere = {"lensing", "cnn"}
    assert {name for name, e in registry.items() if not e.references} <= elsewhere
    assert all(cosmology_references(name) for name in COSMOLOGIES)
    assert all(field().references for field in FIELDS.values())
    assert set(CONCENTRATION_PAPERS) == set(CONCENTRATION_MODELS)


@pytest.mark.parametrize("key", [k for k in BIBLIOGRAPHY if BIBCODE.fullmatch(k)])
def test_entries_agree_with_their_bibcodes(key):
    paper = BIBLIOGRAPHY[key]
    fields, initial = paper.fields, key[-1]
    assert fields["year"] == key[:4]
    author = fields["author"].lstrip("{").removeprefix("de ")
    assert author.startswith(initial) or key == "2022NatAs...6.1325D"
    if "arXiv" in key:
        assert fields["eprint"] in (f"{key[9:13]}.{key[13:18]}", f"{key[9:13]}.{key[14:18]}")
        assert "volume" not in fields
    elif paper.kind == "article":
        assert fields["volume"] == key[9:13].strip(".")
        page = re.split("-", fields["pages"])[0].lstrip("ALS0")
        # Physical Review writes the issue as a letter: 023534 of issue b is b3534.
        assert page in key[13:18].strip(".") or page[1:] in key[13:18]
        if fields.get("doi", "").startswith("10.1088/0004-637X"):
            assert fields["doi"].split("/")[2] == fields["volume"]


@pytest.mark.parametrize("key", BIBLIOGRAPHY)
def test_entries_are_whole(key):
    paper = BIBLIOGRAPHY[key]
    assert {"author", "title"} <= set(paper.fields)
    assert paper.kind == ("article" if "journal" in paper.fields else "misc")
    assert paper.bibtex.isascii()
    assert parse_bibtex(paper.bibtex) == [paper]
    assert paper.citation
    assert not set("{}\\$") & set(paper.citation + paper.title)
    assert key == "szmass" or paper.url.startswith("https://")


def test_citation_lines():
    citation = BIBLIOGRAPHY["2010A&A...517A..92A"].citation
    assert citation == "Arnaud et al. (2010), Astronomy and Astrophysics 517, A92"
    assert BIBLIOGRAPHY["2019ApJ...871..168D"].citation.startswith("Diemer & Joyce (2019)")
    assert (
        BIBLIOGRAPHY["2023arXiv230510193C"].citation == "Chandran et al. (2023), arXiv:2305.10193"
    )
    assert BIBLIOGRAPHY["2018ApJS..235...20H"].fields["author"].count("Sif") == 1
    assert (
        BIBLIOGRAPHY["2006A&A...459..341M"].url
        == "https://ui.adsabs.harvard.edu/abs/2006A%26A...459..341M/abstract"
    )


def test_nothing_gives_szmass_and_astropy():
    assert set(find_papers()) == {"software szmass", "software astropy"}
    text = szmass.cite()
    assert "@misc{szmass," in text
    assert f"@article{{{ASTROPY}," in text


def test_table_cites_what_it_used(tmp_path):
    sample = sample_of()
    sample.meta.update(catalog="psz2", source="VizieR J/A+A/594/A27/psz2")
    table = estimate_masses(
        sample, ScalingRelationMass(y="y500", relation="arnaud2010", sigma_lny=0)
    )
    found = find_papers(table)
    assert [p.key for p in found["catalogue psz2"]] == ["2016A&A...594A..27P"]
    assert "sample" not in found
    assert "2010A&A...517A..92A" in {p.key for p in found["estimator scaling"]}
    assert {"software numpy", "software scipy", "software astroquery", "VizieR"} <= set(found)
    assert not {"software keras", "software healpix", "software colossus"} & set(found)
    text = cite(table)
    for paper in {p.key: p for papers in found.values() for p in papers}.values():
        assert text.count(f"{{{paper.key},") == 1
    assert {p.key for p in parse_bibtex(text)} == keys(table)
    # Files tell the same, and so do several things at once.
    from szmass._tables.files import write_table

    for suffix in (".ecsv", ".fits", ".vot"):
        path = tmp_path / f"masses{suffix}"
        write_table(table, path)
        result = CliRunner().invoke(main, ["cite", str(path)])
        assert result.exit_code == 0
        assert result.output == text
    assert keys(table, "matplotlib") == keys(table) | {"2007CSE.....9...90H"}


def test_scaling_relation_needs_the_profile_for_5r500():
    sample = sample_of()
    sample.table["y5r500"] = sample.table["y500"]
    assert "2010A&A...517A..92A" in keys(estimate_masses(sample, "scaling"))
    assert "2010A&A...517A..92A" not in keys(estimate_masses(sample, ScalingRelationMass(y="y500")))


def test_maps_by_release_by_file_and_by_pixels():
    values = np.zeros(12 * 16**2, np.float32)
    ymap = ComptonMap.from_healpix(values, ordering="ring", frame="galactic", beam="10 arcmin")
    assert set(find_papers(ymap)) == {"software szmass", "software astropy", "software healpix"}
    ymap.meta["PRODUCT"] = "pr4-nilc"
    stack = ymap.cutouts(sample_of().coord)
    assert isinstance(stack, CutoutStack)
    for thing in (ymap, stack, stack[0]):
        assert {"2023arXiv230510193C", "2005ApJ...622..759G"} <= keys(thing)
    del ymap.meta["PRODUCT"]
    for name in ("milca_ymaps.fits", MAP_PRODUCTS["milca"].filename):
        ymap.meta["MAPFILE"] = name
        assert "2016A&A...594A..22P" in keys(ymap.cutouts(sample_of().coord))
    assert "2016A&A...594A..24P" in keys(NoiseModel.planck())
    ymap.meta["MAPFILE"] = "mine.fits"
    assert find_papers(ymap)["map mine.fits"] == []
    assert "%   map mine.fits: not known here, cite its makers" in cite(ymap)


def test_sample_counts_its_map_and_estimators_that_look_at_it_record_it():
    values = np.zeros(12 * 64**2, np.float32)
    ymap = ComptonMap.from_healpix(values, ordering="ring", frame="galactic", beam="10 arcmin")
    ymap.meta["PRODUCT"] = "milca"
    sample = sample_of().attach_cutouts(ymap)
    assert isinstance(sample, ClusterSample)
    assert {"2016A&A...594A..22P", "2005ApJ...622..759G"} <= keys(sample)
    table = estimate_masses(sample, ScalingRelationMass(y="y500"))
    assert "2016A&A...594A..22P" not in keys(table)
    from szmass.estimators import MatchedFilterMass

    with pytest.warns(SzmassWarning):
        table = estimate_masses(sample, MatchedFilterMass(noise="planck"))
    about = table.meta["methods"]["matched_filter"]["map"]
    assert about["product"] == "milca"
    assert about["pixels"] == "healpix"
    assert about["beam"] == "10.0 arcmin"
    assert {"2016A&A...594A..22P", "2006A&A...459..341M", "2010A&A...517A..92A"} <= keys(table)


@pytest.mark.parametrize(
    ("what", "bibcode"),
    [
        ("scaling", "2014A&A...571A..20P"),
        (ESTIMATORS["likelihood"], "2006A&A...459..341M"),
        (ScalingRelationMass(cosmology="Planck18"), "2020A&A...641A...6P"),
        (ESTIMATORS["lensing"], "2015MNRAS.450.3665S"),
        ("milca", "2016A&A...594A..22P"),
        (MAP_PRODUCTS["act-dr6"], "2024PhRvD.109f3530C"),
        (CATALOGS["mcxc"], "2011A&A...534A.109P"),
        (get_pressure_profile("he2021"), "2021ApJ...908...91H"),
        (SCALING_RELATIONS["planck2015"], "2016A&A...594A..24P"),
        (COSMOLOGIES["WMAP9"], "2013ApJS..208...19H"),
        ("TheThreeHundred", "2018MNRAS.480.2898C"),
        (published_card(), "2022NatAs...6.1325D"),
        (CLUSTER_MODELS["a10"], "2022arXiv220600091S"),
        ("galaxies", "2019MNRAS.482.1352M"),
        (XRayField, "2001ApJ...546...63T"),
        (XRayField(profile="ghirardini2019"), "2019A&A...621A..41G"),
        ("flamingo", "2025MNRAS.544...67A"),
        ("pratt2022", "2022A&A...665A..24P"),
        ("healpy", "2019JOSS....4.1298Z"),
        ("2002ApJ...567....2H", "2002ApJ...567....2H"),
    ],
    ids=str,
)
def test_names_and_objects(what, bibcode):
    assert {bibcode, ASTROPY, "szmass"} <= keys(what)


def test_networks_bring_keras():
    # Built-in networks are run by numpy; records of 0.1, and of other architectures, name Keras.
    assert not {"chollet2015keras", "tensorflow2015-whitepaper"} & keys("cnn-deandres2022")
    table = sample_of().table
    table.meta = {"methods": {"cnn": {"model_card": "deandres2022", "backend": "jax"}}}
    assert "chollet2015keras" in keys(table)
    assert "tensorflow2015-whitepaper" not in keys(table)


def test_models_cite_what_they_have_of_diversity():
    model = CLUSTER_MODELS["a10"]
    assert set(model.profile_papers) < set(model.papers)
    assert model.smooth().papers == ("2010A&A...517A..92A",)
    found = find_papers(ESTIMATORS["likelihood"])
    assert "2011ApJ...734...93L" not in {p.key for ps in found.values() for p in ps}
    assert len(found["diversity of profiles a10"]) == 3


def test_mocks_name_the_papers_of_their_fields_and_states(tmp_path):
    options = {"cosmology": "PSZ2", "seed": 1, "model": "a10-the300", "fields": ["mass", "xray"]}
    mocks = simulate(draw_flat(2, seed=1), "clean", **options)
    xray, mass = set(XRayField().references), set(MassField().references)
    assert {"2022A&A...665A..24P", "2001ApJ...546...63T", "2025MNRAS.544...67A"} <= xray
    assert "2021MNRAS.506.4210I" in mass
    alone = simulate(draw_flat(2, seed=1), "clean", **options | {"fields": None})
    assert not (xray | mass) & keys(alone) - keys("a10-the300")
    found = find_papers(mocks)
    assert {p.key for p in found["field xray"]} == xray
    assert {p.key for p in found["field mass"]} == mass
    assert [p.key for p in found["state model the300-gadget-x"]] == ["2018MNRAS.480.2898C"]
    assert "2018ApJS..239...35D" in keys(mocks)  # colossus
    assert mass <= keys(mocks.fields["mass"])
    assert not (xray - mass) & keys(mocks.fields["mass"]) - keys("a10-the300")
    mocks.write(tmp_path / "mocks.fits")
    assert xray | mass <= keys(ClusterSample.read(tmp_path / "mocks.fits"))
    dataset = make_dataset(tmp_path / "mocks.zarr", draw_flat(2, seed=1), **options)
    assert xray | mass <= keys(dataset)
    result = CliRunner().invoke(main, ["cite", str(tmp_path / "mocks.zarr")])
    assert result.exit_code == 0
    assert xray | mass <= {paper.key for paper in parse_bibtex(result.output)}


def test_fields_cite_what_their_options_need():
    assert set(GalaxyField().references) > set(MassField().references)
    round_ = MassField(concentration=4.0, flattening=0.0, sigma_lnc=0.0)
    assert round_.references == ("1997ApJ...490..493N", "2009JCAP...01..015B")
    assert "2008MNRAS.390L..64D" in MassField(concentration="duffy08").references
    assert "2018ApJS..239...35D" not in keys(round_)


def test_mass_function_and_conversions_bring_colossus():
    table = sample_of().table
    table.meta = {"methods": {"likelihood": {"prior": "tinker08"}}}
    assert {"2008ApJ...688..709T", "2018ApJS..239...35D"} <= keys(table)
    table.meta = {"conversion": ["M200c to M500c: NFW with concentration diemer19"]}
    assert {"2019ApJ...871..168D", "2018ApJS..239...35D"} <= keys(table)


def test_cosmology_of_ones_own_has_no_paper():
    assert cosmology_references(FlatLambdaCDM(70, 0.3)) == ()
    assert cosmology_references(FlatLambdaCDM(71, 0.3, name="Planck18")) == ()


@pytest.mark.parametrize("meta", [{}, {"methods": 3}, {"references": None}, {"map": "x"}, {1: {}}])
def test_meta_of_other_programs(meta):
    table = sample_of().table
    table.meta = meta
    assert ASTROPY in keys(table)


def test_unknown_names_and_objects():
    with pytest.raises(UnknownNameError, match="Did you mean 'milca'"):
        cite("milcaa")
    with pytest.raises(InvalidInputError, match="'what' must be a table"):
        cite(3.0)
    result = CliRunner().invoke(main, ["cite", "nothing-like-it"])
    assert result.exit_code == 1
    assert "nothing-like-it" in result.output


def test_paper_that_is_not_known_is_a_link_and_a_warning():
    table = sample_of().table
    table.meta = {"references": ["2031A&A...999A...1Z"]}
    with pytest.warns(SzmassWarning, match="no paper '2031A&A"):
        text = cite(table)
    (entry,) = (p for p in parse_bibtex(text) if p.key == "2031A&A...999A...1Z")
    assert entry.fields["year"] == "2031"
    assert entry.fields["howpublished"].endswith("2031A%26A...999A...1Z/abstract")


def test_papers_of_ones_own():
    (paper,) = add_papers('@Article{2032ApJ...123..456Q, author={Q, A.}, title = "T", year=2032}')
    assert paper == Paper(
        "2032ApJ...123..456Q", "article", {"author": "Q, A.", "title": "T", "year": "2032"}
    )
    try:
        assert add_papers(paper.bibtex) == [paper]
        assert "2032ApJ...123..456Q" in keys("2032ApJ...123..456Q")
        with pytest.raises(DuplicateNameError, match="2032ApJ"):
            add_papers("@misc{2032ApJ...123..456Q, title={another}}")
    finally:
        del BIBLIOGRAPHY._objects["2032ApJ...123..456Q"]
    for bad, match in (
        ("", "none"),
        ("@misc{a, title={open", "not closed"),
        ("@misc{a, title}", "name = "),
        ("@misc{a, title=}", "no value"),
    ):
        with pytest.raises(FileFormatError, match=match):
            add_papers(bad)


def test_citation_file_says_the_same():
    text = (ROOT.parent / "CITATION.cff").read_text()
    said = dict(re.findall(r"^(\w[\w-]*): (.+)$", text, flags=re.MULTILINE))
    ours = BIBLIOGRAPHY["szmass"]
    assert said["title"].strip('"') == ours.title
    assert said["license"] == "BSD-3-Clause"
    assert "The szmass developers" in text


def test_software_is_what_an_estimator_declares_whatever_its_name():
    class Mine(ScalingRelationMass):
        """A scaling relation that is called like a network."""

        tag = "cnn-like"
        software = ("numpy", "mine")

    assert "software keras" not in find_papers(Mine(y="y500"))
    found = find_papers(estimate_masses(sample_of(), Mine(y="y500")))
    assert found["software mine"] == []
    assert found["software numpy"]
    assert not {"software keras", "software scipy"} & set(found)
    assert "%   software mine: not known here, cite its makers" in cite(Mine())
    Mine.tag, Mine.kind, Mine.software = "torchcnn", "network", ("numpy", "torch")
    for thing in (Mine, Mine(y="y500"), estimate_masses(sample_of(), Mine(y="y500"))):
        found = set(find_papers(thing))
        assert "software torch" in found
        assert not {"software keras", "software tensorflow"} & found
    table = sample_of().table
    table.meta = {"methods": {"x": {"software": ["keras"], "prior": "tinker08"}}}
    found = find_papers(table)
    assert "software keras" in found
    assert not {"software colossus", "mass function"} & set(found)
