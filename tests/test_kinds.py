"""Another kind of object than is wanted: an error that says how to make the right one."""

import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import szmass
from szmass._utils import kinds
from szmass.catalogs import crossmatch, load_catalog, load_sample
from szmass.clusters import ClusterSample
from szmass.estimators import ESTIMATORS, estimate_masses
from szmass.estimators.checks import make_check_sample
from szmass.exceptions import FileFormatError, InvalidInputError, UnknownNameError
from szmass.maps import ComptonMap, Cutout, CutoutStack, NoiseModel, open_map
from szmass.report import write_report
from szmass.results import LogMassPosterior, masses_of, methods_of, read_masses
from szmass.simulations import SimulationDataset, make_dataset, twin


@pytest.fixture(scope="module")
def sample():
    return make_check_sample(4)


def others(sample):
    """What people pass instead, with the words of the cure."""
    return {
        "table": (sample.table, "ClusterSample.from_table"),
        "masses": (estimate_masses(sample, "scaling"), "ClusterSample.from_table"),
        "path": ("clusters.fits", "szmass.load_sample"),
        "Path": (Path("clusters.fits"), "szmass.load_sample"),
        "list": ([sample[0], "A85"], "a list: ClusterSample.from_clusters"),
        "none": (None, "None"),
        "class": (ClusterSample, "the class ClusterSample"),
        "cutouts": (sample.cutouts, "the sample that has these cutouts"),
        "coord": (sample.coord, "a SkyCoord"),
    }


@pytest.mark.parametrize(
    "call",
    [
        lambda x: estimate_masses(x, "scaling"),
        lambda x: ESTIMATORS["scaling"]().predict(x),
        lambda x: ESTIMATORS["likelihood"]().predict_posterior(x),
        lambda x: twin(x),
        lambda x: make_dataset("none/there", x, cosmology="PSZ2", seed=1),
    ],
)
def test_where_a_sample_is_wanted(sample, call):
    for value, cure in others(sample).values():
        with pytest.raises(InvalidInputError, match=f"'sample' must be a ClusterSample.*{cure}"):
            call(value)


@pytest.mark.parametrize(
    "call", [lambda x: twin(x), lambda x: make_dataset("none/there", x, cosmology="PSZ2", seed=1)]
)
def test_where_a_cluster_is_no_sample(sample, call):
    with pytest.raises(InvalidInputError, match="'sample' must be.*from_clusters.cluster. makes"):
        call(sample[0])


def test_a_frame_says_what_to_write(sample):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"name": ["A"], "ra": [1.0], "dec": [2.0], "redshift": [0.1]})
    with pytest.raises(InvalidInputError, match=r"ClusterSample.from_table\(frame\) makes one"):
        estimate_masses(frame, "scaling")
    with pytest.raises(InvalidInputError, match="takes it"):
        load_sample(frame)


@pytest.mark.parametrize(
    ("read", "argument"),
    [
        (load_sample, "source"),
        (load_catalog, "source"),
        (ClusterSample.read, "path"),
        (read_masses, "path"),
        (LogMassPosterior.read, "path"),
        (open_map, "source"),
        (ComptonMap.read, "path"),
        (CutoutStack.read, "path"),
        (Cutout.read, "path"),
        (NoiseModel.read, "path"),
        (SimulationDataset.open, "path"),
    ],
)
def test_where_a_path_is_wanted(sample, read, argument):
    takes_hdus = getattr(read, "__self__", None) in (ComptonMap, CutoutStack, Cutout)
    for value in (sample, sample.table, sample[0], 7, None, {}) + (
        () if takes_hdus else (fits.PrimaryHDU(),)
    ):
        with pytest.raises(InvalidInputError, match=f"'{argument}' must be (a|the) path"):
            read(value)


@pytest.mark.parametrize("read", [ComptonMap.read, CutoutStack.read, Cutout.read])
def test_a_hdu_without_a_map_says_what_it_lacks(read):
    with pytest.raises(FileFormatError):
        read(fits.PrimaryHDU())


