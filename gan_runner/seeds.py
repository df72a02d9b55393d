"""`training.seeds`: many seeds of one config in one run folder, with a summary above them."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gan_runner import api, result
from gan_runner.errors import Interrupted, RunFailed
from gan_runner.resuming import changed_config
from gan_runner.run_folder import begin, read_config, read_overrides, write_config
from gan_runner.stack import Ended, Job, execute_jobs, resume_jobs, started_trainers
from gan_runner.studies.statistics import summary

SEEDS = "seeds"  # the folder of the replicas' run folders


def execute_seeds(config: Mapping[str, Any], folder: Path, overrides: Sequence[str]) -> api.Result:
    """Train `training.seeds` replicas into one run folder, and summarise them.

    Raises:
        ValueError: the data, the device or the folder cannot be used.
        RunFailed: every replica has failed.
    """
    started = time.perf_counter()
    jobs = _jobs(config, folder)
    started_trainers(jobs[:1])  # refused before anything is written
    begin(folder)
    write_config(folder, config, overrides)
    with _interrupted_as_one(folder):
        ended = list(execute_jobs(jobs, width=len(jobs)))
    return _summarised(ended, config, folder, started)


@contextmanager
def _interrupted_as_one(folder: Path) -> Iterator[None]:
    """Let an interruption name the folder of all seeds, which is what goes on."""
    try:
        yield
    except Interrupted as stop:
        raise Interrupted(stop.signum, folder) from None


def _jobs(config: Mapping[str, Any], folder: Path) -> list[Job]:
    """The replicas of a run of many seeds; the first one has pictures."""
    first, jobs = config["training"]["seed"], []
    for seed in range(first, first + config["training"]["seeds"]):
        own = copy.deepcopy(dict(config))
        own["training"] |= {"seed": seed, "seeds": 1}
        jobs.append(Job(config=own, folder=folder / SEEDS / str(seed), pictures=seed == first))
    return jobs


def resume_seeds(folder: Path, overrides: Sequence[str] = ()) -> api.Result:
    """Continue a folder of many seeds, bit for bit as if it had not stopped.

    A replica that has failed stays so. Replicas whose last checkpoints are of different steps (the
    process was killed while they were written) go on apart.

    Raises:
        ValueError: a replica has no checkpoint yet, or an override changes the run.
    """
    started = time.perf_counter()
    config = changed_config(read_config(folder), overrides, before=read_overrides(folder))
    jobs: list[Job] = []
    ended: list[Ended] = []
    for job in _jobs(config, folder):
        found = job.folder / "result.json"
        if found.is_file() and result.read_result(found)["status"] == "failed":
            ended.append((job, RunFailed(str(result.read_result(found)["error"]))))
        elif not (job.folder / "checkpoints" / "last.pt").is_file():
            raise ValueError(
                f"resume={folder}: seed {job.folder.name} has no checkpoint yet; start the "
                f"run again (its options are in {folder / 'overrides.yaml'})"
            )
        else:
            jobs.append(job)
    write_config(folder, config, [*read_overrides(folder), *overrides])
    with _interrupted_as_one(folder):
        ended += resume_jobs(jobs)
    return _summarised(ended, config, folder, started)


def _summarised(
    ended: Sequence[Ended], config: Mapping[str, Any], folder: Path, started: float
) -> api.Result:
    """Write the summary of many seeds, and give it as a result.

    Raises:
        RunFailed: every replica has failed.
        ValueError: every replica was refused.
    """
    results = {
        job.config["training"]["seed"]: each for job, each in ended if isinstance(each, api.Result)
    }
    failures = {
        job.config["training"]["seed"]: str(each)
        for job, each in ended
        if not isinstance(each, api.Result)
    }
    if not results:
        raise next(each for _, each in ended if not isinstance(each, api.Result))
    one = next(iter(results.values())).details
    values = {
        name: {seed: each.metrics[name] for seed, each in sorted(results.items())}
        for name in next(iter(results.values())).metrics
    }
    details = {
        **one,
        "status": "completed",
        "error": None,
        "name": config["name"],
        "metrics": {
            name: _spread(one["metrics"][name], of_seeds) for name, of_seeds in values.items()
        },
        "seeds": sorted(results),
        "failed_seeds": {str(seed): text for seed, text in sorted(failures.items())},
        "timings": {
            "seconds_training": sum(
                each.details["timings"]["seconds_training"] for each in results.values()
            ),
            "seconds_total": time.perf_counter() - started,
            "steps_per_second": None,
        },
        "config_hash": result.config_hash(config),
        "health": _warnings(results),
        "folder": str(folder),
    }
    result.write_result(folder / "result.json", details)
    means = {name: entry["value"] for name, entry in details["metrics"].items()}
    networks = next(iter(results.values())).networks
    return api.Result(folder=folder, metrics=means, details=details, networks=networks)


def _warnings(results: Mapping[int, api.Result]) -> list[str]:
    """How many seeds have been warned of, and what was said first: 32 lists would not be read."""
    told = {
        seed: each.details["health"] for seed, each in results.items() if each.details["health"]
    }
    if not told:
        return []
    seed = min(told)
    return [f"{len(told)} of {len(results)} seeds; seed {seed}: {told[seed][0]}"]


def _spread(entry: Mapping[str, Any], of_seeds: Mapping[int, float]) -> dict[str, Any]:
    """A metric over seeds: its mean in the place of a value, and its spread beside it."""
    found = summary(list(of_seeds.values()))
    return {
        **entry,
        "value": found.mean,
        "n": found.n,
        "sd": found.sd,
        "median": found.median,
        "interval": [found.low, found.high],
        "seeds": {str(seed): value for seed, value in of_seeds.items()},
    }
