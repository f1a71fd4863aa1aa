"""The study: a plan that is checked, a queue that survives its workers, differences that are worked out in pairs."""

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from study_parts.comparing import compare, gather, uar  # noqa: E402
from study_parts.lock import LOST_S, Lock  # noqa: E402
from study_parts.plan import read_plan  # noqa: E402
from study_parts.queue import Queue  # noqa: E402

CONTENT = {
    "name": "tiny",
    "seeds": [0, 1],
    "data": {"root": "somewhere", "steps": 6, "window_us": 33_333},
    "training": {"epochs": 1, "learning_rate": 0.003, "clip": 1.0},
    "student": {"class": "EventStudent", "input_size": [32, 32], "channels": [4, 8]},
    "rows": {
        "teacher": {"network": {"class": "FrameTeacher", "input_size": [32, 32], "channels": [4, 8]}},
        "labels": None,
        "kd": {"teacher": "teacher", "objectives": [{"name": "kd"}]},
    },
}


@pytest.fixture
def study(tmp_path):
    def write(**changes):
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({**CONTENT, **changes}, sort_keys=False))
        return path

    return write


def queue(plan, tmp_path, version=1, names=None):
    for name in ("results", "models"):
        (tmp_path / name).mkdir(exist_ok=True)
    jobs = plan.jobs(names)
    return Queue(
        plan, jobs, tmp_path / "results", tmp_path / "models", lambda job: plan.digest(job.row, {"v": version})
    )


def finish(jobs, job):
    (jobs.models / job.key).mkdir(exist_ok=True)
    (jobs.results / f"{job.key}.json").write_text(json.dumps({"digest": jobs.digest(job)}))


def test_every_row_comes_after_what_it_goes_on_from(study, tmp_path):
    jobs, order = queue(read_plan(study()), tmp_path), []
    assert jobs.work(lambda job: (order.append(job.key), finish(jobs, job))) == []
    assert order == ["teacher-0", "labels-0", "kd-0", "teacher-1", "labels-1", "kd-1"]
    assert jobs.work(lambda job: pytest.fail("it was done already")) == []
    assert queue(read_plan(study()), tmp_path, version=2).left() == jobs.jobs  # another version: other results


def test_rows_can_be_chosen_and_bring_what_they_need(study, tmp_path):
    jobs = queue(read_plan(study()), tmp_path, names=["kd"])
    assert [job.key for job in jobs.jobs] == ["teacher-0", "kd-0", "teacher-1", "kd-1"]


def test_a_setting_of_a_teacher_makes_its_students_stale_and_where_data_lie_does_not(study):
    def digests(**changes):
        plan = read_plan(study(**changes))
        return {name: plan.digest(row, {}) for name, row in plan.rows.items()}

    before = digests()
    assert digests(data={**CONTENT["data"], "root": "elsewhere"}) == before
    rows = {**CONTENT["rows"], "teacher": {**CONTENT["rows"]["teacher"], "training": {"epochs": 2}}}
    after = digests(rows=rows)
    assert after["labels"] == before["labels"]
    assert after["teacher"] != before["teacher"]
    assert after["kd"] != before["kd"]


def test_a_result_does_not_say_where_the_data_lie():
    from study_parts.running import settings_told

    told = settings_told({"data": {"root": "here", "cache": "there", "steps": 6}, "training": {"epochs": 1}})
    assert told == {"data": {"steps": 6}, "training": {"epochs": 1}}


def test_one_failure_leaves_the_rest_and_what_needs_it_is_named(study, tmp_path):
    jobs = queue(read_plan(study()), tmp_path)

    def run(job):
        if job.key == "teacher-0":
            raise RuntimeError("no memory")
        finish(jobs, job)

    failed = {job.key: reason for job, reason in jobs.work(run)}
    assert failed == {"teacher-0": "RuntimeError: no memory", "kd-0": "what it goes on from failed"}
    assert {job.key for job in jobs.jobs if jobs.done(job)} == {"labels-0", "teacher-1", "labels-1", "kd-1"}


def test_the_lock_of_a_dead_process_is_taken_over_and_that_of_a_living_one_is_not(tmp_path):
    lock = Lock(tmp_path / "a.lock")
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; from study_parts.lock import Lock; from pathlib import Path\n"
         "assert Lock(Path(sys.argv[1])).take(); print('mine', flush=True); sys.stdin.read()", str(lock.path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
    )  # fmt: skip
    assert child.stdout.readline() == b"mine\n"
    assert not lock.take()
    child.kill()
    child.wait()
    assert lock.take()
    assert not lock.take()  # by now it is this process's
    lock.release()
    assert lock.take()
    # Another process that has the number of the one that died.
    host, number, _ = lock.path.read_text().split()
    lock.path.write_text(f"{host} {number} 1")
    assert lock.take()


def test_a_lock_of_another_machine_holds_as_long_as_it_is_touched(tmp_path, monkeypatch):
    lock = Lock(tmp_path / "a.lock")
    lock.path.write_text("elsewhere 1 2")
    assert not lock.take()
    past = time.time() - 2 * LOST_S
    os.utime(lock.path, (past, past))
    assert lock.take()
    lock.release()
    lock.path.write_text("")  # killed before it had written its name
    assert not lock.take()
    os.utime(lock.path, (past, past))
    assert lock.take()
    monkeypatch.setattr("study_parts.lock.BEAT_S", 0.01)
    os.utime(lock.path, (past, past))
    with lock.beating():
        for _ in range(500):
            if lock.path.stat().st_mtime > past + LOST_S:
                break
            time.sleep(0.01)
        else:
            pytest.fail("a held lock was not touched")


