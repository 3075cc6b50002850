"""One training step of a motion model, in plain PyTorch: what pantin's step is held against.

The model is that of motion_model.py (batch 8, 10 keypoints with jacobians), the step that of
src/train/reconstruction/step.ts, and parameters have the same names. README.md beside this file says how to run it and
what is compared.

    python training_step.py --net ficelle --threads 2 --steps 30 --json     # time it
    python training_step.py --net ficelle --generator light --size 128      # the same for the light model at 128x128
    python training_step.py --check FOLDER                                  # hold it to export_step.mjs's numbers
"""

import argparse
import json
import math
import pathlib
import resource
import statistics
import struct
import time

import torch
import torch.nn.functional as F
from motion_model import GENERATORS, KEYPOINTS, Config
from networks import NETS
from training_loss import SPLINE_POINTS, make_model

BATCH = 8
ADAM = {"lr": 2e-3, "betas": (0.5, 0.999), "eps": 1e-8}


def make_inputs(what, size):
    """A batch of the right shapes, where no folder gives one."""
    generator = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    count = 2 * BATCH if what == "step" else BATCH
    smooth = F.interpolate(normal(count, 3, 8, 8), size, mode="bicubic") * 60 + 128
    frames = smooth.clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()
    if what == "step":
        theta = torch.eye(2, 3) + 0.05 * normal(BATCH, 2, 3)
        return {"frames": frames, "theta": theta, "spline": 0.005 * normal(BATCH, SPLINE_POINTS**2, 1)}
    jacobian = torch.eye(2) + 0.1 * normal(BATCH, KEYPOINTS, 2, 2)
    return {"frames": frames, "value": 0.5 * normal(BATCH, KEYPOINTS, 2), "jacobian": jacobian}


# ------------------------------------------------------------------------------------------------------- check


