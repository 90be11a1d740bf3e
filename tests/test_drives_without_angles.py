"""A film from a phone knows no angles: explorers and films show what there is, and say what there is not."""

import numpy as np

from steerlib.drives import Drive
from steerlib.show import explorers, film, overlay
from steerlib.show.rulers import ruler_end


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


def test_the_ruler_of_a_drive_without_angles_reaches_as_far_as_the_answers(shipped_network):
    network, drive = shipped_network("pilotnet"), drive_without_angles()
    answers = np.abs(network.angles(drive.pictures(network)))
    explorer = explorers.frames(drive, network)
    ruler = explorer._latest[0].ruler
    assert ruler % 5 == 0 and answers.max() <= ruler < max(answers.max(), 1) + 5
    explorer.close()
    without = explorers.frames(drive, None)
    assert without._latest[0].ruler == 5
    without.close()
    assert [ruler_end(one) for one in ([], [np.nan, np.inf], [3.0], [-5.0, np.nan], [5.1])] == [5, 5, 5, 5, 10]


def test_films_show_the_network_s_angle_alone(shipped_network):
    pictures = list(film.film_frames(drive_without_angles(), shipped_network("pilotnet"), ["hires-cam"]))
    assert len(pictures) == 3 and len({picture.shape for picture in pictures}) == 1


def test_a_histogram_of_nothing_says_so():
    known, unknown = (overlay.angle_histogram(480, [3.0, -4, 5], angle, 30) for angle in (5.0, np.nan))
    assert known.shape == unknown.shape and (known != unknown).any()
