"""Lightning modules: what one training step is."""

import math
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal, get_args

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.classification import MulticlassConfusionMatrix

from snnkd.errors import ConfigError, NotFiniteError
from snnkd.models import EventStudent, EyeNetwork, predict
from snnkd.spiking import keep_freed_memory
from snnkd.training.energy_price import energy_price, recorded_operations
from snnkd.training.evaluation import Evaluation
from snnkd.training.spike_rate import recorded_rates, spike_rate_penalty, stacked
from snnkd.training.starting import begin_with

Batch = dict[str, Tensor]
OptimizerName = Literal["adamw", "sgd"]

MOMENTUM = 0.9
"""Of ``sgd``"""

SLOW = 0.1
"""Share of the learning rate for parameters that an objective wants trained slowly"""


def check_range(name: str, value: float, holds: bool, expected: str) -> None:
    """Raise :class:`~snnkd.errors.ConfigError` naming the value that is out of range."""
    if not holds:
        raise ConfigError(f"{name}: must be {expected}, got {value}")


class EmotionModule(pl.LightningModule):
    """What every training has in common: optimizer, warm-up and cosine, WAR and UAR on validation and test.

    Args:
        network: the network that is trained and saved.
        learning_rate: peak of the schedule.
        weight_decay: on matrices and kernels only.
        warmup: share of all steps in which the rate rises linearly; it then falls as a half cosine to zero.
        spike_rate_weight, spike_rate_target: price of layers that fire more than the target
            (:func:`~snnkd.training.spike_rate.spike_rate_penalty`); 0 for none.
        energy_weight, energy_target: price of synaptic operations above a share of the dense ones
            (:mod:`~snnkd.training.energy_price`); 0 for none.
        optimizer: ``adamw``, or ``sgd`` with a momentum of 0.9.

    Raises :class:`~snnkd.errors.ConfigError` for a value out of range, by name, and for a loss that is no number.
    """

    def __init__(
        self,
        network: EyeNetwork,
        learning_rate: float,
        weight_decay: float,
        warmup: float,
        spike_rate_weight: float = 0.0,
        spike_rate_target: float = 0.05,
        energy_weight: float = 0.0,
        energy_target: float = 0.0,
        optimizer: OptimizerName = "adamw",
    ) -> None:
        super().__init__()
        if optimizer not in get_args(OptimizerName):
            raise ConfigError(f"optimizer: must be one of {', '.join(get_args(OptimizerName))}, got {optimizer!r}")
        check_range("learning_rate", learning_rate, 0 < learning_rate < math.inf, "above zero")
        check_range("weight_decay", weight_decay, 0 <= weight_decay < math.inf, "zero or above")
        check_range("warmup", warmup, 0 <= warmup < 1, "from 0 to below 1")
        check_range("spike_rate_weight", spike_rate_weight, 0 <= spike_rate_weight < math.inf, "zero or above")
        check_range("spike_rate_target", spike_rate_target, 0 <= spike_rate_target <= 1, "from 0 to 1")
        self.spike_rate_weight = spike_rate_weight
        self.spike_rate_target = spike_rate_target
        check_range("energy_weight", energy_weight, 0 <= energy_weight < math.inf, "zero or above")
        check_range("energy_target", energy_target, 0 <= energy_target <= 1, "from 0 to 1")
        if energy_weight and not isinstance(network, EventStudent):
            raise ConfigError(
                "energy_weight: prices the students, whose layers past the first see spikes alone; "
                f"{type(network).__name__} is none"
            )
        self.energy_weight, self.energy_target = energy_weight, energy_target
        self.network = network
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.optimizer_name = optimizer
        self.confusion = MulticlassConfusionMatrix(network.classes)
        self.start_input: dict[str, Any] = {}
        """What the model folder that the network begins with says of its data"""
        self.facts: dict[str, Any] = {}
        """What the model folder is to say of this training, beside epochs and scores"""

    @property
    def networks(self) -> tuple[EyeNetwork, ...]:
        """Every network that reads the batches; the data must suit all of them."""
        return (self.network,)

    @property
    def needs_labels(self) -> bool:
        """Whether clips without a label teach nothing."""
        return True

    def slow_parameters(self) -> list[torch.nn.Parameter]:
        """Parameters that learn at :data:`SLOW` of the rate."""
        return []

    @property
    def progress(self) -> float:
        """Share of the training that is done, from 0 to 1."""
        return min(1.0, self.trainer.global_step / max(1, int(self.trainer.estimated_stepping_batches)))

    @abstractmethod
    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch and its terms by name."""

    def on_fit_start(self) -> None:
        """Let activations of one step lie in the pages of the last one."""
        keep_freed_memory()

    @contextmanager
    def _divergence(self) -> Iterator[None]:
        try:
            yield
        except NotFiniteError as error:
            raise ConfigError(
                f"training diverged: {error} at step {self.global_step}: lower model.init_args.learning_rate or set "
                "trainer.gradient_clip_val"
            ) from None

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """One step on time-major tensors; logs the loss and its terms."""
        with self._divergence():
            counted = recorded_operations(self.network) if self.energy_weight else nullcontext()
            with recorded_rates(self.network) as rates, counted as operations:
                loss, terms = self.loss(batch)
            if operations is not None:
                price = energy_price(operations, self.energy_target)
                terms = {**terms, "operations": operations.share().detach(), "energy_price": price.detach()}
                loss = loss + self.energy_weight * price
            if rates:
                terms = {**terms, "spike_rate": stacked(rates).mean().detach()}
                if self.spike_rate_weight:
                    price = spike_rate_penalty(stacked(rates), self.spike_rate_target)
                    terms["spike_rate_penalty"] = price.detach()
                    loss = loss + self.spike_rate_weight * price
            if not loss.isfinite():
                raise NotFiniteError(f"the loss is {loss.item()}")
        size = len(batch["labels"])
        self.log("train/loss", loss, prog_bar=True, batch_size=size, on_step=False, on_epoch=True)
        for name, term in terms.items():
            self.log(f"train/{name}", term, batch_size=size, on_step=False, on_epoch=True)
        return loss

    def _evaluate(self, stage: str, batch: Batch) -> None:
        logits = predict(self.network(self.network.take(batch)))
        self.confusion.update(logits, batch["labels"])
        loss = functional.cross_entropy(logits, batch["labels"])
        self.log(f"{stage}/loss", loss, batch_size=len(logits))

    def _score(self, stage: str) -> None:
        scores = Evaluation(self.confusion.compute())
        self.log_dict({f"{stage}/war": scores.war, f"{stage}/uar": scores.uar}, prog_bar=True)
        self.confusion.reset()

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Score a batch towards ``val/loss``, ``val/war``, ``val/uar``."""
        with self._divergence():
            self._evaluate("val", batch)

    def on_validation_epoch_end(self) -> None:
        """Log the scores."""
        self._score("val")

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Score a batch towards ``test/loss``, ``test/war``, ``test/uar``."""
        self._evaluate("test", batch)

    def on_test_epoch_end(self) -> None:
        """Log the scores."""
        self._score("test")

    def configure_optimizers(self) -> Any:
        """The optimizer on all trainable parameters, with the schedule stepped every batch."""
        slow = {id(p) for p in self.slow_parameters()}
        trained = [p for p in self.parameters() if p.requires_grad]
        groups = [
            {
                "params": [p for p in trained if (p.ndim > 1) == matrices and (id(p) in slow) == slowly],
                "weight_decay": self.weight_decay if matrices else 0.0,
                "lr": self.learning_rate * (SLOW if slowly else 1.0),
            }
            for slowly in (False, True)
            for matrices in (True, False)
        ]
        groups = [group for group in groups if group["params"]]
        optimizer: torch.optim.Optimizer
        if self.optimizer_name == "sgd":
            optimizer = torch.optim.SGD(groups, lr=self.learning_rate, momentum=MOMENTUM)
        else:
            optimizer = torch.optim.AdamW(groups, lr=self.learning_rate)
        total = int(self.trainer.estimated_stepping_batches)
        warm = max(1, round(self.warmup * total))

        def factor(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Classification(EmotionModule):
    """Train one network on labels: a teacher, or a student without one.

    Args:
        network: the network; it reads the modality that it is made for.
        learning_rate, weight_decay, warmup, spike_rate_weight, spike_rate_target, energy_weight, energy_target,
            optimizer: see :class:`EmotionModule`.
        label_smoothing: of the cross-entropy.
        start_from: a model folder whose weights the network begins with, such as a label-free distillation's.
    """

    def __init__(
        self,
        network: EyeNetwork,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        label_smoothing: float = 0.1,
        start_from: str | None = None,
        spike_rate_weight: float = 0.0,
        spike_rate_target: float = 0.05,
        energy_weight: float = 0.0,
        energy_target: float = 0.0,
        optimizer: OptimizerName = "adamw",
    ) -> None:
        super().__init__(
            network,
            learning_rate,
            weight_decay,
            warmup,
            spike_rate_weight,
            spike_rate_target,
            energy_weight,
            energy_target,
            optimizer,
        )
        self.start_input = begin_with(network, start_from)
        check_range("label_smoothing", label_smoothing, 0 <= label_smoothing < 1, "from 0 to below 1")
        self.label_smoothing = label_smoothing

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of the prediction."""
        logits = predict(self.network(self.network.take(batch)))
        return functional.cross_entropy(logits, batch["labels"], label_smoothing=self.label_smoothing), {}
