"""Every cell of every notebook, on any drive and with any network: no assertion may hang on what one of them answers.

The cells run in this process, without a kernel, so that TensorFlow starts once; they draw unseen, and what only repeats
is divided by $STEERLIB_QUICK. A warning of NumPy (a mean of nothing, a division by zero) fails a cell, and so do a
"nan" or "inf" in what it prints or draws and an error that an explorer shows. A part of all combinations runs always;
all of them, for an hour, with ``make test-networks``.
"""

import ast
import re
import warnings
from itertools import product

import IPython.display
import ipywidgets
import keras
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from keras import layers
from matplotlib.text import Text
from test_notebooks import FOLDER

from steerlib.drives import load_drive
from steerlib.networks.pilotnet import pilotnet, pilotnet_gap
from steerlib.networks.training import train

PATHS = {path.stem[:2]: path for path in FOLDER.glob("[0-9][0-9]_*.ipynb")}
PATHS |= {f"{path.stem[:2]} solutions": path for path in FOLDER.glob("solutions/*.ipynb")}
DRIVES = {"rendered": None, "udacity": "udacity-sim", "sullychen": "sullychen-2018"}
# Notebook 05 shows what a gradient is at a pole.
INTENDED = "the gradient of 1/|x| is nan"
NONSENSE = re.compile(r"(?<![\w.])[+-]?(nan|inf)(?!\w)")


def constant(model):
    """Answer 10° whatever is seen: no gradient, no effect of any window, and every score a tie."""
    kernel, bias = model.get_layer("steering").get_weights()
    model.get_layer("steering").set_weights([0 * kernel, np.full_like(bias, np.tan(np.radians(5)))])


def silent(model):
    """Answer 0°, and let no convolution respond to anything: every map is zero."""
    model.set_weights([0 * weights for weights in model.get_weights()])


def saturated(model):
    """Turn the wheel nearly as far as the arctangent can: an untrained network, its last layer times a thousand."""
    kernel, bias = model.get_layer("steering").get_weights()
    model.get_layer("steering").set_weights([1000 * kernel, bias])


def untrained(model):
    """Leave it as it was drawn."""


