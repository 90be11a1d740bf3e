"""HiResCAM: as Grad-CAM, but no cell's gradient is averaged away (notebook 05)."""

from __future__ import annotations

import numpy as np

from steerlib.maps.grad_cam import finish, layer_gradient, read
from steerlib.maps.method import Method, with_network
from steerlib.networks.network import Network


@with_network
def hires_cam(
    network: Network,
    pictures: np.ndarray,
    layer: str | None = None,
    target: str = "auto",
    signed: bool = False,
    enlarged: bool = True,
) -> np.ndarray:
    """Multiply the activation by the gradient of a steering target, cell by cell (HiResCAM).

    Introduced in notebook 05. Draelos and Carin (arXiv 2011.08891): as `grad_cam`, but the gradient is not
    averaged over the cells first. A cell therefore shows what the network, linearized at this picture, makes of
    this very cell. Where all that follows the layer is linear, the sum of the signed cells for "right" is the
    angle without what the biases add.

    Parameters, the returned map and the errors are those of `grad_cam`.
    """
    activation, gradient, angle = layer_gradient(network, pictures, layer)
    cells = (activation * gradient).sum(axis=-1)
    return finish(cells, target, angle, network, layer, signed, enlarged)


METHOD = Method(
    name="hires-cam",
    title="HiResCAM",
    make=hires_cam,
    unit="degrees for each cell",
    signed=False,
    words="Yellow speaks most for the target.",
    needs="convolutions",
    notebook=5,
    read=read,
    scored={"HiResCAM": {"target": "right", "signed": True}},
)
