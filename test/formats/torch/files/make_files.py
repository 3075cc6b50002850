"""Writes the checkpoint files of this folder, and expected.json with what they hold.

    python make_files.py        # with torch 2.x and numpy 2
    python make_files.py old    # with torch 1.13 and numpy 1: only the files that begin with old-

The values come from formulas, so that the same versions write the same tensors again. expected.json has, for
each file, the states by path, and for each tensor its shape, torch's type, and its elements as float64 (whole
numbers as texts, since JSON has no 64-bit ones).
"""

import argparse
import collections
import json
import pathlib
import random
import sys

import numpy
import torch
from torch import nn

folder = pathlib.Path(__file__).parent
expected = {}


def ramp(*shape, dtype=torch.float32):
    count = 1
    for size in shape:
        count *= size
    return (torch.arange(count, dtype=torch.float64) * 0.375 - 1.5).reshape(shape).to(dtype)


def elements(tensor):
    flat = tensor.detach().contiguous().reshape(-1)
    if tensor.dtype == torch.bool:
        return [int(value) for value in flat.tolist()]
    if tensor.dtype.is_floating_point:
        return flat.to(torch.float64).tolist()
    return [str(value) for value in flat.tolist()]


def describe(state):
    return {
        name: {"shape": list(t.shape), "dtype": str(t.dtype).removeprefix("torch."), "elements": elements(t)}
        for name, t in state.items()
        if isinstance(t, torch.Tensor)
    }


def save(name, value, states, **options):
    torch.save(value, folder / name, **options)
    expected[name] = {path: describe(state) for path, state in states.items()}


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, bias=False)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.norm(self.conv(x))


def block():
    module = Block()
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters()):
            parameter.copy_(ramp(*parameter.shape) + i)
        module.norm.running_mean.copy_(ramp(3))
    return module


def optimizer_of(module):
    optimizer = torch.optim.Adam(module.parameters(), lr=2e-4, betas=(0.5, 0.999))
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return optimizer


def types():
    return {
        "float32": ramp(2, 3),
        "float64": ramp(4, dtype=torch.float64),
        "float16": torch.tensor([0.5, -2, 65504, 6e-8, float("inf")], dtype=torch.float16),
        "bfloat16": torch.tensor([1.5, -3e38, 1e-40, 0], dtype=torch.bfloat16),
        "int64": torch.tensor([-(2**63), 2**63 - 1, 2**53 + 1]),
        "int32": torch.tensor([-(2**31), 7], dtype=torch.int32),
        "int16": torch.tensor([-32768, 32767], dtype=torch.int16),
        "int8": torch.tensor([-128, 127], dtype=torch.int8),
        "uint8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.5),
    }


def views():
    base = ramp(4, 6)
    cube = ramp(2, 3, 4)
    return {
        "base": base,
        "row": base[2],
        "column": base[:, 3],
        "block": base[1:3, 2:5],
        "transposed": base.t(),
        "steps": base[::2, ::3],
        "permuted": cube.permute(2, 0, 1),
        "channels_last": ramp(2, 3, 2, 2).contiguous(memory_format=torch.channels_last),
        "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 5),
        "windows": ramp(8).unfold(0, 4, 2),
        "overlapping": torch.as_strided(ramp(9), (3, 4), (2, 1), 1),
        "empty": torch.zeros(0, 3),
        "half_transposed": ramp(3, 5, dtype=torch.float16).t(),
        "long_transposed": torch.arange(6).reshape(2, 3).t(),
        "tied": base,
    }


def settings():
    return {
        "weights": {"w": ramp(2)},
        "best": numpy.float64(0.125),
        "best32": numpy.float32(0.5),
        "count": numpy.int64(3),
        "array": numpy.arange(3.0),
        "args": argparse.Namespace(lr=1e-3, name="a", sizes=[1, 2]),
        "counter": collections.Counter("abca"),
        "default": collections.defaultdict(list, {"a": [1]}),
        "device": torch.device("cuda", 1),
        "dtype": torch.float16,
        "size": torch.Size([2, 3]),
        "set": {1, 2},
        "frozen": frozenset([3]),
        "bytes": b"\x00\xff",
        "no_bytes": b"",
        "bytearray": bytearray(b"abc"),
        "numbers": [1, 256, 70000, -1, 2**40, -(2**70), 0.5, None, True, False, 1j],
        "texts": ["ä", "語", "", "x" * 300],
        "random": random.Random(1).getstate(),
        "torch_random": torch.get_rng_state()[:16].clone(),
        3: torch.tensor([3.0]),
        "__proto__": torch.tensor([4.0]),
        "constructor": {"__proto__": {"toString": torch.tensor([5.0])}},
        "list": [ramp(1), {"inner": ramp(3)}],
        "nested": ({"a": {"b.c": {"deep": ramp(2)}}},),
    }


