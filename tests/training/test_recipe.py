"""The recipe: schedule, averages, the best epoch, bfloat16, a price for spikes."""

import json
import math

import lightning.pytorch as pl
import pytest
import torch
from torch import nn

from snnkd.errors import ConfigError
from snnkd.models import EventStudent, FrameTeacher, load_model
from snnkd.spiking import LIF
from snnkd.training import Classification, EyeSimData, train
from snnkd.training import precision as precision_module
from snnkd.training.precision import chosen_precision
from snnkd.training.spike_rate import recorded_rates, spike_rate_penalty, stacked

SIZE = (32, 32)


@pytest.fixture
def arguments(eyesim_root, tmp_path):
    """Arguments of a small training on labels, with a validation set."""

    def make(name, *more, epochs=3):
        path = tmp_path / "config.yaml"
        path.write_text(
            json.dumps(
                {
                    "model": {
                        "class_path": "Classification",
                        "init_args": {
                            "network": {
                                "class_path": "EventStudent",
                                "init_args": {"input_size": SIZE, "channels": [4, 8]},
                            }
                        },
                    },
                    "data": {
                        "class_path": "EyeSimData",
                        "init_args": {
                            "root": str(eyesim_root),
                            "cache": str(tmp_path / "cache"),
                            "steps": 6,
                            "val_share": 0.25,
                        },
                    },
                }
            )
        )
        return [f"--config={path}", f"--output={tmp_path / name}", f"--trainer.max_epochs={epochs}", *more]

    return make


def weights(folder):
    return load_model(folder)[0].state_dict()


def test_the_schedule_is_its_formula(eyesim_root, tmp_path):
    module = Classification(EventStudent(SIZE, (4, 8)), learning_rate=0.01, warmup=0.25)
    rates = []

    class Watch(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, index):
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    data = EyeSimData(str(eyesim_root), steps=6, batch_size=7, cache=str(tmp_path / "c"), val_share=0.0)
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[Watch()],
    )  # fmt: skip
    trainer.fit(module, data)
    total, warm = 8, 2
    expected = [0.01 * (s + 1) / warm for s in range(warm)]
    expected += [0.005 * (1 + math.cos(math.pi * (s - warm) / (total - warm))) for s in range(warm, total)]
    assert rates == pytest.approx(expected)


def test_sgd_is_its_formula():
    """``v = 0.9·v + g + λ·w`` and ``w -= η·v``, without λ for vectors; η falls as a half cosine."""
    torch.manual_seed(0)
    module = Classification(EventStudent(SIZE, size="nano"), 0.1, 0.01, warmup=0.0, optimizer="sgd")
    module.trainer = pl.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, accelerator="cpu")
    module.trainer.fit_loop.epoch_loop.max_steps = 8
    found = module.configure_optimizers()
    weights = {name: p.detach().double().clone() for name, p in module.named_parameters()}
    velocity = dict.fromkeys(weights, 0.0)
    for step in range(3):
        rate = 0.1 * 0.5 * (1 + math.cos(math.pi * max(step - 1, 0) / 7))  # the first step is the warm-up
        for name, p in module.named_parameters():
            p.grad = torch.full_like(p, 0.5 - step)
            decay = 0.01 * weights[name] if p.ndim > 1 else 0.0
            velocity[name] = 0.9 * velocity[name] + (0.5 - step) + decay
            weights[name] = weights[name] - rate * velocity[name]
        found["optimizer"].step()
        found["lr_scheduler"]["scheduler"].step()
    for name, p in module.named_parameters():
        torch.testing.assert_close(p.detach().double(), weights[name], rtol=1e-5, atol=1e-6)
    with pytest.raises(ConfigError, match="optimizer: must be one of adamw, sgd, got 'adam'"):
        Classification(EventStudent(SIZE, size="nano"), optimizer="adam")


def test_averaged_weights_are_what_validation_saw_and_what_is_saved(arguments, tmp_path):
    model = train(arguments("averaged", "--ema_decay=0.9"))
    plain = train(arguments("plain"))
    assert any(not torch.equal(a, b) for a, b in zip(weights(model).values(), weights(plain).values(), strict=True))
    network, config = load_model(model)
    checkpoint = torch.load(tmp_path / "averaged" / "checkpoints" / "last.ckpt", weights_only=True)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(checkpoint["state_dict"][f"network.{name}"], tensor)
    from snnkd.datasets import open_dataset
    from snnkd.training.evaluation import evaluate

    split = config.input["split"]
    root = json.loads((tmp_path / "config.yaml").read_text())["data"]["init_args"]["root"]
    val = open_dataset(root, "val", size=SIZE, steps=6, **split)
    assert evaluate(network, val).uar == pytest.approx(config.training["val_uar"], abs=1e-4)


