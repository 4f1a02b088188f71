"""Times a network in LiteRT INT8, ONNX Runtime INT8 and tract, one thread each.

Reads the network as JSON from standard input (`main.rs` writes it), prints the best nanoseconds of each as JSON. Weights and
input are random: what they are does not change the time.
"""

import json
import os
import sys
import tempfile
import time

import flatbuffers
import numpy as np
import onnx
import onnxruntime as ort
import tract
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

SECONDS = 3.0
rng = np.random.default_rng(1)


def best(run):
    """The least nanoseconds of a call, over a few seconds."""
    for _ in range(5):
        run()
    least, end = float("inf"), time.monotonic() + SECONDS
    while time.monotonic() < end:
        start = time.perf_counter_ns()
        run()
        least = min(least, time.perf_counter_ns() - start)
    return least


class TfLite:
    """An INT8 model for LiteRT, written with its own schema."""

    def __init__(self):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph = schema.SubGraphT()
        self.model.subgraphs = [self.graph]
        self.graph.tensors, self.graph.operators, self.codes = [], [], {}

    def tensor(self, shape, data=None, scale=(0.02,), axis=0):
        tensor = schema.TensorT()
        tensor.shape, tensor.name = [int(side) for side in shape], f"t{len(self.graph.tensors)}"
        tensor.type = schema.TensorType.INT32 if data is not None and data.dtype == np.int32 else schema.TensorType.INT8
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        quantization = schema.QuantizationParametersT()
        quantization.scale = [float(value) for value in scale]
        quantization.zeroPoint = [0] * len(quantization.scale)
        quantization.quantizedDimension = axis
        tensor.quantization = quantization
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, code, options, inputs, outputs):
        if code not in self.codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode = entry.deprecatedBuiltinCode = code
            versions = {schema.BuiltinOperator.FULLY_CONNECTED: 4, schema.BuiltinOperator.CONV_2D: 3,
                        schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3}
            entry.version = versions.get(code, 2)
            self.model.operatorCodes.append(entry)
            self.codes[code] = len(self.model.operatorCodes) - 1
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self.codes[code], inputs, outputs
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
        self.graph.operators.append(operator)

    def weighted(self, layer, place, shape):
        kernel, channels, fan_in = layer["size"], layer["output"][2], layer["fan_in"]
        if layer["kind"] == "convolution":
            code, options, axis = schema.BuiltinOperator.CONV_2D, schema.Conv2DOptionsT(), 0
            weight_shape = (channels, kernel, kernel, shape[3])
        elif layer["kind"] == "depthwise":
            code, options, axis = schema.BuiltinOperator.DEPTHWISE_CONV_2D, schema.DepthwiseConv2DOptionsT(), 3
            weight_shape, options.depthMultiplier = (1, kernel, kernel, channels), 1
        else:
            code, options, axis = schema.BuiltinOperator.FULLY_CONNECTED, schema.FullyConnectedOptionsT(), 0
            weight_shape = (channels, fan_in)
        if layer["kind"] != "dense":
            options.padding = schema.Padding.SAME
            options.strideH = options.strideW = layer["stride"]
            options.dilationHFactor = options.dilationWFactor = 1
            options.fusedActivationFunction = schema.ActivationFunctionType.RELU
        scale = rng.uniform(0.5, 1, channels) * 0.02 / fan_in**0.5
        weights = self.tensor(weight_shape, rng.integers(-127, 128, weight_shape, np.int8), scale, axis)
        bias = self.tensor((channels,), rng.integers(-1000, 1000, channels, np.int32), scale * 0.02)
        output = self.tensor((1, *layer["output"]) if layer["kind"] != "dense" else (1, channels))
        self.operator(code, options, [place, weights, bias], [output])
        return output

    def finish(self, inputs, outputs):
        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def litert(network):
    lite = TfLite()
    shapes, places = [(1, *network["input"])], []
    places.append(lite.tensor(shapes[0]))
    for layer in network["layers"]:
        first, shape = places[layer["input"]], shapes[layer["input"]]
        if layer["kind"] == "mean":
            options, axes = schema.ReducerOptionsT(), np.array([1, 2], np.int32)
            options.keepDims = True
            output = lite.tensor((1, *layer["output"]))
            lite.operator(schema.BuiltinOperator.MEAN, options, [first, lite.tensor((2,), axes)], [output])
        elif layer["kind"] in ("gate", "add"):
            code = getattr(schema.BuiltinOperator, "MUL" if layer["kind"] == "gate" else "ADD")
            options = schema.MulOptionsT() if layer["kind"] == "gate" else schema.AddOptionsT()
            output = lite.tensor((1, *layer["output"]))
            lite.operator(code, options, [first, places[layer["second"]]], [output])
        else:
            # As TensorFlow writes gates: dense layers that keep the four dimensions are convolutions.
            is_gate = layer["kind"] == "dense" and layer is not network["layers"][-1]
            output = lite.weighted(dict(layer, kind="convolution") if is_gate else layer, first, shape)
        places.append(output)
        shapes.append((1, *layer["output"]))
    model = Interpreter(model_content=lite.finish([places[0]], [places[-1]]), num_threads=1)
    model.allocate_tensors()
    model.set_tensor(model.get_input_details()[0]["index"], rng.integers(-128, 128, shapes[0], np.int8))
    return best(model._interpreter.Invoke)


