"""The libraries that steerlib is compared with: their environment, their processes, and whether their maps agree."""

import contextlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import cv2
import numpy as np

from steerlib.maps.grad_cam import grad_cam
from steerlib.networks.network import Network
from steerlib.networks.training import predict

HERE = Path(__file__).resolve().parent
OTHERS = HERE / "others.py"
FOLDER = HERE / ".venv"
FILES = [HERE / name for name in ("requirements.txt", "overrides.txt", "constraints.txt")]
TITLES = {"captum": "Captum", "xplique": "Xplique", "tf-keras-vis": "tf-keras-vis", "tf-explain": "tf-explain"}
# Grad-CAM's maps correlate at least so much. Captum's is the same; Xplique and tf-keras-vis enlarge theirs differently;
# tf-explain's leaves out gradients below zero, which is another method.
CORRELATION = {"captum": 0.999, "xplique": 0.9, "tf-keras-vis": 0.85, "tf-explain": 0.3}
# pip's settings of where packages come from, and what uv calls them, so that uv asks the same places.
SETTINGS = {"PIP_FIND_LINKS": "UV_FIND_LINKS", "PIP_EXTRA_INDEX_URL": "UV_INDEX", "PIP_INDEX_URL": "UV_DEFAULT_INDEX"}


class Library:
    """Another library in its own process, see others.py.

    Attributes
    ----------
    name : str
        The library, a key of `TITLES`.
    methods : list of str
        The maps that it makes: "occlusion", "grad-cam".
    versions : dict of str to str
        Its version, and those of what it runs on.
    """

    def __init__(self, python: Path, name: str, folder: Path) -> None:
        self.name, self._folder, self._log = name, folder, folder / f"{name}.log"
        with self._log.open("w") as log:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            self._process = subprocess.Popen([python, OTHERS, name, folder], text=True, **pipes)
        greeting = self._answer()
        self.methods, self.versions = greeting["methods"], greeting["versions"]

    def seconds(self, *words: object) -> float:
        """Let it make a map."""
        with contextlib.suppress(BrokenPipeError):  # of a process that ended, which has no answer either
            print(*words, file=self._process.stdin, flush=True)
        return self._answer()["seconds"]

    @property
    def map(self) -> np.ndarray:
        """The last map."""
        return np.load(self._folder / f"{self.name}.npy")

    def close(self) -> None:
        """End its process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            self.close()
            last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(": ".join([f"{TITLES[self.name]} ended with {self._process.returncode}", *last]))
        return json.loads(line)


def environment() -> Path:
    """Make the comparison environment where it is missing or its requirements changed; give its Python."""
    python, marker = FOLDER / "bin" / "python", FOLDER / ".installed"
    wanted = "".join(file.read_text("utf-8") for file in FILES)
    if python.exists() and marker.exists() and marker.read_text("utf-8") == wanted:
        return python
    print("making the comparison environment (some minutes) ...", flush=True)
    needed, overrides, constraints = FILES
    venv.create(FOLDER, clear=True, with_pip=True)
    # Only uv can correct what a package says that it needs, see overrides.txt.
    install([python, "-m", "pip", "install", "--quiet", "--constraint", needed, "uv"], "uv")
    own = {uv: ",".join(os.environ[pip].split()) for pip, uv in SETTINGS.items() if pip in os.environ}
    command = [python, "-m", "uv", "pip", "install", "--quiet", "--python", python]
    command += ["--requirement", needed, "--override", overrides, "--constraint", constraints]
    install(command, f"what {HERE.name}/{needed.name} lists", {**own, **os.environ})
    marker.write_text(wanted, "utf-8")
    return python


def install(command: list[str | Path], what: str, variables: dict[str, str] | None = None) -> None:
    """Run an installer; end the program with a sentence where it fails."""
    run = subprocess.run(command, env=variables, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        words = [
            line.strip() for line in run.stderr.splitlines() if line.strip().lower().startswith(("error", "cause"))
        ]
        sys.exit(f"The comparison environment is not complete: {what} could not be installed ({'; '.join(words)}).")


def start_all(python: Path, folder: Path, network: Network, image: np.ndarray) -> tuple[dict[Library, dict], list[str]]:
    """Start every library, and let each answer once before anything is timed.

    Parameters
    ----------
    python : Path
        The Python of the comparison environment.
    folder : Path
        The frame and the weights, see others.py.
    network : Network
        Whose weights they are.
    image : (66, 200, 3) float32
        The frame.

    Returns
    -------
    libraries : dict of Library to dict
        Those that answered, each with what `agreement` says about it.
    missing : list of str
        The others, each with its own reason.
    """
    libraries, missing = {}, []
    for name in TITLES:
        library = None
        try:
            library = Library(python, name, folder)
            libraries[library] = agreement(library, network, image)
        except RuntimeError as error:  # which names the library
            missing.append(str(error))
            if library:
                library.close()
    return libraries, missing


def agreement(library: Library, network: Network, image: np.ndarray, size: int = 15) -> dict[str, str]:
    """Let a library make each of its maps once; say in words how far it agrees with ours.

    Raises
    ------
    RuntimeError
        When a map has another shape, or shows something else. It names the library.
    """
    words, title = {}, TITLES[library.name]
    if "occlusion" in library.methods:
        # With windows side by side each pixel shows the effect of one window. Whole images, for they prove the most.
        library.seconds("occlusion", size, size)
        theirs = shaped(library, "occlusion", image.shape[:2])
        starts = [range(0, side - size + 1, size) for side in theirs.shape]
        windows = [(slice(r, r + size), slice(c, c + size)) for r in starts[0] for c in starts[1]]
        hidden = np.repeat(image[np.newaxis], len(windows), axis=0)
        for one, window in zip(hidden, windows):
            one[window] = 0
        effects = predict(network, image[np.newaxis]) - predict(network, hidden)
        most = np.abs([np.degrees(theirs[window].mean()) for window in windows] - effects).max()
        if not most < 0.01:
            raise RuntimeError(f"{title}'s effects of hidden windows differ from ours by {most:.2g}°, more than 0.01°")
        words["occlusion"] = f"same effects, to {most:.0e}°"
    if "grad-cam" in library.methods:
        library.seconds("grad-cam")
        cells = grad_cam(network, image, "conv3", "right", enlarged=False)
        theirs = np.maximum(shaped(library, "grad-cam", image.shape[:2], cells.shape), 0)
        kind = "cells only" if theirs.shape == cells.shape else "map"
        mine = cells if theirs.shape == cells.shape else cv2.resize(cells, (200, 66))  # as the others do it
        same, least = np.corrcoef(theirs.ravel(), mine.ravel())[0, 1], CORRELATION[library.name]
        if not same >= least:
            raise RuntimeError(f"{title}'s Grad-CAM correlates with ours by {same:+.3f}, at least {least} was expected")
        words["grad-cam"] = f"{kind}; correlation {same:+.3f}"
    return words


def shaped(library: Library, method: str, *shapes: tuple[int, ...]) -> np.ndarray:
    """Give a library's last map, which must have one of some shapes and be finite."""
    map = library.map
    if map.shape not in shapes or not np.isfinite(map).all():
        expected = " or ".join(str(shape) for shape in shapes)
        raise RuntimeError(f"{TITLES[library.name]}'s {method} map is {map.shape}, expected were finite {expected}")
    return map
