"""Activations against a convolution in loops, the place of cells against gradients, products against loops."""

import gc
import weakref

import keras
import numpy as np
import pytest

from steerlib.maps.hypercolumns import activations, hypercolumns
from steerlib.maps.visual_backprop import visual_backprop
from steerlib.networks.cells_to_pixels import cell_centers, cells_to_pixels
from steerlib.networks.network import as_network
from steerlib.networks.pilotnet import pilotnet

SHAPES = {
    "conv1": (31, 98, 24),
    "conv2": (14, 47, 36),
    "conv3": (5, 22, 48),
    "conv4": (3, 20, 64),
    "conv5": (1, 18, 64),
}
LAYERS = tuple(SHAPES)


@pytest.fixture(scope="module")
def model():
    return pilotnet(seed=0)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((66, 200, 3), dtype=np.float32)


def with_weights(model: keras.Model, kernel: float) -> keras.Model:
    """The same network with equal weights everywhere and no biases."""
    copy = keras.models.clone_model(model)
    copy.set_weights([np.full(w.shape, kernel if w.ndim > 1 else 0.0) for w in model.get_weights()])
    return copy


def bilinear(cells: np.ndarray, rows: np.ndarray, columns: np.ndarray, row: int, column: int) -> float:
    """One pixel's value, from the four cells around it."""

    def around(centers: np.ndarray, place: int) -> list[tuple[int, float]]:
        if place <= centers[0] or len(centers) == 1:
            return [(0, 1.0)]
        if place >= centers[-1]:
            return [(len(centers) - 1, 1.0)]
        low = int((place - centers[0]) // (centers[1] - centers[0]))
        share = (place - centers[low]) / (centers[1] - centers[0])
        return [(low, 1 - share), (low + 1, share)] if share else [(low, 1.0)]

    return sum(a * b * cells[i, j] for i, a in around(rows, row) for j, b in around(columns, column))


@pytest.mark.kernels
def test_activations_are_those_behind_the_relu(model):
    image = picture()
    found = activations(model, image)
    assert {name: values.shape for name, values in found.items()} == SHAPES
    assert list(found) == list(LAYERS) == list(as_network(model).layers)
    below, stride = image, 2
    for name, values in found.items():
        stride = 2 if name in ("conv1", "conv2", "conv3") else 1
        kernel, bias = model.get_layer(name).get_weights()
        size, (last_row, last_column) = kernel.shape[0], np.array(values.shape[:2]) - 1
        for row, column in ((0, 0), (0, last_column), (last_row, last_column // 2)):
            seen = below[stride * row : stride * row + size, stride * column : stride * column + size]
            expected = np.maximum(np.tensordot(seen, kernel, axes=3) + bias, 0)
            np.testing.assert_allclose(values[row, column], expected, rtol=1e-3, atol=1e-4)
        assert values.min() == 0 < values.max()
        below = values


@pytest.mark.parametrize("layer", LAYERS)
def test_cells_look_where_their_gradients_are(model, layer):
    """The pixels that move a cell, found by changing the image, lie around its center."""
    positive = with_weights(model, 0.01)
    rows, columns = cell_centers(positive, layer)
    assert (len(rows), len(columns)) == SHAPES[layer][:2]
    inner = keras.Model(positive.input, positive.get_layer(layer).output)
    image = np.full((66, 200, 3), 0.5, np.float32)

    def moved(axis: int) -> np.ndarray:
        """(pixels, cells) along an axis: which cells change with a line of pixels."""
        lines = np.repeat(image[np.newaxis], image.shape[axis], axis=0)
        for i, line in enumerate(lines):
            np.moveaxis(line, axis, 0)[i] = 1.0
        # All in one call: on some processors kernels add up a single picture in another order than many.
        *changed, same = inner(np.concatenate([lines, image[np.newaxis]])).numpy()
        changes = np.abs(np.array(changed) - same).max(axis=(2 - axis, 3))
        return changes > 1e-4 * changes.max()

    for axis, centers in ((0, rows), (1, columns)):
        seen = [np.flatnonzero(pixels) for pixels in moved(axis).T]
        np.testing.assert_array_equal([(pixels[0] + pixels[-1]) / 2 for pixels in seen], centers)


def test_cells_of_padded_and_pooled_networks():
    image = keras.Input((66, 200, 3))
    x = keras.layers.Conv2D(2, 5, strides=2, padding="same", name="a")(image)
    x = keras.layers.MaxPooling2D(2, name="pool")(x)
    x = keras.layers.Conv2D(2, 3, padding="same", dilation_rate=2, name="b")(x)
    x = keras.layers.Dense(1)(keras.layers.Flatten()(x))
    model = with_weights(keras.Model(image, x), 0.1)
    for layer, row, column in (("a", 9, 20), ("b", 7, 20)):
        inner = keras.Model(model.input, model.get_layer(layer).output)
        seen = []
        for axis, cell in ((0, row), (1, column)):
            lines = np.zeros((image.shape[1 + axis], 66, 200, 3), np.float32)
            for i, line in enumerate(lines):
                np.moveaxis(line, axis, 0)[i] = 1.0
            values = np.take(inner(lines).numpy(), cell, axis=1 + axis)
            pixels = np.flatnonzero(np.abs(values).max(axis=(1, 2)) > 1e-6)
            seen.append((pixels[0] + pixels[-1]) / 2)
        rows, columns = cell_centers(model, layer)
        assert (rows[row], columns[column]) == tuple(seen)


@pytest.mark.parametrize("layer", LAYERS)
def test_pixels_are_interpolated_between_the_cells_around_them(model, layer):
    cells = np.random.default_rng(1).random(SHAPES[layer][:2], dtype=np.float32)
    found = cells_to_pixels(cells, model, layer)
    assert found.shape == (66, 200) and found.dtype == np.float32
    rows, columns = cell_centers(model, layer)
    for row in range(0, 66, 5):
        for column in range(0, 200, 7):
            assert found[row, column] == pytest.approx(bilinear(cells, rows, columns, row, column), abs=1e-5)
    np.testing.assert_allclose(found[np.ix_(rows.astype(int), columns.astype(int))], cells, atol=1e-6)


def test_a_bright_spot_is_found_where_it_is(model):
    """Near the side, a map of conv5 that is stretched over the image would be off by 20 pixels."""
    positive = with_weights(model, 0.01)
    for column in (38, 100, 158):
        image = np.zeros((66, 200, 3), np.float32)
        image[28:33, column - 2 : column + 3] = 1.0
        found = hypercolumns(positive, image, ("conv4", "conv5"))
        weights = found.sum(axis=0) ** 8
        assert abs((weights * np.arange(200)).sum() / weights.sum() - column) < 6


@pytest.mark.parametrize("layers", [LAYERS, ("conv1",), ("conv4", "conv2"), ["conv5"]])
@pytest.mark.kernels
def test_the_product_in_loops(model, layers):
    image = picture(2)
    found = hypercolumns(model, image, layers)
    assert found.shape == (66, 200) and found.dtype == np.float32 and found.max() == 1 and found.min() >= 0
    pixels = [(row, column) for row in range(0, 66, 13) for column in range(0, 200, 9)]
    expected = np.ones(len(pixels))
    for name in layers:
        values = activations(model, image)[name]
        mean = [[np.abs(cell).sum() / len(cell) for cell in line] for line in values]
        mean = np.array(mean) / np.max(mean)
        centers = cell_centers(model, name)
        expected *= [bilinear(mean, *centers, *pixel) for pixel in pixels]
    found = np.array([found[pixel] for pixel in pixels])
    np.testing.assert_allclose(found / found.max(), expected / expected.max(), rtol=1e-3, atol=1e-5)


def test_the_last_layer_alone_gives_columns(model):
    found = hypercolumns(model, picture(), ("conv5",))
    np.testing.assert_allclose(found, found[:1].repeat(66, axis=0), rtol=1e-6)
    assert np.ptp(found[0]) > 0.01


def test_silent_layers_give_zeros(model):
    np.testing.assert_array_equal(hypercolumns(with_weights(model, -1), picture()), np.zeros((66, 200)))


def test_equal_cells_give_an_even_map(model):
    even = hypercolumns(with_weights(model, 0.01), np.full((66, 200, 3), 0.5, np.float32))
    np.testing.assert_allclose(even, 1, rtol=1e-4)


def test_it_is_traced_once_and_freed():
    model = pilotnet()
    for seed, layers in enumerate([LAYERS, ("conv1",), ("conv5",)]):
        hypercolumns(model, picture(seed), layers)
    assert as_network(model)._functions["activations"].experimental_get_tracing_count() == 1
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": ("conv6",)}, "layer='conv6'.*conv1, conv2, conv3, conv4, conv5"),
        ({"layers": ("conv1", "dense1")}, "layer='dense1'"),
        ({"layers": ()}, r"layers=\(\)"),
        ({"layers": "conv5"}, "layers='conv5'"),
        ({"picture": np.zeros((1, 66, 200, 3))}, "expected one image"),
        ({"picture": np.zeros((66, 200, 3), np.uint8)}, "preprocess"),
    ],
)
def test_what_is_wrong_is_named(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        hypercolumns(model, **{"picture": picture(), **arguments})


def test_faded_evidence_ends_where_the_layer_sees_nothing(model):
    """conv3's cells are centered on the rows 14 to 46, 8 apart, and see 29 rows: the last ones 32 to 60."""
    faded = cells_to_pixels(np.ones((5, 22), np.float32), model, "conv3", fade=True)
    kept = cells_to_pixels(np.ones((5, 22), np.float32), model, "conv3")
    assert (kept == 1).all()
    np.testing.assert_allclose(faded[10:51, 10:187], 1)
    assert (faded[61:] == 0).all() and (faded[:, 197:] == 0).all()
    assert (np.diff(faded[50:61, 100]) < 0).all()
    one_row = cells_to_pixels(np.ones((1, 18), np.float32), model, "conv5", fade=True)
    np.testing.assert_array_equal(one_row[0], one_row[65])  # a single row sees all of the height


# VisualBackProp


def chain(*windows, padding="valid", size=(13, 15)):
    """A small network: ("conv" or "pool", kernel, stride) one above the other, then a dense unit."""
    image = x = keras.Input((*size, 3))
    for i, (kind, kernel, stride) in enumerate(windows):
        start = keras.initializers.RandomNormal(0.1, 1, seed=i)
        if kind == "conv":
            x = keras.layers.Conv2D(
                3, kernel, stride, padding=padding, activation="relu", kernel_initializer=start, name=f"conv{i + 1}"
            )(x)
        else:
            x = keras.layers.MaxPooling2D(kernel, stride, padding=padding)(x)
    return keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(x)))


