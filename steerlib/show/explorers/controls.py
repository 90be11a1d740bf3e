"""The explorers' sliders, choices and checkboxes, each with its label; introduced in notebook 01."""

import ipywidgets as widgets

from steerlib.maps.fill import FILLS
from steerlib.maps.grad_cam import TARGETS

# What a reader chooses of: in the occlusion explorer, and for the brush on the page, which can do one more.
FILL_LABELS = dict(zip(FILLS, ("black", "mean color", "blurred", "median", "erased road")))
REGION_FILL_LABELS = FILL_LABELS | {"inpaint": "inpainted"}


def slider(description: str, low: int, high: int, value: int, step: int = 1) -> widgets.IntSlider:
    """Make a labeled slider."""
    layout, style = {"width": "380px"}, {"description_width": "auto"}
    return widgets.IntSlider(value, low, high, step, description=description, layout=layout, style=style)


def decimal(description: str, most: float, step: float) -> widgets.FloatSlider:
    """Make a labeled slider from -most to most."""
    layout, style = {"width": "330px"}, {"description_width": "auto"}
    return widgets.FloatSlider(0.0, min=-most, max=most, step=step, description=description, layout=layout, style=style)


def choice(description: str, options: list, index: int = 0) -> widgets.RadioButtons:
    """Make a labeled row of options, one of which is chosen."""
    index = index if options else None
    look = {"style": {"description_width": "auto"}, "layout": {"width": "max-content"}}
    return widgets.RadioButtons(options=options, index=index, description=description, orientation="horizontal", **look)


def target_choice() -> widgets.RadioButtons:
    """Make the choice of a steering target."""
    return choice("target", ["auto", *(name for name in TARGETS if name != "auto")])


def checkbox(description: str, value: bool) -> widgets.Checkbox:
    """Make a labeled checkbox no wider than its label."""
    return widgets.Checkbox(value, description=description, indent=False, layout={"width": "max-content"})


def row_of(*boxes: widgets.Widget) -> widgets.HBox:
    """Put widgets side by side, in more rows where the page is narrow."""
    return widgets.HBox(boxes, layout={"flex_flow": "row wrap", "grid_gap": "2px 16px", "align_items": "flex-end"})
