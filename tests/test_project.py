"""What the files around the code say about each other."""

import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]
NEEDED = [*PROJECT["dependencies"], *(line for lines in PROJECT["optional-dependencies"].values() for line in lines)]
LOCK = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
MINORS = [f"3.{minor}" for minor in range(40) if SpecifierSet(PROJECT["requires-python"]).contains(f"3.{minor}")]
SYSTEMS = [("linux", "posix", "Linux"), ("darwin", "posix", "Darwin"), ("win32", "nt", "Windows")]
# What markers ask for: the first and a late release of each Python, on each system.
TARGETS = [
    dict(zip(("sys_platform", "os_name", "platform_system"), system))
    | {"python_version": minor, "python_full_version": f"{minor}.{patch}", "implementation_name": "cpython"}
    for system, minor, patch in itertools.product(SYSTEMS, MINORS, (0, 15))
]
READMES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "TEACHING.md", "data/README.md", "docs/donkeycar.md"]
# Written with backslashes, so that this file names none either.
REGISTRIES = (
    r"pypi\.org|pypi\.python\.org|pythonhosted\.org|pytorch\.org/whl|download\.pytorch\.org|(?:ana)?conda\.(?:org|com|io)/"
    r"|(?:conda|repo)\.anaconda\.|prefix\.dev|npmjs\.(?:org|com)|yarnpkg\.com|crates\.io|rubygems\.org|nuget\.org"
)


def test_environment_lists_nothing_twice():
    lines = (ROOT / "environment.yml").read_text("utf-8").split("dependencies:")[1].splitlines()
    entries = [line.strip().removeprefix("- ") for line in lines if line.strip() and not line.strip().startswith("#")]
    python, *others = entries
    assert others == ["pip", "pip:", "-c constraints.txt", "-e .[lab,test,book]"]
    name, version = python.split("=")
    assert name == "python"
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)


