"""How results are shown: tables that are Markdown too, the machine, and JSON."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks._harness import (
    Peer,
    Results,
    Sample,
    Target,
    median_of,
    ratios,
    spread_of,
    versions,
)

#: The title of the column that says how far the rounds are apart.
SPREAD = "spread"


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]], text: int = 1) -> str:
    """Lay out a Markdown table; the first columns are text, as many as said, the others numbers."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * width for width in widths[:text]]
    rule += ["-" * (width - 1) + ":" for width in widths[text:]]
    lines.insert(1, rule)
    return "\n".join(
        "| "
        + " | ".join(
            cell.ljust(width) if place < text else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        + " |"
        for cells in lines
    )


def results_table(
    peers: Sequence[Peer], results: Results, unit: str, *, milliseconds: bool = False
) -> str:
    """
    Lay out medians and ratios, a row for each peer that was measured.

    Args:
        peers: in the order of the rows.
        results: what was measured.
        unit: what was counted, such as "message".
        milliseconds: the times are in these, rather than in microseconds.
    """
    scale, symbol = (1e3, "ms") if milliseconds else (1e6, "us")
    measured = [peer for peer in peers if peer.key in results]
    columns = list(dict.fromkeys(column for peer in measured for column in ratios(peer, results)))
    rows = []
    for peer in measured:
        samples = results[peer.key]
        speed = ratios(peer, results)
        rows.append(
            [
                peer.title,
                f"{median_of(samples, lambda sample: sample.cost) * scale:.2f}",
                f"{median_of(samples, lambda sample: sample.user_cost) * scale:.2f}",
                f"{spread_of(samples):.0%}",
                f"{median_of(samples, lambda sample: sample.rate):,.0f}",
                *(f"{speed[column]:.2f}" if column in speed else "" for column in columns),
            ]
        )
    header = ["peer", f"CPU {symbol}/{unit}", "of it user", SPREAD, f"{plural(unit)}/s", *columns]
    return format_table(header, rows)


def note(text: str) -> None:
    """Print what the reader of a table has to know beside it."""
    print(f"note: {text}", flush=True)


def plural(unit: str) -> str:
    """Return the name of several of these."""
    return f"{unit}es" if unit.endswith("s") else f"{unit}s"


def target_lines(targets: Iterable[Target], peers: Sequence[Peer], results: Results) -> list[str]:
    """Say what each target is and how far each peer came that it is meant for."""
    lines = []
    for target in targets:
        reached = {
            peer.title: ratio
            for peer in peers
            if peer.key in results and target.is_for(peer)
            if (ratio := ratios(peer, results).get(target.column)) is not None
        }
        if reached:
            lines.append(target_line(target.column, "at least", target.ratio, reached, ".2f"))
    return lines


def target_line(
    figure: str, bound: str, target: float, reached: Mapping[str, float], form: str
) -> str:
    """
    Say what a target is and how far those came that it is meant for.

    Args:
        figure: what is measured.
        bound: "at least" or "at most".
        target: the bound.
        reached: the figures, by the names of those.
        form: how they are written.
    """
    each = ", ".join(f"{name} {value:{form}}" for name, value in reached.items())
    return f"target: {figure} {bound} {target:g}: {each}"


def results_json(peers: Sequence[Peer], results: Results) -> list[dict[str, object]]:
    """Return every sample, the medians (seconds, units a second) and the ratios."""
    return [
        {
            "peer": peer.key,
            "title": peer.title,
            "cpu": median_of(results[peer.key], lambda sample: sample.cost),
            "rate": median_of(results[peer.key], lambda sample: sample.rate),
            "ratios": ratios(peer, results),
            "samples": [_sample_json(sample) for sample in results[peer.key]],
        }
        for peer in peers
        if peer.key in results
    ]


def _sample_json(sample: Sample) -> dict[str, float]:
    return {
        "count": sample.count,
        "user": sample.user,
        "system": sample.system,
        "elapsed": sample.elapsed,
    }


def describe(
    twisted_python: str, packages: Iterable[str], run: str, theirs: Iterable[str] = ("twisted",)
) -> dict[str, str]:
    """
    Describe the machine, the versions of what is compared, and the run; print it, too.

    Args:
        twisted_python: the interpreter that has Twisted.
        packages: what is compared, in this interpreter.
        run: how much is measured.
        theirs: what is compared, in the interpreter that has Twisted.
    """
    ours, others = versions(sys.executable, packages), versions(twisted_python, theirs)
    about = {
        **machine(),
        "versions": ", ".join(f"{name} {version}" for name, version in ours.items()),
        "Twisted": ", ".join(f"{name} {version}" for name, version in others.items()),
        "run": run,
    }
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    return about


def machine() -> dict[str, str]:
    """Describe the machine by its kind; nothing in it names this one."""
    return {
        "CPU": _cpu_model(),
        "cores": str(os.cpu_count()),
        "kernel": f"{platform.system()} {platform.release()}",
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
