"""Published Compton-y maps by name: where they are, how they are fetched and opened."""

from szmass.maps.products.core import MAP_PRODUCTS, MapProduct, MapSource, fetch_map, open_map

__all__ = ["MAP_PRODUCTS", "MapProduct", "MapSource", "fetch_map", "open_map"]
