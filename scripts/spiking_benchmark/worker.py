"""Time contenders on cases: a job a line of JSON on the standard input, its result a line on the output.

A job: {"case": "lif", "contender": "snnkd", "shape": [...], "dtype": "float32", "device": "cpu", ...}
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[2]))
import contenders


def clock(call: Callable[[], object], device: str, seconds: float) -> list[float]:
    """Seconds of each call, synchronised, after a warm-up; as many as fit, three at least and fifty at most."""
    # Until the allocator has found its places: with tensors of 512 MB that took four calls.
    for _ in range(6):
        call()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < seconds and len(times) < 50):
        if device == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        result = call()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
        del result
    return times


def neuron(job: dict[str, Any]) -> dict[str, Any]:
    """Forward and backward of a neuron (behind a linear layer where the case says so)."""
    device, dtype, shape = job["device"], getattr(torch, job["dtype"]), job["shape"]
    make = contenders.NEURONS[job["contender"]]
    run = contenders.linear_then(make, shape[-1], device) if job["case"] == "linear" else make(device)
    torch.manual_seed(0)
    x = torch.randn(shape, device=device).to(dtype)
    grad = torch.randn(shape, device=device).to(dtype)
    if job.get("channels_last"):
        x, grad = (v.movedim(2, -1).contiguous().movedim(-1, 2) for v in (x, grad))
    x.requires_grad_()

    def step() -> Any:
        return torch.autograd.grad(run(x), x, grad)

    times = clock(step, device, job["seconds"])
    with contenders.kept_bytes() as kept:
        spikes = run(x)
    found = {"kept_bytes": sum(kept.values()), "firing": float((spikes != 0).float().mean())}
    # What the same traffic costs at least: read x, write spikes; read x and the gradient, write the gradient of x.
    out, other, data = torch.empty_like(grad), torch.empty_like(grad), x.detach()

    def traffic() -> None:
        out.copy_(data)
        torch.add(data, grad, out=other)

    bound = clock(traffic, device, job["seconds"] / 2)
    return {"times": times, "bound": bound, "bytes": 5 * x.numel() * x.element_size(), **found}


def student(job: dict[str, Any]) -> dict[str, Any]:
    """A training step of the student: forward, loss, backward, SGD."""
    steps, batch, size, device = *job["shape"], job["device"]
    torch.manual_seed(0)
    network = contenders.student(job["contender"], size).to(device).train()
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    x = (torch.rand(steps, batch, 2, size, size) < 0.05).float().to(device)
    labels = torch.randint(0, 7, (batch,), device=device)

    def loss() -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=job["dtype"] == "bfloat16"):
            out = network(x)
        return nn.functional.cross_entropy((out if isinstance(out, Tensor) else out.logits).float().mean(0), labels)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    times = clock(step, device, job["seconds"])
    with contenders.kept_bytes() as kept:
        value = loss()
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}
    return {
        "times": times,
        "kept_bytes": sum(size for place, size in kept.items() if place not in own),
        "loss": float(value.detach()),
    }


def measured(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job."""
    on_gpu = job["device"] == "cuda"
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    elif job["keep_memory"]:
        from snnkd.spiking import keep_freed_memory

        keep_freed_memory()
    result = student(job) if job["case"] == "student" else neuron(job)
    for name in ("times", "bound"):
        if name in result:
            times = result.pop(name)
            result[name] = {"median": statistics.median(times), "minimum": min(times), "count": len(times)}
    result["peak_bytes"] = (
        torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    return result


def main() -> None:
    """Run the jobs, one after another."""
    told, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no result
    for line in sys.stdin:
        print(json.dumps(measured(json.loads(line))), file=told, flush=True)


if __name__ == "__main__":
    main()
