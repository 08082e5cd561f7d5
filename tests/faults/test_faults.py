"""Every fault, in every form, on one core and on two."""
import dataclasses
import pathlib
import re

import pytest

import rows_answers  # noqa: F401
import rows_connecting  # noqa: F401
import rows_streams  # noqa: F401
import rows_time  # noqa: F401
from faults import ROWS
from scene import Scene

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operate" / "faults.md"


@dataclasses.dataclass
class Case:
    id: str
    scene: Scene
    stream: bool
    cores: int

    def needs(self, need):
        return bool(self.scene.tls) if need == "tls" else bool(self.scene.dns or self.scene.preload)


def all_cases():
    for number in sorted(ROWS):
        row = ROWS[number]
        for stream in (True, False):
            for scene in row.scenes(stream):
                for cores in (1, 2):
                    name = ", ".join(filter(None, (row.name, scene.name)))
                    case = Case(f"{number:02}: {name}-{'stream' if stream else 'whole'}-{cores}-cores", scene, stream, cores)
                    marks = [pytest.mark.xfail(strict=True, reason=f"until {scene.awaits} is there")] if scene.awaits else []
                    yield pytest.param(case, id=case.id, marks=marks)


@pytest.mark.parametrize("case", list(all_cases()))
def test_fault(case, cases):
    missing = cases.running[case.id].result()
    if missing:
        pytest.skip(missing)


def test_the_page_for_operators_has_the_same_rows():
    told = dict(re.findall(r"^\| (\d+) \| ([^|]+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {int(number): name for number, name in told.items()} == {number: row.name for number, row in ROWS.items()}
    assert sorted(ROWS) == list(range(1, 51))
