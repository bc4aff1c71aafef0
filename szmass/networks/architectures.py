"""Networks as Keras 3 models, built with ``keras`` alone so that any of its backends runs them."""

from szmass._utils.optional import import_optional
from szmass._utils.registry import Registry

__all__ = ["ARCHITECTURES", "build_deandres2022"]

#: Functions that build a network, by the name that a model card gives.
ARCHITECTURES = Registry("network architecture")


def build_deandres2022(shape=(96, 96), *, dropout=0.1):
    """Build the network of de Andres et al. (2022).

    Three times a 3 x 3 convolution (16, 32, 64 filters, no padding) and 2 x 2 max-pooling, the
    mean over the map, then dense layers of 200, 100, 20 and 1 units with drop-out after
    the mean and after the first; ReLU everywhere but at the end. It has 58 437 weights.

    Parameters
    ----------
    shape : tuple of int, optional
        Rows and columns of the map.
    dropout : float, optional
        Fraction of units dropped in training.

    Returns
    -------
    keras.Model
        Takes normalised maps and gives one number per map. Weighted layers are
        named ``conv1`` to ``conv3`` and ``dense1`` to ``dense4``.

    Raises
    ------
    MissingDependencyError
        Keras or its backend is not installed.

    Notes
    -----
    Input shape: ``(batch, *shape, 1)``. Output shape: ``(batch, 1)``.

    References
    ----------
    de Andres et al. 2022, Nature Astronomy 6, 1325 (2022NatAs...6.1325D); the layers
    are those of the released weights. The convolutional part follows Ntampaka et al. 2019,
    ApJ 876, 82 (2019ApJ...876...82N).
    """
    keras = import_optional("keras", extra="cnn", purpose="build a network")
    layers = keras.layers
    channels = {"data_format": "channels_last"}
    maps = x = keras.Input((*shape, 1), name="map")
    for i, filters in enumerate((16, 32, 64), start=1):
        x = layers.Conv2D(filters, 3, activation="relu", name=f"conv{i}", **channels)(x)
        x = layers.MaxPooling2D(2, name=f"pool{i}", **channels)(x)
    x = layers.GlobalAveragePooling2D(name="mean", **channels)(x)
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = layers.Dense(200, activation="relu", name="dense1")(x)
    x = layers.Dropout(dropout, name="dropout2")(x)
    x = layers.Dense(100, activation="relu", name="dense2")(x)
    x = layers.Dense(20, activation="relu", name="dense3")(x)
    x = layers.Dense(1, name="dense4")(x)
    return keras.Model(maps, x, name="deandres2022")


ARCHITECTURES.add("deandres2022", build_deandres2022)
