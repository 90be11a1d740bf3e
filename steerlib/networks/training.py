"""Training a network on a drive, and comparing its angles with the recorded ones (notebook 02)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from steerlib.drives import Drive, split
from steerlib.networks.curvature import fit_factor
from steerlib.networks.files import finite_weights, load_network
from steerlib.networks.network import BATCH, Network, as_network

# What changes pictures (n, h, w, 3) and radians (n, 1) while a network learns; gets its random numbers.
Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]
LOOKED_AT = 500  # frames, to compare another network's answers with a drive's angles
SATURATED = 179.0  # degrees: beyond them 2·atan(x) is flat, and x has run away


def train(
    network: Network | keras.Model,
    drive: Drive,
    validation: Drive | None = None,
    epochs: int = 40,
    batch_size: int = 100,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
    patience: int = 10,
    seed: int = 0,
    verbose: str | int = "auto",
    start: Network | keras.Model | str | None = None,
    augment: Change | None = None,
    loss: str | keras.losses.Loss = "mean_squared_error",
    strategy: tf.distribute.Strategy | None = None,
) -> keras.callbacks.History:
    """Train a network on a drive and leave it with the weights of its best epoch. Introduced in notebook 02.

    Adam minimizes the loss, by default the mean squared error in radians. A number as learning rate is the highest one:
    it is reached in the course of the first epoch and falls to a hundredth along a cosine. While the network computes,
    the next batches are read: decoded in the first epoch, taken from `steerlib.drives.cache` from then on. A drive of
    any length takes less than 500 MB.

    Parameters
    ----------
    network : Network or keras.Model
        Trained in place; a model must have the form of `pilotnet`, from one picture to one angle in radians, or come
        through `as_network`, which gives one of that form.
    drive, validation : Drive
        Frames to learn from, and frames to watch the error on; those without a recorded angle are left out. None: a
        fifth of `drive`, in blocks, is set aside for it by `split`.
    epochs : int
        At most so many; fewer where $STEERLIB_EPOCHS says so, for a quick look at a notebook that trains.
    patience : int
        Training ends when the validation error has not fallen for so many epochs.
    seed : int
        Fixes the order of the frames, without touching global random states. The starting weights have their
        own, see `pilotnet`.
    verbose : {"auto", 0, 1, 2}
        As in ``keras.Model.fit``: a progress bar ("auto", 1), nothing (0) or a line for each epoch (2).
    start : Network or str, optional
        Begin with the weights of this network of the same layers, or of a saved one, such as ``"pilotnet_varied"``,
        instead of those that the network has: fewer frames are needed then, most of all with `augment`, and with a
        learning rate of about half the usual. Where its answers follow the drive's angles up to a factor, in which two
        cars differ, its last layer is multiplied by that first (`steerlib.fit_factor`).
    augment : callable, optional
        Changes the pictures of each batch, and perhaps their angles in radians, such as
        `steerlib.networks.augmentation.photograph_anew`; validation sees the drive as it is.
    loss : str or keras.losses.Loss
        Of radians. Where few frames have large angles, ``keras.losses.Huber(delta)`` keeps them from deciding all:
        beyond `delta` an error counts in proportion.
    strategy : tf.distribute.MirroredStrategy, optional
        Several devices of one machine, each with its part of every batch: `batch_size` is that of all of them together
        and must divide evenly. So that each device always has as many frames as the others, the last batch of an epoch
        may leave out a few, fewer than there are devices. Keras 3 trains on several machines only with JAX
        (``keras.distribution``); ``tf.distribute.MultiWorkerMirroredStrategy`` fails in its ``fit`` (keras-team/keras
        #20585), so other strategies are refused.

    Returns
    -------
    keras.callbacks.History
        Its ``history`` maps ``loss`` and ``val_loss`` (by default squared radians), ``degrees`` and ``val_degrees``
        (mean absolute error in degrees) to lists with an entry for each epoch.

    Raises
    ------
    ValueError
        Where a drive has no frames, one of them cannot be read (`Drive.readable` leaves those out), a number is out of
        its range, `start` has other layers, or training diverged from the first epoch on: the error or a weight of the
        best epoch is not a finite number, all of its answers are at ±180°, or its error is a hundred times that of
        always 0°. Where a strategy is none that Keras 3 supports, or the batches do not divide by its devices.
    """
    devices = _devices(strategy, batch_size)
    for name, value, least in (("epochs", epochs, 1), ("batch_size", batch_size, 1), ("patience", patience, 0)):
        if value < least:
            raise ValueError(f"{name}={value}: expected at least {least}")
    if isinstance(learning_rate, (int, float)) and not 0 < learning_rate < np.inf:
        raise ValueError(f"learning_rate={learning_rate}: expected a number above 0")
    epochs = min(epochs, _most_epochs())
    given, network = network, as_network(network)
    model = network.model
    if model is None:
        raise ValueError(f"the black box {network.name!r} has no weights to train")
    if given is not network and given is not model:
        raise ValueError(
            f"network {network.name!r} cannot be trained as it is: expected one picture and one angle in radians, as "
            "pilotnet has; train what as_network makes of it"
        )
    if validation is None:
        drive, validation = split(_labeled(drive, "train on"), seed=seed)
    drive = _labeled(drive, "train on")
    validation = _labeled(validation, "validate on")
    if start is not None:
        _begin_with(network, load_network(start) if isinstance(start, str) else as_network(start))
        _turn_as(network, drive)
    batches = Batches(network, drive, batch_size, seed, augment, devices)
    watched = Batches(network, validation, batch_size, devices=devices)
    if not isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        learning_rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=learning_rate / 10,
            warmup_steps=len(batches),
            warmup_target=learning_rate,
            decay_steps=max(1, epochs - 1) * len(batches),
            alpha=0.01,
        )
    best = keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        # The variables of a strategy are made within it: those of a copy, for the network is there already.
        trained = model
        if strategy is not None:
            trained = type(model).from_config(model.get_config())
            trained.set_weights(model.get_weights())
        trained.compile(keras.optimizers.Adam(learning_rate), loss=loss, metrics=[degrees])
        history = trained.fit(
            batches, validation_data=watched, epochs=epochs, callbacks=[best], shuffle=False, verbose=verbose
        )
    if trained is not model:
        model.set_weights(trained.get_weights())
    finite = np.isfinite(history.history["val_loss"]).any() and finite_weights(model)
    if not finite or not _plausible(validation.angles, predict(network, validation, batch_size)):
        # One sentence for all, since it depends on the processor which of them it is.
        raise ValueError(
            f"network {network.name!r}: training diverged, to answers that are no numbers, all at ±180° or a hundred "
            "times as wrong as 0°: try a lower learning rate"
        )
    return history


def _begin_with(network: Network, start: Network) -> None:
    """Copy the weights of a network of the same layers."""
    shapes, others = ([w.shape for w in n.model.weights] if n.model else None for n in (network, start))
    if shapes != others:
        raise ValueError(
            f"start={start.name!r}: expected a network of the same layers as {network.name!r}, whose weights have the "
            f"shapes {shapes}; these have {others}"
        )
    network.model.set_weights(start.model.get_weights())


def _turn_as(network: Network, drive: Drive) -> None:
    """Multiply the last layer so that answers that follow the drive's angles fit them: 2·atan(x) is about 2x."""
    last = [layer for layer in network.model.layers if layer.weights][-1]
    if not isinstance(last, keras.layers.Dense) or last.units != 1:
        return
    some = drive.subset(np.unique(np.linspace(0, len(drive) - 1, LOOKED_AT).astype(int)))
    try:
        factor = fit_factor(some.angles, predict(network, some), share=1.0).value
    except ValueError:  # they do not follow them, or there is too little to tell
        return
    last.set_weights([factor * weights for weights in last.get_weights()])


def _devices(strategy: tf.distribute.Strategy | None, batch_size: int) -> int:
    """Count the devices of a strategy; refuse one that Keras 3 does not support, or that cannot share a batch."""
    if strategy is None:
        return 1
    if not isinstance(strategy, tf.distribute.MirroredStrategy):
        raise ValueError(
            f"strategy={type(strategy).__name__}: with TensorFlow, Keras 3 trains on several devices of one machine "
            "only: expected tf.distribute.MirroredStrategy"
        )
    devices = strategy.num_replicas_in_sync
    if batch_size % devices:
        raise ValueError(f"batch_size={batch_size}: expected a multiple of the {devices} devices that share it")
    return devices


def _labeled(drive: Drive, what: str) -> Drive:
    """Leave out the frames for which no angle was recorded; refuse a drive that has no others."""
    known = np.isfinite(drive.angles)
    if len(drive) and not known.any():
        raise ValueError(f"drive {drive.name!r}: for none of its frames an angle was recorded to {what}")
    return drive if known.all() else drive.subset(known)


def _plausible(recorded: np.ndarray, answers: np.ndarray) -> bool:
    """Tell whether a training may have led to these answers, in degrees, without diverging.

    Far from what a weak network does: one that has learned nothing yet, or that always answers the same, is as wrong as
    0°, not a hundred times as wrong. The 10 keep a drive that only goes straight from asking for more.
    """
    recorded, answers = recorded.astype(np.float64), answers.astype(np.float64)
    error, straight = (np.sqrt(np.mean(apart**2)) for apart in (answers - recorded, recorded))
    saturated = np.abs(answers).min() >= SATURATED > np.median(np.abs(recorded))
    return bool(error <= 100 * max(straight, 10.0)) and not saturated  # NaN is not below anything


def _most_epochs() -> float:
    """Read $STEERLIB_EPOCHS, above which no training goes."""
    text = os.environ.get("STEERLIB_EPOCHS")
    if text and not (text.isdecimal() and int(text)):
        raise ValueError(f"STEERLIB_EPOCHS={text!r}: expected a number of epochs, at least 1")
    return int(text) if text else float("inf")


def degrees(recorded: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Give the absolute error in degrees of angles in radians: what `train` shows beside the loss."""
    return keras.ops.abs(predicted - recorded) * (180 / np.pi)


def predict(network: Network | keras.Model, pictures: np.ndarray | Drive, batch_size: int = BATCH) -> np.ndarray:
    """Ask a network for the angle of each picture. Introduced in notebook 02.

    Parameters
    ----------
    network : Network
    pictures : (n, h, w, 3) float32 in [0, 1], or Drive
        Frames of a drive are converted a batch at a time.
    batch_size : int
        How many pictures go through the network at once.

    Returns
    -------
    (n,) float32
        Degrees of the steering wheel, positive = right; none for no picture.

    Raises
    ------
    ValueError
        Where `pictures` is a single picture, or not what the network takes.
    """
    network = as_network(network)
    if not isinstance(pictures, Drive):
        return network.angles(pictures, batch_size)
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: expected at least 1")
    parts = [range(len(pictures))[start : start + batch_size] for start in range(0, len(pictures), batch_size)]
    angles = [network.angles(pictures.pictures(network, part), batch_size) for part in parts]
    return np.concatenate([np.zeros(0, np.float32), *angles])


def evaluate(network: Network | keras.Model, drive: Drive) -> dict[str, float]:
    """Compare a network's angles with the recorded ones, where there are such. Introduced in notebook 02.

    Returns
    -------
    dict
        ``r2``: share of the angles' variance that the network explains, 1 at best; NaN where they do not
        vary. ``mean_absolute_error`` and ``root_mean_squared_error``: in degrees. ``constant``: the mean
        absolute error in degrees of a driver who always holds the mean of this drive's angles.

    Raises
    ------
    ValueError
        Where the drive has no frames with a recorded angle.
    """
    if not len(drive):
        raise ValueError(f"drive {drive.name!r}: no frames to evaluate on")
    drive = _labeled(drive, "evaluate on")
    recorded = drive.angles.astype(np.float64)
    error, spread = predict(network, drive) - recorded, recorded - recorded.mean()
    return {
        "r2": float(1 - np.mean(error**2) / np.mean(spread**2)) if spread.any() else float("nan"),
        "mean_absolute_error": float(np.abs(error).mean()),
        "root_mean_squared_error": float(np.sqrt(np.mean(error**2))),
        "constant": float(np.abs(spread).mean()),
    }


class Batches(keras.utils.PyDataset):
    """A drive as batches of pictures and radians; where there is a seed, in another order each epoch, and changed.

    Every batch has the same number of frames for each of some devices: an empty part would be a loss that is no number.
    """

    def __init__(
        self,
        network: Network,
        drive: Drive,
        batch_size: int,
        seed: int | None = None,
        augment: Change | None = None,
        devices: int = 1,
    ) -> None:
        if not len(drive):
            raise ValueError(f"drive {drive.name!r}: no frames to train or validate on")
        super().__init__()
        self.network, self.drive, self.batch_size = network, drive, batch_size
        self.radians = np.radians(drive.angles, dtype=np.float32)[:, np.newaxis]
        self.count = len(drive) // devices * devices
        if not self.count:
            raise ValueError(f"drive {drive.name!r}: {len(drive)} frames, fewer than the {devices} devices")
        self.order = np.arange(len(drive))
        self.random = None if seed is None else np.random.default_rng(seed)
        self.augment, self.seed, self.epoch = augment, seed, -1
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        batch = self.order[i * self.batch_size : min((i + 1) * self.batch_size, self.count)]
        pictures, radians = self.drive.pictures(self.network, batch), self.radians[batch]
        if self.augment is not None:
            # Its own numbers for each batch: the result does not depend on the order in which batches are asked for.
            random = np.random.default_rng([self.seed, self.epoch, i])
            pictures, radians = self.augment(pictures, radians, random)
        return pictures, radians

    def on_epoch_end(self) -> None:
        """Shuffle."""
        if self.random is not None:
            self.order, self.epoch = self.random.permutation(self.order), self.epoch + 1
