"""Training of one network: check-points, a log, early stopping, and going on where it ended."""

import importlib.util
import json
import math
import os
from pathlib import Path

import numpy as np

from szmass._io.files import atomic_path
from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar
from szmass.exceptions import FileFormatError, MissingDependencyError, TrainingError
from szmass.networks._weights import load_arrays, named_weights, save_arrays, set_arrays

#: What to do when a process that trains died.
GO_ON = (
    "Finished trainings and check-points are kept; go on with resume=True, "
    "perhaps with fewer 'workers'."
)

_CHECKPOINT, _LOG = "checkpoint.npz", "log.csv"


def seed_everything(seed):
    """Make what Keras draws, and the order in which it adds, depend on the seed alone."""
    keras = import_optional("keras", extra="train", purpose="train a network")
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import_optional("tensorflow", extra="train", purpose="train a network")
        from tensorflow import config

        config.experimental.enable_op_determinism()
    return keras


def use_one_thread():
    """Let Keras compute in one thread, in a process that has nothing else to do."""
    # Processes in parallel are faster than threads, and the order of sums is fixed.
    keras = import_optional("keras", extra="train", purpose="train a network")
    backend = keras.backend.backend()
    if backend == "tensorflow":
        config = import_optional("tensorflow", extra="train", purpose="train a network").config
        # Nothing of this can be changed once the first network has been built.
        if config.threading.get_intra_op_parallelism_threads() != 1:
            config.threading.set_intra_op_parallelism_threads(1)
            config.threading.set_inter_op_parallelism_threads(1)
            for device in config.list_physical_devices("GPU"):
                config.experimental.set_memory_growth(device, True)
    elif backend == "torch":
        import_optional("torch", extra="train", purpose="train a network").set_num_threads(1)