def test_a_model_of_other_settings_is_not_gone_on_from(study, tmp_path):
    """Results come with the checkout and models do not: a folder of that name may be of another study."""
    jobs, order = queue(read_plan(study(seeds=[0])), tmp_path, names=["kd"]), []

    def run(job):
        order.append(job.key)
        finish(jobs, job)

    finish(jobs, jobs.jobs[0])
    (jobs.models / "teacher-0.digest").write_text("of other settings")
    assert jobs.work(run) == []
    assert order == ["teacher-0", "kd-0"]
    (jobs.results / "kd-0.json").unlink()
    assert jobs.work(run) == []
    assert order == ["teacher-0", "kd-0", "kd-0"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": {"kd": {"teacher": "teacher", "objectives": []}}}, r"rows.kd.teacher: 'teacher' must be a row above"),
        ({"rows": {"kd": {"objectives": [{"name": "kd"}]}}}, "rows.kd: has objectives and no teacher"),
        ({"rows": {"kd": {"lr": 1}}}, "rows.kd: unknown key 'lr'"),
        ({"epochs": 3}, "unknown key 'epochs'"),
        ({"rows": {"kd": {"training": {"warmup": 1}}}}, "rows.kd.training: unknown key 'warmup', there are clip, "),
    ],
)
def test_a_wrong_plan_is_refused_by_its_key(study, changes, message):
    with pytest.raises(SystemExit, match=message):
        read_plan(study(**changes))


def answered(seed, persons, takes, right):
    names = [f"{p}/{k}/{t}" for p in range(persons) for k in range(3) for t in range(takes)]
    labels = [k for _ in range(persons) for k in range(3) for _ in range(takes)]
    told = [label if hit else (label + 1) % 3 for label, hit in zip(labels, right, strict=True)]
    people = [str(p) for p in range(persons) for _ in range(3 * takes)]
    return {"seed": seed, "answers": {"names": names, "persons": people, "labels": labels, "told": told}}


def test_a_difference_is_paired_and_its_p_counts_sign_flips():
    """Against every one of the sign flips, of which the script draws some, and recalls by loops."""
    rng = np.random.default_rng(0)
    persons, takes = 8, 2
    a, b = rng.random(persons * 6) < 0.8, rng.random(persons * 6) < 0.4
    first, second = gather([answered(0, persons, takes, a)]), gather([answered(0, persons, takes, b)])
    labels = np.array(answered(0, persons, takes, a)["answers"]["labels"])
    expected = np.mean([a[labels == k].mean() - b[labels == k].mean() for k in range(3)])
    got = compare(first, second)
    assert got.uar.value == pytest.approx(expected)
    assert got.uar.low < expected < got.uar.high
    assert uar(first).value - uar(second).value == pytest.approx(expected)
    each = (a.astype(float) - b).reshape(persons, -1).sum(1)  # emotions are equally many here
    flips = [abs(np.dot(signs, each)) >= abs(each.sum()) - 1e-9 for signs in itertools.product([-1, 1], repeat=persons)]
    assert got.p == pytest.approx(np.mean(flips), abs=0.01)
    backwards = compare(second, first)
    assert backwards.uar.value == pytest.approx(-expected)
    assert compare(first, first).p == 1.0
    assert (got.ahead, backwards.ahead) == ((1, 1), (0, 1))


def test_only_takes_that_both_answered_are_compared():
    rng = np.random.default_rng(1)
    rows = [rng.random(24) < 0.5 for _ in range(3)]
    both = gather([answered(0, 4, 2, rows[0]), answered(1, 4, 2, rows[1])])
    one = gather([answered(1, 4, 2, rows[2])])
    got = compare(both, one)
    assert got.takes == 24
    assert got.uar.value == pytest.approx(compare(gather([answered(1, 4, 2, rows[1])]), one).uar.value)


def test_a_whole_small_study(study, eyesim_root, tmp_path):
    """From YAML to results in processes of their own; the second run does nothing."""
    command = [sys.executable, str(SCRIPTS / "study.py"), str(study(seeds=[0])), "--root", str(eyesim_root)]
    command += ["--results", str(tmp_path / "r"), "--runs", str(tmp_path / "m"), "--cache", str(tmp_path / "c")]
    first = subprocess.run([*command, "--processes", "2"], capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    results = {p.stem: json.loads(p.read_text()) for p in (tmp_path / "r" / "tiny").glob("*.json")}
    assert set(results) == {"teacher-0", "labels-0", "kd-0"}
    kd, teacher = results["kd-0"], results["teacher-0"]
    assert kd["joules"] < teacher["joules"]
    assert teacher["spike_rate"] is None
    assert 0 < kd["spike_rate"] < 1
    told = np.array(kd["answers"]["told"])
    labels = np.array(kd["answers"]["labels"])
    assert kd["war"] == pytest.approx((told == labels).mean())
    assert len(told) == 7
    again = subprocess.run(command, capture_output=True, text=True)
    assert (again.returncode, again.stdout) == (0, "")
    listed = subprocess.run([*command, "--list"], capture_output=True, text=True).stdout
    assert listed.count("1/1") == 3
