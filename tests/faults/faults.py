"""The faults by number. A row is a function from "as a stream, or not" to its scenes."""
import dataclasses
import typing

ROWS = {}


@dataclasses.dataclass
class Row:
    number: int
    name: str
    scenes: typing.Callable


def fault(number, name):
    def add(scenes):
        assert number not in ROWS, f"fault {number} is there twice"
        ROWS[number] = Row(number, name, scenes)
        return scenes
    return add
