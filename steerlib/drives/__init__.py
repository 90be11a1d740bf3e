"""Recorded drives: frames, the angle of the steering wheel, and how both become input of a network (notebook 01)."""

from steerlib.drives.declared import read_table
from steerlib.drives.drive import Drive
from steerlib.drives.loading import load_drive
from steerlib.drives.pictures import LARGEST_PICTURE, ROAD, WHOLE, crop_road, preprocess, read_frame
from steerlib.drives.plausibility import AngleWarning, Doubt, Sign, check_angles, picture_sign, suspect_labels
from steerlib.drives.splitting import split

__all__ = [
    "LARGEST_PICTURE",
    "ROAD",
    "WHOLE",
    "AngleWarning",
    "Doubt",
    "Drive",
    "Sign",
    "check_angles",
    "crop_road",
    "load_drive",
    "picture_sign",
    "preprocess",
    "read_frame",
    "read_table",
    "split",
    "suspect_labels",
]
