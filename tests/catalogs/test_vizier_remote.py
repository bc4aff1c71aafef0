"""The real VizieR. What is not as it is known here is told by the error's message."""

import pytest

from szmass.catalogs import CATALOGS

pytestmark = pytest.mark.remote_data


@pytest.mark.parametrize(
    "tag", [tag for tag, catalog in CATALOGS.items() if catalog.vizier_id is not None]
)
def test_fetch(tag):
    catalog = CATALOGS[tag].fetch(refresh=True)
    assert len(catalog) == catalog.expected_rows
    assert len(CATALOGS[tag].fetch(offline=True)) == catalog.expected_rows
