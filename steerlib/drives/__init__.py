"""Recorded drives: frames, the angle of the steering wheel, and how both become input of a network (notebook 01).

Names are loaded when they are asked for: the command line needs a few words about pictures, and not what reads videos.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# name -> module in which it stands
NAMES = {
    name: module
    for module, names in {
        "declared": "read_table",
        "drive": "Drive",
        "loading": "load_drive",
        "pictures": "LARGEST_PICTURE ROAD WHOLE crop_road preprocess read_frame",
        "plausibility": "AngleWarning Doubt Sign check_angles picture_sign suspect_labels",
        "splitting": "split",
    }.items()
    for name in names.split()
}
__all__ = sorted(NAMES)

if TYPE_CHECKING:
    from steerlib.drives.declared import read_table as read_table
    from steerlib.drives.drive import Drive as Drive
    from steerlib.drives.loading import load_drive as load_drive
    from steerlib.drives.pictures import LARGEST_PICTURE as LARGEST_PICTURE
    from steerlib.drives.pictures import ROAD as ROAD
    from steerlib.drives.pictures import WHOLE as WHOLE
    from steerlib.drives.pictures import crop_road as crop_road
    from steerlib.drives.pictures import preprocess as preprocess
    from steerlib.drives.pictures import read_frame as read_frame
    from steerlib.drives.plausibility import AngleWarning as AngleWarning
    from steerlib.drives.plausibility import Doubt as Doubt
    from steerlib.drives.plausibility import Sign as Sign
    from steerlib.drives.plausibility import check_angles as check_angles
    from steerlib.drives.plausibility import picture_sign as picture_sign
    from steerlib.drives.plausibility import suspect_labels as suspect_labels
    from steerlib.drives.splitting import split as split


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load what is asked for."""
    if name in NAMES:
        return getattr(import_module(f"steerlib.drives.{NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
