"""The notebooks as they are committed, and the two ways to run them: `make notebooks` and nbmake."""

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from base64 import b64encode
from pathlib import Path
from queue import Empty
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
FIRST = FOLDER / "00_five_minutes.ipynb"
LESSONS = [path for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb")) if path != FIRST]
SOLUTIONS = sorted(FOLDER.glob("solutions/*.ipynb"))
# Traces of the machine that ran a notebook: folders and addresses in its memory.
TRACE = re.compile(
    r"(?<![\w.~/-])/(?:home|root|work|tmp|Users|usr|opt|mnt|var|private)/[^\s`'\")]*|[A-Z]:\\Users|\b0x[0-9a-f]{6,}"
)
LINK = re.compile(r"\]\(([^)\s]+)\)|\b(?:src|href)=\"([^\"]+)\"")


def load(name):
    """A module of the folder tools."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sys.path.insert(0, str(ROOT / "tools"))  # as for whoever runs one of them
execute, clock, setup_cells = load("execute"), load("clock"), load("setup_cells")


def read(path):
    return nbformat.read(path, as_version=4)


def named(paths):
    return pytest.mark.parametrize("path", paths, ids=[path.stem for path in paths])


def structure(notebook, path):
    """What the design asks of a notebook and this one lacks, as sentences."""
    cells = [cell for cell in notebook.cells if setup_cells.TAG not in cell.metadata.get("tags", [])]
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    number = path.stem[:2]
    title = cells[0].source.split("\n")[0]
    if cells[0].cell_type != "markdown" or not re.fullmatch(rf"# {number} · \S.*", title):
        yield f"the first cell is not '# {number} · Title': {title!r}"
    for phrase in ("You will be able to", "Before this", "Time"):
        if not re.search(rf"\*\*{phrase}\b", prose):
            yield f"**{phrase}** is missing"
    if not clock.READING.search(cells[0].source):
        yield "'**Time** reading … minutes / exercises … minutes · runs on a CPU in about … seconds' is missing"
    objectives, points = (numbers_in(part, prose) for part in (r"\*\*You will be able to\*\*", "## Key points"))
    if objectives != points or not 3 <= len(points) <= 6:
        yield f"objectives {objectives}, key points {points}: expected 3 to 6, each answered by that of its number"
    for heading in ("Exercises", "Key points"):
        if not re.search(rf"^##+ .*\b{heading}\b", prose, re.MULTILINE):
            yield f"the heading '## {heading}' is missing"
    lesson = [i for i, cell in enumerate(cells) if re.search(r"^##+ .*\bExercises\b", cell.source, re.MULTILINE)]
    count = lesson[0] if lesson else len(cells)
    if not 25 <= count <= 45:
        yield f"{count} cells before the exercises, expected 25 to 45"
    for position, cell in enumerate(cells):
        lines = cell.source.count("\n") + 1
        if cell.cell_type == "code" and lines > 20:
            yield f"cell {position} has {lines} lines of code, expected at most 20"

    links = links_in(prose)
    for target in sorted(links):
        if not (path.parent / target).exists():
            yield f"the link {target!r} leads nowhere"
    for neighbor in (int(number) - 1, int(number) + 1):
        for file in path.parent.glob(f"{neighbor:02}_*.ipynb"):
            if file.name not in links:
                yield f"a link to {file.name} is missing"


def links_in(prose):
    """The files to which a text leads."""
    targets = (target for found in LINK.findall(prose) for target in found)
    return {target.split("#")[0] for target in targets if target and not re.match(r"\w+:|#", target)}


def numbers_in(start, prose):
    """The numbers of the first list behind some words."""
    found = re.search(rf"{start}(.*?)(?=\n\*\*|\n## |\Z)", prose, re.DOTALL)
    return [int(number) for number in re.findall(r"^(\d+)\. ", found[1], re.MULTILINE)] if found else []


def texts(notebook):
    """Each cell's position with its source and all that its outputs say, without pictures."""
    for position, cell in enumerate(notebook.cells):
        yield position, cell.source
        for output in cell.get("outputs", []):
            yield position, output.get("text", "")
            for kind, data in output.get("data", {}).items():
                if not kind.startswith("image/") or kind == "image/svg+xml":
                    yield position, str(data)


def outputs(notebook):
    """What is wrong with the stored outputs of a notebook, as sentences."""
    if notebook.metadata != execute.METADATA:
        yield f"metadata that do not belong here: {sorted(notebook.metadata)}"
    code = [(position, cell) for position, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for count, (position, cell) in enumerate(code, start=1):
        if cell.metadata.get("steerlib", {}).get("source") != execute.source_hash(cell.source):
            yield f"cell {position} was changed after its output was stored"
        if cell.execution_count != count:
            yield f"cell {position} was not run, or not in order"
        if "execution" in cell.metadata:
            yield f"cell {position} holds time stamps"
        for output in cell.outputs:
            for kind in output.get("data", {}):
                if kind.startswith("image/") and not output.metadata.get(kind, {}).get("alt", "").strip():
                    yield f"cell {position} shows a picture without alternative text"
            if output.output_type == "error":
                yield f"cell {position} failed: {output.ename}: {output.evalue}"
            if execute.WIDGET_VIEW in output.get("data", {}):
                yield f"cell {position} shows a widget that the web cannot show"
    for position, text in texts(notebook):
        if found := TRACE.search(text):
            yield f"cell {position} holds a trace of the machine: {found[0]!r}"


def test_notebooks_are_numbered_without_a_gap():
    assert [int(path.name[:2]) for path in LESSONS] == list(range(1, max(len(LESSONS), 5) + 1))


@named(LESSONS)
def test_structure(path):
    assert list(structure(read(path), path)) == []


def test_the_first_notebook_is_quickly_read():
    cells = read(FIRST).cells
    assert 10 <= len(cells) <= 18
    for cell in cells:
        if cell.cell_type == "code":
            assert cell.source.count("\n") < 20
        else:
            prose = re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
            assert all(part.count("\n") < 3 for part in prose.split("\n\n"))
    text = "\n".join(cell.source for cell in cells)
    assert all((FOLDER / target).exists() for target in links_in(text))
    for way in ("01_data.ipynb", "steerlib film my_drive", "steerlib inspect mine.h5", "explorers.occlusion"):
        assert way in text


@named(LESSONS)
def test_the_clock_is_set(path):
    """And setting it again changes nothing."""
    notebook = read(path)
    before = [cell.source for cell in notebook.cells]
    clock.set_clock(notebook)
    assert [cell.source for cell in notebook.cells] == before, "run `python tools/clock.py`"
    minutes = [int(found) for source in before for found in re.findall(r"^\*minute (\d+) of", source, re.MULTILINE)]
    assert len(minutes) >= 8 and minutes == sorted(minutes)


def test_the_clock_counts_words_code_figures_and_waiting():
    first = "# 01 · A\n\n**Time** reading 0 minutes / exercises 10 minutes · runs on a CPU in about 120 seconds"
    cells = [
        new_markdown_cell(first),
        new_markdown_cell("## One\n\n" + "word " * (3 * clock.WORDS)),
        new_code_cell("1\n" * (2 * clock.LINES), metadata={"tags": ["slow"]}),
        new_code_cell("2", outputs=[new_output("display_data", {"image/png": ""})] * clock.FIGURES),
        new_markdown_cell("## Two"),
        new_markdown_cell("## Exercises\n\n" + "word " * 1000),
        new_code_cell("3\n" * 1000),
        new_markdown_cell("## Key points\n\nEnd.\n\n## Further reading\n\n" + "word " * 1000),
    ]
    notebook = new_notebook(cells=cells)
    clock.set_clock(notebook)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    # 3 minutes of words, 2 of code, 2 of waiting, 1 of figures
    assert re.findall(r"## (.*)\n\n\*minute (\d+) of (\d+)", prose) == [
        ("One", "0", "20"),
        ("Two", "8", "20"),
        ("Exercises", "8", "20"),
        ("Key points", "18", "20"),
    ]
    assert "reading 10 minutes" in notebook.cells[0].source and "further" not in prose.split("## Further")[0]


@named([FIRST, *LESSONS, *SOLUTIONS])
def test_stored_outputs_are_those_of_the_source(path):
    problems = list(outputs(read(path)))
    assert problems == [], "run `make notebooks`"
    megabytes = path.stat().st_size / 1e6
    assert megabytes <= 3, f"{megabytes:.1f} MB: fewer or smaller figures"


@pytest.fixture
def faultless(tmp_path):
    """A notebook with which both checks are content, and its place between two others."""
    for name in ("01_before.ipynb", "03_after.ipynb"):
        (tmp_path / name).touch()
    cells = [
        new_markdown_cell(
            "# 02 · Title\n**You will be able to**\n\n1. see\n2. tell\n3. count\n\n"
            "**Before this** [01](01_before.ipynb)\n\n"
            "**Time** reading 5 minutes / exercises 10 minutes · runs on a CPU in about 1 second"
        ),
        *(new_code_cell(f"{i}") for i in range(30)),
        new_markdown_cell("## Exercises"),
        new_markdown_cell(
            "## Key points\n1. a\n2. b\n3. c\n[next](03_after.ipynb#part), [web](https://example.org/home/x)"
        ),
    ]
    for count, cell in enumerate(cells[1:-2], start=1):
        cell.execution_count = count
        cell.outputs = [new_output("execute_result", {"text/plain": cell.source}, execution_count=count)]
    notebook = new_notebook(cells=cells)
    execute.tidy(notebook)
    return notebook, tmp_path / "02_this.ipynb"


def problems(notebook, path):
    return [*structure(notebook, path), *outputs(notebook)]


def test_the_checks_are_content_with_a_faultless_notebook(faultless):
    assert problems(*faultless) == []


BREAKS = {
    "not '# 02 · Title'": lambda cells: cells.insert(0, new_markdown_cell("# Title")),
    "**Time** is missing": lambda cells: cells[0].update(source=cells[0].source.replace("Time", "Duration")),
    "runs on a CPU in about": lambda cells: cells[0].update(source=cells[0].source.replace("CPU", "GPU")),
    "'## Exercises' is missing": lambda cells: cells.pop(-2),
    "46 cells before the exercises": lambda cells: cells.__setitem__(slice(1, 1), [new_markdown_cell("x")] * 15),
    "21 lines": lambda cells: cells[5].update(source="1\n" * 20 + "1"),
    "a link to 01_before.ipynb is missing": lambda cells: cells[0].update(source=cells[0].source.replace("](", "] (")),
    "leads nowhere": lambda cells: cells[-2].update(source="## Exercises\n[gone](gone.ipynb#part)"),
    "changed after": lambda cells: cells[5].update(source="other"),
    "not run": lambda cells: cells[5].update(execution_count=None),
    "time stamps": lambda cells: cells[5].metadata.update(execution={}),
    "objectives [1, 2, 3], key points [1, 2]": lambda cells: cells[-1].update(
        source=cells[-1].source.replace("3. c\n", "")
    ),
    "without alternative text": lambda cells: cells[5].outputs.append(new_output("display_data", {"image/png": ""})),
    "failed": lambda cells: cells[5].outputs.append(new_output("error", ename="E", evalue="e", traceback=[])),
    "shows a widget": lambda cells: cells[5].outputs.append(new_output("display_data", {execute.WIDGET_VIEW: {}})),
    "'/tmp/x.py'": lambda cells: cells[5].outputs.append(new_output("stream", text="in /tmp/x.py it")),
    "'/home/me/drive'": lambda cells: cells[-2].update(source="## Exercises\n`cd /home/me/drive`"),
    "0x7f00aa11": lambda cells: cells[5].outputs.append(new_output("display_data", {"text/html": "at 0x7f00aa11"})),
}


@pytest.mark.parametrize("sentence", BREAKS)
def test_the_checks_find(faultless, sentence):
    notebook, path = faultless
    BREAKS[sentence](notebook.cells)
    assert any(sentence in problem for problem in problems(notebook, path))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n", "plain\n"),
        ("10%\r55%\r100%\ndone\n", "100%\ndone\n"),
        ("long line\rshort    \n", "short\n"),
        ("long line\rshort\n", "shortline\n"),
        ("abc\b\bX\n", "aXc\n"),
        ("\b\bx", "x"),
        (
            "\x1b[1m1/2\x1b[0m \x1b[32m━━\x1b[0m loss: 0.5" + "\b" * 17 + "\r" + "2/2 ━━━━ loss: 0.25\n",
            "2/2 ━━━━ loss: 0.25\n",
        ),
    ],
)
def test_terminal(text, shown):
    assert execute.terminal(text) == shown


