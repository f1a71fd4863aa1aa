"""A model folder: written whole, read back equal, and refused by name where it is not right."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from snnkd.errors import ModelError
from snnkd.models import EventStudent, FrameTeacher, load_model, save_model

EMOTIONS = ("a", "b", "c", "d", "e", "f", "g")


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    return save_model(
        EventStudent((32, 32), channels=(4, 8)),
        tmp_path / "model",
        emotions=EMOTIONS,
        input={"window_us": 33_333},
        training={"uar": 0.5},
    )


@pytest.mark.parametrize(
    "network", [EventStudent((48, 32), (4, 8), binary_input=False), FrameTeacher((32, 32), (4, 8))]
)
def test_round_trip(tmp_path, network):
    path = save_model(network, tmp_path / "m", emotions=EMOTIONS, input={"window_us": 5})
    read, config = load_model(path)
    assert type(read) is type(network)
    assert read.arguments == network.arguments
    assert config.emotions == EMOTIONS
    assert config.input == {"window_us": 5}
    assert not read.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(read.state_dict()[name], tensor)
    assert sorted(p.name for p in path.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_a_model_is_replaced_whole_and_nothing_else_is_touched(folder, tmp_path):
    save_model(EventStudent((32, 32), channels=(4, 6)), folder, emotions=EMOTIONS, input={})
    assert load_model(folder)[0].arguments["channels"] == [4, 6]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="holds files that are no model's"):
        save_model(EventStudent(), folder, emotions=EMOTIONS, input={})
    assert (folder / "notes.txt").read_text() == "mine"
    assert load_model(folder)[0].arguments["channels"] == [4, 6]


def test_a_replacement_that_fails_leaves_the_old_model(folder, tmp_path, monkeypatch):
    replace = os.replace

    def fail_into_place(source, target):
        if str(target) == str(folder) and not str(source).startswith(str(tmp_path / ".model-old")):
            raise OSError("disk full")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_into_place)
    with pytest.raises(OSError, match="disk full"):
        save_model(EventStudent((32, 32), channels=(4, 6)), folder, emotions=EMOTIONS, input={})
    assert load_model(folder)[0].arguments["channels"] == [4, 8]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_diverged_network_is_not_written(tmp_path):
    network = EventStudent((32, 32), (4, 8))
    network.head.bias.data[0] = float("nan")
    with pytest.raises(ModelError, match=r"not written: tensor 'head.bias' holds NaN"):
        save_model(network, tmp_path / "m", emotions=EMOTIONS, input={})
    with pytest.raises(ModelError, match="2 emotions do not name the network's 7 classes"):
        save_model(network, tmp_path / "m", emotions=("a", "b"), input={})
    assert not list(tmp_path.iterdir())


def edit_config(folder, **changes):
    path = folder / "config.json"
    data = json.loads(path.read_text())
    for key, value in changes.items():
        if value is None:
            del data[key]
        else:
            data[key] = value
    path.write_text(json.dumps(data))


def edit_weights(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


CASES = {
    "no config": (lambda f: (f / "config.json").unlink(), r"config.json: missing"),
    "cut config": (lambda f: (f / "config.json").write_text("{"), r"config.json: is not JSON"),
    "another library's": (lambda f: edit_config(f, format="bert"), "'format' is not 'snnkd-model'"),
    "newer": (lambda f: edit_config(f, version=9), "version 9 is not known here: update snnkd"),
    "missing key": (lambda f: edit_config(f, emotions=None), "key 'emotions' is missing"),
    "architecture": (lambda f: edit_config(f, architecture="Net"), "architecture 'Net' is not known"),
    "arguments": (
        lambda f: edit_config(f, arguments={"classes": 7, "depth": 3}),
        "arguments do not build EventStudent: .*depth",
    ),
    "emotions": (lambda f: edit_config(f, emotions=["a"]), "1 emotions do not name 7 classes"),
    "no channels": (
        lambda f: edit_config(f, arguments={"classes": 7, "channels": []}),
        "arguments do not build EventStudent",
    ),
    "no truth value": (
        lambda f: edit_config(f, arguments={"classes": 7, "binary_input": "no"}),
        "binary_input must be true or false, got 'no'",
    ),
    "nested": (lambda f: (f / "config.json").write_text("[" * 100_000), "is not JSON"),
    "twice": (lambda f: edit_config(f, emotions=["a"] * 7), "'emotions' must be names, each once"),
    "NaN": (
        lambda f: edit_weights(f, lambda t: t["head.bias"].fill_(float("nan"))),
        "tensor 'head.bias' holds NaN or infinite values",
    ),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors: missing"),
    "cut weights": (
        lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-9]),
        "is cut or no safetensors file",
    ),
    "missing tensor": (lambda f: edit_weights(f, lambda t: t.pop("head.bias")), "tensor 'head.bias' is missing"),
    "wrong shape": (
        lambda f: edit_weights(f, lambda t: t.update({"head.bias": torch.zeros(3)})),
        r"tensor 'head.bias' has shape \(3,\), .* asks for \(7,\)",
    ),
    "wrong dtype": (
        lambda f: edit_weights(f, lambda t: t.update({"head.bias": torch.zeros(7, dtype=torch.float64)})),
        "tensor 'head.bias' is torch.float64, expected torch.float32",
    ),
    "extra tensor": (lambda f: edit_weights(f, lambda t: t.update(x=torch.zeros(1))), "unknown tensor 'x'"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_folder_is_refused_in_one_line_that_names_the_file(folder, case):
    breaks, message = CASES[case]
    breaks(folder)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="no such model folder"):
        load_model(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="is a file: give the model's folder"):
        load_model(tmp_path / "file")
