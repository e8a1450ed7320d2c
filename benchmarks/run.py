"""Measure workloads against every peer that is installed: see README.md here.

Each peer runs in a process of its own, set up first and then measured turn by turn, in an order
that is shuffled every round, so that a busy moment of the machine falls on all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path

from peers import PEERS, ROOT, environment, find_peers
from report import table
from workloads import load, names

HERE = Path(__file__).resolve().parent

# What a user installs to have each peer; the folder is this package itself.
INSTALLED = {
    "minikeras": ["numpy", "h5py", str(ROOT / "minikeras")],
    "keras-tensorflow": ["keras", "tensorflow-cpu", "tensorflow"],
    "keras-jax": ["keras", "jax", "jaxlib"],
    "keras-torch": ["keras", "torch"],
    "torch": ["torch", "numpy"],
    "sklearn": ["scikit-learn"],
    "onnxruntime": ["onnxruntime"],
}

# What of a peer can run a workload: the attribute that the workload has then.
OFFERS = {
    "fit": {
        "keras": "build",
        "torch": "torch_parts",
        "sklearn": "sklearn_model",
        "floor": "floor",
        "onnx": "onnx_fit",
    },
    "call": {
        "keras": "call",
        "torch": "torch_call",
        "sklearn": "sklearn_call",
        "floor": "floor_call",
        "onnx": "onnx_call",
    },
}


class Worker:
    """The process of one peer on one workload."""

    def __init__(self, interpreter: str, peer: str, name: str, threads: int, log) -> None:
        self.peer = peer
        self.process = subprocess.Popen(
            [interpreter, str(HERE / "worker.py"), peer, name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(peer, threads),
            text=True,
            bufsize=1,
        )

    def answer(self, timeout: float) -> dict:
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.stop()
            return {"error": f"no answer within {timeout:.0f} s" if not ready else "it ended"}
        return json.loads(line)

    def measure(self, timeout: float) -> dict:
        try:
            self.process.stdin.write("measure\n")
        except (BrokenPipeError, ValueError):
            return {"error": "it ended"}
        return self.answer(timeout)

    def stop(self) -> None:
        try:
            self.process.stdin.close()
            self.process.wait(10)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.process.kill()
            self.process.wait()


def measure_workers(name: str, workload, peers: dict, options) -> dict:
    """Rounds of measurements of a workload, all peers in turn."""
    offers = OFFERS[workload.KIND]
    able = {peer: path for peer, path in peers.items() if hasattr(workload, offers[PEERS[peer][2]])}
    results: dict[str, dict] = {}
    workers: list[Worker] = []
    with open(options.log, "a") as log:
        for peer, interpreter in able.items():
            worker = Worker(interpreter, peer, name, options.threads, log)
            answer = worker.answer(options.timeout)
            if "error" in answer:
                results[peer] = {"error": answer["error"]}
                worker.stop()
                continue
            results[peer] = {"seconds": [], "first": answer["first"], "setup": answer["setup"]}
            workers.append(worker)
        for _ in range(options.rounds):
            random.shuffle(workers)
            for worker in workers:
                answer = worker.measure(options.timeout)
                result = results[worker.peer]
                if "error" in answer:
                    result["error"] = answer["error"]
                else:
                    result["seconds"] += answer["seconds"]
                    result["peak_mb"] = answer["peak_mb"]
            workers = [worker for worker in workers if "error" not in results[worker.peer]]
        for worker in workers:
            worker.stop()
    return results


def measure_processes(workload, peers: dict, options) -> dict:
    """Whole processes, in turn: wall time and the largest resident memory."""
    scripts = {peer: workload.script(peer) for peer in peers}
    scripts = {peer: script for peer, script in scripts.items() if script}
    results: dict[str, dict] = {peer: {"seconds": [], "peak_mb": 0.0} for peer in scripts}
    order = list(scripts)
    # Once unmeasured, so that files are in the cache and byte-compiled.
    for turn in range(options.process_rounds + 1):
        random.shuffle(order)
        for peer in order:
            with open(options.log, "a") as log:
                start = time.perf_counter()
                process = subprocess.Popen(
                    [peers[peer], "-c", scripts[peer]],
                    env=environment(peer, options.threads),
                    stdout=log,
                    stderr=log,
                )
                _, status, usage = os.wait4(process.pid, 0)
                seconds = time.perf_counter() - start
                process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                results[peer]["error"] = f"exit status {process.returncode}"
            elif turn:
                results[peer]["seconds"].append(seconds)
                results[peer]["peak_mb"] = usage.ru_maxrss / 1e3
    return results


def measure_installed(peers: dict) -> dict:
    """Megabytes on disk of each peer with all that it needs."""
    results = {}
    for peer, interpreter in peers.items():
        if peer in INSTALLED:
            command = [interpreter, str(HERE / "footprint.py"), *INSTALLED[peer]]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results[peer] = json.loads(done.stdout)
    return results


def summarize(results: dict) -> None:
    """Add medians and minima, and leave the times themselves rounded."""
    for result in results.values():
        seconds = result.get("seconds")
        if seconds:
            result["median"] = statistics.median(seconds)
            result["min"] = min(seconds)
            result["count"] = len(seconds)
            result["seconds"] = [round(one, 7) for one in seconds[:200]]


def machine(threads: int) -> dict:
    """What it was measured on."""
    model = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "load_at_start": [round(one, 2) for one in os.getloadavg()],
    }


def versions(peers: dict) -> dict:
    """The versions of what was measured, as the packages' metadata tell."""
    code = """
import importlib.metadata, json, sys
found = {one.name: one.version for one in importlib.metadata.distributions()}
print(json.dumps([sys.version.split()[0], found]))
"""
    found = {}
    for peer, interpreter in peers.items():
        done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True)
        python, installed = json.loads(done.stdout)
        names = [*PEERS[peer][0], "tensorflow-cpu", "scikit-learn", "numpy"]
        found[peer] = {"python": python, **{n: installed[n] for n in names if n in installed}}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", help="names; all by default")
    parser.add_argument("--list", action="store_true", help="list the workloads and end")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        help="an interpreter that has some of the peers; may be given several times",
    )
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), help="only these")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5, help="turns of each peer")
    parser.add_argument("--process-rounds", type=int, default=5, help="starts of each process")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one answer")
    parser.add_argument("--output", default="results.json", help="where the JSON goes")
    parser.add_argument("--log", default=os.devnull, help="where what the peers print goes")
    options = parser.parse_args()
    if options.list:
        for name in names():
            print(f"{name:22} {load(name).TITLE}")
        return
    peers = find_peers([*options.python, sys.executable], options.peers)
    print("Peers:", ", ".join(peers), file=sys.stderr)
    output = Path(options.output)
    record = {"machine": machine(options.threads), "versions": versions(peers), "workloads": {}}
    if output.exists():
        record["workloads"] = json.loads(output.read_text())["workloads"]
    for name in options.workloads or [*names(), "installed-size"]:
        if name == "installed-size":
            record["installed"] = measure_installed(peers)
        else:
            workload = load(name)
            load_before = os.getloadavg()[0]
            if workload.KIND == "process":
                results = measure_processes(workload, peers, options)
            else:
                results = measure_workers(name, workload, peers, options)
            summarize(results)
            record["workloads"][name] = {
                "title": " ".join(workload.TITLE.split()),
                "unit": workload.UNIT,
                "load": round(load_before, 2),
                "peers": results,
            }
        output.write_text(json.dumps(record, indent=1))
        print(table(record, only=[name]), file=sys.stderr)
    print(table(record))


if __name__ == "__main__":
    main()