def test_where_a_map_or_cutouts_are_wanted(sample):
    copy = sample[:]
    for value, cure in (("map.fits", "szmass.open_map"), (sample.cutouts, "set sample.cutouts")):
        with pytest.raises(InvalidInputError, match=f"'ymap' must be a ComptonMap.*{cure}"):
            copy.attach_cutouts(value)
    for value, cure in ((7, "Received: 7"), (Path("c.fits"), "CutoutStack.read")):
        with pytest.raises(InvalidInputError, match=f"'cutouts' must be a CutoutStack.*{cure}"):
            copy.cutouts = value
    values = np.zeros(12 * 64**2)
    ymap = ComptonMap.from_healpix(values, ordering="ring", frame="galactic", beam="10 arcmin")
    for value in (sample.table, [sample[0], 7], "A85"):
        with pytest.raises(InvalidInputError, match="'coord' must be a SkyCoord"):
            ymap.cutouts(value)


def test_where_a_table_of_masses_is_wanted(sample, tmp_path):
    for call in (methods_of, lambda x: masses_of(x, "scaling")):
        for value, cure in (("m.ecsv", "szmass.read_masses"), (sample, "attribute table")):
            with pytest.raises(InvalidInputError, match=f"'table' must be a table.*{cure}"):
                call(value)
    with pytest.raises(InvalidInputError):
        crossmatch("a.fits", sample)
    pytest.importorskip("matplotlib")
    with pytest.raises(InvalidInputError, match="table"):
        write_report("m.ecsv", tmp_path / "r", figures=False)


def test_estimators_that_are_none(sample):
    for value in (7, None, ESTIMATORS["scaling"], Path("scaling")):
        with pytest.raises(InvalidInputError, match="'estimators' must hold tags or"):
            estimate_masses(sample, value)


def test_posteriors_and_cutouts_are_found_by_name(sample):
    posterior = ESTIMATORS["likelihood"]().predict_posterior(sample)
    one = posterior["check 2"]
    assert list(one.names) == ["check 2"]
    np.testing.assert_array_equal(one.density, posterior[2].density)
    assert list(posterior[["check 3", "CHECK 0"]].names) == ["check 3", "check 0"]
    stack = sample.cutouts
    assert stack["check 2"].name == "check 2"
    assert list(stack[["check 3", "check 0"]].names) == ["check 3", "check 0"]
    for thing, what in ((posterior, "cluster"), (stack, "cutout")):
        with pytest.raises(UnknownNameError, match=f"No {what} is named 'check 9'. Did you mean"):
            thing["check 9"]
        with pytest.raises(IndexError, match=f"no {what} 4 in a"):
            thing[4]
        for bad in (None, [0.5], [[0]], {}, [sample[0]]):
            with pytest.raises(InvalidInputError, match="takes a name, a number"):
                thing[bad]
        with pytest.raises(InvalidInputError, match=f"one entry per {what}"):
            thing[[True]]
        assert len(thing[np.array([True, False, True, False])]) == 2


def test_a_mass_table_says_what_it_lacks(sample):
    table = estimate_masses(sample, "scaling")
    with pytest.raises(UnknownNameError, match=r"table\['name'\] == 'check 2'"):
        table["check 2"]
    with pytest.raises(KeyError, match="no column 'mass_scalin'. Did you mean 'mass_scaling'"):
        table["mass_scalin"]
    with pytest.raises(UnknownNameError):
        table["name", "nothing"]
    assert "nothing" not in table.colnames
    assert isinstance(table["name", "flag_scaling"], type(table))


def test_a_folder_is_no_map(tmp_path):
    with pytest.raises(szmass.exceptions.FileFormatError, match="is a folder"):
        ComptonMap.read(tmp_path)


def test_cures_name_what_is_there():
    cures = " ".join(cure for kind in kinds._CURES.values() for cure in kind.values())
    named = set(re.findall(r"szmass\.(\w+)\(", cures))
    assert {"load_sample", "open_map", "read_masses"} <= named <= set(szmass.__all__)
