"""Why did the network steer there? What notebooks and scripts need, under one name; loaded when it is asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from steerlib.quiet import quiet_tensorflow

quiet_tensorflow()

# name -> module in which it stands; a module stands for itself.
NAMES = {
    name: module
    for module, names in {
        "drives": "Drive check_angles crop_road load_drive preprocess read_frame read_table split suspect_labels",
        "drives.horizon": "find_horizon",
        "networks.network": "Network as_network",
        "networks.curvature": "bend_in_words curvature fit_factor",
        "networks.pilotnet": "pilotnet pilotnet_gap",
        "networks.training": "evaluate predict train",
        "networks.files": "load_network network_file save_network",
        "networks.inspect": "inspect_file inspect_on",
        "networks.cells_to_pixels": "cell_centers cells_to_pixels",
        "maps": "METHODS explain",
        "maps.method": "Explanation",
        "maps.evidence": "evidence",
        "maps.fill": "fill_image",
        "maps.eraser": "erase erase_elements",
        "maps.erasure": "erasure_map",
        "maps.occlusion": "occlude occlude_regions occlusion_map window_centers",
        "maps.hypercolumns": "activations hypercolumns",
        "maps.visual_backprop": "visual_backprop",
        "maps.grad_cam": "grad_cam layer_gradient steering_target",
        "maps.hires_cam": "hires_cam",
        "maps.cam": "cam degrees_of ledger",
        "maps.gradients": "image_gradients",
        "maps.gradient_times_input": "gradient_times_input",
        "maps.integrated_gradients": "integrated_gradients",
        "maps.smooth_grad": "smooth_grad",
        "show.framing": "draw_crop frame_by_horizon",
        "show.explanation": "draw_map draw_over sample_frames",
        "show.notebook": "in_words show_box show_figure show_film show_maps show_pictures show_shares show_table",
        "show.film": "film_frames render_video write_film",
        "show.closed_loop": "closed_loop_frames",
        "show.scores": "score_maps score_rows show_scores",
        "world": "Pose Scene render_bends render_counterfactuals render_drive render_views wheel_angle",
        "world.driving": "autonomy drive_roads",
    }.items()
    for name in names.split()
}
MODULES = {
    "driving": "world.driving",
    "exercises": "exercises",
    "maps": "maps",
    "explorers": "show.explorers",
    "overlay": "show.overlay",
    "trust": "trust",
    "world": "world",
}

__all__ = sorted([*NAMES, *MODULES])

if TYPE_CHECKING:
    # For editors and type checkers, which do not run what stands below.
    from steerlib.drives import Drive as Drive
    from steerlib.drives import load_drive as load_drive
    from steerlib.maps import explain as explain
    from steerlib.networks.files import load_network as load_network
    from steerlib.networks.network import Network as Network


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load what is asked for: neither TensorFlow nor anything else is, before."""
    if name in MODULES:
        return import_module(f"steerlib.{MODULES[name]}")
    if name in NAMES:
        return getattr(import_module(f"steerlib.{NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List what there is, for a reader who presses the tabulator key."""
    return sorted([*globals(), *__all__])
