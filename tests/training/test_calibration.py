"""Temperatures: the likeliest one."""

import pytest
import torch
from torch.nn import functional

from snnkd.training.calibration import FLATTEST, SHARPEST, fit_temperature


@pytest.mark.parametrize("true", [0.3, 1.0, 4.0])
def test_the_temperature_that_labels_were_drawn_with_is_found(true):
    generator = torch.Generator().manual_seed(0)
    z = 3 * true * torch.randn(20_000, 7, generator=generator)
    labels = torch.multinomial(functional.softmax(z / true, 1), 1, generator=generator)[:, 0]
    found = fit_temperature(z, labels)
    assert found == pytest.approx(true, rel=0.05)
    losses = [functional.cross_entropy(z / (found * f), labels).item() for f in (0.98, 1.0, 1.02)]
    assert losses[1] == min(losses)


def test_bounds_and_what_is_refused():
    z = torch.tensor([[5.0, 0.0], [0.0, 3.0]])
    assert fit_temperature(z, torch.tensor([0, 1])) == pytest.approx(SHARPEST, rel=1e-6)  # always right
    assert fit_temperature(z, torch.tensor([1, 0])) == pytest.approx(FLATTEST, rel=1e-6)  # always wrong
    with pytest.raises(ValueError, match="at least one label"):
        fit_temperature(z[:0], torch.zeros(0, dtype=torch.long))
    with pytest.raises(ValueError, match="must be finite"):
        fit_temperature(z * float("nan"), torch.tensor([0, 1]))
