"""Which part of another camera's frame looks like what the shipped networks learned from (notebook 07)."""

from typing import NamedTuple

from steerlib.drives.pictures import ROAD
from steerlib.world.canvas import FRAME_SIZE, HORIZON

PRESSED = 1.35  # so many times as high as the standard camera's a part may be, for the near road's sake
SQUASHED = 0.02  # a smaller change of the proportions is not worth a word


class Part(NamedTuple):
    """What a network is to be given of a frame."""

    crop: tuple[float, float]  # top and bottom in shares of the height
    horizon: float  # share of the height
    stretch: float  # by which rows are drawn out, compared with columns; below 1: pressed together

    def __str__(self) -> str:
        top, bottom = self.crop
        told = f"the network sees {top:.3f}:{bottom:.3f} of the height"
        if abs(self.stretch - 1) > SQUASHED:
            drawn = "drawn out", "since the frame ends there"
            change, why = drawn if self.stretch > 1 else ("pressed together", "to show the near road")
            told += f", its rows {change} by {abs(self.stretch - 1):.0%}, {why}"
        return told


def part_for_horizon(horizon: float, width: int, height: int) -> Part:
    """Find the part of a frame that shows the road as the standard camera does.

    The standard camera's part is 455 × 150 pixels, 60 degrees across, with the horizon 6 % below its upper border. Of
    another frame it is as wide as the frame and has the horizon at the same place. A frame that ends before it does
    ends the part, too: its rows are drawn out. Of a higher frame it is up to a third higher, its rows pressed together:
    the near road tells most of what the car does. On Udacity's drive, 4:3, `pilotnet_varied` agrees with the recorded
    angle by a correlation of 0.70 down to the lower border, and of 0.57 with the standard camera's proportions.

    Which angle the other camera sees across is not known. The bend that a network sees grows with the square of the
    focal length: at 70 degrees across it is two thirds of the true one, at 40, a phone held upright, two and a half
    times, as far as the network cannot tell otherwise.

    Parameters
    ----------
    horizon : float
        Share of the height, 0 at the top.
    width, height : int
        Of the frame in pixels.

    Returns
    -------
    Part

    Raises
    ------
    ValueError
        Where the frame shows too little below the horizon: less than half of what the standard camera sees.
    """
    if not 0 < horizon < 1:
        raise ValueError(f"horizon={horizon}: expected a share of the frame's height, 0 to 1")
    above = (HORIZON - ROAD[0]) / (ROAD[1] - ROAD[0])
    rows = (ROAD[1] - ROAD[0]) * FRAME_SIZE[0] / FRAME_SIZE[1] * width / height
    top, bottom = max(0.0, horizon - above * rows * PRESSED), min(1.0, horizon + (1 - above) * rows * PRESSED)
    if 1 - horizon < (1 - above) * rows / 2:
        raise ValueError(
            f"horizon={horizon:.0%} of the height: below it the frame shows less than half of what the standard camera "
            "sees there; turn the camera down"
        )
    if bottom == 1.0:
        top = max(0.0, horizon - above / (1 - above) * (1 - horizon))
    return Part((round(top, 4), round(bottom, 4)), horizon, rows / (bottom - top))