def test_make_and_conda_install_the_same():
    assert set(PROJECT["optional-dependencies"]) == {"bags", "lab", "onnx", "scale", "test", "book"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "--constraint constraints.txt --editable '.[lab,test,book]'" in makefile


@pytest.mark.parametrize("needed", NEEDED)
def test_dependency_has_a_reason_and_a_tested_version(needed):
    assert re.search(rf'^ *"{re.escape(needed)}", *# \w+', PYPROJECT, re.MULTILINE), f"no reason beside {needed}"
    requirement = Requirement(needed)
    assert len(requirement.specifier), f"{needed} has no range"
    for target in TARGETS:
        (version,) = locked(requirement.name, target)
        assert requirement.specifier.contains(version), f"{needed}: {version} was tested on {target}"


def locked(name, target):
    """Every version of a package that the lock allows on a system and Python."""
    same = [line for line in LOCK if canonicalize_name(line.name) == canonicalize_name(name)]
    assert all(re.fullmatch(r"==[^*]+", str(line.specifier)) for line in same), f"{name} is not exact"
    return [str(line.specifier)[2:] for line in same if line.marker is None or line.marker.evaluate(target)]


def test_lock_has_one_version_for_each_system():
    for name in {line.name for line in LOCK}:
        counts = [len(locked(name, target)) for target in TARGETS]
        assert max(counts) == 1, f"{name}: no version, or several at once"


def test_every_file_names_the_same_versions_of_python():
    oldest, *_, newest = MINORS
    makefile = re.search(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)[1]
    assert makefile.split() == MINORS[::-1]
    assert f"Python {', '.join(MINORS[:-1])} or {newest}" in (ROOT / "README.md").read_text("utf-8")
    assert tomllib.loads(PYPROJECT)["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    workflow = re.findall(r'"(3\.\d+)"', (ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))
    assert {oldest, newest} <= set(workflow) <= set(MINORS)


# Stands in for a Python that says it is another version, and runs what it is given.
OTHER_PYTHON = """#!/bin/sh
exec "{python}" -c 'import sys; sys.version_info = ({version}); exec(sys.argv[1])' "$2"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the Makefile wants bash")
@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"3.13": "3, 13, 2", "3.12": "3, 12, 1", "3.11": "3, 11, 9"}, "python3.13"),
        ({"3.13": None, "3.12": "3, 12, 1", "3.11": "3, 11, 9"}, "python3.12"),  # a shim that has nothing to run
        ({"3.14": "3, 14, 0", "3.12": "3, 10, 1", "3.11": "3, 11, 9"}, "python3.11"),
        ({"3.14": "3, 14, 0", "3.13": None}, None),
    ],
)
def test_make_takes_the_newest_python_that_runs(tmp_path, there, chosen):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    for minor, version in there.items():
        python = tmp_path / f"python{minor}"
        python.write_text(
            OTHER_PYTHON.format(python=sys.executable, version=version) if version else "#!/bin/sh\nexit 127\n"
        )
        python.chmod(0o755)
    others = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "PYTHON"}

    def make(*arguments):
        command = [shutil.which("make"), "env", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=others | {"PATH": str(tmp_path)}, capture_output=True, text=True
        )

    if chosen:
        assert f"\n{chosen} -m venv .venv\n" in make("--dry-run").stdout
    else:
        advice = [line for line in make().stderr.splitlines() if not line.startswith("make")]
        assert len(advice) == 2 and "PYTHON=" in advice[1]
    assert "\nmine -m venv .venv\n" in make("--dry-run", "PYTHON=mine").stdout
    assert "python3.14 is not" in make("PYTHON=python3.14").stderr


def test_no_file_names_a_package_registry():
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    texts = {path: content for path in files if b"\0" not in (content := path.read_bytes())}
    assert ROOT / "constraints.txt" in texts
    found = {str(path.relative_to(ROOT)): re.findall(REGISTRIES.encode(), text) for path, text in texts.items()}
    assert {name: names for name, names in found.items() if names} == {}


def test_readme_names_every_way_on_its_first_screen():
    screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:40])
    for command in (
        "make lab",
        "make test",
        "conda env create -f environment.yml",
        "conda activate steer",
        "jupyter lab",
        'uv pip install -c constraints.txt -e ".[lab,test,book]"',
    ):
        assert command in screen


def anchors(text):
    """The anchors that GitHub and the website give to the headings of a page."""
    headings = re.findall(r"^#+ (.+?)\s*$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", READMES)
def test_links_to_files_and_headings_lead_somewhere(name):
    text = re.sub(r"^ *```.*?^ *```", "", (ROOT / name).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'\b(?:src|href)="([^"]+)"', text)
    targets += re.findall(r"^\[[^\]]+\]: (\S+)$", text, flags=re.MULTILINE)
    links = [target for target in targets if not re.match(r"\w+:", target)]
    assert links
    for link in links:
        path, _, heading = link.partition("#")
        page = (ROOT / name).parent / path if path else ROOT / name
        assert page.exists(), link
        assert not heading or heading in anchors(page.read_text("utf-8")), link


def test_the_picture_of_the_architecture_is_that_of_the_imports(tmp_path):
    subprocess.run([sys.executable, ROOT / "tools" / "architecture.py", tmp_path / "new.svg"], check=True)
    stored = (ROOT / "docs" / "architecture.svg").read_text("utf-8")
    assert (tmp_path / "new.svg").read_text("utf-8") == stored, "make architecture draws it again"


def test_the_moving_picture_of_the_readme_moves_and_is_small():
    assert "](data/bend.webp)" in (ROOT / "README.md").read_text("utf-8")
    path = ROOT / "data" / "bend.webp"
    assert path.stat().st_size < 3e6
    with Image.open(path) as picture:
        assert picture.n_frames > 50 and picture.size[0] <= 1000


def test_what_a_newcomer_changes_is_there():
    table = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("| to change | see |")[1].split("\n\n")[0]
    paths = re.findall(r"`([\w/.]+)`", table)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_file_names_the_same_version():
    version = PROJECT["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    released, date = re.search(r"^## (.+) - (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE).groups()
    assert released == version
    assert f"version {version}, {date[:4]}" in " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert f"\ndate-released: {date}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


@pytest.mark.parametrize("module", ["drives.loading", "world", "show.overlay"])
def test_pictures_and_roads_do_not_wait_for_tensorflow(module):
    code = f"import sys, steerlib.{module}; print(*{{'tensorflow', 'keras'}} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ""


def test_the_command_line_says_what_there_is_without_loading_what_decodes_pictures():
    heavy = {"tensorflow", "av", "PIL", "scipy"}
    code = f"import sys, steerlib.__main__ as it; it._parser(); print(*{heavy} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr
