"""From typing `gan-run` to the first step, as a whole process.

Runs `gan-run training.steps=1 metrics=none` in fresh processes and prints the time that each took:
an upper bound, since it includes the first picture and writing the run folder. Beside it the time
of `gan-run --help` and `gan-run --cfg job`. Run: `python benchmarks/startup.py [--times 5]`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time

COMMANDS = {
    "--help": (["--help"], 1.0),
    "--cfg job": (["--cfg", "job"], None),
    "one step": (["training.steps=1", "metrics=none", "device=cpu"], 6.0),
}


def seconds(arguments: list[str], folder: str) -> float:
    """Wall time of one `gan-run`."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "gan_runner", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Time each command and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        for name, (arguments, wanted) in COMMANDS.items():
            seconds(arguments, folder)  # fills the file caches
            found = [seconds(arguments, folder) for _ in range(times)]
            bound = f" (wanted: under {wanted:g})" if wanted else ""
            print(
                f"{name:<10} {statistics.median(found):5.2f} s "
                f"({min(found):.2f} to {max(found):.2f}){bound}"
            )


if __name__ == "__main__":
    main()