def test_log_lines_go_and_warnings_stay():
    log = (
        "2026-01-02 03:04:05.678901: I tensorflow/core/platform/cpu_feature_guard.cc:210] This binary is optimized\n"
        "To enable the following instructions: AVX2, in other operations, rebuild TensorFlow.\n"
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
        "I0000 00:00:1732290000.123456    1234 service.cc:146] XLA service\n"
    )
    warning = "/tmp/ipykernel_12/34.py:5: UserWarning: 3 labels have no frame\n  drive = load_drive()\n"
    given = [new_output("stream", name="stderr", text=part) for part in (log, warning)]
    said = new_output("stream", name="stdout", text=log)  # on purpose, so it stays
    kept = execute.tidy_outputs([*given, said])
    assert [output.text for output in kept] == ["UserWarning: 3 labels have no frame\n", log]
    assert execute.tidy_outputs([new_output("stream", name="stderr", text=log)]) == []


# What a reader would see as an error, beside what is none: source, tag, and what nbmake says, None if it must pass.
EXPLORER = """
import numpy as np
from steerlib import Drive
from steerlib.show.explorers import Drawing, Explorer
drive = Drive.from_arrays("two", np.zeros((2, 256, 455, 3), np.uint8), np.zeros(2, np.float32))
def draw(scene):
    if scene.index == 1:
        raise ValueError("the second frame is bad")
    yield Drawing(scene.view, None, "a view", "the code")
explorer = Explorer(drive, None, {}, draw)
"""
CASES = {
    "quiet": ("from ipywidgets import interact\ninteract(lambda x: print(x), x=(0, 3))", None, None),
    "interact": ("from ipywidgets import interact\ninteract(lambda x: 1 / x, x=(0, 0))", None, "ZeroDivisionError"),
    "capture": (
        "import ipywidgets\nout, slider = ipywidgets.Output(), ipywidgets.IntSlider()\n"
        "slider.observe(out.capture()(lambda change: {}['gone']), 'value')\nslider.value = 5",
        None,
        "KeyError",
    ),
    "cleared": (
        "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    1 / 0\nout.clear_output()",
        None,
        "ZeroDiv",
    ),
    "button": (
        "import ipywidgets\nbutton = ipywidgets.Button()\nbutton.on_click(lambda _: 1 / 0)\nbutton.click()",
        None,
        "ZeroDivisionError",
    ),
    "box": ("from steerlib import show_box\nwith show_box():\n    print('1/2 loss: 0.5')\n    1 / 0", None, "ZeroDiv"),
    "alert": (EXPLORER + "explorer.frame.value = 1", None, "the second frame is bad"),
    "on_purpose": ("import ipywidgets\nwith ipywidgets.Output():\n    1 / 0", "raises-exception", None),
}


