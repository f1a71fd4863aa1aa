"""Which training is next: results that are there are kept, and several processes share what is left.

A job is taken by creating its lock (:mod:`study_parts.lock`); that of a process that is no more is taken over, so that
a run that was killed is done again.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .lock import Lock
from .plan import Job, Plan

WAIT_S = 5.0


class Queue:
    """The jobs of a plan over a folder of results."""

    def __init__(
        self, plan: Plan, jobs: Sequence[Job], results: Path, models: Path, digest: Callable[[Job], str]
    ) -> None:
        self.plan, self.jobs, self.results, self.models, self.digest = plan, list(jobs), results, models, digest

    def done(self, job: Job) -> bool:
        """Whether the result is there, and of these settings."""
        path = self.results / f"{job.key}.json"
        if not path.exists():
            return False
        return str(json.loads(path.read_text())["digest"]) == self.digest(job)

    def trained(self, job: Job) -> bool:
        """Whether its model is here, and of these settings, so that others may go on from it.

        Results travel without their models, so a result is no sign of what the model's folder holds.
        """
        mark = self._mark(job)
        return (self.models / job.key).exists() and mark.exists() and mark.read_text() == self.digest(job)

    def ready(self, job: Job) -> bool:
        """Whether all that it goes on from is trained here."""
        linked = (Job(self.plan.rows[name], job.seed) for name in job.row.links.values())
        return all(self.done(other) and self.trained(other) for other in linked)

    def needed(self, job: Job) -> bool:
        """Whether it is to be run: there is no result, or a model that is gone is to be gone on from."""
        if not self.done(job):
            return True
        followers = [j for j in self.jobs if job.row.name in j.row.links.values() and j.seed == job.seed]
        return not self.trained(job) and any(self.needed(j) for j in followers)

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
            taken = next((job for job in left if self.ready(job) and self._lock(job).take()), None)
            if taken is None:
                time.sleep(WAIT_S)  # others are at what is left
                continue
            try:
                if self.needed(taken):
                    self._mark(taken).unlink(missing_ok=True)
                    with self._lock(taken).beating():
                        run(taken)
                    self._mark(taken).write_text(self.digest(taken))
            except Exception as error:  # one failed training does not end the others
                failed.append((taken, f"{type(error).__name__}: {error}"))
            finally:
                self._lock(taken).release()

    def _lock(self, job: Job) -> Lock:
        return Lock(self.models / f"{job.key}.lock")

    def _mark(self, job: Job) -> Path:
        return self.models / f"{job.key}.digest"
