"""A rendered road, in which it is known what every pixel is and which steering angle is right (notebook 01).

The road (`layout`), what stands beside it (`scenery`, `vehicles`, `sprites`), the picture from any pose (`camera`, with
`ground` and `things`), drives made of it (`views`, `sample_drive`), and the car on it: one step (`car`), and the closed
loop (`driving`), which needs TensorFlow and is imported by itself.
"""

from steerlib.world.camera import Scene
from steerlib.world.canvas import (
    CAMERA_HEIGHT,
    ELEMENTS,
    FIELD_OF_VIEW,
    FRAME_SIZE,
    HORIZON,
    LABELS,
    MAX_STEERING,
    SHADOW,
    SPEED,
    STEERING_RATIO,
    WHEEL_BASE,
    Camera,
    Canvas,
    Pose,
    wheel_angle,
)
from steerlib.world.car import advance, display_place, kept_scene, look, part_for, show_wheel
from steerlib.world.ground import NearbyRoad
from steerlib.world.layout import AFTER, BEFORE, STEP, Road, make_road
from steerlib.world.processes import render_processes
from steerlib.world.sample_drive import SAMPLE_FRAMES, SAMPLE_SEED, write_drive
from steerlib.world.scenery import Day, Object, Wall, furnish, make_day
from steerlib.world.variety import VariedScene, vary_camera
from steerlib.world.vehicles import Vehicle
from steerlib.world.views import render_bends, render_counterfactuals, render_drive, render_views

__all__ = [
    "AFTER",
    "BEFORE",
    "CAMERA_HEIGHT",
    "ELEMENTS",
    "FIELD_OF_VIEW",
    "FRAME_SIZE",
    "HORIZON",
    "LABELS",
    "MAX_STEERING",
    "SAMPLE_FRAMES",
    "SAMPLE_SEED",
    "SHADOW",
    "SPEED",
    "STEERING_RATIO",
    "STEP",
    "WHEEL_BASE",
    "Camera",
    "Canvas",
    "Day",
    "NearbyRoad",
    "Object",
    "Pose",
    "Road",
    "Scene",
    "VariedScene",
    "Vehicle",
    "Wall",
    "advance",
    "display_place",
    "furnish",
    "kept_scene",
    "look",
    "make_day",
    "make_road",
    "part_for",
    "render_bends",
    "render_counterfactuals",
    "render_drive",
    "render_processes",
    "render_views",
    "show_wheel",
    "vary_camera",
    "wheel_angle",
    "write_drive",
]