def sum_over_paths(means, windows, size, offsets):
    """For each pixel, over all paths of cells from it to the last layer: the sum of the products of the means."""
    total = np.zeros(size)

    def follow(level, row, column, product):
        """Go down from a cell of a layer to all cells or pixels in its window."""
        product *= means[level][row, column]
        _, kernel, stride = windows[level]
        for i in range(kernel):
            for j in range(kernel):
                y, x = row * stride + i - offsets[level][0], column * stride + j - offsets[level][1]
                height, width = means[level - 1].shape if level else size
                if 0 <= y < height and 0 <= x < width:
                    if level:
                        follow(level - 1, y, x, product)
                    else:
                        total[y, x] += product

    for row in range(means[-1].shape[0]):
        for column in range(means[-1].shape[1]):
            follow(len(means) - 1, row, column, 1.0)
    return total


@pytest.mark.parametrize(
    "windows",
    [
        [("conv", 3, 2), ("conv", 3, 1)],
        [("conv", 3, 1), ("conv", 3, 2), ("conv", 2, 2)],
        [("conv", 4, 2)],
        [("conv", 3, 1), ("pool", 2, 2), ("conv", 3, 1)],
    ],
)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.kernels
def test_visual_backprop_is_the_sum_over_all_paths(windows, padding):
    network = chain(*windows, padding=padding)
    image = np.random.default_rng(5).random((13, 15, 3), dtype=np.float32)
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.MaxPooling2D)]
    inside = keras.Model(network.input, [layer.output for layer in layers])(image[np.newaxis])
    inside = inside if isinstance(inside, list) else [inside]
    means = [np.array(output)[0].mean(axis=-1) for output in inside]
    offsets = []
    sizes = [(13, 15), *(mean.shape for mean in means)]
    for (_, kernel, stride), below, above in zip(windows, sizes, sizes[1:]):
        padded = [max((n - 1) * stride + kernel - m, 0) // 2 for m, n in zip(below, above)]
        offsets.append(padded if padding == "same" else (0, 0))
    expected = sum_over_paths(means, windows, (13, 15), offsets)
    assert expected.max() > 0
    np.testing.assert_allclose(visual_backprop(network, image), expected / expected.max(), atol=1e-5)


def test_visual_backprop_of_pilotnet_pads_at_the_bottom_and_the_right(model):
    """What conv1 to conv5 do not reach is zero: 1 row and 1 column of the image, and what follows from the others."""
    found = visual_backprop(model, picture())
    assert found.shape == (66, 200) and found.dtype == np.float32
    assert found.max() == 1 and found.min() >= 0
    # (1,1), (0,1), (1,0), (0,0), (0,0) left over below conv1 ... conv5 are 1 + 4 rows and 1 + 2 columns of pixels.
    assert (found[61:] == 0).all() and (found[:, 197:] == 0).all()
    assert found[60].any() and found[:, 196].any()


def test_visual_backprop_of_nothing_and_of_everything(model):
    silent = with_weights(model, 0.0)
    assert (visual_backprop(silent, picture()) == 0).all()
    assert np.isfinite(visual_backprop(with_weights(model, 5.0), np.ones((66, 200, 3), np.float32))).all()


def test_visual_backprop_does_not_look_at_the_dense_layers(model):
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    other.get_layer("dense1").set_weights([-w for w in other.get_layer("dense1").get_weights()])
    np.testing.assert_allclose(visual_backprop(other, picture()), visual_backprop(model, picture()), atol=1e-5)


def test_visual_backprop_refuses_what_is_no_image(model):
    with pytest.raises(ValueError, match="expected one image"):
        visual_backprop(model, np.zeros((10, 10, 3), np.float32))
