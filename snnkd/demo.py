"""``snnkd demo``: the whole library once, small, on synthetic persons, with no download."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import lightning.pytorch as pl
from rich.console import Console
from rich.table import Table

from snnkd.datasets import EMOTIONS, EyeSim, collate
from snnkd.datasets.eyesim import generate, simulate_session
from snnkd.energy import joules_text, profile
from snnkd.errors import ConfigError
from snnkd.inference import load
from snnkd.inference.files import infer_files
from snnkd.inference.timeline import write_whole
from snnkd.models import EventStudent, EyeNetwork, FrameTeacher, parameter_count
from snnkd.models.pretrained import check_target
from snnkd.recordings import write_hdf5
from snnkd.terminal import Bar, bar, plain_table
from snnkd.training import Classification, Distillation, EmotionModule, EyeSimData, TrainingProgress, evaluate
from snnkd.training.calibration import calibrated
from snnkd.training.callbacks import EpochSeed, save_trained
from snnkd.training.clips import as_floats
from snnkd.training.precision import chosen_precision
from snnkd.training.run import loggers, quiet

SIZE = (64, 64)
STEPS = 15
WINDOW_US = 99_999
TAKE_S = 1.5
CHANNELS = (12, 24, 48, 96)
FOLDS = 5


@dataclass(frozen=True)
class Settings:
    """Size of the demo; the defaults fit into six minutes on two cores.

    The default population is one that no choice of this library's (augmentation, dropout, epochs) was made on.
    """

    persons: int = 48
    takes: int = 2
    epochs: int = 30
    seed: int = 2
    workers: int = 2


@dataclass(frozen=True)
class Row:
    """One line of the demo's table: scores on persons never seen in training, cost per clip."""

    name: str
    sees: str
    war: float
    uar: float
    parameters: int
    spike_rate: float | None
    synaptic_operations: float
    macs: float
    joules: float
    training_s: float


def run(output: Path, settings: Settings) -> list[Row]:
    """Generate, train, distil, count, recognise; leave everything under ``output`` and list it."""
    began = time.perf_counter()
    quiet()
    console = Console(highlight=False)
    data = output / "data"
    if settings.persons < FOLDS:
        raise ConfigError(f"persons: {FOLDS} or more are needed to hold some out, got {settings.persons}")
    for name in ("teacher", "student-labels", "student-distilled"):
        check_target(output / "models" / name)
    with bar() as progress:
        task = progress.add_task("synthetic persons", total=None, note="frames and events")
        generate(
            data,
            persons=settings.persons,
            takes=settings.takes,
            seed=settings.seed,
            size=SIZE,
            duration_s=TAKE_S,
            workers=settings.workers,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
        test = EyeSim(data, "test", steps=STEPS, window_us=WINDOW_US, size=SIZE, seed=settings.seed)
        teacher = FrameTeacher(SIZE, CHANNELS)
        plan: list[tuple[str, str, Callable[[], EmotionModule]]] = [
            ("teacher", "frames", lambda: Classification(FrameTeacher(SIZE, CHANNELS))),
            ("student, labels", "events", lambda: Classification(EventStudent(SIZE, size="nano"))),
            ("student, distilled", "events", lambda: Distillation(teacher, EventStudent(SIZE, size="nano"))),
        ]
        rows = []
        for name, sees, make in plan:
            folder = output / "models" / name.replace(", ", "-")
            network, row = _train(name, sees, make, folder, test, settings, progress)
            if isinstance(network, FrameTeacher):
                teacher = network
            rows.append(row)
    recording = output / "session.h5"
    # The person after the last of the dataset: seen by no network.
    session = simulate_session(settings.seed, settings.persons, [e for e in EMOTIONS if e != "neutral"], size=SIZE)
    write_hdf5(recording, session.events, SIZE, session.frames, session.metadata, overwrite=True)
    infer_files(load(output / "models" / "student-distilled"), [recording], output / "timeline")
    console.print()
    console.print(_table(rows, test))
    result = {
        "settings": asdict(settings),
        "test_clips": len(test),
        "test_persons": len({sequence.person for sequence in test.sequences}),
        "rows": [asdict(row) for row in rows],
    }
    write_whole(output / "demo.json", (json.dumps(result, indent=2) + "\n").encode())
    console.print(f"\nDone in {time.perf_counter() - began:.0f} s. Written:")
    for path, text in (
        (data, "the synthetic dataset: a recording with frames and events per take"),
        (output / "models", "teacher, student and distilled student, each a folder that snnkd.load reads"),
        (output / "logs", "training logs: tensorboard --logdir"),
        (recording, "a recording of a person whom no network has seen, one emotion after the other"),
        (output / "timeline", "what the distilled student makes of it: CSV, JSON, PNG"),
        (output / "demo.json", "the table above"),
    ):
        console.print(f"  {path!s:<24}  [dim]{text}[/]", soft_wrap=True)
    return rows


def _train(
    name: str,
    sees: str,
    make: Callable[[], EmotionModule],
    folder: Path,
    test: EyeSim,
    settings: Settings,
    progress: Bar,
) -> tuple[EyeNetwork, Row]:
    """Train one network from the same seed as the others, save it, score it and count its operations."""
    pl.seed_everything(settings.seed, verbose=False)
    module = make()
    cache = str(folder.parent.parent / "cache")
    data = EyeSimData(str(test.root), steps=STEPS, window_us=WINDOW_US, seed=settings.seed, cache=cache)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=settings.epochs,
        gradient_clip_val=1.0,
        precision=chosen_precision("auto") or "32-true",
        logger=loggers(folder.parent.parent, name=f"logs/{folder.name}"),
        callbacks=[EpochSeed(settings.seed), TrainingProgress(progress, name)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,  # nothing is selected on validation here: the last epoch's weights count
        num_sanity_val_steps=0,
    )
    began = time.perf_counter()
    trainer.fit(module, data)
    seconds = time.perf_counter() - began
    network = module.network.eval()
    scores = evaluate(network, test)
    batch = collate([test[i] for i in range(len(test))])
    energy = profile(network, network.take(batch))
    facts = {"epochs": settings.epochs, "test_uar": round(scores.uar, 4)}
    # No weight was chosen on validation, but one number is fitted there.
    facts |= calibrated(network, map(as_floats, data.val_dataloader()))
    save_trained(network, folder, data.input_config, facts)
    row = Row(
        name,
        sees,
        scores.war,
        scores.uar,
        parameter_count(network),
        energy.spike_rate,
        energy.synaptic_operations,
        energy.macs,
        energy.joules,
        seconds,
    )
    return network, row


def _table(rows: list[Row], test: EyeSim) -> Table:
    persons = len({sequence.person for sequence in test.sequences})
    table = plain_table(
        "EyeSim (synthetic): persons never seen in training",
        f"{len(test)} test clips of {persons} person{'s' * (persons > 1)}: one clip is {1 / len(test):.1%}.\n"
        "Energy: arithmetic for one clip, 45 nm, fp32. Firing: spikes per neuron and step.",
    )
    table.add_column("network", no_wrap=True)
    table.add_column("sees", no_wrap=True)
    for heading in ("WAR", "UAR", "weights", "firing", "energy", "less by"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.name,
            row.sees,
            f"{row.war:.1%}",
            f"{row.uar:.1%}",
            f"{row.parameters:,}",
            "–" if row.spike_rate is None else f"{row.spike_rate:.1%}",
            joules_text(row.joules),
            "–" if row is rows[0] else f"{rows[0].joules / row.joules:,.0f}×",
        )
    return table
