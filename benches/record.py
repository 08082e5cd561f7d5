"""What every record of a bench has: the class of machine, the revision, tables. Standard library only."""
import csv
import datetime
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECORDS = ROOT / "benches" / "records"


def machine():
    """The class of machine, without a name that leads to it."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    field = {key: (re.search(rf"^{key}\s*: (.*)$", text, re.M) or [None, "unknown"])[1]
             for key in ("model name", "cpu family", "model")}
    kernel = re.match(r"\d+\.\d+(\.\d+)?", os.uname().release)
    guest = ", virtual machine" if re.search(r"^flags\s*:.*\bhypervisor\b", text, re.M) else ""
    return (f"{field['model name']} (family {field['cpu family']}, model {field['model']}){guest}, {os.cpu_count()} cores; "
            f"Linux {kernel.group(0) if kernel else 'unknown'}")


def revision():
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "unknown"


def table(head, *rows):
    """A Markdown table that also reads well as it stands."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def csv_beside(path, rows):
    """The single measurements, as a sheet beside the record."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with open(path.with_suffix(".csv"), "w", encoding="utf-8", newline="") as sheet:
        writer = csv.DictWriter(sheet, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write(topic, command, *parts):
    """Writes `benches/records/DATE-TOPIC.md`; its path."""
    name = f"{datetime.date.today():%Y-%m-%d}-{topic}"
    path = RECORDS / f"{name}.md"
    head = f"# {name}\n\n{machine()}.\nRevision {revision()}; `{command}`."
    path.write_text("\n\n".join([head, *parts]) + "\n", encoding="utf-8")
    print(f"record: {path.relative_to(ROOT)}")
    return path
