#!/usr/bin/env python3
"""Builds a release that is laid out for what a gateway does all day: the compiler is given a profile of a run under load.

A request runs through a hundred kilobytes of code once, and most of what the code could do it does not do. The profile says what is done;
the compiler puts that together, and the rest aside. docs/BENCHMARKS.md has what it is worth.

    1  `cargo build --release`, with counters in it
    2  that binary under load: small and large requests, streams, TLS on both sides, four formats, a provider that fails; on io_uring and
       epoll. Then what an author runs: check, test, drill
    3  `cargo build --release`, guided by what was counted

    benches/guided.py                       target/guided/switchover, in a quarter of an hour on two cores
    benches/guided.py --quick               shows that it works: a second of load each
    benches/guided.py --tools               only says whether what it needs is here

Needs wrk, taskset, openssl, and the `llvm-profdata` of the compiler's own LLVM: `rustup component add llvm-tools`, or Debian's package
llvm-NN. Python 3.9+, standard library.
"""
import argparse
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import compare

ROOT = compare.ROOT
sys.path.insert(0, os.path.join(ROOT, "tests", "faults"))

from tools import Tools  # noqa: E402

TARGET = os.path.join(ROOT, "target", "guided")
COUNTS, PROFILE = os.path.join(TARGET, "counts"), os.path.join(TARGET, "profile")
BENCHES = os.path.join(ROOT, "benches")
DRIVERS = ("io_uring", "epoll")
# Two gateways, one behind the other: both sides of TLS in one run.
ENDS = {
    "inner": """
policy 1

server {{
  listen = "127.0.0.1:{inner}"
  admin = "127.0.0.1:{inner_admin}"
  tls {{ cert = file("{cert}"), key = file("{key}") }}
}}

provider model {{
  kind = openai_compatible
  base_url = "http://127.0.0.1:{upstream}/v1"
  tls = off
  model small = "bench-small"
}}

route default {{ tier 1 {{ model.small }} }}
""",
    "outer": """
policy 1

server {{ listen = "127.0.0.1:{outer}", admin = "127.0.0.1:{outer_admin}" }}

provider inner {{
  kind = openai_compatible
  base_url = "https://127.0.0.1:{inner}/v1"
  tls {{ ca = file("{authority}") }}
  model small = "bench-small"
}}

route default {{ tier 1 {{ inner.small }} }}
""",
}


def tools():
    """The compiler's target, and the program that merges profiles, which must be of the compiler's LLVM."""
    missing = [name for name in ("wrk", "taskset", "openssl") if not shutil.which(name)]
    if missing:
        raise compare.Trouble(f"{', '.join(missing)} not found; on Debian: apt-get install wrk util-linux openssl")
    said = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    host = re.search(r"^host: (\S+)$", said, re.M).group(1)
    major = re.search(r"^LLVM version: (\d+)", said, re.M).group(1)
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    places = (f"{sysroot}/lib/rustlib/{host}/bin/llvm-profdata", f"/usr/lib/llvm-{major}/bin/llvm-profdata", f"llvm-profdata-{major}")
    for place in places:
        if shutil.which(place):
            return host, place
    raise compare.Trouble(f"llvm-profdata of LLVM {major} not found: run `rustup component add llvm-tools`, or on Debian `apt-get install llvm-{major}`")


def build(host, flag):
    """The release with one more flag for the compiler. For a named target, so that build scripts are left as they are."""
    flags = f"{os.environ.get('RUSTFLAGS', '')} {flag}".strip()
    command = ["cargo", "build", "--release", "--locked", "--bin", "switchover", "--target", host, "--target-dir", TARGET, "--quiet"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "RUSTFLAGS": flags}, check=True)
    return os.path.join(TARGET, host, "release", "switchover")


def run(what, *command, **environment):
    """One part of the load. What it prints are times of a binary that counts: nobody wants them."""
    print(f"  {what}", flush=True)
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise compare.Trouble(f"{what} failed under load:\n{(done.stdout + done.stderr)[-2000:]}")


def over_tls(binary, seconds):
    """Requests through two gateways, with TLS between them."""
    with tempfile.TemporaryDirectory(prefix="switchover-guided-") as folder:
        made = Tools(folder)
        cpu = max(os.sched_getaffinity(0))
        with compare.Rig(cpu, (binary, None), compare.newest_loopback(), folder) as rig:
            for io in DRIVERS:
                ports = {name: compare.free_port() for name in ("inner", "inner_admin", "outer", "outer_admin")}
                said = {**ports, **made.certificate("valid"), "authority": made.authority(), "upstream": rig.upstream()}
                started = []
                for name, text in ENDS.items():
                    path = pathlib.Path(folder, f"{name}.policy")
                    path.write_text(text.format(**said), encoding="utf-8")
                    started.append(rig.start(ports[name], [binary, "serve", str(path), "--cores", "1", "--io", io]))
                print(f"  two gateways and TLS between them, {io}", flush=True)
                counts = rig.load(ports["outer"], 32, seconds, 1536)
                if counts["failed"] or not counts["requests"]:
                    raise compare.Trouble(f"requests over TLS failed: {counts}")
                for process in started:
                    rig.end(process)


def train(binary, quick):
    """Everything that a gateway does often, and what it must be fast at when it is rare."""
    seconds, parts = (1, ["small"]) if quick else (3, ["small", "bodies", "sse"])
    bench("compare.py", "--binary", binary, "--only", *parts, "--rounds", "1", "--seconds", str(seconds), "--no-record",
          "--proxies", "switchover", "switchover epoll")
    over_tls(binary, seconds)
    bench("translation.py", "--rounds", "2", SWITCHOVER_BIN=binary)
    if not quick:
        bench("hedging.py", "--requests", "300", "--binary", binary)
    run("demo", binary, "demo", "--for", "10s" if quick else "20s", "--json")
    for policy in sorted(glob.glob(os.path.join(ROOT, "policies", "*.policy"))):
        for command in ("check", "test") if quick else ("check", "test", "drill"):
            run(f"{command} {os.path.basename(policy)}", binary, command, policy)


def bench(name, *options, **environment):
    run(f"benches/{name}", sys.executable, os.path.join(BENCHES, name), *options, **environment)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a second of load each: a binary that works, no figure")
    options.add_argument("--tools", action="store_true", help="only say whether what it needs is here")
    settings = options.parse_args()
    host, merge = tools()
    if settings.tools:
        return
    print("with counters", flush=True)
    binary = build(host, f"-Cprofile-generate={COUNTS}")
    # An earlier run's.
    shutil.rmtree(COUNTS, ignore_errors=True)
    print("under load", flush=True)
    train(binary, settings.quick)
    subprocess.run([merge, "merge", "-o", PROFILE, COUNTS], check=True)
    print("guided", flush=True)
    made = shutil.copy2(build(host, f"-Cprofile-use={PROFILE}"), os.path.join(TARGET, "switchover"))
    print(os.path.relpath(made, ROOT))


if __name__ == "__main__":
    try:
        main()
    except compare.Trouble as trouble:
        sys.exit(f"guided: {trouble}")
    except subprocess.CalledProcessError as failed:
        sys.exit(f"guided: `{' '.join(map(str, failed.cmd))}` ended with {failed.returncode}")