def write_onnx(network, path):
    nodes, weights, names = [], [], ["glyph"]
    height, width, channels = network["input"]

    def constant(name, array):
        weights.append(numpy_helper.from_array(array, name))
        return name

    for index, layer in enumerate(network["layers"]):
        first, name = names[layer["input"]], f"y{index}"
        if layer["kind"] in ("convolution", "depthwise", "dense"):
            kernel, stride, outputs = layer["size"], layer["stride"], layer["output"][2]
            is_depthwise = layer["kind"] == "depthwise"
            inputs = 1 if is_depthwise else layer["fan_in"] // (kernel * kernel)
            spread = layer["fan_in"] ** -0.5
            array = rng.normal(0, spread, (outputs, inputs, kernel, kernel)).astype(np.float32)
            weight = constant(f"w{index}", array)
            bias = constant(f"b{index}", rng.normal(0, 0.1, outputs).astype(np.float32))
            padding = kernel // 2
            is_last = index + 1 == len(network["layers"])
            target = name if layer["kind"] == "dense" or is_last else f"c{index}"
            nodes.append(helper.make_node("Conv", [first, weight, bias], [target], kernel_shape=[kernel] * 2,
                                          strides=[stride] * 2, pads=[padding] * 4, group=outputs if is_depthwise else 1))
            if target != name:
                nodes.append(helper.make_node("Relu", [target], [name]))
        elif layer["kind"] == "mean":
            nodes.append(helper.make_node("GlobalAveragePool", [first], [name]))
        else:
            operation = "Mul" if layer["kind"] == "gate" else "Add"
            nodes.append(helper.make_node(operation, [first, names[layer["second"]]], [name]))
        names.append(name)
    glyph = helper.make_tensor_value_info("glyph", TensorProto.FLOAT, [1, channels, height, width])
    logits = helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, [1, network["layers"][-1]["output"][2], 1, 1])
    graph = helper.make_graph(nodes, "network", [glyph], [logits], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


class RandomGlyphs(CalibrationDataReader):
    def __init__(self, shape):
        self.glyphs = iter([{"glyph": rng.random(shape, np.float32)} for _ in range(8)])

    def get_next(self):
        return next(self.glyphs, None)


def onnx_runtime(path, folder, shape):
    quantized = os.path.join(folder, "int8.onnx")
    quantize_static(path, quantized, RandomGlyphs(shape), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(quantized, options, providers=["CPUExecutionProvider"])
    glyph = {"glyph": rng.random(shape, np.float32)}
    return best(lambda: session.run(None, glyph))


def tract_float(path, shape):
    model = tract.onnx().load(path).into_model()
    runnable = model.into_runnable()
    glyph = rng.random(shape, np.float32)
    return best(lambda: runnable.run([glyph]))


def main():
    network = json.load(sys.stdin)
    height, width, channels = network["input"]
    shape = (1, channels, height, width)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "float.onnx")
        write_onnx(network, path)
        times = {
            "litert_int8": litert(network),
            "onnxruntime_int8": onnx_runtime(path, folder, shape),
            "tract_fp32": tract_float(path, shape),
        }
    json.dump(times, sys.stdout)


main()
