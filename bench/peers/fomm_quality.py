"""The published FOMM in plain PyTorch, trained on a clip until its held-out L1 is a part of the still picture's.

It is `publishedConfig` of src/motion/config.ts (hourglass detector, dense motion and generator at the published widths),
with pantin's losses, on the frames as pantin's training sees them. `pantin bench quality` writes the frames and runs this
script; with `--keep FOLDER` it leaves them for further runs:

    python fomm_quality.py FOLDER --threads 2 --target 0.6 --limit 60

It prints one line of JSON for each evaluation. Only steps count in `minutes`.
"""

import argparse
import json
import math
import pathlib
import time

import torch
from motion_model import Config
from training_loss import SPLINE_POINTS, images, make_model

# The published warps, as src/evaluate/warp.ts has them.
SIGMA_AFFINE, SIGMA_SPLINE = 0.05, 0.005
EVALUATED_AT_ONCE = 4


def read_frames(folder):
    """The description of frames.json, and frames [count, size, size, 3] as bytes."""
    meta = json.loads((folder / "frames.json").read_text())
    data = bytearray((folder / "frames.rgb").read_bytes())
    return meta, torch.frombuffer(data, dtype=torch.uint8).view(meta["count"], meta["size"], meta["size"], 3)


def draw(frames, batch):
    """Pairs of different frames and random warps, as src/train draws them."""
    source = torch.randint(len(frames), (batch,))
    driving = (source + 1 + torch.randint(len(frames) - 1, (batch,))) % len(frames)
    return {
        "frames": frames[torch.cat([source, driving])],
        "theta": torch.eye(2, 3) + SIGMA_AFFINE * torch.randn(batch, 2, 3),
        "spline": SIGMA_SPLINE * torch.randn(batch, SPLINE_POINTS**2, 1),
    }


def as_bytes(picture):
    return (picture * 255 + 0.5).clamp(0, 255).byte()


@torch.no_grad()
def held_out_l1(model, first, driving):
    """Mean absolute difference of the driving frames to the first frame that they drive, and to the first frame itself.

    Results are rounded to bytes and keypoints are absolute, as `pantin eval --from` has it.
    """
    model.eval()
    source = images(model, first[None])
    kp_source = model.kp_detector(source)
    made = still = 0.0
    for frames in driving.split(EVALUATED_AT_ONCE):
        n = len(frames)
        pictures = images(model, frames)
        kp = tuple(part.expand(n, *part.shape[1:]) for part in kp_source)
        wide = source.expand(n, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        prediction = model.generator(wide, kp, model.kp_detector(pictures))
        truth = frames.permute(0, 3, 1, 2).float()
        made += (as_bytes(prediction).float() - truth).abs().mean().item() / 255 * n
        still += (first.permute(2, 0, 1).float() - truth).abs().mean().item() / 255 * n
    model.train()
    return made / len(driving), still / len(driving)


def main():
    parser = argparse.ArgumentParser(description="The published FOMM until its held-out L1 is low enough.")
    parser.add_argument("folder", type=pathlib.Path, help="frames.json and frames.rgb of bench quality")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch", type=int, default=8, help="pairs of frames of a step")
    parser.add_argument("--learning-rate", type=float, default=2e-4, help="as published")
    parser.add_argument("--target", type=float, default=0.6, help="L1 over the still picture's at which it ends")
    parser.add_argument("--limit", type=float, default=60, help="minutes of steps after which it gives up")
    parser.add_argument("--interval", type=float, default=60, help="seconds of steps between evaluations")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    meta, frames = read_frames(args.folder)
    trained, driving = frames[: meta["training"]], frames[meta["from"] :]
    model = make_model("step", Config("hourglass", meta["size"], "published"), channels_last=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate, betas=(0.5, 0.999), fused=True)

    steps, seconds, evaluated, ratio = 0, 0.0, 0.0, math.inf
    while ratio > args.target and seconds < 60 * args.limit:
        began = time.perf_counter()
        loss = sum(model(**draw(trained, args.batch)).values())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if not math.isfinite(loss.item()):
            raise SystemExit("the loss is not finite")
        seconds += time.perf_counter() - began
        steps += 1
        if seconds - evaluated < args.interval and seconds < 60 * args.limit:
            continue
        evaluated = seconds
        l1, still = held_out_l1(model, frames[0], driving)
        ratio = l1 / still
        found = {"steps": steps, "minutes": seconds / 60, "l1": l1, "still": still, "ratio": ratio}
        print(json.dumps({**found, "version": torch.__version__}), flush=True)


if __name__ == "__main__":
    main()
