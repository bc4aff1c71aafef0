"""The parts of `szmass.comparison.reproduce`: mocks, real clusters, table, lensing and figures."""
