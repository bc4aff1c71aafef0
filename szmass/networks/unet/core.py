"""The U-Net of mass maps: in Keras to train it, in numpy to run it."""

import numpy as np

from szmass._utils.optional import import_optional
from szmass.networks._forward import Layers, gelu
from szmass.networks._weights import load_arrays, named_weights, save_arrays

__all__ = ["MassUNet", "build_mass_unet"]

# Planes that are made of the numbers, and units of the layers that are dense.
_TOLD, _DENSE = 6, 64


def build_mass_unet(shape, numbers, *, filters=(16, 32, 48)):
    """Build the U-Net of mass maps in Keras.

    Parameters
    ----------
    shape : (int, int, int)
        Rows, columns and planes of the maps that it sees; a multiple of 4 of rows and columns.
    numbers : int
        How many numbers come with them.
    filters : sequence of int, optional
        Filters of the levels, each of half the resolution of the one before.

    Returns
    -------
    keras.Model
        From maps (N, ny, nx, planes) and numbers (N, numbers) to two outputs: a shape (N, ny, nx,
        2) and an amplitude (N, 2), each a mean and the logarithm of a standard deviation, which
        `MassUNet` scales.

    Raises
    ------
    MissingDependencyError
        Keras is not installed.
    """
    keras = import_optional("keras", extra="train", purpose="build networks")
    layers = keras.layers

    def twice(x, name, number):
        for i in (1, 2):
            x = layers.Conv2D(number, 3, padding="same", activation="relu", name=f"{name}_{i}")(x)
        return x

    maps, told = keras.Input(shape), keras.Input((numbers,))
    known = layers.Dense(_TOLD, activation="gelu", name="told")(told)
    x = layers.Concatenate()([maps, layers.Reshape((1, 1, _TOLD))(known) * _ones(keras, maps)])
    passed = []
    for level, number in enumerate(filters):
        if level:
            passed.append(x)
            x = layers.AveragePooling2D(2)(x)
        x = twice(x, f"down{level}", number)
    pooled = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), told])
    amplitude = layers.Dense(_DENSE, activation="gelu", name="amplitude1")(pooled)
    amplitude = layers.Dense(_DENSE, activation="gelu", name="amplitude2")(amplitude)
    amplitude = layers.Dense(2, name="amplitude3")(amplitude)
    for level in reversed(range(len(filters) - 1)):
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), passed[level]])
        x = twice(x, f"up{level}", filters[level])
    return keras.Model([maps, told], [layers.Conv2D(2, 1, name="shape")(x), amplitude])


def _ones(keras, maps):
    return keras.ops.ones_like(maps[..., :1])


class MassUNet:
    """The U-Net of mass maps with its weights, in numpy.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Weights by the names of layers, as `write` keeps them.
    filters : sequence of int, optional
        As in `build_mass_unet`.

    Raises
    ------
    FileFormatError
        Weights are missing, or have another shape.
    """

    def __init__(self, arrays, *, filters=(16, 32, 48)):
        self.filters = tuple(filters)
        self._layers = Layers("mass_unet", arrays)

    @staticmethod
    def read_arrays(path):
        """Read the weights that `write` wrote, and whatever was put beside them.

        Parameters
        ----------
        path : path-like
            An ``.npz`` file.

        Returns
        -------
        dict of str to ndarray
            The arrays.

        Raises
        ------
        FileFormatError
            It is no such file.
        """
        return load_arrays(path)

    @staticmethod
    def write(model, path):
        """Write the weights of a Keras model, in half precision.

        Parameters
        ----------
        model : keras.Model
            From `build_mass_unet`.
        path : path-like
            The target. It is complete or not there.
        """
        weights = {name: w.numpy().astype(np.float16) for name, w in named_weights(model).items()}
        save_arrays(path, weights)

    def __call__(self, maps, numbers):
        """Run the network.

        Parameters
        ----------
        maps : ndarray
            Shape (N, ny, nx, planes), float32.
        numbers : ndarray
            Shape (N, numbers), float32.

        Returns
        -------
        shape : ndarray
            Shape (N, ny, nx, 2), see `scaled`.
        amplitude : ndarray
            Shape (N, 2).
        """
        layers = self._layers
        known = gelu(layers.dense("told", numbers, _TOLD))
        told = np.broadcast_to(known[:, np.newaxis, np.newaxis], (*maps.shape[:3], _TOLD))
        x, passed = np.concatenate([maps, told], axis=-1), []
        for level, number in enumerate(self.filters):
            if level:
                passed.append(x)
                n, ny, nx, channels = x.shape
                x = x.reshape(n, ny // 2, 2, nx // 2, 2, channels)
                x = (x[:, :, 0, :, 0] + x[:, :, 1, :, 0] + x[:, :, 0, :, 1] + x[:, :, 1, :, 1]) / 4
            x = self._twice(x, f"down{level}", number)
        pooled = np.concatenate([x.mean(axis=(1, 2)), numbers], axis=1)
        amplitude = gelu(layers.dense("amplitude1", pooled, _DENSE))
        amplitude = gelu(layers.dense("amplitude2", amplitude, _DENSE))
        amplitude = layers.dense("amplitude3", amplitude, 2)
        for level in reversed(range(len(self.filters) - 1)):
            x = np.concatenate([x.repeat(2, axis=1).repeat(2, axis=2), passed[level]], axis=-1)
            x = self._twice(x, f"up{level}", self.filters[level])
        return layers.convolution("shape", x, 2, 1, linear=True), amplitude

    def _twice(self, x, name, number):
        for i in (1, 2):
            x = self._layers.convolution(f"{name}_{i}", x, number, 3, same=True)
        return x

    @staticmethod
    def scaled(output, mean, sigma):
        """Turn an output into a mean and a standard deviation.

        Parameters
        ----------
        output : array
            Last axis: mean and logarithm of the standard deviation, as the network gives them.
        mean, sigma : float
            What they are in units of.

        Returns
        -------
        mean : array
            The mean, in those units.
        sigma : array
            The standard deviation.
        """
        # Beyond, no cluster is: there a network has gone astray.
        log_sigma = np.clip(output[..., 1], -4.0, 1.2)
        return mean * np.clip(output[..., 0], -7.0, 8.0), sigma * np.exp(log_sigma)
