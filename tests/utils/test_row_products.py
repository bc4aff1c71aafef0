"""Products of rows that do not depend on the company of a row."""

import numpy as np
import pytest

from szmass._utils.pieces import row_products


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(576, 37), (51, 7), (17, 300), (576, 1)])
def test_a_row_gives_the_same_to_the_bit_wherever_it_stands(shape, kind):
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=shape).astype(kind)
    rows = rng.normal(size=(70, shape[0])).astype(kind)
    found = row_products(rows, matrix)
    assert found.dtype == kind
    np.testing.assert_allclose(found, rows.astype(float) @ matrix, rtol=0, atol=1e-4)
    for step in (1, 5, 16, 33):
        order = np.roll(np.arange(70), step)
        np.testing.assert_array_equal(row_products(rows[order], matrix), found[order])
    np.testing.assert_array_equal(row_products(rows[41:42], matrix), found[41:42])
