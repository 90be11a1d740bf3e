"""How a network of other habits is trained, for notebook 10: ``python -m steerlib.networks.someone_elses FOLDER``.

It stands for a file that somebody downloaded. As in the behavioral-cloning course of Udacity, whose students published
thousands, the whole frame goes in, 160 × 320 pixels as OpenCV reads them, BGR from 0 to 255; cropping and a Lambda are
inside; the answer is a fraction of full lock; frames are mirrored to learn from twice as many. None of it is written
down beside the file: how it wants to be asked must be found out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from steerlib.drives import WHOLE, Drive
from steerlib.networks.files import OTHER, folders, load_network
from steerlib.networks.shipped import write_checksums
from steerlib.networks.training import evaluate
from steerlib.writing import replacing

SIZE, CROPPED = (160, 320), (70, 25)  # height and width of its picture; rows that it cuts off, above and below
FULL_LOCK = 120.0  # degrees of the steering wheel that an answer of 1 means
TRUTH = {"color": "BGR", "unit": "fraction", "full_lock": FULL_LOCK, "replace": {"normalize": "x/127.5-1"}}
TRAINING_ROADS, TRAINING_VIEWS = range(200, 280), 2400
VALIDATION_ROADS, VALIDATION_VIEWS = range(1000, 1010), 300
UNSEEN_ROADS, UNSEEN_VIEWS = range(2000, 2010), 300
EPOCHS, BATCH_SIZE, LEARNING_RATE = 24, 32, 1e-3


def build(seed: int = 0) -> keras.Model:
    """Build the network, untrained, as its author might have.

    Returns
    -------
    keras.Model
        Input (n, 160, 320, 3) float32 BGR from 0 to 255; output (n, 1) float32, a fraction of full lock, positive to
        the right.
    """
    from keras import layers

    def start(layer: int) -> keras.initializers.Initializer:
        return keras.initializers.HeNormal(seed=100 * seed + layer)

    model = keras.Sequential(name="sequential")
    model.add(keras.Input((*SIZE, 3)))
    model.add(layers.Cropping2D((CROPPED, (0, 0)), name="crop"))
    model.add(normalize := layers.Lambda(lambda x: x / 127.5 - 1.0, name="normalize"))
    # Its code goes into the file, and would say where on this machine it was written.
    code = normalize.function.__code__.replace(co_filename="model.py", co_firstlineno=1, co_linetable=b"")
    normalize.function.__code__ = code
    for i, (channels, kernel, stride) in enumerate([(16, 5, 2), (24, 5, 2), (32, 5, 2), (32, 3, 1)], 1):
        model.add(
            layers.Conv2D(
                channels, kernel, stride, activation="relu", kernel_initializer=start(i), name=f"convolution_{i}"
            )
        )
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(12, activation="relu", kernel_initializer=start(5), name="dense_1"))
    model.add(layers.Dense(1, kernel_initializer=keras.initializers.HeNormal(seed=100 * seed + 6), name="steering"))
    return model


class Views(keras.utils.PyDataset):
    """Batches of pictures as OpenCV reads them and fractions of full lock; with a seed shuffled, half are mirrored."""

    def __init__(self, drive: Drive, seed: int | None = None) -> None:
        super().__init__()
        self.drive, self.random = drive, None if seed is None else np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self.order) // BATCH_SIZE)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        batch = self.order[i * BATCH_SIZE : (i + 1) * BATCH_SIZE]
        frames = np.stack([self.drive.frame(row)[..., ::-1] for row in batch]).astype(np.float32)
        fractions = self.drive.angles[batch, np.newaxis] / FULL_LOCK
        if self.random is not None:
            mirrored = self.random.random(len(batch)) < 0.5
            frames[mirrored], fractions[mirrored] = frames[mirrored, :, ::-1], -fractions[mirrored]
        return frames, fractions

    def on_epoch_end(self) -> None:
        """Shuffle."""
        count = len(self.drive)
        self.order = np.arange(count) if self.random is None else self.random.permutation(count)


def make(path: Path) -> None:
    """Train the network, save it as HDF5, and tell how well it does when it is asked as it wants to be."""
    from steerlib.networks.network import as_network
    from steerlib.world import render_views

    view = as_network(lambda pictures: np.zeros(len(pictures)), size=SIZE, crop=WHOLE, name="camera")
    training, validation, unseen = (
        render_views(roads, views, network=view)
        for roads, views in (
            (TRAINING_ROADS, TRAINING_VIEWS),
            (VALIDATION_ROADS, VALIDATION_VIEWS),
            (UNSEEN_ROADS, UNSEEN_VIEWS),
        )
    )
    keras.utils.set_random_seed(0)
    model, batches = build(), Views(training, seed=0)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * len(batches), alpha=0.01)
    model.compile(keras.optimizers.Adam(rate), loss="mean_squared_error")
    best = keras.callbacks.EarlyStopping("val_loss", patience=EPOCHS, restore_best_weights=True)
    model.fit(batches, validation_data=Views(validation), epochs=EPOCHS, callbacks=[best], shuffle=False, verbose=2)
    with replacing(path) as unfinished:
        model.save(unfinished, include_optimizer=False)
    print(f"{path}: {path.stat().st_size:,} bytes, {model.count_params():,} weights")
    print(f"on {UNSEEN_VIEWS:,} views of unseen roads, errors in degrees:")
    for measure, value in evaluate(load_network(path, **TRUTH), unseen).items():
        print(f"{measure:>24} {value:7.3f}")


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else folders()[-1]
    make(folder / OTHER)
    write_checksums(folder)
