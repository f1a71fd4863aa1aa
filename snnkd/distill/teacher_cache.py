"""A frozen teacher answers the same clip only once."""

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor

from snnkd.models.network import EyeNetwork, Features, Output

Key = tuple[str, int, int]


def network_hash(network: torch.nn.Module) -> str:
    """Return a digest of a network's class, arguments and weights: two that answer differently have different ones."""
    digest = hashlib.sha256(f"{type(network).__qualname__}{getattr(network, 'arguments', None)}".encode())
    for name, tensor in network.state_dict().items():
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class TeacherCache:
    """Logits and the features that are asked for, kept in memory clip by clip, as many as there is room for.

    The first ones stay: epochs come in another order each time, in which dropping the longest unused loses most of
    what is needed next.

    A clip's key is the teacher's hash, the sample's place in its dataset, and the seed of its augmentation and start: a
    clip cut or moved otherwise has another seed and is another clip. So a cache helps where seeds come again
    (``augmentation_views`` of the data), and never answers with what belongs to other pixels.

    Args:
        teacher: frozen; its weights must not change while the cache is used.
        features: names of the features to keep.
        limit_bytes: memory that the answers may take.
    """

    def __init__(self, teacher: EyeNetwork, features: Iterable[str], limit_bytes: int) -> None:
        self.teacher = teacher
        self.hash = network_hash(teacher)
        self.features = tuple(dict.fromkeys(features))
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._kept: dict[Key, tuple[Tensor, ...]] = {}

    def run(self, x: Tensor, index: Tensor, seeds: Tensor) -> Output:
        """Return what ``teacher.run(x)`` returns for ``x (T, B, ...)``, asking it for unknown clips alone.

        ``index`` and ``seeds`` are ``(B,)`` whole numbers. Answers of one batch must have one number of steps.
        """
        keys = [(self.hash, i, s) for i, s in zip(index.tolist(), seeds.tolist(), strict=True)]
        unknown = [b for b, key in enumerate(keys) if key not in self._kept]
        fresh: dict[int, tuple[Tensor, ...]] = {}
        if unknown:
            output = self.teacher.run(x if len(unknown) == len(keys) else x[:, unknown])
            tensors = (output.logits, *(output.features[name] for name in self.features))
            for place, b in enumerate(unknown):
                fresh[b] = tuple(t[:, place].clone() for t in tensors)
        answers = [fresh[b] if b in fresh else self._kept[key] for b, key in enumerate(keys)]
        self.hits += len(keys) - len(unknown)
        self.misses += len(unknown)
        for b, key in enumerate(keys):
            self._keep(key, answers[b])
        logits, *features = (torch.stack(parts, dim=1) for parts in zip(*answers, strict=True))
        named: Features = dict(zip(self.features, features, strict=True))
        return Output(logits, named, None)

    def _keep(self, key: Key, answer: tuple[Tensor, ...]) -> None:
        size = _size(answer)
        if key not in self._kept and self.bytes + size <= self.limit_bytes:
            self._kept[key] = answer
            self.bytes += size


def _size(answer: tuple[Tensor, ...]) -> int:
    return sum(t.numel() * t.element_size() for t in answer)
