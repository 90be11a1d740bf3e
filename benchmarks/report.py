"""What the benchmarks share: the machine in words, quick trials, and tables that only a complete run replaces."""

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

# 1, for example, measures every row once, to see that all of it runs. Such a trial replaces no table.
TRIAL = int(os.environ.get("STEERLIB_REPEATS") or 0)
# What decides how fast networks run, as /proc/cpuinfo calls it on x86 and on ARM.
FLAGS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_tile": "AMX",
    "asimd": "NEON",
    "sve": "SVE",
    "bf16": "BF16",
}


def repeats(wanted: int) -> int:
    """Say how often to measure: as wanted, or less in a trial."""
    return min(wanted, TRIAL) if TRIAL else wanted


def processor(information: str) -> str:
    """Describe the processor from the text of /proc/cpuinfo, which is empty where there is none."""
    facts = {}
    for line in information.splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name") or platform.processor() or platform.machine()
    there = (facts.get("flags") or facts.get("Features") or "").split()
    details = [title for flag, title in FLAGS.items() if flag in there]
    # Virtual machines often hide the model, as in "AMD EPYC"; the clock's speed after the @ tells nothing about it.
    if "model" in facts and not any(character.isdigit() for character in name.split("@")[0]):
        vendor = facts.get("vendor_id", "unknown vendor")
        details.insert(0, f"{vendor} family {facts.get('cpu family', '?')} model {facts['model']}")
    return f"{name} ({', '.join(details)})" if details else name


def machine(*packages: str) -> str:
    """Describe the machine, and the versions of Python and of some packages."""
    path = Path("/proc/cpuinfo")
    cpu = processor(path.read_text("utf-8", "replace") if path.exists() else "")
    versions = [f"Python {platform.python_version()}", *(f"{package} {version(package)}" for package in packages)]
    return f"{os.cpu_count()} cores, {cpu}, {platform.system()}, {', '.join(versions)}"


def reason(error: Exception) -> str:
    """Tell an error in one line."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def publish(path: Path, text: str, missing: Sequence[str]) -> int:
    """Replace a file by the text of a complete run; of another one say what is missing.

    Parameters
    ----------
    path : Path
        The file with the table.
    text : str
        Its new text.
    missing : sequence of str
        What could not be measured, and why.

    Returns
    -------
    int
        The exit status: 0 when the file was replaced, else 1.
    """
    missing = [*missing, *([f"repeats: this was a trial, STEERLIB_REPEATS={TRIAL}"] if TRIAL else [])]
    if missing:
        print(f"{path.name} stays as it is, since this run is not complete:", *missing, sep="\n- ", file=sys.stderr)
        return 1
    path.write_text(text, "utf-8")
    print(f"{path.name} has the new table")
    return 0
