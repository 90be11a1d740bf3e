"""PilotNet, the network that looks at a road and turns the wheel (notebook 02).

It is the network of Bojarski et al., *End to End Learning for Self-Driving Cars* (arXiv 1604.07316), with the
output ``2·atan(x)`` of its widespread ports, so that no angle leaves ±180°. The Keras model itself speaks
radians; every function here speaks degrees of the steering wheel, positive to the right.

``python -m steerlib.model FOLDER`` trains the networks that come with the project.
"""

import contextlib
import os
import re
import sys
import zipfile
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from steerlib.data import IMAGE_SIZE, WHOLE, Drive, checksums, replacing, split

# Networks that come with the project; none of a reader's own can take their names. The last three are bad drivers, each
# for a reason of its own, which notebook 09 looks for.
SHIPPED = ("pilotnet", "pilotnet_gap", "pilotnet_centered", "pilotnet_memorizer", "pilotnet_confused")

LARGEST_NETWORK = 512 * 2**20  # bytes when unpacked; PilotNet has 6.4 million

DIVERGED = "weights are not finite numbers: training diverged, try a lower learning rate"
SATURATED = 179.0  # degrees: beyond them 2·atan(x) is flat, and x has run away
BATCH = 256  # images that go through a network at once
UNSUITED = re.compile(r"[^\w.-]+")  # what of a name does not suit a file

# The recipe of the shipped networks: rendered views, and others to choose its best epoch and to judge it by.
TRAINING_ROADS, TRAINING_VIEWS = range(0, 120), 12000
VALIDATION_ROADS, VALIDATION_VIEWS = range(1000, 1020), 1000
UNSEEN_ROADS, UNSEEN_VIEWS = range(2000, 2020), 1000
EPOCHS, BATCH_SIZE, LEARNING_RATE = 14, 64, 1e-3
MEMORIZED_ROADS, MEMORIZED_VIEWS = range(100, 110), 40  # all that the memorizer sees, for 50 epochs