def settings_states(value):
    top = {"torch_random": value["torch_random"], "3": value[3], "__proto__": value["__proto__"]}
    return {
        "": top,
        "weights": value["weights"],
        "constructor.__proto__": value["constructor"]["__proto__"],
        "list.1": value["list"][1],
        "nested.0.a.b.c": value["nested"][0]["a"]["b.c"],
    }


def fomm():
    """As logger.py of the First Order Motion Model saves."""
    modules = {name: block() for name in ["generator", "discriminator", "kp_detector"]}
    optimizers = {f"optimizer_{name}": optimizer_of(module) for name, module in modules.items()}
    value = {name: module.state_dict() for name, module in modules.items()}
    value.update({name: optimizer.state_dict() for name, optimizer in optimizers.items()})
    value["epoch"] = 99
    states = {name: value[name] for name in modules}
    for name in optimizers:
        for index, state in value[name]["state"].items():
            states[f"{name}.state.{index}"] = state
    return value, states


def old():
    legacy = {"_use_new_zipfile_serialization": False}
    value, states = fomm()
    save("old-fomm.pth.tar", value, states, **legacy)
    value, states = fomm()
    save("old-fomm-zip.pth.tar", value, states)
    value = settings()
    save("old-settings-zip.pt", value, settings_states(value))
    state = views()
    save("old-views-legacy.pt", state, {"": state}, **legacy)


def new():
    legacy = {"_use_new_zipfile_serialization": False}
    for ending, options in [("zip", {}), ("legacy", legacy)]:
        state = types()
        save(f"types-{ending}.pt", state, {"": state}, **options)
        state = views()
        save(f"views-{ending}.pt", state, {"": state}, **options)
        value = settings()
        save(f"settings-{ending}.pt", value, settings_states(value), **options)
        value, states = fomm()
        save(f"fomm-{ending}.pth.tar", value, states, **options)
        for protocol in [3, 4, 5]:
            value = settings()
            name = f"protocol{protocol}-{ending}.pt"
            save(name, value, settings_states(value), pickle_protocol=protocol, **options)

    wide = {
        "uint16": torch.tensor([0, 65535], dtype=torch.uint16),
        "uint32": torch.tensor([2**32 - 1, 1], dtype=torch.uint32),
    }
    save("wide.pt", wide, {"": wide})
    parallel = nn.DataParallel(block())
    value = {"state_dict": parallel.state_dict(), "epoch": 3, "optimizer": optimizer_of(parallel).state_dict()}
    states = {"state_dict": value["state_dict"]}
    states.update({f"optimizer.state.{i}": s for i, s in value["optimizer"]["state"].items()})
    save("module.pth", value, states)

    tagged = nn.Parameter(ramp(2))
    tagged.is_special = True
    attributed = ramp(3)
    attributed.note = "text"
    shared = {"w": ramp(2, 2)}
    value = {
        "parameter": nn.Parameter(ramp(2)),
        "tagged": tagged,
        "attributed": attributed,
        "model": shared,
        "ema": shared,
    }
    value["itself"] = value
    top = {key: value[key] for key in ["parameter", "tagged", "attributed"]}
    save("parameters.pt", value, {"": top, "model": shared, "ema": shared, "itself": top})
    unheld = {"complex": torch.tensor([1 + 2j]), "float8": ramp(2).to(torch.float8_e4m3fn), "kept": ramp(1)}
    unheld["uint64"] = torch.tensor([2**64 - 1], dtype=torch.uint64)
    save("unheld.pt", unheld, {})
    save("bare.pt", ramp(2), {})
    torch.save(nn.Linear(1, 1), folder / "network.pt")
    torch.jit.script(nn.Linear(1, 1)).save(folder / "script.pt")


torch.manual_seed(0)
is_old = sys.argv[1:] == ["old"]
old() if is_old else new()
path = folder / "expected.json"
before = json.loads(path.read_text()) if path.exists() else {}
kept = {name: states for name, states in before.items() if name.startswith("old-") != is_old}
text = json.dumps({**kept, **expected}, sort_keys=False, separators=(",", ":"))
path.write_text(text.replace("Infinity", "1e999") + "\n")
