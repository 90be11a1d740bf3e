"""What several tests of drives share."""

import pytest

from steerlib.drives import load_drive


@pytest.fixture(scope="module")
def sullychen(real_drives):
    with pytest.warns(UserWarning) as warned:
        drive = load_drive(real_drives / "sullychen-2018")
    assert len(warned) == 1
    assert "63,125 of 63,825 labels" in str(warned[0].message)
    assert warned[0].filename == __file__
    return drive
