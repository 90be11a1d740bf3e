"""Two explorers that follow each other: two networks, two methods, or a drive and its mirror image (notebook 10)."""

from collections.abc import Callable
from uuid import uuid4

import ipywidgets as widgets

from steerlib.show.explorers.explorer import Explorer


def tie(first: Explorer, second: Explorer, mirrored: bool = False) -> widgets.VBox:
    """Show two explorers, one below the other: what is set in one is set in the other, and one place is read in both.

    A place is one of the road: where the networks see other parts of the frame, or have pictures of other sizes, its
    column and row differ. What only one of them sees stays with it.

    Parameters
    ----------
    first, second : Explorer
        Of drives of one length, such as a drive and ``drive.mirrored()``, or of the same drive with two networks.
    mirrored : bool
        The second drive is the mirror image of the first one: a place at the left belongs to one at the right.

    Returns
    -------
    ipywidgets.VBox
        Of the two. Sliders and choices that both have, with the same values to choose from, move together.

    Raises
    ------
    ValueError
        If one of the drives is longer than the other.
    """
    if len(first.drive) != len(second.drive):
        raise ValueError(f"tied drives must have one length, got {len(first.drive)} and {len(second.drive)} frames")
    for name in first.picture.settings.keys() & second.picture.settings.keys():
        one, other = first.picture.settings[name], second.picture.settings[name]
        if name in ("column", "row"):
            parts = [(0.0, 1.0)] * 2 if name == "column" else [first.crop, second.crop]
            turned = mirrored and name == "column"
            _bind(one, other, _placed(one, other, *parts, turned), _placed(other, one, *parts[::-1], turned))
        elif _choices(one) == _choices(other):
            _bind(one, other, _same, _same)
    first.picture.tie = second.picture.tie = uuid4().hex
    second.picture.mirrored = mirrored
    return widgets.VBox([first, second])


def _bind(one: widgets.Widget, other: widgets.Widget, there: Callable, back: Callable) -> None:
    """Let each of two controls follow the other, the second one at once.

    `there` and `back` convert a value, and give None for what the other cannot show.
    """
    moving = []  # a value that was rounded on its way must not come back

    def follow(target: widgets.Widget, convert: Callable) -> Callable:
        def set_it(change: dict) -> None:
            if not moving and (value := convert(change["new"])) is not None:
                moving.append(target)
                try:
                    target.value = value
                finally:
                    moving.clear()

        return set_it

    if (value := there(one.value)) is not None:
        other.value = value
    one.observe(follow(other, there), "value")
    other.observe(follow(one, back), "value")


def _placed(
    one: widgets.IntSlider,
    other: widgets.IntSlider,
    part: tuple[float, float],
    others_part: tuple[float, float],
    turned: bool,
) -> Callable[[int], int | None]:
    """Convert a pixel of one slider to that of the other, by the parts of the frame that their pictures show."""

    def convert(value: int) -> int | None:
        share = part[0] + (part[1] - part[0]) * (value + 0.5) / (one.max + 1)
        share = (1 - share if turned else share) - others_part[0]
        pixel = int(share / (others_part[1] - others_part[0]) * (other.max + 1) // 1)
        return pixel if 0 <= pixel <= other.max else None

    return convert


def _same(value: object) -> object:
    return value


def _choices(control: widgets.Widget) -> tuple:
    """Say what a control can be set to."""
    return type(control), *(getattr(control, name, None) for name in ("options", "min", "max"))
