"""ONNX Runtime's own static quantiser on the graph and the frames that `pantin bench compress` wrote.

    python bench/peers/quantise.py FOLDER

FOLDER has float.onnx and calibration.f32, the frames as float32 [N, 3, size, size]. Ranges are by min-max, values uint8,
weights int8 for each channel. For each set of kinds of ops, FOLDER gets a file. Prints the files as one line of JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

sets = [["Conv"], ["Conv", "MatMul", "Add", "Relu", "Resize", "Concat"]]

folder = Path(sys.argv[1])
source = folder / "float.onnx"
[fed] = onnx.load(str(source)).graph.input
size = fed.type.tensor_type.shape.dim[2].dim_value
frames = np.fromfile(folder / "calibration.f32", dtype=np.float32).reshape(-1, 1, 3, size, size)


class Reader(CalibrationDataReader):
    def __init__(self):
        self.left = iter(frames)

    def get_next(self):
        frame = next(self.left, None)
        return None if frame is None else {fed.name: frame}


files = []
for kinds in sets:
    out = folder / f"peer-{len(kinds)}.onnx"
    quantize_static(
        str(source),
        str(out),
        Reader(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=kinds,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    files.append({"kinds": kinds, "file": out.name})
print(json.dumps({"version": ort.__version__, "files": files}))
