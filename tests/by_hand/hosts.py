"""By hand: four simulated hosts, 1 Gbit/s and 1 ms apart, against what `dfedsam plan` forecasts for them.

    sudo python tests/by_hand/hosts.py        # needs Linux, ip, chrt, cc and MPICH's mpirun

Each host is a network namespace with one rank; `wire.py` limits and delays what each sends. The forecast gets the
latency and bandwidth that a ping and a transfer of 100 MB measure. MPICH's launcher starts its proxies by this file in
place of ssh. The models must be those of one process, bit for bit. Of two widths of the models, messages of one take
their time by latency, and those of the other by bandwidth; each also with a checkpoint in every round.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parent.parent.parent
HOSTS = [f"10.77.0.{i}" for i in range(1, 5)]
MS, GBIT = 1.0, 1.0
MTU = 60_000  # bytes of a packet: fewer packets take the wire less time
PINGS, BYTES = 200, 100_000_000
CASES = [(100, 200, 1000), (50_000, 40, 1000), (100, 100, 1), (50_000, 10, 1)]
"""Width, rounds, and rounds between two evaluations and checkpoints."""
OPTIONS = ["--topology", "random_regular", "--objective", "quadratic", "--peers", "64"]
OPTIONS += ["--algorithm", "dpsgd", "--algorithm.estimator", "exact", "--quiet"]
FIRST = ["chrt", "--rr", "1"]  # before this machine's other programs
PATIENCE = """
#include <sys/syscall.h>
#include <unistd.h>
static __thread int idle;
int sched_yield(void) { idle = 1; return 0; }
int epoll_wait(int set, void *events, int most, int ms) {
    if (idle && ms == 0) ms = 1;
    idle = 0;
    return syscall(SYS_epoll_wait, set, events, most, ms);
}
"""
PROGRAM = [sys.executable, "-m", "dfedsam.launch.cli"]
MPIRUN = str(Path(sys.executable).with_name("mpirun"))


def name(host: str) -> str:
    """Of a host's namespace, and of its device until that is there."""
    return f"dfs{host.rpartition('.')[2]}"


def inside(host: str, *command: str) -> list[str]:
    """The command line of a command in a host's namespace."""
    return ["ip", "netns", "exec", name(host), *command]


@contextmanager
def wired() -> Iterator[None]:
    """Namespaces and cables, while the context lasts."""
    wire = [sys.executable, str(Path(__file__).with_name("wire.py")), str(MS), str(GBIT)]
    wire += [f"{name(host)}={host}" for host in HOSTS]
    with subprocess.Popen(wire, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # when it is ready
            for host in HOSTS:
                here = name(host)
                for line in (
                    f"netns add {here}",
                    f"link set {here} netns {here} name eth0 mtu {MTU}",
                    f"-n {here} addr add {host}/24 dev eth0",
                    f"-n {here} link set eth0 up",
                    f"-n {here} link set lo up",
                ):
                    subprocess.run(["ip", *line.split()], check=True)
            yield
        finally:
            process.kill()
            for host in HOSTS:
                subprocess.run(["ip", "netns", "del", name(host)], check=False)


def answer() -> None:
    """On one host: send back each of some bytes, then read many."""
    with socket.create_server((HOSTS[0], 5000)) as server, server.accept()[0] as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(PINGS):
            peer.send(peer.recv(1))
        left = BYTES
        while left:
            left -= len(peer.recv(1 << 20))
        peer.send(b"x")


def ask() -> None:
    """On another: print the latency of half a round trip, in seconds, and the bandwidth in bits per second."""
    with socket.create_connection((HOSTS[0], 5000)) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        took = []
        for _ in range(PINGS):
            began = time.perf_counter()
            peer.send(b"x")
            peer.recv(1)
            took.append(time.perf_counter() - began)
        latency, began = median(took) / 2, time.perf_counter()
        peer.sendall(bytes(BYTES))
        peer.recv(1)
        print(latency, 8 * BYTES / (time.perf_counter() - began - 2 * latency))


def measured() -> tuple[float, float]:
    """Latency in seconds and bandwidth in bits per second between two hosts."""
    here = [*FIRST, sys.executable, str(Path(__file__).resolve())]
    with subprocess.Popen(inside(HOSTS[0], *here, "--answer")):
        time.sleep(1)  # until it listens
        job = subprocess.run(inside(HOSTS[1], *here, "--ask"), check=True, capture_output=True, text=True)
    latency, bandwidth = map(float, job.stdout.split())
    return latency, bandwidth


def launch(arguments: list[str]) -> None:
    """What ssh would do: [-x] host command."""
    host, *command = [a for a in arguments if a != "-x"]
    os.execvp("ip", inside(host, "sh", "-c", " ".join(command)))


def patience(folder: Path) -> Path:
    """A library with which a rank that waits sleeps: hosts have cores of their own, but these share a machine's."""
    library = folder / "patience.so"
    if not library.exists():
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-o", str(library), "-xc", "-"], input=PATIENCE, text=True, check=True
        )
    return library


