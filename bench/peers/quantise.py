"""ONNX Runtime's own static quantiser on the graph and the frames that quantise.mjs wrote, beside our eight bits.

    python bench/peers/quantise.py FOLDER [rounds]

Prints the mean distance of keypoints to those of the float graph, and times of one thread, in turn.
"""

import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

folder = Path(sys.argv[1])
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 100


def opened(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


float_session = opened(folder / "float.onnx")
size = float_session.get_inputs()[0].shape[2]


def frames(name):
    return np.fromfile(folder / f"{name}.f32", dtype=np.float32).reshape(-1, 1, 3, size, size)


class Reader(CalibrationDataReader):
    def __init__(self):
        self.left = iter(frames("calibration"))

    def get_next(self):
        frame = next(self.left, None)
        return None if frame is None else {"frame": frame}


sets = {
    "theirs: Conv": ["Conv"],
    "theirs: Conv MatMul Add Relu Resize Concat": ["Conv", "MatMul", "Add", "Relu", "Resize", "Concat"],
}
sessions = {"float": float_session, "ours": opened(folder / "ours.onnx")}
for name, kinds in sets.items():
    out = folder / f"theirs-{len(kinds)}.onnx"
    quantize_static(
        str(folder / "float.onnx"),
        str(out),
        Reader(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=kinds,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    sessions[name] = opened(out)

measured = frames("measured")


def points(session):
    return np.concatenate([session.run(["value"], {"frame": frame})[0] for frame in measured])


expected = points(float_session)
distances = {name: np.linalg.norm(points(one) - expected, axis=-1).mean() for name, one in sessions.items()}
times = {name: [] for name in sessions}
for _ in range(rounds):
    for name, session in sessions.items():
        began = time.process_time()
        session.run(None, {"frame": measured[0]})
        times[name].append(time.process_time() - began)
base = np.median(times["float"])
for name in sessions:
    median, least = np.median(times[name]), np.min(times[name])
    print(
        f"{name:45} distance {distances[name]:.2e}  median {1000 * median:.3f} ms"
        f"  least {1000 * least:.3f} ms  speed {base / median:.2f}"
    )
