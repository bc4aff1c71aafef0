"""A network that gives a density of log-mass."""

from szmass.networks import density_head, density_inputs


def build_example_net(shape, *, log10_mass_range, width=8, components=2):
    """Build a network of one dense layer over the averaged planes.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of a cutout.
    log10_mass_range : (float, float)
        Ends of the prior.
    width : int, optional
        Units of the layer.
    components : int, optional
        Number of normal distributions.

    Returns
    -------
    keras.Model
        The network, untrained.
    """
    import keras

    planes, context = density_inputs(shape)
    x = keras.layers.AveragePooling2D(4, data_format="channels_last", name="pool")(planes)
    x = keras.layers.Flatten(name="flat")(x)
    x = keras.layers.concatenate([x, context], name="all")
    x = keras.layers.Dense(width, activation="relu", name="dense")(x)
    mixture = density_head(x, log10_mass_range, components)
    return keras.Model([planes, context], mixture, name="example_net")
