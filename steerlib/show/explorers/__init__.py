"""Explorers with sliders for the notebooks: choose a frame and settings, and see the picture at once.

One file an explorer, each named after the notebook's method; `Explorer` is what they share.
"""

from steerlib.show.explorers.cam import cam
from steerlib.show.explorers.compare import compare
from steerlib.show.explorers.driving import driving
from steerlib.show.explorers.explorer import WIDTH, Drawing, Explorer, Scene
from steerlib.show.explorers.frames import frames
from steerlib.show.explorers.grad_cam import grad_cam
from steerlib.show.explorers.hypercolumns import hypercolumns
from steerlib.show.explorers.occlusion import occlusion

__all__ = [
    "WIDTH",
    "Drawing",
    "Explorer",
    "Scene",
    "cam",
    "compare",
    "driving",
    "frames",
    "grad_cam",
    "hypercolumns",
    "occlusion",
]
