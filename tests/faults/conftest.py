"""The live fault suite: the 50 faults × {as a stream, in one piece} × {1, 2 cores}, each against a gateway of its own.

    cargo build --release
    python3 -m venv target/venv && target/venv/bin/pip install -r tests/sdk/requirements.txt
    target/venv/bin/pytest tests/faults                one fault: -k 35: and of it: -k "35: and stream and 2-cores"

Cases wait far more than they work, so that several run at once; each test waits for its own. SWITCHOVER_BIN names
another binary, SWITCHOVER_IO=epoll another driver, FAULTS_AT_ONCE another number of cases at once (8).
"""
import concurrent.futures
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from rig import ProviderProcess, binary  # noqa: E402
from scene import play_scene  # noqa: E402
from tools import Missing, Tools  # noqa: E402

AT_ONCE = int(os.environ.get("FAULTS_AT_ONCE", 8))


class Cases:
    """All selected cases, under way."""

    def __init__(self, cases, folder):
        binary()
        self.folder, self.tools = folder, Tools(folder)
        self.missing = {}
        for need, make in (("tls", self.make_certificates), ("shim", self.tools.shim)):
            try:
                if any(case.needs(need) for case in cases):
                    make()
            except Missing as missing:
                self.missing[need] = str(missing)
        # A stalled process stalls its own cases only.
        self.processes = [ProviderProcess() for _ in range(2)]
        self.pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        # Those that wait long begin first.
        ordered = sorted(cases, key=lambda case: -case.scene.lasts)
        self.running = {case.id: self.pool.submit(self.play, case, number) for number, case in enumerate(ordered)}

    def make_certificates(self):
        for name in Tools.CERTIFICATES:
            self.tools.certificate(name)

    def play(self, case, number):
        for need, why in self.missing.items():
            if case.needs(need):
                return why
        folder = self.folder / str(number)
        folder.mkdir()
        try:
            play_scene(case.scene, case.stream, case.cores, folder, self.processes[number % len(self.processes)], self.tools)
        except Missing as missing:
            return str(missing)
        return None

    def end(self):
        self.pool.shutdown(wait=True, cancel_futures=True)
        for process in self.processes:
            process.end()


@pytest.fixture(scope="session")
def cases(request, tmp_path_factory):
    selected = [item.callspec.params["case"] for item in request.session.items if "case" in getattr(item, "fixturenames", ())]
    running = Cases(selected, tmp_path_factory.mktemp("faults"))
    yield running
    running.end()
