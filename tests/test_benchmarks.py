"""The benchmarks without their competitors: one that cannot start is named, only complete runs replace tables."""

import sys
from pathlib import Path

import numpy as np
import pytest

from steerlib.drives import load_drive
from steerlib.networks.files import load_network

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import libraries  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402

# Answers as others.py does, but makes no maps; and Xplique misses something.
ANSWERS = """
import json, sys
if sys.argv[1] == "xplique":
    import rich_that_is_missing
print(json.dumps({"methods": [], "versions": {sys.argv[1]: "1.2"}}), flush=True)
sys.stdin.read()
"""
INTEL = (
    "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: {}\nflags\t\t: {}\n\n"
)


@pytest.fixture
def readme(tmp_path, monkeypatch):
    """Stand in for the table, the libraries and the rows: the test decides which of them work."""
    path = tmp_path / "README.md"
    path.write_text(f"before\n{run.BEGIN}old\n{run.END}after\n", "utf-8")
    (tmp_path / "others.py").write_text(ANSWERS, "utf-8")
    monkeypatch.setattr(report, "TRIAL", 0)
    monkeypatch.setattr(run, "README", path)
    monkeypatch.setattr(run, "environment", lambda: Path(sys.executable))
    monkeypatch.setattr(run, "parts", lambda *_: {"a part": lambda: [("a row", "1 s", "another", "2 s", "2.0 ×")]})
    monkeypatch.setattr(libraries, "OTHERS", tmp_path / "others.py")
    return path


def test_library_that_cannot_start_is_reported_and_nothing_is_replaced(readme, capsys):
    before = readme.read_text("utf-8")
    assert run.main() == 1
    printed = capsys.readouterr()
    assert "a row | 1 s | another | 2 s | 2.0 ×" in printed.out
    assert "- Xplique ended with 1: ModuleNotFoundError: No module named 'rich_that_is_missing'" in printed.err
    assert not any(title in printed.err for title in ("Captum", "tf-keras-vis", "tf-explain"))
    assert readme.read_text("utf-8") == before


def test_complete_run_replaces_the_table_alone(readme, monkeypatch):
    libraries.OTHERS.write_text(ANSWERS.replace("import rich_that_is_missing", "pass"), "utf-8")
    assert run.main() == 0
    text = readme.read_text("utf-8")
    assert text.startswith(f"before\n{run.BEGIN}Medians of runs in turn on ")
    assert "captum 1.2; xplique 1.2; tf-keras-vis 1.2; tf-explain 1.2." in text
    assert text.endswith(f"| a row | 1 s | another | 2 s | 2.0 × |\n{run.END}after\n")


def test_row_that_fails_and_trial_replace_nothing(readme, monkeypatch, capsys):
    libraries.OTHERS.write_text(ANSWERS.replace("import rich_that_is_missing", "pass"), "utf-8")
    before, parts = readme.read_text("utf-8"), run.parts()
    monkeypatch.setattr(run, "parts", lambda *_: {"a failure": lambda: 1 / 0, **parts})
    assert run.main() == 1
    printed = capsys.readouterr()
    assert "- a failure: ZeroDivisionError: division by zero" in printed.err
    assert "a row | 1 s" in printed.out
    monkeypatch.setattr(run, "parts", lambda *_: parts)
    monkeypatch.setattr(report, "TRIAL", 1)
    assert run.main() == 1
    assert "- repeats: this was a trial, STEERLIB_REPEATS=1" in capsys.readouterr().err
    assert readme.read_text("utf-8") == before


def test_library_that_ends_while_it_is_asked_is_named(tmp_path, monkeypatch):
    (tmp_path / "others.py").write_text(ANSWERS.replace("sys.stdin.read()", "sys.exit('too little memory')"), "utf-8")
    monkeypatch.setattr(libraries, "OTHERS", tmp_path / "others.py")
    library = libraries.Library(Path(sys.executable), "captum", tmp_path)
    with pytest.raises(RuntimeError, match="Captum ended with 1: too little memory"):
        library.seconds("occlusion", 15, 2)
    library.close()


