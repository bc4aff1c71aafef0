"""Estimators of the dynamical state that were learned from mock clusters, and how."""
