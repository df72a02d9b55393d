"""`hydra/launcher=stacked`: a sweep's jobs are gathered as Hydra makes them, then trained together.

Imports no torch: Hydra loads every plugin at each start.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import (
    JobReturn,
    configure_log,
    env_override,
    filter_overrides,
    run_job,
    setup_globals,
)
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from gan_runner.sweep_jobs import SweepJob, current_job, resumed_sweep_job

log = logging.getLogger(__name__)


class StackedLauncher(Launcher):
    """Makes every job's folder as Hydra's basic launcher does, then trains the jobs in stacks.

    Hydra's own callbacks are told that a job ends when it has been gathered, before its training.

    Args:
        width: replicas in a stack at most.
        memory: GiB for a stack, as estimated; None: half of what is free.
    """

    def __init__(self, width: int, memory: float | None) -> None:
        self.width = width
        self.memory = memory

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what jobs are made of."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Gather a batch of jobs and train them.

        Raises:
            Stop: the process was asked to stop.
        """
        from gan_runner import stacked_sweep

        setup_globals()
        hydra = self.config.hydra
        configure_log(hydra.hydra_logging, hydra.verbose)
        Path(str(hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        log.info("Launching %d jobs in stacks", len(job_overrides))
        jobs: list[SweepJob] = []
        resumes = self.task_function is resumed_sweep_job

        def gather(_: DictConfig) -> None:
            jobs.append(current_job(resumes=resumes))

        returns = [
            self._run(number, overrides, gather)
            for number, overrides in enumerate(job_overrides, initial_job_idx)
        ]
        with env_override(hydra.job.env_set):
            stacked_sweep.train(jobs, width=self.width, memory=self.memory)
        return returns

    def _run(self, number: int, overrides: Sequence[str], task: TaskFunction) -> JobReturn:
        """Run a task as one job."""
        log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
        loader = self.hydra_context.config_loader
        config = loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = number
            config.hydra.job.num = number
        done = run_job(
            hydra_context=self.hydra_context,
            task_function=task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        _ = done.return_value  # raises what the task has raised
        return done