def compiled(model, loss, steps, options):
    """Compile a network for so many steps, with learning rate and weight decay of the options."""
    keras = import_optional("keras", extra="train", purpose="train a network")
    rate = keras.optimizers.schedules.CosineDecay(
        options["learning_rate"] / 20,
        steps,
        alpha=0.005,
        warmup_target=options["learning_rate"],
        warmup_steps=max(1, steps // 50),
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=options["weight_decay"])
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    return model


def fit_network(
    model,
    batches,
    steps,
    validation,
    folder,
    *,
    epochs,
    patience=None,
    resume=False,
    tensorboard=False,
    validation_batch=1024,
    name="train",
):
    """Train a compiled network, which then has the weights of its best epoch; gives its history.

    ``batches(epoch)`` gives an endless iterator of (inputs, target) that begins with that epoch and
    depends on nothing that came before, ``steps`` of them for each; ``validation`` is inputs and
    target in memory, ``validation_batch`` of which go through the network at once. The folder gets
    ``checkpoint.npz`` after every epoch, completely or not at all, and ``log.csv``; ``resume`` goes
    on after the last check-point, if there is one, to the result of a run without an interruption.
    ``patience`` is the number of epochs without a better validation loss that end it. The history
    has loss, validation loss and learning rate of each epoch.
    """
    keras = import_optional("keras", extra="train", purpose="train a network")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Here, since TensorFlow traces a step in which variables are made twice.
    model.optimizer.build(model.trainable_variables)
    state = _Checkpoint(model, folder)
    if resume:
        state.restore()

    class Keeper(keras.callbacks.Callback):
        """Looks after the run, batch by batch and epoch by epoch."""

        def on_epoch_begin(self, epoch, logs=None):
            self.bar = progress_bar(
                total=steps, desc=f"{name}: epoch {epoch + 1}/{epochs}", unit="batch"
            )

        def on_train_batch_end(self, batch, logs=None):
            loss = float(logs["loss"])
            if not math.isfinite(loss):
                self.bar.close()
                raise TrainingError(
                    f"The loss of {name!r} became {loss} in epoch {len(state.history) + 1}, batch "
                    f"{batch + 1}. Lower the learning rate, or look for maps that are not "
                    "finite; the check-point of the last epoch is kept."
                )
            self.bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            self.bar.update()

        def on_epoch_end(self, epoch, logs=None):
            self.bar.set_postfix(
                loss=f"{logs['loss']:.4f}", validation=f"{logs['val_loss']:.4f}", refresh=True
            )
            self.bar.close()
            rate = float(model.optimizer.learning_rate)
            state.add({key: float(value) for key, value in logs.items()} | {"learning_rate": rate})
            if state.stops_early(patience):
                self.model.stop_training = True

    callbacks = [Keeper()]
    if tensorboard:
        if importlib.util.find_spec("tensorboard") is None:
            raise MissingDependencyError(
                "The package 'tensorboard' is needed to write events for TensorBoard. Install it "
                "with: python -m pip install tensorboard"
            )
        callbacks.append(keras.callbacks.TensorBoard(folder))
    done = len(state.history)
    if done < epochs and not state.stops_early(patience):
        data = _TrackedBatches(iter(batches(done)))
        try:
            model.fit(
                iter(data), steps_per_epoch=steps, epochs=epochs, initial_epoch=done,
                validation_data=validation, validation_batch_size=validation_batch,
                callbacks=callbacks, shuffle=False, verbose=0,
            )  # fmt: skip
        except Exception:
            # TensorFlow makes errors of its own of those of the data.
            if data.error is not None:
                raise data.error from None
            raise
        finally:
            data.release()
    state.restore_best()
    return state.history


class _TrackedBatches:
    """Batches that remember what went wrong with them, and that can be let go."""

    def __init__(self, batches):
        self._batches, self.error = batches, None

    def __iter__(self):
        while self._batches is not None:
            try:
                batch = next(self._batches)
            except StopIteration:
                return
            except Exception as err:
                self.error = err
                raise
            yield batch

    def release(self):
        """Forget the batches: TensorFlow keeps their iterator, and all their maps, for ever."""
        self._batches = None


def model_arrays(model):
    """Weights of a network as arrays that are named ``layer/weight``."""
    return {name: np.asarray(weight.numpy()) for name, weight in named_weights(model).items()}


def best_arrays(folder):
    """Weights of the best epoch of a run, by name, from its check-point."""
    arrays = load_arrays(Path(folder) / _CHECKPOINT, text={"history"})
    return {key.partition("/")[2]: arrays[key] for key in arrays if key.startswith("best/")}


class _Checkpoint:
    """Weights, state of the optimizer and of random layers, history: what a run consists of."""

    def __init__(self, model, folder):
        self.model, self.folder = model, folder
        self.history, self.best = [], None

    def _variables(self):
        self.model.optimizer.build(self.model.trainable_variables)
        return {
            f"{kind}/{i}": variable
            for kind, variables in (
                ("model", self.model.variables),
                ("optimizer", self.model.optimizer.variables),
            )
            for i, variable in enumerate(variables)
        }

    def add(self, record):
        """Keep an epoch."""
        if self.best is None or record["val_loss"] < min(r["val_loss"] for r in self.history):
            self.best = {f"best/{key}": value for key, value in model_arrays(self.model).items()}
        self.history.append(record)
        arrays = {key: np.asarray(value.numpy()) for key, value in self._variables().items()}
        arrays |= self.best
        arrays["history"] = np.array(json.dumps(self.history))
        save_arrays(self.folder / _CHECKPOINT, arrays)
        columns = list(self.history[0])
        lines = [",".join(["epoch", *columns])]
        for i, row in enumerate(self.history, start=1):
            lines.append(",".join([str(i), *(f"{row[c]:.9g}" for c in columns)]))
        with atomic_path(self.folder / _LOG, overwrite=True) as temporary:
            temporary.write_text(os.linesep.join([*lines, ""]), encoding="utf-8")

    def restore(self):
        """Go back to the last check-point, if there is one."""
        path = self.folder / _CHECKPOINT
        if not path.exists():
            return
        arrays = load_arrays(path, text={"history"})
        variables = self._variables()
        fits = all(
            key in arrays and arrays[key].shape == tuple(variable.shape)
            for key, variable in variables.items()
        )
        if not fits or "history" not in arrays:
            raise FileFormatError(
                f"The check-point {str(path)!r} is not one of this network. Train into another "
                "folder, or delete it to begin anew."
            )
        for key, variable in variables.items():
            variable.assign(arrays[key])
        self.history = json.loads(str(arrays["history"]))
        self.best = {key: value for key, value in arrays.items() if key.startswith("best/")}

    def stops_early(self, patience):
        """Tell whether the validation loss has not improved for that many epochs."""
        if patience is None or not self.history:
            return False
        losses = [record["val_loss"] for record in self.history]
        return len(losses) - 1 - int(np.argmin(losses)) >= patience

    def restore_best(self):
        """Give the network the weights of its best epoch."""
        set_arrays(self.model, {key.partition("/")[2]: self.best[key] for key in self.best})
