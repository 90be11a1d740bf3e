"""Reads an HDF5 file of Keras once, in a process of its own: damaged ones can crash or hang the library (notebook 10).

Run as a program, with the path of a file; it loads nothing but h5py. What it exits with says only whether it came to an
end: what is wrong with a file is said where it is read.
"""

import sys

LARGEST = 2**27  # numbers of one weight
SECONDS = 60


def survives(path: str) -> bool:
    """Tell whether the library comes to an end with a file.

    Raises
    ------
    OSError
        Where no process can be started.
    """
    import subprocess

    try:
        command = [sys.executable, "-I", __file__, path]
        found = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return found.returncode in (0, 1)


def main() -> None:
    """Read what the format reads."""
    import h5py

    with h5py.File(sys.argv[1], "r") as file:
        root = file["model_weights"] if "model_weights" in file else file
        groups = [file, root, *(root[name] for name in root if isinstance(root.get(name, getlink=True), h5py.HardLink))]
        for group in groups:
            for name in group.attrs:
                group.attrs[name]
        for group in groups[2:]:
            for weight in group.attrs.get("weight_names", ()):
                found = group.get(weight)
                if isinstance(found, h5py.Dataset) and not found.is_virtual and not found.external:
                    found.size < LARGEST and found[()]


if __name__ == "__main__":
    main()