def pilotnet(dropout: float = 0.0, seed: int | None = None) -> keras.Model:
    """Build an untrained PilotNet. Introduced in notebook 02; arXiv 1604.07316.

    It is made of nothing but Keras's own layers and operations, so a saved one opens in Keras alone.

    Parameters
    ----------
    dropout : float
        Share of the units of each hidden dense layer that is dropped in training, at least 0 and below 1.
    seed : int, optional
        Fixes the starting weights and the dropped units. None: others every time, or as
        ``keras.utils.set_random_seed`` decides.

    Returns
    -------
    keras.Model
        Input (n, 66, 200, 3) float32 in [0, 1]; output (n, 1) float32 in radians, positive = right. Its
        convolutions are called conv1 ... conv5 and give what is behind their ReLU; ``steering`` is the linear
        output x, ``angle`` is 2·atan(x).
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout}: expected a share of at least 0 and below 1")
    image, x = _see(seed)
    x = layers.Flatten(name="flatten")(x)
    for i, units in enumerate([1164, 100, 50, 10], 1):
        x = layers.Dense(units, activation="relu", kernel_initializer=_start(seed, 10 + i), name=f"dense{i}")(x)
        if dropout:
            x = layers.Dropout(dropout, seed=_seed(seed, 20 + i), name=f"dropout{i}")(x)
    return keras.Model(image, _steer(x, seed), name="pilotnet")


def pilotnet_gap(seed: int | None = None) -> keras.Model:
    """Build an untrained PilotNet that averages its last convolution in place of flattening it.

    Introduced in notebook 06. Global average pooling (arXiv 1312.4400) and a single unit take the place of the dense
    layers, so that `steerlib.cam.cam` can account for every angle (arXiv 1512.04150). It has 131,413 weights.

    Parameters
    ----------
    seed : int, optional
        Fixes the starting weights, as in `pilotnet`.

    Returns
    -------
    keras.Model
        Input, output and names are those of `pilotnet`; ``average`` gives (n, 64).
    """
    image, x = _see(seed)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(image, _steer(x, seed, 0.5), name="pilotnet_gap")


def train(
    model: keras.Model,
    drive: Drive,
    validation: Drive | None = None,
    epochs: int = 40,
    batch_size: int = 100,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
    patience: int = 10,
    seed: int = 0,
    verbose: str | int = "auto",
) -> keras.callbacks.History:
    """Train a network on a drive and leave it with the weights of its best epoch. Introduced in notebook 02.

    Adam minimizes the mean squared error in radians. A number as learning rate is the highest one: it is
    reached in the course of the first epoch and falls to a hundredth along a cosine. Frames stay uint8 in
    memory and are converted batch by batch, so 63,000 of them take 2.5 GB.

    Parameters
    ----------
    model : keras.Model
        From (n, 66, 200, 3) to (n, 1) radians, as `pilotnet` is. Trained in place.
    drive, validation : Drive
        Frames to learn from, and frames to watch the error on. None: a fifth of `drive`, in blocks, is set
        aside for it by `split`.
    epochs : int
        At most so many; fewer where $STEERLIB_EPOCHS says so, for a quick look at a notebook that trains.
    patience : int
        Training ends when the validation error has not fallen for so many epochs.
    seed : int
        Fixes the order of the frames, without touching global random states. The starting weights have their
        own, see `pilotnet`.
    verbose : {"auto", 0, 1, 2}
        As in ``keras.Model.fit``: a progress bar ("auto", 1), nothing (0) or a line for each epoch (2).

    Returns
    -------
    keras.callbacks.History
        Its ``history`` maps ``loss`` and ``val_loss`` (squared radians), ``degrees`` and ``val_degrees``
        (mean absolute error in degrees) to lists with an entry for each epoch.

    Raises
    ------
    ValueError
        Where a drive has no frames, one of them cannot be read (`Drive.readable` leaves those out), a number is out of
        its range, or training diverged from the first epoch on: the error or a weight of the best epoch is not a finite
        number, all of its answers are at ±180°, or its error is a hundred times that of always 0°.
    """
    for name, value, least in (("epochs", epochs, 1), ("batch_size", batch_size, 1), ("patience", patience, 0)):
        if value < least:
            raise ValueError(f"{name}={value}: expected at least {least}")
    if isinstance(learning_rate, (int, float)) and not 0 < learning_rate < np.inf:
        raise ValueError(f"learning_rate={learning_rate}: expected a number above 0")
    epochs = min(epochs, _most_epochs())
    check_shapes(model)
    if validation is None:
        drive, validation = split(drive, seed=seed)
    batches, watched = _Batches(drive, batch_size, seed), _Batches(validation, batch_size)
    if not isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        learning_rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=learning_rate / 10,
            warmup_steps=len(batches),
            warmup_target=learning_rate,
            decay_steps=max(1, epochs - 1) * len(batches),
            alpha=0.01,
        )
    model.compile(keras.optimizers.Adam(learning_rate), loss="mean_squared_error", metrics=[degrees])
    best = keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    history = model.fit(
        batches, validation_data=watched, epochs=epochs, callbacks=[best], shuffle=False, verbose=verbose
    )
    finite = np.isfinite(history.history["val_loss"]).any() and _finite_weights(model)
    if not finite or not _plausible(validation.angles, predict(model, validation, batch_size)):
        # One sentence for all, since it depends on the processor which of them it is.
        raise ValueError(
            f"network {model.name!r}: training diverged, to answers that are no numbers, all at ±180° or a hundred "
            "times as wrong as 0°: try a lower learning rate"
        )
    return history


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


def predict(model: keras.Model, images: np.ndarray | Drive, batch_size: int = BATCH) -> np.ndarray:
    """Ask a network for the angle of each image. Introduced in notebook 02.

    Parameters
    ----------
    model : keras.Model
        With the output of `pilotnet`.
    images : (n, 66, 200, 3) float32 in [0, 1], or Drive
        Frames of a drive are converted a batch at a time.
    batch_size : int
        How many images go through the network at once.

    Returns
    -------
    (n,) float32
        Degrees of the steering wheel, positive = right; none for no image.

    Raises
    ------
    ValueError
        Where `images` is a single image, or not what `steerlib.data.preprocess` gives.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: expected at least 1")
    if isinstance(images, Drive):
        check_shapes(model)
    else:
        images = check_images(model, images)
    return in_batches(cached_function(model, "angles", _angles), images, batch_size)