@pytest.mark.parametrize("more", [["--ema_decay=0.9"], ["--patience=5"], ["--ema_decay=0.9", "--patience=5"]])
def test_a_resumed_training_ends_like_an_uninterrupted_one(arguments, more):
    whole = weights(train(arguments("whole", *more, epochs=4)))

    # Two of four epochs of the same schedule: the trainer stops as if it were killed after the second.
    class Stop(Exception):
        pass

    import snnkd.training.run as run

    class Killed(pl.Callback):
        def on_train_epoch_start(self, trainer, module):
            if trainer.current_epoch == 2:
                raise Stop

    original = run.callbacks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "callbacks", lambda *a: [*original(*a), Killed()])
        with pytest.raises(Stop):
            train(arguments("parts", *more, epochs=4))
    resumed = weights(train(arguments("parts", *more, "--resume", epochs=4)))
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_the_best_epoch_is_kept_and_training_stops(arguments, tmp_path):
    # At a rate this high the first epochs do not get better for long.
    model = train(arguments("stopped", "--patience=2", "--model.init_args.learning_rate=0.05", epochs=40))
    _, config = load_model(model)
    assert config.training["epochs"] < 40
    assert config.training["kept_epoch"] == config.training["epochs"] - 2
    best = torch.load(tmp_path / "stopped" / "checkpoints" / "best.ckpt", weights_only=True)
    for name, tensor in weights(model).items():
        assert torch.equal(best["state_dict"][f"network.{name}"], tensor), name


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--patience=0"], "patience: must be 1 or above, or null, got 0"),
        (["--ema_decay=1.0"], "ema_decay: must be between 0 and 1, or null, got 1.0"),
        (["--patience=3", "--data.init_args.val_share=0"], "patience: nobody validates"),
        (["--bf16=on", "--trainer.precision=16-mixed"], "bf16: the trainer has a precision already"),
        (["--model.init_args.spike_rate_target=2"], "spike_rate_target: must be from 0 to 1, got 2"),
    ],
)
def test_what_cannot_work_is_refused_before_training(arguments, tmp_path, more, message):
    with pytest.raises(ConfigError, match=message):
        train(arguments("refused", *more))
    assert not (tmp_path / "refused" / "model").exists()


@pytest.mark.parametrize("mixed", ["off", "on"])
def test_the_same_seed_gives_the_same_weights(arguments, mixed):
    first, second = (weights(train(arguments(name, f"--bf16={mixed}", epochs=1))) for name in ("a", "b"))
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.mark.parametrize(("there", "auto"), [({"amx_bf16": True}, "bf16-mixed"), ({"avx2": True}, None)])
def test_auto_is_bf16_where_the_processor_has_it(monkeypatch, there, auto):
    monkeypatch.setattr(precision_module.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(precision_module.torch.cpu, "get_capabilities", lambda: there)
    assert chosen_precision("auto") == auto
    assert chosen_precision("on") == "bf16-mixed"
    assert chosen_precision("off") is None


def test_the_price_of_spikes_is_one_sided():
    rates = torch.tensor([0.0, 0.05, 0.15, 0.3], dtype=torch.float64)
    assert spike_rate_penalty(rates, 0.1).item() == pytest.approx((0.05**2 + 0.2**2) / 4)
    with pytest.raises(ValueError, match="target must be from 0 to 1"):
        spike_rate_penalty(rates, 1.5)
    with pytest.raises(ValueError, match="rates must be one of each spiking layer"):
        spike_rate_penalty(torch.zeros(0), 0.1)


def test_rates_are_recorded_from_every_spiking_layer_with_gradient():
    network = EventStudent(SIZE, (4, 8), blocks=(0, 1))
    x = torch.poisson(torch.full((4, 2, 2, 32, 32), 0.4))
    with recorded_rates(network) as rates:
        output = network.run(x)
    layers = [m for m in network.modules() if isinstance(m, LIF)]
    assert len(rates) == len(layers) == 4  # two stages, two in the block
    assert stacked(rates)[0].item() == pytest.approx(output.features["stage1"].mean().item())
    spike_rate_penalty(stacked(rates), 0.0).backward()
    assert network.stages[0].conv.weight.grad.abs().sum() > 0
    assert not any(m._forward_hooks for m in network.modules())
    with recorded_rates(FrameTeacher(SIZE, (4, 8))) as none:
        assert none == []


def test_a_price_lowers_the_firing(eyesim_root, tmp_path):
    """The same training with and without the price."""

    def fired(weight):
        torch.manual_seed(0)
        network = EventStudent(SIZE, (4, 8))
        module = Classification(network, learning_rate=0.03, spike_rate_weight=weight, spike_rate_target=0.0)
        data = EyeSimData(str(eyesim_root), steps=6, cache=str(tmp_path / "c"), val_share=0.0)
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=15, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module, data)
        return float(trainer.callback_metrics["train/spike_rate"])

    assert fired(100.0) < 0.7 * fired(0.0)


def test_a_network_without_spikes_has_no_rate(eyesim_root, tmp_path):
    module = Classification(FrameTeacher(SIZE, (4, 8)), spike_rate_weight=1.0)
    data = EyeSimData(str(eyesim_root), steps=6, cache=str(tmp_path / "c"), val_share=0.0)
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, data)
    assert "train/spike_rate" not in trainer.callback_metrics
    assert isinstance(module.network.stem[0], nn.Conv2d)
