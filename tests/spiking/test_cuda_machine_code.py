"""What Triton compiles the CUDA backend's kernels to, for a GPU that need not be there."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")

COMPILE = """
import json, re, sys
import torch, triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction
from snnkd.spiking.backends import cuda
from snnkd.spiking.backends.kernels import Neuron, Parameters, Want

class Driver:
    get_current_device = staticmethod(lambda: 0)
    get_current_stream = staticmethod(lambda device: 0)
    get_current_target = staticmethod(lambda: GPUTarget("cuda", 90, 32))
    get_active_torch_device = staticmethod(lambda: torch.device("cpu"))

def launch(kernel, grid):
    def compile(*args, **options):
        made = kernel.warmup(*args, grid=(1,), **options)
        instructions = re.findall(r"\\b(LDG|STG|LDL|STL|LDS|STS|FFMA|DFMA)((?:\\.[A-Z0-9]+)*)", made.asm["sass"])
        counts = {}
        for name, suffix in instructions:
            name = name + ".128" * (".128" in suffix) + ".64" * (".64" in suffix)
            counts[name] = counts.get(name, 0) + 1
        print(json.dumps([kernel.__name__, counts]), flush=True)
    return compile

triton.runtime.driver.set_active(Driver())
JITFunction.__getitem__ = launch
try:
    cuda.pack(torch.empty(8))
except Exception as error:
    sys.exit(f"cannot compile: {error}")
steps, neurons = json.loads(sys.argv[1])
for dtype in (torch.float32, torch.bfloat16):
    x, state, one = torch.empty(steps, neurons, dtype=dtype), torch.empty(neurons), torch.empty(1)
    parameters = Parameters(one, one, 1)
    cuda.forward(x, state, parameters, Neuron())
    cuda.backward(x, None, x, state, parameters, Neuron(), Want())
    bits = cuda.forward_two_bit(x, state, parameters, Neuron("rectangle", 0.5))[2]
    cuda.backward_two_bit_(torch.empty_like(x), x, None, bits, state, parameters, Neuron("rectangle", 0.5))
"""


@pytest.mark.parametrize(("steps", "neurons"), [(32, 2**20), (7, 2**20 + 3)])
def test_machine_code_for_hopper(tmp_path, steps, neurons):
    """What a GPU would run: no fused products, no registers spilled, no detour through shared memory, wide accesses."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"} | {"TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", COMPILE, json.dumps([steps, neurons])]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.stderr.startswith("cannot compile"):
        pytest.skip(result.stderr.strip().splitlines()[0])
    assert result.returncode == 0, result.stderr
    _, *made = (json.loads(line) for line in result.stdout.splitlines())
    assert len(made) == 8
    for kernel, counts in made:
        assert not set(counts) & {"LDL", "STL", "LDS", "STS", "FFMA", "DFMA"}, (kernel, counts)
    if steps == 32:
        wide = [(counts.get("LDG.128", 0), counts.get("LDG.64", 0)) for _, counts in made]
        # fp32: 16 bytes a thread, but 8 in the backward pass that holds 32 membranes; bf16: half of it.
        assert wide[0][0] >= 8
        assert wide[1][1] >= 64
        assert wide[2][0] >= 8
        assert wide[4][1] >= 8
        assert wide[6][1] >= 4