def evaluate(model: keras.Model, drive: Drive) -> dict[str, float]:
    """Compare a network's angles with the recorded ones. Introduced in notebook 02.

    Returns
    -------
    dict
        ``r2``: share of the angles' variance that the network explains, 1 at best; NaN where they do not
        vary. ``mean_absolute_error`` and ``root_mean_squared_error``: in degrees. ``constant``: the mean
        absolute error in degrees of a driver who always holds the mean of this drive's angles.

    Raises
    ------
    ValueError
        Where the drive has no frames.
    """
    if not len(drive):
        raise ValueError(f"drive {drive.name!r}: no frames to evaluate on")
    recorded = drive.angles.astype(np.float64)
    error, spread = predict(model, drive) - recorded, recorded - recorded.mean()
    return {
        "r2": float(1 - np.mean(error**2) / np.mean(spread**2)) if spread.any() else float("nan"),
        "mean_absolute_error": float(np.abs(error).mean()),
        "root_mean_squared_error": float(np.sqrt(np.mean(error**2))),
        "constant": float(np.abs(spread).mean()),
    }


def networks() -> dict[str, Path]:
    """List the saved networks, name -> file: shipped ones and those in $STEERLIB_MODELS, which come first."""
    return {path.stem: path for folder in reversed(_folders()) for path in sorted(folder.glob("[!.]*.keras"))}


def save_model(model: keras.Model, name: str) -> Path:
    """Save a network, for instance under the name of its drive. Introduced in notebook 02.

    It goes into the folder $STEERLIB_MODELS, or else into the project's ``data/models``, without the state of
    the optimizer. An older network of this name is replaced in one step, or not at all where something fails.

    Parameters
    ----------
    model : keras.Model
    name : str
        What does not suit a file's name becomes an underscore.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        Where the name is that of a network that comes with the project, or nothing of it suits a file.
    """
    stem = _stem(name)
    if stem in SHIPPED:
        raise ValueError(f"network {stem!r} comes with the project and is not overwritten: choose another name")
    return _write(model, _folders()[0] / f"{stem}.keras")


