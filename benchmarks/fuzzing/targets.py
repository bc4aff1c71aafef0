"""The kinds of input by name; each makes a case of random numbers in an empty folder."""

import importlib

#: Name of the kind, and module and function that make its cases; imported when used.
_HOMES = {
    "healpix": ("maps", "healpix_case"),
    "image": ("maps", "image_case"),
    "mask": ("maps", "mask_case"),
    "cutout": ("cutouts", "cutout_case"),
    "stack": ("cutouts", "stack_case"),
    "noise": ("cutouts", "noise_case"),
    "table": ("tables", "table_case"),
    "form": ("tables", "form_case"),
    "catalog": ("catalogs", "catalog_case"),
    "vizier": ("catalogs", "vizier_case"),
    "lensing": ("catalogs", "lensing_case"),
    "halos": ("halos", "halos_case"),
    "card": ("networks", "card_case"),
    "weights": ("networks", "weights_case"),
    "domain": ("networks", "domain_case"),
    "recipe": ("networks", "recipe_case"),
    "dataset": ("datasets", "dataset_case"),
    "posterior": ("results", "posterior_case"),
    "masses": ("results", "masses_case"),
    "estimate": ("results", "estimate_case"),
}


class _Targets(dict):
    def __missing__(self, name):
        module, function = _HOMES[name]
        self[name] = getattr(importlib.import_module(f"fuzzing.{module}"), function)
        return self[name]


TARGETS = _Targets()
NAMES = tuple(_HOMES)

#: Shares of the inputs, 1 where nothing is said: those that take long get fewer.
SHARES = {"domain": 0.3, "dataset": 0.6, "vizier": 0.6, "estimate": 0.6, "mask": 0.3}
