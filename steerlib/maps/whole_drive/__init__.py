"""Maps of all frames of a recording, in a Zarr store that can be broken off and gone on with (notebook 11)."""

from steerlib.maps.whole_drive.making import of_drive
from steerlib.maps.whole_drive.store import Maps, open_maps

__all__ = ["Maps", "of_drive", "open_maps"]
