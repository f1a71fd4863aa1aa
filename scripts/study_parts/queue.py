"""Which training is next: results that are there are kept, and several processes share what is left.

A job is taken by creating its lock with the process's number in it; the lock of a process that is no more is taken
over, so that a run that was killed is done again.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .plan import Job, Plan

WAIT_S = 5.0


class Queue:
    """The jobs of a plan over a folder of results."""

    def __init__(
        self, plan: Plan, jobs: Sequence[Job], results: Path, models: Path, digest: Callable[[Job], str]
    ) -> None:
        self.plan, self.jobs, self.results, self.models, self.digest = plan, list(jobs), results, models, digest

    def done(self, job: Job) -> bool:
        """Whether the result is there and of these settings, and the model, which others may go on from."""
        path = self.results / f"{job.key}.json"
        if not path.exists():
            return False
        return str(json.loads(path.read_text())["digest"]) == self.digest(job)

    def ready(self, job: Job) -> bool:
        """Whether all that it goes on from is trained here."""
        return all(
            self.done(Job(self.plan.rows[name], job.seed)) and (self.models / f"{name}-{job.seed}").exists()
            for name in job.row.links.values()
        )

    def needed(self, job: Job) -> bool:
        """Whether it is to be run: there is no result, or a model that is gone is to be gone on from."""
        if not self.done(job):
            return True
        followers = [j for j in self.jobs if job.row.name in j.row.links.values() and j.seed == job.seed]
        return not (self.models / job.key).exists() and any(self.needed(j) for j in followers)

    def left(self) -> list[Job]:
        """What is still to be run."""
        return [job for job in self.jobs if self.needed(job)]

    def work(self, run: Callable[[Job], None]) -> list[tuple[Job, str]]:
        """Run jobs until none is left; return those that failed with the reason, and with them those that need them."""
        failed: list[tuple[Job, str]] = []
        while True:
            gone = {job.key for job, _ in failed}
            left = [job for job in self.left() if job.key not in gone]
            blocked = [j for j in left if any(f"{name}-{j.seed}" in gone for name in j.row.links.values())]
            failed += [(job, "what it goes on from failed") for job in blocked]
            left = [job for job in left if job not in blocked]
            if not left:
                return failed
            taken = next((job for job in left if self.ready(job) and self._take(job)), None)
            if taken is None:
                time.sleep(WAIT_S)  # others are at what is left
                continue
            try:
                if self.needed(taken):
                    run(taken)
            except Exception as error:  # one failed training does not end the others
                failed.append((taken, f"{type(error).__name__}: {error}"))
            finally:
                self._lock(taken).unlink(missing_ok=True)

    def _lock(self, job: Job) -> Path:
        return self.models / f"{job.key}.lock"

    def _take(self, job: Job) -> bool:
        lock = self._lock(job)
        try:
            with open(lock, "x") as file:
                file.write(str(os.getpid()))
            return True
        except FileExistsError:
            pass
        try:
            owner = int(lock.read_text() or "0")
            if owner:
                os.kill(owner, 0)
            return False
        except ProcessLookupError:
            # Whoever renames the dead one's lock away first may try again.
            stale = lock.with_suffix(f".stale.{os.getpid()}")
            try:
                os.rename(lock, stale)
            except FileNotFoundError:
                return False
            stale.unlink()
            return self._take(job)
        except (FileNotFoundError, ValueError, PermissionError):
            return False