def read_safetensors(path):
    types = {"F32": torch.float32, "U8": torch.uint8}
    data = bytearray(pathlib.Path(path).read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            flat = torch.frombuffer(data[begin:end], dtype=types[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


def relative(got, expected, floor=0.0):
    return ((got - expected).norm() / max(expected.norm().item(), floor, 1e-30)).item()


def described(config):
    return f"{config.net} with the {config.generator} generator at {config.size}x{config.size}"


def check(folder, args):
    """Compares losses, gradients, the update and the running statistics with those in the folder."""
    meta = json.loads((folder / "step.json").read_text())
    state = read_safetensors(folder / "state.safetensors")
    inputs = read_safetensors(folder / "inputs.safetensors")
    expected = read_safetensors(folder / "results.safetensors")
    config = Config(meta["net"], meta["size"], meta["generator"])
    model = make_model(meta["what"], config, args.channels_last)
    weights = {name: value for name, value in state.items() if not name.startswith("adam.")}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise SystemExit(f"the models differ: missing here {unexpected}, too many here {missing}")
    optimizer = make_optimizer(model, args)
    for name, p in model.named_parameters():
        # The fused optimiser walks through memory: moments are laid out as the parameter is.
        first, second = (torch.empty_like(p).copy_(state[f"adam.{key}.{name}"]) for key in ("first", "second"))
        optimizer.state[p] = {"step": torch.tensor(float(meta["steps"])), "exp_avg": first, "exp_avg_sq": second}
    if args.double:
        model.double()
        inputs = {k: v if v.dtype == torch.uint8 else v.double() for k, v in inputs.items()}

    terms = model(**inputs)
    loss = sum(terms.values())
    loss.backward()
    got = {**terms, "loss": loss}
    losses = {name: relative(got[name].detach(), expected[f"loss.{name}"]) for name in got}

    grads = {name: p.grad for name, p in model.named_parameters()}
    wanted = {name: expected[f"gradient.{name}"] for name in grads}
    everything = torch.cat([g.flatten() for g in wanted.values()])
    overall = relative(torch.cat([g.flatten() for g in grads.values()]), everything)
    # A bias in front of a norm has a gradient of 0, of which both sides compute rounding errors.
    floor = 1e-4 * everything.norm().item()
    idle = [name for name in wanted if wanted[name].norm() < floor]
    each = sorted(((relative(grads[n], wanted[n], floor), n) for n in grads), reverse=True)

    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    if not args.double:
        optimizer.step()
    live = [name for name in before if name not in idle]
    now = dict(model.named_parameters())
    ours = torch.cat([(expected[f"next.{n}"] - before[n]).flatten() for n in live])
    update = relative(torch.cat([(now[n].detach() - before[n]).flatten() for n in live]), ours)
    buffers = {
        name: relative(value, expected[f"next.{name}"])
        for name, value in model.named_buffers()
        if f"next.{name}" in expected
    }

    print(f"{meta['what']} of {described(config)}, after {meta['steps']} steps")
    for name, error in losses.items():
        print(f"  {name:<22} {got[name].item():.7f}  relative error {error:.1e}")
    print(f"  gradient, overall      {everything.norm().item():.7f}  relative error {overall:.1e}")
    for error, name in each[:5]:
        print(f"    {error:.1e}  {name}")
    print(f"    ({len(idle)} of {len(each)} parameters have a gradient of 0 up to rounding)")
    if not args.double:
        print(f"  Adam's update          relative error {update:.1e}")
    worst = max(buffers, key=buffers.get)
    print(f"  running statistics     relative error {buffers[worst]:.1e} at most ({worst})")
    if max(losses.values()) > 1e-5 or overall > 1e-3:
        raise SystemExit("  FAILED: losses are to agree to 1e-5, the gradient to 1e-3")


# ------------------------------------------------------------------------------------------------------ timing


def make_optimizer(model, args):
    kinds = {"fused": {"fused": True}, "foreach": {"foreach": True}, "single": {"foreach": False}}
    return torch.optim.Adam(model.parameters(), **ADAM, **kinds[args.adam])


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(args):
    imported = peak_mib()
    config = Config(args.net, args.size, args.generator)
    model = make_model(args.what, config, args.channels_last)
    inputs = make_inputs(args.what, args.size)
    optimizer = make_optimizer(model, args)
    losses_of = torch.compile(model) if args.compile else model

    def step():
        terms = losses_of(**inputs)
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if args.norm:
            torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
        optimizer.step()
        return loss.item()

    began = time.perf_counter()
    step()
    first = time.perf_counter() - began
    for _ in range(args.warmup):
        step()
    times = []
    processor = time.process_time()
    for _ in range(args.steps):
        began = time.perf_counter()
        loss = step()
        times.append(1e3 * (time.perf_counter() - began))
    processor = 1e3 * (time.process_time() - processor)
    if not math.isfinite(loss):
        raise SystemExit("the loss is not finite")
    if args.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            for _ in range(5):
                step()
        table = profile.key_averages()
        print(table.table(sort_by="self_cpu_time_total", row_limit=args.profile, max_name_column_width=50))
    return {
        "peer": "torch",
        "version": torch.__version__,
        "what": args.what,
        "net": args.net,
        "generator": args.generator,
        "size": args.size,
        "threads": torch.get_num_threads(),
        "steps": args.steps,
        "median_ms": round(statistics.median(times), 2),
        "min_ms": round(min(times), 2),
        "first_ms": round(1e3 * first, 2),
        "cores": round(processor / sum(times), 2),
        "processor_ms": round(processor / args.steps, 2),
        "peak_rss_mib": round(peak_mib()),
        "import_rss_mib": round(imported),
        "channels_last": args.channels_last,
        "adam": args.adam,
        "compile": args.compile,
    }


def main():
    parser = argparse.ArgumentParser(description="One training step of a motion model in PyTorch.")
    parser.add_argument("--net", choices=NETS, default="lednet")
    parser.add_argument("--generator", choices=GENERATORS, default="small", help="published: all of the published model")
    parser.add_argument("--size", type=int, default=64, help="side of the frames in pixels")
    parser.add_argument("--what", choices=("step", "detector"), default="step", help="the whole step, or distillation")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=30, help="steps that are timed")
    parser.add_argument("--warmup", type=int, default=5, help="steps before them")
    parser.add_argument("--adam", choices=("fused", "foreach", "single"), default="fused")
    layout = argparse.BooleanOptionalAction
    parser.add_argument("--channels-last", action=layout, default=True, help="memory layout of maps and kernels")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--norm", action="store_true", help="compute the gradient's norm, as our step does")
    parser.add_argument("--profile", type=int, metavar="ROWS", default=0, help="print the costliest operators")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", type=pathlib.Path, metavar="FOLDER", help="compare with export_step.mjs's numbers")
    parser.add_argument("--double", action="store_true", help="check in float64")
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    if args.check:
        check(args.check, args)
        return
    result = measure(args)
    if args.json:
        print(json.dumps(result))
    else:
        print("  ".join(f"{key} {value}" for key, value in result.items()))


if __name__ == "__main__":
    main()
