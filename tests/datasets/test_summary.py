"""What ``snnkd info`` says of a dataset."""

from snnkd.datasets import EMOTIONS
from snnkd.datasets.summary import describe, holds_dataset, table


def test_eyesim(eyesim_root):
    facts = describe(eyesim_root)
    assert holds_dataset(eyesim_root)
    assert (facts["dataset"], facts["persons"], facts["sequences"]) == ("EyeSim", 5, 35)
    assert facts["emotions"] == {emotion: {"normal": 5} for emotion in EMOTIONS}
    assert facts["windows"] == {"fewest": 15, "most": 15, "total": 35 * 15}
    assert "5 persons, 35 sequences of 15 windows, 17 s" in table(facts)


def test_see(see_root, tmp_path):
    facts = describe(see_root)
    assert (facts["dataset"], facts["persons"], facts["sequences"]) == ("SEE", 4, 28)
    # Each of the four persons sits in one light.
    assert facts["emotions"]["fear"] == {"normal": 1, "overexposed": 1, "low-light": 1, "HDR": 1}
    assert all(name in table(facts) for name in ("overexposed", "low-light", "HDR", "neutral"))
    assert not holds_dataset(tmp_path)
