"""Fields around simulated clusters: other haloes, foregrounds, and real maps."""