def another():
    """Build what nobody here made: other pictures, values up to 255, a Sequential whose layers have Keras's names."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((60, 160, 3)),
            layers.Rescaling(1 / 127.5, -1),
            layers.Conv2D(8, 5, strides=2, activation="relu"),
            layers.Conv2D(12, 5, strides=2, padding="same", activation="relu"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


# What these networks answer is in doubt, and said to be.
pytestmark = pytest.mark.filterwarnings("ignore::steerlib.networks.plausibility.AnswerWarning")
KINDS = {"constant": constant, "silent": silent, "saturated": saturated, "untrained": untrained, "two epochs": None}
KINDS["another"] = None
# Of the notebooks that load a network of the reader's; 01, 02 and 09 do not.
ASKING = [name for name in sorted(PATHS) if name[:2] in ("00", "03", "04", "05", "06", "07", "08", "10", "11")]
CHOSEN = [
    ("00", "silent", "udacity"),
    ("00", "another", "rendered"),
    ("03", "constant", "rendered"),
    ("03 solutions", "two epochs", "udacity"),
    ("04", "silent", "rendered"),
    ("04 solutions", "silent", "udacity"),
    ("05", "two epochs", "udacity"),
    ("05 solutions", "saturated", "udacity"),
    ("06", "untrained", "rendered"),
    ("06 solutions", "constant", "udacity"),
    ("07", "silent", "udacity"),
    ("07 solutions", "constant", "udacity"),
    ("08", "constant", "udacity"),
    ("03", "another", "udacity"),
    ("10", "constant", "rendered"),
    ("10", "another", "udacity"),
    ("10 solutions", "untrained", "rendered"),
    ("11", "constant", "rendered"),
]
OTHERS = [each for each in product(ASKING, KINDS, DRIVES) if each not in CHOSEN]
OTHERS += [(name, "two epochs", drive) for name in sorted(PATHS) if name[:2] in ("01", "02") for drive in DRIVES]
OTHERS += [(name, "another", drive) for name in sorted(PATHS) if name[:2] == "02" for drive in DRIVES]
OTHERS += [(name, "untrained", "rendered") for name in sorted(PATHS) if name[:2] == "09"]


@pytest.fixture(scope="module")
def save_networks(tmp_path_factory):
    """Save networks of a kind under all names by which notebooks ask for one; each kind is made once for a drive."""
    folders = {}

    def save(kind, drive):
        if (kind, drive.name) not in folders:
            folders[kind, drive.name] = folder = tmp_path_factory.mktemp("models")
            if kind == "another":  # beside those that are shipped, whose layers notebook 06 knows by name
                another().save(folder / f"{drive.name}.keras")
                return folder
            for build, names in ((pilotnet, ("", "pilotnet")), (pilotnet_gap, ("_gap", "pilotnet_gap"))):
                model = build(seed=1)
                if KINDS[kind]:
                    KINDS[kind](model)
                elif build is pilotnet:
                    train(model, drive, drive, epochs=2, batch_size=20, verbose=0)
                else:
                    continue  # notebook 06 trains one itself
                for name in (f"{drive.name}{names[0]}", names[1]):
                    model.save(folder / f"{name}.keras")  # save_network does not write over those that are shipped
        return folders[kind, drive.name]

    return save


@pytest.fixture
def check(save_networks, request, monkeypatch, tmp_path):
    """Run a notebook with a kind of network on a drive."""

    def run_on(notebook, kind, name):
        for variable in ("STEERLIB_DRIVE", "STEERLIB_MODELS"):
            monkeypatch.delenv(variable, raising=False)
        if DRIVES[name]:
            monkeypatch.setenv("STEERLIB_DRIVE", str(request.getfixturevalue("real_drives") / DRIVES[name]))
        # Splits need blocks of 35 frames.
        monkeypatch.setenv("STEERLIB_QUICK", "3" if notebook.startswith(("01", "02")) else "8")
        monkeypatch.setenv("STEERLIB_EPOCHS", "2")
        monkeypatch.setenv("TQDM_DISABLE", "1")
        drive = load_drive()
        folder = save_networks(kind, drive)
        monkeypatch.setenv("STEERLIB_MODELS", str(folder))
        monkeypatch.setenv("STEERLIB_NETWORK", str(folder / f"{drive.name}.keras"))  # what notebook 10 opens
        (tmp_path / "notebooks" / "solutions").mkdir(parents=True)  # films are written beside a notebook
        monkeypatch.chdir(tmp_path / "notebooks" / "solutions")
        run(nbformat.read(PATHS[notebook], as_version=4).cells, PATHS[notebook].stem)

    return run_on


def run(cells, name):
    """Run the code of cells, one after the other, as a kernel does; look through all that they show."""
    space, shown = {"__name__": "__main__"}, []
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("error", np.exceptions.RankWarning)
        patch.setattr(IPython.display, "display", lambda *things, **_: shown.extend(map(words, things)))
        patch.setattr("builtins.print", lambda *things, end="\n", **_: shown.append(" ".join(map(str, things)) + end))
        patch.setattr(plt, "show", lambda: None)
        plt.switch_backend("agg")
        for position, cell in enumerate(cells):
            if cell.cell_type != "code":
                continue
            where = f"{name}, cell {position} ({cell.id})"
            shown.clear()
            try:
                execute(cell.source, where, space, shown)
                for figure in map(plt.figure, plt.get_fignums()):
                    figure.draw_without_rendering()
                    shown += [text.get_text() for text in figure.findobj(Text)]
            except Exception as error:
                raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
            finally:
                plt.close("all")
            said = "\n".join(shown).replace(INTENDED, "")
            assert not NONSENSE.search(said) and 'role="alert"' not in said, f"{where} says:\n{said}"


def execute(source, name, space, shown):
    """Run one cell, and show the value of its last expression."""
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), space)
    if last and (value := eval(compile(last, name, "eval"), space)) is not None:
        shown.append(words(value))


def words(thing):
    """What a reader can read of something that is displayed."""
    if isinstance(thing, ipywidgets.Box):
        return "\n".join(words(child) for child in thing.children)
    if isinstance(thing, ipywidgets.Widget):
        thing = getattr(thing, "value", "")
    said = getattr(thing, "alt", None) or getattr(thing, "data", None) or thing
    return "" if isinstance(said, bytes) else str(said)  # in the bytes of a picture any three letters occur


@pytest.mark.parametrize("notebook, kind, drive", CHOSEN)
def test_cells_hold(check, notebook, kind, drive):
    check(notebook, kind, drive)


@pytest.mark.slow
@pytest.mark.parametrize("notebook, kind, drive", OTHERS)
def test_cells_hold_in_all_combinations(check, notebook, kind, drive):
    check(notebook, kind, drive)


def test_every_notebook_network_and_sort_of_drive_is_among_the_chosen():
    notebooks, kinds, drives = map(set, zip(*CHOSEN))
    assert {name[:2] for name in notebooks} == {name[:2] for name in ASKING}
    assert kinds == set(KINDS) and {"rendered", "udacity"} <= drives
    # A notebook that loads a network is asked.
    loads = [name for name, path in PATHS.items() if "load_network(drive=drive)" in path.read_text("utf-8")]
    assert {name for name in loads if name[:2] != "02"} <= set(ASKING)


@pytest.mark.parametrize(
    "source, found",
    [
        ("assert 1 > 2", "AssertionError"),
        ("import numpy as np\nnp.mean([])", "Mean of empty slice"),
        ("import numpy as np\nnp.polyfit([1, 1], [1, 2], 1)", "RankWarning"),
        ("print(f'{float(\"nan\"):+.1f} degrees')", r"\+nan degrees"),
        ("float('-inf')", "-inf"),
        ("import matplotlib.pyplot as plt\nplt.title(f'area {float(\"nan\"):.2f}')\nplt.show()", "area nan"),
        ("from IPython.display import Markdown, display\ndisplay(Markdown('| nan |'))", "nan"),
        ("import ipywidgets\nipywidgets.VBox([ipywidgets.HTML('<p role=\"alert\">no</p>')])", 'role="alert"'),
    ],
)
def test_a_cell_that_goes_wrong_is_found(source, found):
    with pytest.raises(AssertionError, match=found):
        run([nbformat.v4.new_code_cell(source)], "a notebook")


def test_a_cell_that_is_right_is_left_alone():
    cells = [nbformat.v4.new_code_cell(source) for source in ("a = 1", "print('information')\nassert a == 1\na")]
    run(cells, "a notebook")
