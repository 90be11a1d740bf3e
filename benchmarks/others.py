"""One other library in its own environment: makes its maps of a frame when asked, and says how long each took.

Started by libraries.py as ``python others.py LIBRARY FOLDER``, where the folder holds the frame and the weights as
NumPy files. It first says what it makes, and with which versions; then it answers each line on its input, such as
"occlusion 15 2", with a line of JSON, and leaves the map in the folder.
"""

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np

SHAPES = [(24, 5, 2), (36, 5, 2), (48, 5, 2), (64, 3, 1), (64, 3, 1)]  # PilotNet's channels, kernels and strides
UNITS = [1164, 100, 50, 10, 1]
LAYER = "conv3"
BATCHES = (32, 128, 512)  # of these the fastest is used

Maps = dict[str, Callable[..., np.ndarray]]


def main() -> None:
    """Answer until the input ends."""
    library, folder = sys.argv[1], Path(sys.argv[2])
    # Libraries write warnings and progress; they may not come between the answers.
    answers, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    frame, weights = np.load(folder / "frame.npy"), [np.load(folder / f"weight{k}.npy") for k in range(20)]
    maps = {"captum": captum, "xplique": xplique, "tf-keras-vis": tf_keras_vis, "tf-explain": tf_explain}[library](
        frame, weights
    )
    versions = {
        name: version(name) for name in (library, *(["torch"] if library == "captum" else ["tensorflow", "keras"]))
    }
    print(json.dumps({"methods": sorted(maps), "versions": versions}), file=answers, flush=True)
    for line in sys.stdin:
        method, *numbers = line.split()
        start = perf_counter()
        map = maps[method](*(int(number) for number in numbers))
        seconds = perf_counter() - start
        np.save(folder / f"{library}.npy", map)
        print(json.dumps({"seconds": seconds}), file=answers, flush=True)


def fastest(run: Callable[[int], object]) -> int:
    """Choose the batch size with which something takes least time."""
    seconds = {}
    for size in BATCHES:
        run(size)
        start = perf_counter()
        run(size)
        seconds[size] = perf_counter() - start
    return min(seconds, key=seconds.get)


def captum(frame: np.ndarray, weights: list[np.ndarray]) -> Maps:
    """Captum on PilotNet in PyTorch, on all cores."""
    import torch
    from captum.attr import LayerGradCam, Occlusion
    from torch import nn

    torch.set_num_threads(os.cpu_count())

    class PilotNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.seeing, below, k = nn.Sequential(), 3, 0
            for i, (channels, kernel, stride) in enumerate(SHAPES, 1):
                layer = nn.Conv2d(below, channels, kernel, stride)
                layer.weight.data = torch.tensor(weights[k].transpose(3, 2, 0, 1).copy())
                layer.bias.data = torch.tensor(weights[k + 1])
                self.seeing.add_module(f"kernel{i}", layer)
                self.seeing.add_module(f"conv{i}", nn.ReLU())
                below, k = channels, k + 2
            self.steering, below = nn.Sequential(), 18 * 64
            for i, units in enumerate(UNITS):
                layer = nn.Linear(below, units)
                layer.weight.data = torch.tensor(weights[k].T.copy())
                layer.bias.data = torch.tensor(weights[k + 1])
                self.steering.append(layer)
                if i < len(UNITS) - 1:
                    self.steering.append(nn.ReLU())
                below, k = units, k + 2

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen = self.seeing(images).permute(0, 2, 3, 1)  # Keras flattens with the channels last
            return 2 * torch.atan(self.steering(seen.flatten(1)))

    network = PilotNet().eval()
    image = torch.tensor(frame.transpose(2, 0, 1)[None].copy())
    method, layer_method = Occlusion(network), LayerGradCam(network, network.seeing.get_submodule(LAYER))

    def occlusion(size: int, stride: int, batch: int | None = None) -> np.ndarray:
        with torch.no_grad():
            found = method.attribute(
                image, (3, size, size), (3, stride, stride), baselines=0, target=0, perturbations_per_eval=batch or best
            )
        return found[0, 0].numpy()

    best = fastest(lambda batch: occlusion(15, 6, batch))
    return {"occlusion": occlusion, "grad-cam": lambda: layer_method.attribute(image, target=0)[0, 0].detach().numpy()}


def keras_pilotnet(weights: list[np.ndarray]) -> object:
    """Build PilotNet in Keras."""
    import keras

    image = x = keras.Input((66, 200, 3))
    for i, (channels, kernel, stride) in enumerate(SHAPES, 1):
        x = keras.layers.Conv2D(channels, kernel, stride, activation="relu", name=f"conv{i}")(x)
    x = keras.layers.Flatten()(x)
    for units in UNITS[:-1]:
        x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.Dense(1)(x)
    model = keras.Model(image, keras.layers.Rescaling(2.0)(keras.ops.arctan(x)))
    model.set_weights(weights)
    return model


def xplique(frame: np.ndarray, weights: list[np.ndarray]) -> Maps:
    """Xplique, with the operator for regressions."""
    from xplique import Tasks
    from xplique.attributions import GradCAM, Occlusion

    model, image, target = keras_pilotnet(weights), frame[np.newaxis], np.ones((1, 1), np.float32)

    def occlusion(size: int, stride: int, batch: int | None = None) -> np.ndarray:
        method = Occlusion(
            model, patch_size=size, patch_stride=stride, batch_size=batch or best, operator=Tasks.REGRESSION
        )
        return np.asarray(method(image, target))[0, ..., 0]

    best = fastest(lambda batch: occlusion(15, 6, batch))
    grad_cam = GradCAM(model, conv_layer=LAYER, operator=Tasks.REGRESSION)
    return {"occlusion": occlusion, "grad-cam": lambda: np.asarray(grad_cam(image, target))[0, ..., 0]}


def tf_keras_vis(frame: np.ndarray, weights: list[np.ndarray]) -> Maps:
    """Use tf-keras-vis."""
    from tf_keras_vis.gradcam import Gradcam

    method, image = Gradcam(keras_pilotnet(weights), clone=False), frame[np.newaxis]
    return {"grad-cam": lambda: method(lambda output: output[:, 0], image, penultimate_layer=LAYER)[0]}


def tf_explain(frame: np.ndarray, weights: list[np.ndarray]) -> Maps:
    """Use tf-explain; its map is a picture."""
    from tf_explain.core.grad_cam import GradCAM

    model, method, data = keras_pilotnet(weights), GradCAM(), (frame[np.newaxis], None)
    # Without the frame, the picture of the map alone; viridis, its color map, grows brighter with the value.
    return {"grad-cam": lambda: method.explain(data, model, 0, LAYER, image_weight=0.0).mean(axis=-1)}


if __name__ == "__main__":
    main()
