"""Tables and a chart of what `run.py` measured: `report.py results.json [--chart chart.png]`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

COLUMNS = (
    "minikeras",
    "minikeras-numba",
    "floor",
    "keras-jax",
    "keras-tensorflow",
    "keras-torch",
    "torch",
    "sklearn",
    "onnxruntime",
)
OWN = ("minikeras", "minikeras-numba", "floor")
HEADS = {
    "minikeras-numba": "with Numba",
    "keras-jax": "Keras, JAX",
    "keras-tensorflow": "Keras, TF",
    "keras-torch": "Keras, torch",
}


def fastest_peer(peers: dict, only: str = "") -> tuple[str, float] | None:
    """The peer with the smallest median: ourselves and the floor excepted, named as `only` is."""
    others = {
        peer: result["median"]
        for peer, result in peers.items()
        if peer not in OWN and "median" in result and peer.startswith(only)
    }
    return min(others.items(), key=lambda pair: pair[1]) if others else None


def time_text(seconds: float) -> str:
    """Three digits and a unit."""
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def cell(result: dict | None) -> str:
    """Median, with the minimum in brackets."""
    if result is None:
        return "—"
    if "median" not in result:
        return "failed"
    return f"{time_text(result['median'])} ({time_text(result['min'])})"


def row(name: str, workload: dict, shown: list[str]) -> str:
    peers = workload["peers"]
    own, floor = peers.get("minikeras", {}), peers.get("floor", {})
    ratios = []
    for only in ("", "keras"):
        fastest = fastest_peer(peers, only)
        ratio = "—"
        if fastest and "median" in own:
            ratio = f"**{fastest[1] / own['median']:.2f}** ({HEADS.get(fastest[0], fastest[0])})"
        ratios.append(ratio)
    over_floor = "—"
    if "median" in own and "median" in floor:
        over_floor = f"{own['median'] / floor['median']:.2f}"
    cells = [cell(peers.get(peer)) for peer in shown]
    return f"| {name} | " + " | ".join([*cells, *ratios, over_floor]) + " |"


def table(record: dict, only: list[str] | None = None) -> str:
    """Markdown of all (or `only` some) workloads."""
    workloads = {
        name: one for name, one in record["workloads"].items() if only is None or name in only
    }
    lines: list[str] = []
    if workloads:
        shown = [
            peer for peer in COLUMNS if any(peer in one["peers"] for one in workloads.values())
        ]
        heads = ["workload", *(HEADS.get(peer, peer) for peer in shown)]
        heads += ["fastest peer / minikeras", "fastest Keras / minikeras", "minikeras / floor"]
        lines += ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
        lines += [row(name, workload, shown) for name, workload in workloads.items()]
    if "installed" in record and (only is None or "installed-size" in only):
        lines += ["", "| installed | MB |", "| --- | --- |"]
        lines += [f"| {peer} | {one['mb']:.0f} |" for peer, one in record["installed"].items()]
    return "\n".join(lines)


def short_table(record: dict) -> str:
    """Markdown of minikeras's median of each workload, and what multiple of it each peer takes."""
    workloads = {
        name: one["peers"]
        for name, one in record["workloads"].items()
        if "median" in one["peers"].get("minikeras", {})
    }
    shown = [
        peer
        for peer in COLUMNS
        if peer != "minikeras"
        and peer != "floor"
        and any("median" in peers.get(peer, {}) for peers in workloads.values())
    ]
    heads = ["workload", "minikeras", *(HEADS.get(peer, peer) for peer in shown)]
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for name, peers in workloads.items():
        own = peers["minikeras"]["median"]
        found = [peers.get(peer, {}).get("median") for peer in shown]
        ratios = ["—" if one is None else f"{one / own:.3g} x" for one in found]
        lines.append(f"| {name} | " + " | ".join([time_text(own), *ratios]) + " |")
    return "\n".join(lines)


def memory_table(record: dict) -> str:
    """Largest resident memory of each peer's process, in MB."""
    workloads = {
        name: one
        for name, one in record["workloads"].items()
        if any("peak_mb" in result for result in one["peers"].values())
    }
    shown = [peer for peer in COLUMNS if any(peer in one["peers"] for one in workloads.values())]
    lines = ["| peak memory, MB | " + " | ".join(HEADS.get(peer, peer) for peer in shown) + " |"]
    lines.append("| --- " * (len(shown) + 1) + "|")
    for name, one in workloads.items():
        peaks = [one["peers"].get(peer, {}).get("peak_mb") for peer in shown]
        lines.append(
            f"| {name} | " + " | ".join("—" if p is None else f"{p:.0f}" for p in peaks) + " |"
        )
    return "\n".join(lines)


def chart(record: dict, path: str) -> None:
    """Bars: how many times as long as minikeras each peer takes, on a logarithmic axis."""
    try:
        import matplotlib
    except ImportError:
        raise SystemExit("The chart needs matplotlib: pip install 'minikeras[plot]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [peer for peer in COLUMNS if peer not in OWN]
    rows = {
        name: one["peers"]
        for name, one in record["workloads"].items()
        if "median" in one["peers"].get("minikeras", {})
    }
    figure, axes = pyplot.subplots(figsize=(8, 0.5 + 0.5 * len(rows)))
    height = 0.8 / len(shown)
    for index, peer in enumerate(shown):
        places = [i for i, peers in enumerate(rows.values()) if "median" in peers.get(peer, {})]
        ratios = [
            peers[peer]["median"] / peers["minikeras"]["median"]
            for peers in rows.values()
            if "median" in peers.get(peer, {})
        ]
        axes.barh([i + index * height for i in places], ratios, height, label=HEADS.get(peer, peer))
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks([i + 0.4 for i in range(len(rows))], list(rows))
    axes.invert_yaxis()
    axes.set_xlabel("time, as a multiple of minikeras's (right of 1: slower)")
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results")
    parser.add_argument("--chart", help="also draw a chart into this file")
    parser.add_argument("--short", action="store_true", help="one small table, as in README.md")
    options = parser.parse_args()
    record = json.loads(Path(options.results).read_text())
    if options.short:
        print(short_table(record))
    else:
        print(table(record), memory_table(record), sep="\n\n")
    if options.chart:
        chart(record, options.chart)


if __name__ == "__main__":
    main()
