"""A film from a phone knows no angles: explorers and films show what there is, and say what there is not."""

import numpy as np

from steerlib.drives import Drive
from steerlib.show import explorers, film, overlay


def drive_without_angles():
    frames = np.random.default_rng(0).integers(0, 255, (3, 128, 228, 3), dtype=np.uint8)
    return Drive.from_arrays("phone", frames, np.full(3, np.nan))


def test_explorers_show_the_network_s_angle_alone(shipped_network):
    network, drive = shipped_network("pilotnet"), drive_without_angles()
    for explorer in (explorers.frames(drive, network), explorers.grad_cam(network, drive)):
        assert explorer.error.value == ""
        assert "not recorded" in explorer.readout.value and "predicted" in explorer.readout.value
        assert "nan" not in explorer.readout.value and "error" not in explorer.readout.value
        explorer.frame.value = 2
        assert explorer.error.value == ""
        explorer.close()


def test_films_show_the_network_s_angle_alone(shipped_network):
    pictures = list(film.film_frames(drive_without_angles(), shipped_network("pilotnet"), ["hires-cam"]))
    assert len(pictures) == 3 and len({picture.shape for picture in pictures}) == 1


def test_a_histogram_of_nothing_says_so():
    known, unknown = (overlay.angle_histogram(480, [3.0, -4, 5], angle, 30) for angle in (5.0, np.nan))
    assert known.shape == unknown.shape and (known != unknown).any()