def play(folder: Path, options: list[str], rounds: int, hosts: list[str]) -> tuple[float, np.ndarray]:
    """Seconds from a run's first evaluation to its last, and its models; on no hosts: as one process, here."""
    out = folder / f"{len(hosts)}_{rounds}"
    command = [*FIRST, *PROGRAM, "run", *options, "--rounds", str(rounds), "--out", str(out)]
    if hosts:
        launcher = folder / "launch"
        launcher.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} --launch "$@"\n')
        launcher.chmod(0o755)
        start = [MPIRUN, "-launcher", "ssh", "-launcher-exec", str(launcher), "-localhost", hosts[0], "-iface", "eth0"]
        command = inside(hosts[0], *FIRST, *start, "-hosts", ",".join(hosts), "-n", str(len(hosts)), *command)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    environment |= {"UCX_TLS": "tcp,self", "LD_PRELOAD": str(patience(folder))} if hosts else {}
    subprocess.run(command, check=True, env=environment, timeout=300)
    first, *_, last = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return last["seconds"] - first["seconds"], load_file(out / "checkpoint.safetensors")["x"]


def compare(folder: Path, case: tuple[int, int, int], latency: float, bandwidth: float) -> bool:
    """Whether models have the same bits, and the rounds of a case take 30 % more or less than forecast at most."""
    width, rounds, every = case
    options = [*OPTIONS, "--objective.dim", str(width)]
    options += ["--evaluate_every", str(every), "--checkpoint_every", str(every)]
    short, _ = play(folder, options, 1, HOSTS)
    long, four = play(folder, options, rounds + 1, HOSTS)
    plan = [*FIRST, *PROGRAM, "plan", *options, "--rounds", str(rounds), "--ranks", "4", "--json"]
    plan += ["--latency", str(latency), "--bandwidth", str(bandwidth)]
    parts = json.loads(subprocess.run(plan, check=True, capture_output=True, text=True).stdout)["parts"]
    _, one = play(folder, options, rounds + 1, [])
    same, took = np.array_equal(one.view(np.uint8), four.view(np.uint8)), (long - short) / rounds
    saved = parts["evaluations"] + parts["checkpoints"] if every == 1 else 0  # but for those at the start
    forecast = (parts["rounds"] + parts["messages"] + saved * rounds / (rounds + 1)) / rounds
    print(f"models of {width}{', saved each round' if every == 1 else ''}: ", end="")
    print(f"{'the bits of one process' if same else 'DIFFERENT BITS'}; ", end="")
    print(f"a round: {1e3 * took:.1f} ms, forecast {1e3 * forecast:.1f}", end=", ")
    print(f"messages {1e3 * parts['messages'] / rounds:.1f}", flush=True)
    return same and abs(took / forecast - 1) < 0.3


def main() -> int:
    """Compare; exit status 1 where one differs."""
    with tempfile.TemporaryDirectory() as text, wired():
        latency, bandwidth = measured()
        print(f"latency {1e3 * latency:.2f} ms, bandwidth {bandwidth / 1e9:.2f} Gbit/s", flush=True)
        alike = []
        for number, case in enumerate(CASES):
            folder = Path(text) / str(number)
            folder.mkdir()
            alike.append(compare(folder, case, latency, bandwidth))
    return int(not all(alike))


def missing() -> list[str]:
    """What this machine lacks."""
    lacks = [] if os.geteuid() == 0 else ["root"]
    return lacks + [tool for tool in ("ip", "chrt", "cc", MPIRUN) if not shutil.which(tool)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--launch"]:
        launch(sys.argv[2:])
    elif sys.argv[1:] in (["--answer"], ["--ask"]):
        {"--answer": answer, "--ask": ask}[sys.argv[1]]()
    else:
        asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        asked.parse_args()
        if lacks := missing():
            asked.error(f"this needs {', '.join(lacks)}")
        sys.exit(main())
