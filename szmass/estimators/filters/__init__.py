"""Filters and likelihoods of cutouts, on plain arrays."""