def copy_tools(folder):
    """The files that decide how notebooks are run, as they lie in the repository; return the notebooks' folder."""
    for name in ("tools", "notebooks"):
        (folder / name).mkdir()
    for name in ("conftest.py", "tools/execute.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder / "notebooks"


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(path, *sources, tag=None):
    cells = [new_code_cell(source, metadata={"tags": [tag]} if tag else {}) for source in sources]
    nbformat.write(new_notebook(cells=cells), path)


def python(*arguments, cwd, **variables):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def nbmake(tmp_path_factory):
    """Run all cases under nbmake, on two cores; name -> what it says of a failure, and what it left behind."""
    folder, report = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("report") / "report.xml"
    notebooks = copy_tools(folder)
    for name, (source, tag, _) in CASES.items():
        write(notebooks / f"{name}.ipynb", source, "'the next cell'", tag=tag)
    before = contents(folder)
    options = ["-p", "no:cacheprovider", "-n", "2", "--nbmake", f"--junitxml={report}"]
    run = python("-m", "pytest", *options, "notebooks", cwd=folder)
    assert report.exists(), run.stdout + run.stderr
    said = {case.get("name"): "".join(case.itertext()) for case in ElementTree.parse(report).iter("testcase")}
    return said, before, contents(folder)


@pytest.mark.parametrize("case", CASES)
def test_an_error_in_a_widget_fails_the_notebook(nbmake, case):
    said = nbmake[0][f"{case}.ipynb"]
    expected = CASES[case][2]
    assert said == "" if expected is None else expected in said


def test_a_message_whose_signal_was_lost_is_found_by_looking_again():
    """A channel that answers only to a question that is asked anew, as a socket does that swallowed a signal."""
    asked = []

    async def get_msg(timeout):
        asked.append(timeout)
        if len(asked) < 3:
            raise Empty
        return {"msg_type": "execute_reply"}

    async def silent(timeout):
        await asyncio.sleep(min(timeout, 0.01))
        raise Empty

    assert asyncio.run(execute._looking_again(get_msg)(timeout=600)) == {"msg_type": "execute_reply"}
    assert len(asked) == 3 and max(asked) <= 1
    with pytest.raises(Empty):
        asyncio.run(execute._looking_again(silent)(timeout=0.05))


def test_nbmake_leaves_nothing_behind(nbmake):
    assert nbmake[1] == nbmake[2]


def test_execute_stores_what_a_reader_sees_and_nothing_after_a_failure(tmp_path):
    notebooks = copy_tools(tmp_path)
    good, bad, edited = (notebooks / name for name in ("01_good.ipynb", "02_bad.ipynb", "03_edited.ipynb"))
    environment = "import os\nprint(os.environ.get('STEERLIB_DRIVE'), os.listdir(os.environ['STEERLIB_MODELS']))"
    widget = "import ipywidgets\nprint('above', end='\\rA')\nipywidgets.IntSlider()"
    log = "import sys\nprint('1%\\r100%', file=sys.stderr)\n6 * 7"
    # A reader's own "map" must not be in the way of the words that a figure takes along.
    drawn = "map = 1\nimport matplotlib.pyplot as plt\nplt.plot([1])\nplt.title('why')\nplt.xlabel('a\\nb')\nplt.show()"
    shown = "from steerlib.show.explorers.view import View\n"
    shown += "ipywidgets.VBox([View(value=b'picture', tooltip='what it shows')])"
    write(good, environment, widget, "", log, drawn, shown)
    write(bad, "1", "import ipywidgets\nwith ipywidgets.Output():\n    {}['gone']")
    write(edited, "open('03_edited.ipynb', 'a').write(' ')")
    written, names = {path: path.read_bytes() for path in (bad, edited)}, sorted(os.listdir(notebooks))
    ids = [cell.id for cell in read(good).cells]

    run = python("tools/execute.py", cwd=tmp_path, STEERLIB_DRIVE="/nowhere", STEERLIB_MODELS="/nowhere")
    assert run.returncode == 1
    assert "02_bad.ipynb: code cell [2] failed" in run.stderr and "KeyError: 'gone'" in run.stderr
    assert "03_edited.ipynb: changed" in run.stderr and "01_good" not in run.stderr
    assert bad.read_bytes() == written[bad]
    assert edited.read_bytes() == written[edited] + b" "
    assert sorted(os.listdir(notebooks)) == names, "a temporary file is left"

    notebook = read(good)
    assert [cell.id for cell in notebook.cells] == ids
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, None, 3, 4, 5]
    first, second, _, last, figure, explorer = (cell.outputs for cell in notebook.cells)
    assert [output.text for output in first] == ["None []\n"]
    assert [output.text for output in second] == ["Above"]
    assert sorted(output.get("text") or output.data["text/plain"] for output in last) == ["100%\n", "42"]
    assert [output.metadata for output in figure] == [{"image/png": {"alt": "why: a b"}}]
    assert [output.data for output in explorer] == [{"image/jpeg": b64encode(b"picture").decode()}]
    assert [output.metadata for output in explorer] == [{"image/jpeg": {"alt": "what it shows"}}]
    assert not any("not run" not in problem for problem in outputs(notebook))

    stored = good.read_bytes()
    run = python("../tools/execute.py", "notebooks/01_good.ipynb", cwd=notebooks)
    assert run.returncode == 0 and run.stdout.startswith("01_good.ipynb: ")
    assert good.read_bytes() == stored, "the same notebook gives another file"
    assert python("tools/execute.py", "09", cwd=tmp_path).returncode == 1


