"""How the eraser is trained: ``python -m steerlib.maps.eraser.learning [FILE]`` (notebook 08).

From rendered pairs: a view, and the same view without one element. First the pixels alone count; then a critic joins, a
steering network to which the drawn road and the rendered one must mean the same angle. Half an hour on two cores.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from steerlib.drives.pictures import to_unit
from steerlib.maps.eraser import ELEMENTS, FILE, SIZE
from steerlib.networks.files import load_network
from steerlib.world import render_counterfactuals
from steerlib.writing import replacing

ROADS, VIEWS = range(3000, 3150), 3000
CRITIC, JUDGED = "pilotnet", 4  # the network, and how many of `ELEMENTS` it judges: those that move it most
PHASES = ((5, 2e-3, False), (3, 1e-3, True))  # epochs, learning rate at their beginning, whether the critic judges
BATCH_SIZE = 16
VISIBLE = 0.02  # brightness by which a channel must differ for a pixel to count as changed
RADIAN = 0.115  # as much as an angle that is off by 1 counts, beside the mean squared error of the pixels


def main() -> None:
    """Train the eraser and write it."""
    cv2.setNumThreads(1)
    drive, without = render_counterfactuals(ROADS, VIEWS, ELEMENTS)
    pictures = np.stack([drive.frame(i) for i in range(len(drive))])
    model = train_eraser(pictures, np.stack(list(without.values()), axis=1), load_network(CRITIC).model)
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    with replacing(file) as unfinished:
        model.save(unfinished)
    print(file)


def train_eraser(
    pictures: np.ndarray,
    without: np.ndarray,
    critic: keras.Model,
    phases: Sequence[tuple[int, float, bool]] = PHASES,
) -> keras.Model:
    """Train an eraser on pairs of pictures, and print the loss of each epoch.

    Introduced in notebook 08. The loss is the mean squared error of the pixels, in which what an element changes weighs
    as much however small it is; with a critic, also the mean error of its angles.

    Parameters
    ----------
    pictures : (n, 66, 200, 3) uint8 RGB
        At least 16.
    without : (n, 8, 66, 200, 3) uint8 RGB
        The same ones without each of `ELEMENTS`.
    critic : keras.Model
        From (m, 66, 200, 3) float32 in [0, 1] to (m, 1) radians. It learns nothing.
    phases : sequence of (int, float, bool)
        Epochs, the learning rate at their beginning, and whether the critic judges.

    Returns
    -------
    keras.Model
        From (n, 66, 200, 3) to (n, 8, 66, 200, 3): what is to be added to the picture for each element to vanish.
    """
    keras.utils.set_random_seed(0)
    model, random = eraser(), np.random.default_rng(0)
    for epochs, rate, judged in phases:
        schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * (len(pictures) // BATCH_SIZE), alpha=0.02)
        step = _step(model, keras.optimizers.Adam(schedule), critic if judged else None)
        for epoch in range(epochs):
            losses = [float(step(*batch)) for batch in _batches(pictures, without, random)]
            print(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.5f}", flush=True)
    return model


def eraser(width: int = 24) -> keras.Model:
    """Build the network: a U-Net that says for each element what is to be added to the picture for it to vanish.

    Its first convolution halves the picture and its last one makes four pixels of each of its cells, since on a CPU
    convolutions at the picture's own size would take most of the time.
    """
    layers = keras.layers

    def convolution(x: keras.KerasTensor, channels: int, size: int = 3, stride: int = 1) -> keras.KerasTensor:
        return layers.Conv2D(channels, size, stride, padding="same", activation="relu")(x)

    def enlarge(x: keras.KerasTensor, beside: keras.KerasTensor, channels: int) -> keras.KerasTensor:
        return convolution(layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(x), beside]), channels)

    picture = keras.Input((*SIZE, 3))
    border = ((0, -SIZE[0] % 8), (0, -SIZE[1] % 8))  # three times halved
    near = convolution(convolution(layers.ZeroPadding2D(border)(picture), width, 4, 2), width)
    middle = convolution(convolution(near, 2 * width, 3, 2), 2 * width)
    far = convolution(convolution(middle, 3 * width, 3, 2), 3 * width)
    x = convolution(enlarge(enlarge(far, middle, 2 * width), near, width), width + 16)
    (height, breadth), count = x.shape[1:3], len(ELEMENTS)
    x = layers.Reshape((height, breadth, 2, 2, 3 * count))(layers.Conv2D(4 * 3 * count, 1)(x))
    x = layers.Reshape((2 * height, 2 * breadth, 3 * count))(layers.Permute((1, 3, 2, 4, 5))(x))
    x = layers.Reshape((*SIZE, count, 3))(layers.Cropping2D(border)(x))
    return keras.Model(picture, layers.Permute((3, 1, 2, 4))(x), name="eraser")


def _step(model: keras.Model, optimizer: keras.Optimizer, critic: keras.Model | None) -> Callable:
    """Build the function that learns from one batch and gives its loss."""

    def answers(pictures: tf.Tensor, changes: tf.Tensor) -> tf.Tensor:
        drawn = tf.clip_by_value(pictures[:, tf.newaxis] + changes[:, :JUDGED], 0, 1)
        return critic(tf.reshape(drawn, (-1, *SIZE, 3)), training=False)

    @tf.function
    def step(pictures: tf.Tensor, changes: tf.Tensor) -> tf.Tensor:
        changed = tf.cast(tf.reduce_max(tf.abs(changes), -1, keepdims=True) > VISIBLE, tf.float32)
        share = tf.reduce_mean(changed, [2, 3], keepdims=True)
        weights = 1 - changed + 0.3 * changed / tf.maximum(share, 0.003)
        true = None if critic is None else answers(pictures, changes)
        with tf.GradientTape() as tape:
            drawn = model(pictures, training=True)
            loss = tf.reduce_mean(weights * tf.square(drawn - changes))
            if critic is not None:
                loss += RADIAN * tf.reduce_mean(tf.abs(answers(pictures, drawn) - true))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    return step


def _batches(
    pictures: np.ndarray, without: np.ndarray, random: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give batches of pictures and of their changes in random order, half of them mirrored."""
    order = random.permutation(len(pictures))
    for start in range(0, len(pictures) - BATCH_SIZE + 1, BATCH_SIZE):
        some = order[start : start + BATCH_SIZE]
        seen, gone = to_unit(pictures[some]), to_unit(without[some])
        turned = random.uniform(size=BATCH_SIZE) < 0.5
        seen[turned], gone[turned] = seen[turned, :, ::-1], gone[turned, :, :, ::-1]
        yield seen, gone - seen[:, np.newaxis]


if __name__ == "__main__":
    main()
