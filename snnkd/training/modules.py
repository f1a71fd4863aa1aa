"""Lightning modules: what one training step is."""

import math
from abc import abstractmethod
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassRecall

from snnkd.distill import DEFAULT_OBJECTIVES, Distiller, Objective
from snnkd.models import EyeNetwork, load_model, predict

Batch = dict[str, Tensor]


def sequence_metrics(classes: int) -> MetricCollection:
    """WAR, the accuracy over all sequences, and UAR, the mean of per-class recalls."""
    return MetricCollection(
        {"war": MulticlassAccuracy(classes, average="micro"), "uar": MulticlassRecall(classes, average="macro")}
    )


class EmotionModule(pl.LightningModule):
    """What every training has in common: AdamW, warm-up and cosine, WAR and UAR on validation and test.

    Args:
        network: the network that is trained and saved.
        learning_rate: peak of the schedule.
        weight_decay: of AdamW, on matrices and kernels only.
        warmup: share of all steps in which the rate rises linearly; it then falls as a half cosine to zero.
        classes: number of emotions.
    """

    def __init__(self, network: EyeNetwork, learning_rate: float, weight_decay: float, warmup: float) -> None:
        super().__init__()
        self.network = network
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.val_metrics = sequence_metrics(network.classes)
        self.test_metrics = sequence_metrics(network.classes)

    @property
    def networks(self) -> tuple[EyeNetwork, ...]:
        """Every network that reads the batches; the data must suit all of them."""
        return (self.network,)

    @abstractmethod
    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch and its terms by name."""

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """One step on time-major tensors; logs the loss and its terms."""
        loss, terms = self.loss(batch)
        size = len(batch["labels"])
        self.log("train/loss", loss, prog_bar=True, batch_size=size, on_step=False, on_epoch=True)
        for name, term in terms.items():
            self.log(f"train/{name}", term, batch_size=size, on_step=False, on_epoch=True)
        return loss

    def _evaluate(self, stage: str, metrics: MetricCollection, batch: Batch) -> None:
        logits = predict(self.network(batch[self.network.modality]))
        label = batch["labels"]
        metrics.update(logits, label)
        self.log(f"{stage}/loss", functional.cross_entropy(logits, label), batch_size=len(label))
        self.log_dict({f"{stage}/{k}": v for k, v in metrics.items()}, batch_size=len(label), prog_bar=True)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Update ``val/loss``, ``val/war``, ``val/uar``."""
        self._evaluate("val", self.val_metrics, batch)

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Update ``test/loss``, ``test/war``, ``test/uar``."""
        self._evaluate("test", self.test_metrics, batch)

    def configure_optimizers(self) -> Any:
        """AdamW on all trainable parameters, with the schedule stepped every batch."""
        trained = [p for p in self.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
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
        learning_rate, weight_decay, warmup: see :class:`EmotionModule`.
        label_smoothing: of the cross-entropy.
    """

    def __init__(
        self,
        network: EyeNetwork,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        label_smoothing: float = 0.1,
    ) -> None:
        super().__init__(network, learning_rate, weight_decay, warmup)
        self.label_smoothing = label_smoothing

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of the prediction."""
        logits = predict(self.network(batch[self.network.modality]))
        return functional.cross_entropy(logits, batch["labels"], label_smoothing=self.label_smoothing), {}


class Distillation(EmotionModule):
    """Train a student on a frozen teacher's logits and features and on labels together.

    Args:
        teacher: a model folder or Hub id, read when training starts; or a network.
        student: the network to train.
        objectives: terms beside the labels.
        label_weight: weight of the labels' cross-entropy.
        learning_rate, weight_decay, warmup: see :class:`EmotionModule`.
        label_smoothing: of the cross-entropy.
    """

    def __init__(
        self,
        teacher: str | EyeNetwork,
        student: EyeNetwork,
        objectives: list[Objective] = list(DEFAULT_OBJECTIVES),  # noqa: B006  # shown by --print_config, never changed
        label_weight: float = 1.0,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        label_smoothing: float = 0.1,
    ) -> None:
        super().__init__(student, learning_rate, weight_decay, warmup)
        if isinstance(teacher, str):
            teacher, _ = load_model(teacher)
        self.distiller = Distiller(teacher, student, objectives, label_weight, label_smoothing)

    @property
    def networks(self) -> tuple[EyeNetwork, ...]:
        """Student and teacher."""
        return (self.network, self.distiller.teacher)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The distiller's loss and terms."""
        loss, terms, _ = self.distiller(batch)
        return loss, terms