@named([FIRST, *LESSONS, *SOLUTIONS])
def test_the_setup_cell_is_that_of_the_repository(path):
    """None where pyproject.toml names no repository; else of this address and version: `tools/setup_cells.py`."""
    notebook, before = read(path), path.read_text("utf-8")
    folder = path.parent.relative_to(ROOT).as_posix()
    setup_cells.set_up(notebook, setup_cells.setup_cell((ROOT / "pyproject.toml").read_text("utf-8"), folder))
    assert nbformat.writes(notebook) + "\n" == before


def test_a_notebook_without_a_checkout_fetches_one(tmp_path):
    """From an empty folder, in an environment that has no steerlib."""
    repository, empty, environment = (tmp_path / name for name in ("repository", "empty", "environment"))
    names = (
        "steerlib",
        "data/sample_drive",
        "notebooks/00_five_minutes.ipynb",
        "notebooks/solutions/03_occlusion.ipynb",
    )
    for name in (*names, "data/models/pilotnet.keras", "README.md", "LICENSE"):
        place = repository / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, place)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    about = tomllib.loads(project)["project"]
    address, version = about.get("urls", {}).get("Repository"), about["version"]
    if address is None:
        address = "https://example.org/steering.git"
        project = project.replace("[project.scripts]", f'[project.urls]\nRepository = "{address}"\n\n[project.scripts]')
    (repository / "pyproject.toml").write_text(project, "utf-8")
    setup_cells.main(repository)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]
    for command in ("init -q", "add -A -f", "commit -q -m all", f"tag v{version}"):
        subprocess.run([*git, *command.split()], cwd=repository, check=True, capture_output=True)
    # Another environment that sees what is installed here, but for the steerlib of this checkout.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    (site,) = environment.rglob("site-packages")
    (site / "others.pth").write_text(str(Path(nbformat.__file__).parents[1]) + "\n", "utf-8")
    variables = os.environ | {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}  # 0: there is none, an oddity of pip
    here = f"url.{repository.as_uri()}.insteadOf"  # git looks for the address on this machine
    variables |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": here, "GIT_CONFIG_VALUE_0": address}
    variables = {name: value for name, value in variables.items() if name not in ("STEERLIB_DRIVE", "PYTHONPATH")}
    asked = "import steerlib, os; print(steerlib.__file__, os.getcwd(), len(steerlib.load_drive()), sep='|')"
    for name in names[2:]:
        title, cell = nbformat.read(repository / name, 4).cells[:2]
        assert title.cell_type == "markdown" and cell.metadata.tags == ["setup", "remove-cell"]
        assert cell.source.count("\n") < 20
        empty.mkdir(exist_ok=True)
        for _ in range(2):  # once more, as after the kernel was restarted
            code = ["-c", f"{cell.source}\n{asked}"]
            run = subprocess.run([scripts / "python", *code], cwd=empty, env=variables, capture_output=True, text=True)
            assert run.returncode == 0, run.stderr
            fetched = (empty / f"steerlib-{version}").resolve()
            file, folder, frames = run.stdout.strip().split("|")
            assert Path(file) == fetched / "steerlib" / "__init__.py" and frames == "300"
            assert Path(folder) == fetched / Path(name).parent
        shutil.rmtree(empty)
        shutil.rmtree(site / "steerlib", ignore_errors=True)
        for left in site.glob("*steerlib*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    with_cell, without = nbformat.read(repository / names[2], 4), read(ROOT / names[2])
    for notebook in (with_cell, without):
        setup_cells.set_up(notebook, None)
    assert with_cell == without
