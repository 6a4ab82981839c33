"""How others run a network: PyTorch, ONNX Runtime, OpenVINO. Each stands for the fastest of its settings.

A way of running is a function of images [n][3][px][px] and of whether it shall use one thread, because
every thread has images of its own; it returns [n][features].
"""
import json
import os
import subprocess
import sys
import time

import numpy as np
import onnxruntime
import openvino
import torch

CPUS = len(os.sched_getaffinity(0))
LEAST_S = 0.2


class Follower:
    """A program that answers every line with one round of measurements."""

    def __init__(self, *words, **env):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env={**os.environ, **env})

    def round(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        rows = []
        while (line := self.process.stdout.readline()).strip():
            rows.append(json.loads(line))
        if not rows:
            sys.exit(f"{self.process.args[0]} ended")
        return rows

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def export(net, px, path):
    """The network as an ONNX file, for any number of images."""
    torch.onnx.export(net, torch.zeros(1, 3, px, px), path, input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "n"}, "y": {0: "n"}}, opset_version=17, dynamo=False)


def openvino_int8(path, images):
    """Beside the ONNX file, the network in 8 bits as NNCF makes it for OpenVINO: its ranges are those
    of the images, [1][3][px][px] each."""
    import nncf  # is asked for where 8 bits are
    nncf.set_log_level("ERROR")
    model = openvino.Core().read_model(path)
    openvino.save_model(nncf.quantize(model, nncf.Dataset(images)), path + ".int8.xml", False)
    return path + ".int8.xml"


def onnx_int8(path, images):
    """The same as ONNX Runtime's own quantiser makes it, a scale a channel."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        rest = iter(images)

        def get_next(self):
            x = next(self.rest, None)
            return None if x is None else {"x": x}

    quant_pre_process(path, path + ".shapes.onnx", skip_symbolic_shape=True)
    quantization.quantize_static(path + ".shapes.onnx", path + ".int8.onnx", Reader(),
                                 per_channel=True)
    return path + ".int8.onnx"


class Torch:
    """How PyTorch can run a network."""

    def __init__(self, net, px):
        example = torch.zeros(1, 3, px, px)
        with torch.inference_mode():
            traced = torch.jit.freeze(torch.jit.trace(net, example))
            fast = torch.jit.optimize_for_inference(traced)
        last = torch.channels_last
        self.ways = {"PyTorch eager": [(net, last)],
                     "PyTorch optimised": [(fast, last), (fast, torch.contiguous_format)]}

    def runs(self, library):
        """library: one of the ways, perhaps with a precision behind."""
        low = library.endswith(" bf16")
        for net, layout in self.ways[" ".join(library.split()[:2])]:
            def run(x, per_thread, net=net, layout=layout):
                torch.set_num_threads(1 if per_thread else self.threads)
                with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=low):
                    return net(torch.from_numpy(x).to(memory_format=layout)).float().numpy()
            yield run

    threads = CPUS


class Onnx:
    """How ONNX Runtime can run a network: a session for each number of threads."""

    def __init__(self, path):
        self.session = {}
        for threads in {1, CPUS}:
            o = onnxruntime.SessionOptions()
            o.intra_op_num_threads = threads
            o.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
            self.session[threads] = onnxruntime.InferenceSession(path, o)

    threads = CPUS

    def runs(self, _):
        def run(x, per_thread):
            session = self.session[1 if per_thread else self.threads]
            return session.run(None, {"x": x})[0]
        yield run


class OpenVino:
    """How OpenVINO can run a network: one request at a time on all threads (latency), or a stream of
    requests (throughput). precision: "fp32", "bf16", or "int8" for a file that is in 8 bits, whose
    other numbers are then what OpenVINO prefers here."""

    def __init__(self, path, precision):
        self.core = openvino.Core()
        self.path, self.precision, self.compiled = path, precision, {}

    threads = CPUS

    def network(self, hint, threads, images):
        key = hint, threads, images
        if key not in self.compiled:
            model = self.core.read_model(self.path)
            model.reshape([images, *model.input().get_partial_shape()[1:]])
            config = {"PERFORMANCE_HINT": hint, "INFERENCE_NUM_THREADS": threads}
            if self.precision != "int8":
                config["INFERENCE_PRECISION_HINT"] = self.precision.replace("fp32", "f32")
            self.compiled[key] = self.core.compile_model(model, "CPU", config)
        return self.compiled[key]

    def at_once(self, x, per_thread):
        compiled = self.network("LATENCY", 1 if per_thread else self.threads, len(x))
        return compiled.create_infer_request().infer({0: x})[0].copy()

    def streams(self, x, per_thread):
        if per_thread:
            return self.at_once(x, True)
        queue = openvino.AsyncInferQueue(self.network("THROUGHPUT", self.threads, 1))
        rows = [None] * len(x)

        def keep(request, i):
            rows[i] = request.get_output_tensor().data[0].copy()

        queue.set_callback(keep)
        for i in range(len(x)):
            queue.start_async({0: x[i:i + 1]}, i)
        queue.wait_all()
        return np.stack(rows)

    def runs(self, _):
        yield self.at_once
        yield self.streams


def on_threads(pool, run, x, threads):
    """The images of x divided among threads that run one part each."""
    return np.concatenate(list(pool.map(lambda part: run(part, True),
                                        np.array_split(x, threads))))


def rate(function, images):
    """Images a second over at least LEAST_S."""
    start, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < LEAST_S:
        function()
        done += images
    return done / spent


def best_rate(other, library, x, threads, pool):
    """Of the library's ways to run x, the fastest."""
    other.threads = threads
    rates = []
    for run in other.runs(library):
        rates.append(rate(lambda: run(x, False), len(x)))
        if threads > 1 and len(x) >= threads:
            rates.append(rate(lambda: on_threads(pool, run, x, threads), len(x)))
    return max(rates)
