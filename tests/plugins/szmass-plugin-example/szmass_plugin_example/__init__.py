"""Examples of what other packages can add to szmass, one module for each kind."""