class Answering:
    """A library with given maps."""

    def __init__(self, name, maps):
        self.name, self.maps, self.methods = name, maps, list(maps)

    def seconds(self, method, *_):
        self.map = self.maps[method]


@pytest.fixture(scope="module")
def network():
    return load_network()


@pytest.fixture(scope="module")
def image(network):
    return load_drive().pictures(network, [run.FRAME])[0]


@pytest.fixture(scope="module")
def effects(network, image):
    """What hiding each window of 15 pixels takes from the network's answer, in radians, one window after the other."""
    map, whole = np.zeros((66, 200)), network.model.predict(image[np.newaxis], verbose=0).item()
    for row in range(0, 60, 15):
        for column in range(0, 195, 15):
            hidden = image.copy()
            hidden[row : row + 15, column : column + 15] = 0
            map[row : row + 15, column : column + 15] = whole - float(network.model(hidden[np.newaxis])[0, 0])
    return map


def test_agreement_of_the_same_maps(network, image, effects):
    cells = libraries.grad_cam(network, image, "conv3", "right", enlarged=False)
    words = libraries.agreement(Answering("captum", {"occlusion": effects, "grad-cam": cells}), network, image)
    assert words["occlusion"].startswith("same effects")
    assert words["grad-cam"] == "cells only; correlation +1.000"


@pytest.mark.parametrize("wrong", ["the sign", "degrees", "the shape", "no number"])
def test_agreement_names_the_library_that_errs(wrong, network, image, effects):
    maps = {"the sign": -effects, "degrees": np.degrees(effects), "the shape": effects.T, "no number": effects * np.nan}
    with pytest.raises(RuntimeError, match="Xplique's"):
        libraries.agreement(Answering("xplique", {"occlusion": maps[wrong]}), network, image)
    with pytest.raises(RuntimeError, match="Xplique's"):
        libraries.agreement(Answering("xplique", {"grad-cam": maps[wrong]}), network, image)


def test_failed_installation_ends_with_a_sentence():
    code = "import sys; sys.exit('error: No solution found\\n  cause: there is no version of captum==99.0')"
    with pytest.raises(SystemExit) as end:
        libraries.install([sys.executable, "-c", code], "a list")
    assert "a list could not be installed (error: No solution found; cause: there is no version of" in end.value.code


def test_environment_is_made_again_only_when_requirements_change(tmp_path, monkeypatch):
    made, needed = [], [tmp_path / name for name in ("requirements.txt", "overrides.txt", "constraints.txt")]
    for file in needed:
        file.write_text("one\n", "utf-8")

    def make(folder, **_):
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / "python").touch()
        made.append(folder)

    monkeypatch.setattr(libraries, "FILES", needed)
    monkeypatch.setattr(libraries, "FOLDER", tmp_path / ".venv")
    monkeypatch.setattr(libraries.venv, "create", make)
    monkeypatch.setattr(libraries, "install", lambda *_: None)
    libraries.environment()
    libraries.environment()
    assert len(made) == 1
    needed[1].write_text("two\n", "utf-8")
    libraries.environment()
    assert len(made) == 2


def test_requirements_are_pinned_and_name_no_registry():
    texts = [file.read_text("utf-8") for file in libraries.FILES]
    lines = [line for line in "\n".join(texts).splitlines() if line and not line.startswith("#")]
    assert all("==" in line for line in lines)
    assert not any("http" in text or "index-url" in text for text in texts)
    # The same TensorFlow and Keras as steerlib's, or libraries are not all that is compared.
    tested = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    for name in ("tensorflow==", "keras=="):
        assert len({line for line in [*lines, *tested] if line.startswith(name)}) == 1


def test_processor_is_told_apart_where_its_name_is_general():
    flags = "fpu avx2 avx512f avx512_bf16 amx_tile"
    assert report.processor(INTEL.format("Intel(R) Xeon(R) Processor @ 2.00GHz", flags)) == (
        "Intel(R) Xeon(R) Processor @ 2.00GHz (GenuineIntel family 6 model 143, AVX2, AVX-512, AVX-512 BF16, AMX)"
    )
    assert report.processor(INTEL.format("AMD EPYC 9654", "avx2")) == "AMD EPYC 9654 (AVX2)"
    assert report.processor("")
