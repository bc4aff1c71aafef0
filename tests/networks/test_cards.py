"""Model cards: reading, writing, refusing."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.networks import (
    AmplitudeNetworks,
    BinnedNetworks,
    DensityNetworks,
    ErrorTable,
    ModelCard,
    published_card,
    shipped_card,
)


def write(path, **changes):
    """Write the published card with changed fields; None as key removes."""
    values = published_card().to_dict() | changes
    path.write_text(json.dumps({k: v for k, v in values.items() if v != "removed"}))
    return path


def test_published_card_says_what_the_networks_are():
    card = published_card()
    assert card.name == card.architecture == "deandres2022"
    assert card.shape == (96, 96)
    assert card.pixel_scale_arcmin == 1.7
    assert (card.frame, card.projection, card.interpolation) == ("galactic", "TAN", "nearest")
    assert card.beam_fwhm_arcmin == 10
    assert card.redshift_bins == ((0, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 1))
    assert card.normalisation[1] == (2.2296471704066543e-07, 2.036420289662876e-06)
    assert card.h == 0.678
    assert card.mass_definition == "500c"
    assert [entry.file for entry in card.weights] == [f"bestmodel-{i}.h5" for i in (1, 2, 3, 4)]
    assert all(entry.url.startswith("https://") for entry in card.weights)
    assert {len(entry.sha256) for entry in card.weights} == {64}
    assert card.training["seed"] is None


def test_round_trip(tmp_path):
    card = published_card()
    card.write(tmp_path / "card.json")
    again = ModelCard.read(tmp_path / "card.json")
    assert again == card
    assert again.digest == card.digest
    assert ModelCard.read(str(tmp_path / "card.json")) == card
    with pytest.raises(InvalidInputError, match="exists"):
        card.write(tmp_path / "card.json")


def test_digest_is_of_the_content_not_of_the_layout(tmp_path):
    card = published_card()
    values = dict(reversed(card.to_dict().items()))
    (tmp_path / "card.json").write_text(json.dumps(values, indent=7))
    assert ModelCard.read(tmp_path / "card.json").digest == card.digest
    assert dataclasses.replace(card, h=0.7).digest != card.digest
    assert dataclasses.replace(card, redshift_bins=[[0, 0.1], *card.redshift_bins[1:]]) == card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "has format 2; .* reads formats up to 1. Update szmass"),
        ({"format_version": "removed"}, "no integer 'format_version'"),
        ({"beam_fwhm_arcmin": "removed"}, r"lacks 'beam_fwhm_arcmin'\."),
        ({"licence": "removed", "split": "removed"}, "lacks 'split', 'licence'"),
        ({"colour": "red"}, "has unknown 'colour'"),
        (
            {"target": "mass"},
            "'target' .* must be .* or 'log10_mass_density' or 'amplitude'",
        ),
        ({"shape": [96]}, "'shape'"),
        ({"pixel_scale_arcmin": 0}, "'pixel_scale_arcmin' .* must be positive"),
        ({"pixel_scale_arcmin": "wide"}, "cannot be used"),
        ({"beam_fwhm_arcmin": None}, "cannot be used"),
        ({"h": -0.7}, "'h'"),
        ({"normalisation": [[0, 1]]}, "'normalisation' .* one .* per redshift bin"),
        ({"normalisation": [[0, 1]] * 3 + [[0, 0]]}, "'normalisation'"),
        ({"redshift_bins": [[0, 1], [0.5, 2], [2, 3], [3, 4]]}, "'redshift_bins'"),
        ({"redshift_bins": []}, "'redshift_bins'"),
        ({"weights": []}, "'weights' must name at least one file"),
        ({"log10_mass_range": [15, 14]}, "'log10_mass_range'"),
        ({"error_table": {"log10_mass": [14]}}, "cannot be used"),
    ],
)
def test_unusable_card_names_what_is_wrong(tmp_path, changes, message):
    path = write(tmp_path / "card.json", **changes)
    with pytest.raises(FileFormatError, match=message) as info:
        ModelCard.read(path)
    assert "card.json" in str(info.value)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"x"'])
def test_file_that_is_no_card(tmp_path, text):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"card\.json' is no usable model card"):
        ModelCard.read(tmp_path / "card.json")


def test_a_field_that_stands_twice(tmp_path):
    path = write(tmp_path / "card.json")
    path.write_text(path.read_text()[:-1] + ', "h": 0.7}')
    with pytest.raises(FileFormatError, match="'h' stands in it more than once"):
        ModelCard.read(path)


@pytest.mark.parametrize("value", [True, "1.7", "nan"])
@pytest.mark.parametrize("name", ["pixel_scale_arcmin", "rotation_deg", "beam_fwhm_arcmin", "h"])
def test_texts_and_truth_values_are_no_numbers(tmp_path, name, value):
    with pytest.raises(FileFormatError, match="A number is expected. Received"):
        ModelCard.read(write(tmp_path / "card.json", **{name: value}))
    with pytest.raises(InvalidInputError, match="A number is expected"):
        ErrorTable((14, 15), (0.1, value), (0.1, 0.1))


@pytest.mark.parametrize("masses", [(-1e300, 14), (14, 1e300), (14, np.nan)])
def test_errors_at_masses_that_cannot_be(masses):
    with pytest.raises(InvalidInputError, match="between 0 and 20"):
        ErrorTable(masses, (0.1, 0.1), (0.1, 0.1))


def test_redshift_bins_include_their_upper_end():
    redshift = [np.nan, -1, 0, 1e-9, 0.1, 0.1000001, 0.2, 0.4, 0.41, 1, 1.0001, np.inf]
    expected = [-1, -1, -1, 0, 0, 1, 1, 2, 3, 3, -1, -1]
    np.testing.assert_array_equal(published_card().redshift_bin(redshift), expected)
    assert published_card().redshift_bin(0.3) == 2


@given(st.floats(13, 17))
def test_errors_are_defined_exactly_inside_the_table(log10_mass):
    table = published_card().error_table
    inside = table.log10_mass[0] <= log10_mass <= table.log10_mass[-1]
    for error in table.at(log10_mass):
        assert np.isfinite(error) == inside
        assert not inside or 0.02 < error < 0.31


def test_error_table_is_linear_between_nodes():
    table = ErrorTable([14, 15], [0.1, 0.2], [0.3, 0.1])
    np.testing.assert_allclose(
        table.at([13.9, 14, 14.25, 15]), [[np.nan, 0.1, 0.125, 0.2], [np.nan, 0.3, 0.25, 0.1]]
    )
    for bad, message in (
        (([14, 14], [1, 1], [1, 1]), "must increase"),
        (([14, 15], [1, 1], [1]), "one length"),
        (([14, 15], [1, 1], [1, 0]), "must be positive"),
        (([14, 15], [1, np.nan], [1, 1]), "must be positive"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            ErrorTable(*bad)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", 3),
        ("architecture", None),
        ("architecture_options", [1]),
        ("n_parameters", 1.5),
        ("n_parameters", True),
        ("rotation_deg", np.nan),
        ("redshift_bins", [[-1, 1]]),
        ("redshift_bins", [[0, np.inf]]),
        ("redshift_bins", "x"),
        ("log10_mass_range", [np.nan, 15]),
        ("log10_mass_range", [-np.inf, np.inf]),
        ("h", 1e30),
        ("training", "none"),
        ("metrics", None),
        ("error_table", 3),
        ("weights", ["a.npz"]),
        ("weights", [{"file": "../a.npz", "sha256": "0"}]),
        ("references", "2022NatAs...6.1325D"),
        ("format_version", True),
        ("format_version", 0),
    ],
)
def test_values_of_other_kinds_are_refused(name, value):
    values = published_card().to_dict() | {name: value}
    with pytest.raises(FileFormatError, match=f"'{name}'"):
        ModelCard.from_dict(values)


@pytest.mark.parametrize("value", [None, 3, np.nan, object(), [1], {"a": 1}, [[{}]]])
@pytest.mark.parametrize(
    "field",
    [
        "shape",
        "redshift_bins",
        "normalisation",
        "log10_mass_range",
        "weights",
    ],
)
def test_a_card_made_of_nonsense_names_the_field(field, value):
    with pytest.raises(InvalidInputError, match=f"'{field}'"):
        dataclasses.replace(published_card(), **{field: value})


def test_a_card_that_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no model card"):
        ModelCard.read(tmp_path / "card.json")
    with pytest.raises(InvalidInputError, match="is no file"):
        ModelCard.read(tmp_path)
    with pytest.raises(InvalidInputError, match="'path' must be a path"):
        ModelCard.read(3)


@pytest.mark.parametrize("value", [None, 3, "x", [1], {3: np.ones(2)}, object()])
@pytest.mark.parametrize("networks", [AmplitudeNetworks, DensityNetworks, BinnedNetworks])
def test_networks_made_of_nonsense_say_so(networks, value):
    with pytest.raises(InvalidInputError, match="'card' must be a ModelCard"):
        networks(value, {})
    card = published_card() if networks is BinnedNetworks else shipped_card()
    if networks is DensityNetworks:
        options = {"log10_mass_range": list(card.log10_mass_range)}
        card = dataclasses.replace(card, target=networks.target, architecture_options=options)
    with pytest.raises(InvalidInputError, match="'arrays' must"):
        networks(card, value)


def test_a_card_says_in_a_line_what_the_networks_are():
    assert repr(published_card()).startswith("<ModelCard 'deandres2022': networks deandres2022, ")
    text = repr(shipped_card())
    assert len(text) < 500
    for part in (
        "cutouts 96 x 96 pixels of 1.7 arcmin",
        "beam 10 arcmin",
        "gives amplitude, M500c",
    ):
        assert part in text
    assert "<b>" in shipped_card()._repr_html_()
