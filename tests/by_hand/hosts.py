"""By hand: four simulated hosts, 1 Gbit/s and 1 ms apart, against what `dfedsam plan` forecasts for them.

    sudo python tests/by_hand/hosts.py        # needs Linux, ip, tc and MPICH's mpirun

Each host is a network namespace with one rank; a bridge joins them, and netem limits and delays what each sends. A
kernel without netem has only the limit, by tbf: then the forecast is made without latency. MPICH's launcher starts its
proxies by this file in place of ssh. The models must be those of one process, bit for bit.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parent.parent.parent
HOSTS, BRIDGE = [f"10.77.0.{i}" for i in range(1, 5)], "dfsbridge"
MS, GBIT = 1.0, 1.0
ROUNDS = int(os.environ.get("ROUNDS", "40"))
DIM = os.environ.get("DIM", "50000")
OPTIONS = ["--topology", "random_regular", "--objective", "quadratic", "--objective.dim", DIM, "--peers", "64"]
OPTIONS += ["--algorithm", "dpsgd", "--algorithm.estimator", "exact", "--evaluate_every", "1000", "--quiet"]
PROGRAM = [sys.executable, "-m", "dfedsam.launch.cli"]


def sh(line: str) -> None:
    """Run a command, and show it if it fails."""
    subprocess.run(line.split(), check=True)


def name(host: str) -> str:
    """Of a host's namespace and of the end of its cable."""
    return f"dfs{host.rpartition('.')[2]}"


def build() -> float:
    """Namespaces, cables and delays; returns the latency in seconds."""
    latency = MS / 1e3
    sh(f"ip link add {BRIDGE} type bridge")
    sh(f"ip link set {BRIDGE} up")
    for host in HOSTS:
        here = name(host)
        sh(f"ip netns add {here}")
        sh(f"ip link add {here} type veth peer name eth0 netns {here}")
        sh(f"ip link set {here} master {BRIDGE} up")
        for line in (f"addr add {host}/24 dev eth0", "link set eth0 up", "link set lo up"):
            sh(f"ip -n {here} {line}")
        rule = f"tc -n {here} qdisc add dev eth0 root"
        delayed = f"{rule} netem delay {MS}ms rate {GBIT}gbit limit 100000"
        if subprocess.run(delayed.split(), check=False).returncode:
            sh(f"{rule} tbf rate {GBIT}gbit burst 256k latency 400ms")
            latency = 0.0
    return latency


def remove() -> None:
    """Everything that `build` has made."""
    for host in HOSTS:
        subprocess.run(["ip", "netns", "del", name(host)], check=False)
    subprocess.run(["ip", "link", "del", BRIDGE], check=False)


def launch(arguments: list[str]) -> None:
    """What ssh would do: [-x] host command."""
    host, *command = [a for a in arguments if a != "-x"]
    os.execvp("ip", ["ip", "netns", "exec", name(host), "sh", "-c", " ".join(command)])


def play(folder: Path, rounds: int, hosts: list[str]) -> tuple[float, np.ndarray]:
    """Seconds of a run and its models, on hosts; on none: in this process's namespace, as one process."""
    out = folder / f"{len(hosts)}_{rounds}"
    command = [*PROGRAM, "run", *OPTIONS, "--rounds", str(rounds), "--out", str(out)]
    if hosts:
        launcher = folder / "launch"
        launcher.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} --launch "$@"\n')
        launcher.chmod(0o755)
        mpirun = str(Path(sys.executable).with_name("mpirun"))
        start = [mpirun, "-launcher", "ssh", "-launcher-exec", str(launcher), "-localhost", hosts[0], "-iface", "eth0"]
        command = ["ip", "netns", "exec", name(hosts[0]), *start, "-hosts", ",".join(hosts), "-n", "4", *command]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "FI_PROVIDER": "tcp"}
    began = time.perf_counter()
    subprocess.run(command, check=True, env=environment, timeout=600)
    return time.perf_counter() - began, load_file(out / "checkpoint.safetensors")["x"]


def main() -> int:
    """Compare; exit status 1 where models differ or the messages take 30 % more or less than forecast."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        try:
            latency = build()
            short, _ = play(folder, 1, HOSTS)
            long, four = play(folder, ROUNDS + 1, HOSTS)
        finally:
            remove()
        plan = [*PROGRAM, "plan", *OPTIONS, "--rounds", str(ROUNDS), "--ranks", "4", "--json"]
        plan += ["--latency", str(latency), "--bandwidth", str(GBIT * 1e9)]
        parts = json.loads(subprocess.run(plan, check=True, capture_output=True, text=True).stdout)["parts"]
        _, one = play(folder, ROUNDS + 1, [])
    same, took = np.array_equal(one.view(np.uint8), four.view(np.uint8)), (long - short) / ROUNDS
    forecast = (parts["rounds"] + parts["messages"]) / ROUNDS
    print("the bits of one process" if same else "DIFFERENT BITS")
    print(
        f"a round: {1e3 * took:.1f} ms, forecast {1e3 * forecast:.1f}, messages {1e3 * parts['messages'] / ROUNDS:.1f}"
    )
    return 0 if same and abs(took / forecast - 1) < 0.3 else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--launch"]:
        launch(sys.argv[2:])
    else:
        sys.exit(main())
