"""Every case of bad input has the outcome that is expected of it, and the one that `OUTCOMES.md` shows."""

import contextlib
import io
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import table

CASES = list(table.cases())


@pytest.mark.parametrize(("group", "case"), CASES, ids=[f"{group}-{i}" for i, (group, _) in enumerate(CASES)])
def test_outcome(group, case):
    with table.own_folder() as folder, contextlib.redirect_stdout(io.StringIO()):
        found = table.row(group, case, table.outcome(case, folder))
    stored = table.OUTCOMES.read_text("utf-8").splitlines()
    assert found in stored, "another outcome than in OUTCOMES.md: python tests/robustness/table.py writes it anew"


def test_the_stored_table_has_these_cases_and_no_others():
    stored = table.OUTCOMES.read_text("utf-8").splitlines()
    rows = [row.split(" | ")[:2] for row in stored if row.startswith("| ")][2:]
    names = [table.row(group, case, "").split(" | ")[:2] for group, case in CASES]
    assert rows == names
    assert f"{len(CASES)} cases." in stored and len(CASES) >= 200
    assert len({tuple(name) for name in names}) == len(names), "two cases have one name"
