"""The formats of recorded drives, one file each: whatever module lies in this folder is one.

A format states its unit, sign, clock and source at its top, and has:

- `TITLE`: what its recordings are called;
- `LABEL_FILE`: how its label file is called;
- `recognize(files) -> str | None`: the label file in a folder, None where it is not of this format. Where it is, but
  something is missing to read it, ValueError says what. Where the user named a label file, it is `files.named`;
- `read(files, label_file, camera) -> Recording`: what was recorded, see `steerlib.drives.recording`. Where it takes
  `unit` or `full_lock` as well, as `load_drive` does, a user can say these.

A module with `LAST = True` is asked where no other recognizes anything. `recognize` may give several label files: each
is a recording, and they become runs of one drive.

`files` is a `steerlib.drives.files.Files`: a folder or an archive, which makes no difference here.
"""

import importlib
import pkgutil
from types import ModuleType


def known() -> list[ModuleType]:
    """Give the formats, in alphabetical order of their modules: `load_drive` asks them in this order."""
    return [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