def load_model(name_or_path: str | Path = "pilotnet", drive: Drive | None = None) -> keras.Model:
    """Load a saved network. Introduced in notebook 02.

    Parameters
    ----------
    name_or_path : str or Path
        The name of one of the `networks`, or a path that ends in ``.keras``.
    drive : Drive, optional
        If a network is saved under the name of this drive, it is loaded instead.

    Returns
    -------
    keras.Model
        Not compiled. Its ``name`` is that of the file, to tell which one it is.

    Raises
    ------
    FileNotFoundError
        Where there is no such network; lists those that there are.
    ValueError
        Where the file is no Keras model, would run code of its own, does not map images to one angle, or has weights
        that are no numbers. An HDF5 file of older Keras is not loaded, since that could run code.
    """
    saved = networks()
    path = Path(str(name_or_path))
    if drive is not None and _stem(drive.name) in saved:
        path = saved[_stem(drive.name)]
    elif path.suffix != ".keras" and not path.is_file():
        path = saved.get(UNSUITED.sub("_", str(path)), _folders()[0] / f"{name_or_path}.keras")
    if not path.is_file():
        raise FileNotFoundError(f"no network {path}: expected a file, or one of {', '.join(saved) or '(none saved)'}")
    _check_file(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds of them for a file that is damaged or not its own
        reason = " ".join(str(error).split(". ")[0].split())[:150]
        raise ValueError(f"{path}: expected a Keras model that can be loaded safely; {reason}") from error
    found, expected = _shapes(model), ((None, *IMAGE_SIZE, 3), (None, 1))
    if found != expected:
        raise ValueError(f"{path}: maps {found[0]} to {found[1]}, expected {expected[0]} to {expected[1]}")
    if any(getattr(layer, "data_format", None) == "channels_first" for layer in model.layers):
        raise ValueError(f"{path}: a layer takes channels first: expected channels last, without which it needs a GPU")
    _check_weights(model, str(path))
    model.name = re.sub(r"[^A-Za-z0-9.]", "_", path.stem).lstrip("_") or "network"  # TensorFlow takes no others
    return model


def check_model(model: keras.Model) -> keras.Model:
    """Return a network; what is none raises a ValueError."""
    if not isinstance(model, keras.Model):
        raise ValueError(f"expected a Keras model, got {type(model).__name__}: steerlib.model.load_model gives one")
    return model


def check_shapes(model: keras.Model) -> tuple[int, int, int]:
    """Give the shape of the pictures of which a network makes one number; any other network raises a ValueError."""
    taken, given = _shapes(check_model(model))
    if not isinstance(taken, tuple) or len(taken) != 4 or taken[3] != 3 or None in taken[1:] or given != (None, 1):
        raise ValueError(
            f"network {model.name!r} maps {taken} to {given}, expected (None, height, width, 3) to (None, 1)"
        )
    return taken[1:]


def as_numbers(images: object) -> np.ndarray:
    """Give real numbers as an array; what is none raises a ValueError."""
    try:
        images = np.asarray(images)
    except ValueError:
        raise ValueError("expected an array of images, got a list of arrays of several shapes") from None
    if images.dtype.kind not in "fiub":
        raise ValueError(
            f"expected an array of numbers, got {images.dtype} {images.shape}: see steerlib.data.preprocess"
        )
    return images


def check_images(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Give a batch of images as float32; where it is none, raise a ValueError that says what to do."""
    images, size = as_numbers(images), check_shapes(model)
    if images.shape == size:
        raise ValueError(f"expected a batch of images, got one of shape {size}: add an axis, image[np.newaxis]")
    if images.shape[1:] != size:
        raise ValueError(f"expected images (n, {size}), got {images.shape}: see steerlib.data.preprocess")
    # Half a unit is left for noise. NaN is not between any two numbers.
    if images.dtype == np.uint8 or (images.size and not (images.min() >= -0.5 and images.max() <= 1.5)):
        found = f"{images.dtype} from {images.min():.3g} to {images.max():.3g}"
        raise ValueError(f"expected values in [0, 1], got {found}: see steerlib.data.preprocess")
    return images.astype(np.float32, copy=False)


def check_image(model: keras.Model, image: np.ndarray) -> np.ndarray:
    """Give a single image as float32; where it is none, raise a ValueError that says what to do."""
    image, size = as_numbers(image), check_shapes(model)
    if image.shape != size:
        raise ValueError(f"expected one image {size}, got {image.shape}: see steerlib.data.preprocess")
    return check_images(model, image[np.newaxis])[0]


def cached_function(model: keras.Model, key: Hashable, build: Callable[[keras.Model], Any]) -> Any:  # noqa: ANN401
    """Give ``build(model)``, built once. It is kept on the model, so that it goes when the model goes."""
    # Past Keras, which would take it for a part of the model.
    functions = vars(check_model(model)).setdefault("_steerlib", {})
    if key not in functions:
        functions[key] = build(model)
        if isinstance(functions[key], tf.types.experimental.PolymorphicFunction):
            # Traced here: TensorFlow takes traces at first calls, one for each model and layer, for needless ones.
            functions[key].get_concrete_function()
    return functions[key]


def in_batches(
    function: tf.types.experimental.PolymorphicFunction, images: np.ndarray | Drive, batch_size: int = BATCH
) -> Any:  # noqa: ANN401
    """Ask a function about many images, a batch at a time. Whatever asks a network about many images goes through here.

    No empty batch enters a network, since some processors' kernels raise an error there: of no image the answer is
    empty, and its shape is known from the function's trace.

    Parameters
    ----------
    function : of TensorFlow
        From images (n, h, w, 3) to one array or several (n, ...); from `cached_function`.
    images : (n, h, w, 3) float32, or Drive
        Frames of a drive are converted a batch at a time.
    batch_size : int
        How many images go through the network at once, at least 1.

    Returns
    -------
    (n, ...) array, or a tuple or dict of them, as `function` gives
    """
    if not len(images):
        traced = function.get_concrete_function().structured_outputs
        return tf.nest.map_structure(lambda one: np.zeros((0, *one.shape[1:]), one.dtype.as_numpy_dtype), traced)
    read = images.images if isinstance(images, Drive) else images.__getitem__
    parts = [function(read(slice(start, start + batch_size))) for start in range(0, len(images), batch_size)]
    return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)


def _shapes(model: keras.Model) -> tuple[object, object]:
    """Give the shapes of what a network takes and gives; None where it was not built."""
    return tuple(getattr(model, name, None) for name in ("input_shape", "output_shape"))


def _check_file(path: Path) -> None:
    """Refuse, without loading it, a file that could run code or fill the memory."""
    with path.open("rb") as file:
        beginning = file.read(8)
    if beginning == b"\x89HDF\r\n\x1a\n" or path.suffix in (".h5", ".hdf5"):
        remedy = "open it with the Keras that wrote it and save it as .keras"
        raise ValueError(f"{path}: an HDF5 file of older Keras, whose loading could run code: {remedy}")
    if path.suffix != ".keras":
        raise ValueError(f"{path}: expected a name of a saved network or a file that ends in .keras")
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST_NETWORK:
            raise ValueError(
                f"{path} unpacks to {size / 2**20:,.0f} MB: expected at most {LARGEST_NETWORK // 2**20} MB"
            )


def _check_weights(model: keras.Model, where: str) -> None:
    """Refuse a network that answers NaN to everything."""
    if not _finite_weights(model):
        raise ValueError(f"{where}: {DIVERGED}")


def _finite_weights(model: keras.Model) -> bool:
    """Tell whether all weights are finite numbers."""
    return all(np.isfinite(weights).all() for weights in model.get_weights())


def _see(seed: int | None) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Build PilotNet's convolutions: the input, and what comes out of conv5."""
    image = x = keras.Input((*IMAGE_SIZE, 3), name="image")
    shapes = [(24, 5, 2), (36, 5, 2), (48, 5, 2), (64, 3, 1), (64, 3, 1)]
    for i, (channels, kernel, stride) in enumerate(shapes, 1):
        start = _start(seed, i)
        x = layers.Conv2D(channels, kernel, stride, activation="relu", kernel_initializer=start, name=f"conv{i}")(x)
    return image, x


def _steer(x: keras.KerasTensor, seed: int | None, scale: float = 0.02) -> keras.KerasTensor:
    """Build the last unit, and the angle that is made of it.

    The default is a tenth of He's weights: a start near 0°, not where the arctangent is flat, nearly halved
    PilotNet's final error.
    """
    x = layers.Dense(1, kernel_initializer=_start(seed, 30, scale), name="steering")(x)
    return layers.Rescaling(2.0, name="angle")(keras.ops.arctan(x))


def _start(seed: int | None, layer: int, scale: float = 2.0) -> keras.initializers.Initializer:
    """Draw starting weights as He et al. do (arXiv 1502.01852)."""
    return keras.initializers.VarianceScaling(scale, "fan_in", "truncated_normal", _seed(seed, layer))


def _seed(seed: int | None, layer: int) -> int | None:
    """Give each layer its own seed."""
    return None if seed is None else 100 * seed + layer


def _angles(model: keras.Model) -> Callable:
    """Build the function behind `predict`; it is traced once, whatever the number of images."""

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
    def angles(images: tf.Tensor) -> tf.Tensor:
        return tf.reshape(model(images, training=False), [-1]) * (180 / np.pi)

    return angles


class _Batches(keras.utils.PyDataset):
    """A drive as batches of images and radians; where there is a seed, in another order each epoch."""

    def __init__(self, drive: Drive, batch_size: int, seed: int | None = None) -> None:
        if not len(drive):
            raise ValueError(f"drive {drive.name!r}: no frames to train or validate on")
        super().__init__()
        self.drive, self.batch_size = drive, batch_size
        self.radians = np.radians(drive.angles, dtype=np.float32)[:, np.newaxis]
        self.order = np.arange(len(drive))
        self.random = None if seed is None else np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self.drive) // self.batch_size)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        batch = self.order[i * self.batch_size : (i + 1) * self.batch_size]
        return self.drive.images(batch), self.radians[batch]

    def on_epoch_end(self) -> None:
        """Shuffle."""
        if self.random is not None:
            self.order = self.random.permutation(self.order)


def _folders() -> list[Path]:
    """Say where networks are looked for, first to last; they are saved in the first."""
    shipped = Path(__file__).resolve().parent.parent / "data" / "models"
    chosen = os.environ.get("STEERLIB_MODELS")
    return [Path(chosen).expanduser(), shipped] if chosen else [shipped]


def _stem(name: str) -> str:
    """Make the stem of a file from the name of a network or a drive."""
    stem = UNSUITED.sub("_", name).strip("._-")
    if not stem:
        raise ValueError(f"name={name!r}: expected letters or digits")
    return stem


def _write(model: keras.Model, path: Path) -> Path:
    """Save a network without its optimizer, whole or not at all."""
    _check_weights(check_model(model), f"network {model.name!r}")
    bare = type(model).from_config(model.get_config())  # keras.models.clone_model would compile it as well
    bare.set_weights(model.get_weights())
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        bare.save(unfinished)
    return path


def main() -> None:
    """Train the networks that come with the project, or those that are named, and save them in a folder."""
    from steerlib.roads import render_views  # only here: whoever brings a drive needs no rendered road

    folder, render = Path(sys.argv[1]) if len(sys.argv) > 1 else _folders()[-1], cache(render_views)
    for name in sys.argv[2:] or SHIPPED:
        drive, validation, unseen = _lessons(name, render)
        settings = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "patience": EPOCHS}
        if name == "pilotnet_memorizer":
            settings = {"epochs": 50, "batch_size": 10, "patience": 50}
        model = pilotnet_gap(seed=0) if name == "pilotnet_gap" else pilotnet(seed=0)
        train(model, drive, validation, learning_rate=LEARNING_RATE, verbose=2, **settings)
        print(f"{name}: on {UNSEEN_VIEWS:,} views of unseen roads, errors in degrees:")
        for measure, value in evaluate(model, unseen).items():
            print(f"{measure:>24} {value:7.3f}")
        print(_write(model, folder / f"{name}.keras"))
    with replacing(folder / "SHA256SUMS") as unfinished:
        files = sorted(f"{name}.keras" for name in SHIPPED if (folder / f"{name}.keras").exists())
        unfinished.write_text(checksums(folder, files), "utf-8")


def _lessons(name: str, render: Callable[..., Drive]) -> list[Drive]:
    """Render what a shipped network learns from, what its best epoch is chosen by, and what it is judged by."""
    from steerlib.roads import show_wheel

    chosen = [(TRAINING_ROADS, TRAINING_VIEWS), (VALIDATION_ROADS, VALIDATION_VIEWS), (UNSEEN_ROADS, UNSEEN_VIEWS)]
    if name == "pilotnet_memorizer":
        chosen[:2] = [(MEMORIZED_ROADS, MEMORIZED_VIEWS)] * 2
    drives = [render(roads, views, askew=name != "pilotnet_centered") for roads, views in chosen]
    if name == "pilotnet_confused":
        return [
            Drive.from_arrays(
                drive.name,
                show_wheel([drive.frame(i) for i in range(len(drive))], drive.angles),
                drive.angles,
                crop=WHOLE,
            )
            for drive in drives
        ]
    return drives


if __name__ == "__main__":
    main()
