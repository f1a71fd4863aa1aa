"""Train every row of a study under every seed, and keep one JSON a training.

What is done already, with these settings, is not done again; a training that was cut off is. Several processes may be
started on one study at once, here or (over a shared folder) elsewhere: they share the jobs.

Usage: python scripts/study.py configs/study/eyesim.yaml [--rows kd feature_hint] [--seeds 0 1] [--processes 2]
       python scripts/study.py configs/study/eyesim.yaml --list
Results: assets/results/study/NAME/ROW-SEED.json. Models: runs/study/NAME/ROW-SEED. Then: python scripts/report.py
"""

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

from study_parts.plan import Job, Plan, read_plan
from study_parts.queue import Queue

RESULTS = Path(__file__).parents[1] / "assets" / "results" / "study"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, metavar="YAML")
    parser.add_argument("--rows", nargs="+", help="only these, and what they go on from")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--processes", type=int, default=1, help="trainings at once, the threads shared out")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--runs", type=Path, default=Path("runs/study"), help="folder for models")
    parser.add_argument("--cache", default="runs/cache")
    parser.add_argument("--root", help="the data set, where it is not where the study says")
    parser.add_argument("--measure-again", action="store_true", help="score and count what is trained here anew")
    parser.add_argument("--list", action="store_true", help="tell what is done and what is left")
    return parser.parse_args()


def queue(options: argparse.Namespace) -> Queue:
    """The study's jobs over its folders."""
    from study_parts.running import versions

    plan = read_plan(options.study)
    results, models = options.results / plan.name, options.runs / plan.name
    for folder in (results, models):
        folder.mkdir(parents=True, exist_ok=True)
    known = versions()
    return Queue(plan, plan.jobs(options.rows, options.seeds), results, models, lambda job: plan.digest(job.row, known))


def work(options: argparse.Namespace, number: int) -> None:
    """What one process does."""
    import torch

    # Whoever shares the machine says so in OMP_NUM_THREADS: threads that wait for a busy core cost time.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", max(1, (os.cpu_count() or 1) // options.processes))))
    from make_assets import machine
    from study_parts.running import run_job

    jobs, facts = queue(options), machine()

    def run(job: Job) -> None:
        began = time.perf_counter()
        print(f"[{number}] {job.key} …", flush=True)
        run_job(jobs.plan, placed(job, options.root), jobs.results, jobs.models, options.cache, facts)
        print(f"[{number}] {job.key} done in {time.perf_counter() - began:.0f} s", flush=True)

    failed = jobs.work(run)
    for job, reason in failed:
        print(f"[{number}] {job.key} failed: {reason}", file=sys.stderr)
    if failed:
        raise SystemExit(1)


def again(options: argparse.Namespace) -> None:
    """Measure every trained model anew."""
    from study_parts.running import measure_again

    jobs = queue(options)
    for job in jobs.jobs:
        if jobs.done(job) and (jobs.models / job.key).exists():
            measure_again(jobs.plan, placed(job, options.root), jobs.results, jobs.models, options.cache)
            print(job.key)


def placed(job: Job, root: str | None) -> Job:
    """A job on the data set as it lies here; where it lies is no part of a result's digest."""
    if root is not None:
        job.row.settings["data"]["root"] = root
    return job


def listing(jobs: Queue) -> str:
    """Which seeds of each row are done."""
    plan: Plan = jobs.plan
    lines = []
    for name, row in plan.rows.items():
        marks: list[Any] = [job.seed for job in jobs.jobs if job.row.name == name and jobs.done(job)]
        if any(job.row.name == name for job in jobs.jobs):
            lines.append(f"{name:<28} {len(marks)}/{len(plan.seeds)}  {row.says}")
    return "\n".join(lines)


def main() -> None:
    """Run or list."""
    options = arguments()
    if options.list:
        print(listing(queue(options)))
        return
    if options.measure_again:
        again(options)
        return
    if options.processes == 1:
        work(options, 0)
        return
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(options, i)) for i in range(options.processes)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
