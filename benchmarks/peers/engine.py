"""One peer in a process of its own, which steps when it is told to: takes the lines that bench_stepper takes.

    engine.py NAME PRECISION WEIGHTS VIDEO THREADS

NAME is onnxruntime, openvino, torch-eager or torch-compiled. Prints its name and version when it is ready.
"""
import sys
import time

import numpy as np

import rvm_graph


def onnx_runtime(weights, height, width, precision, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    model = rvm_graph.onnx_model(weights, height, width).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return f"ONNX Runtime {onnxruntime.__version__}", lambda f, s: session.run(["next"], {"frame": f, "state": s})[0]


def openvino(weights, height, width, precision, threads):
    import openvino as ov
    core = ov.Core()
    graph = core.read_model(rvm_graph.onnx_model(weights, height, width).SerializeToString())
    request = core.compile_model(graph, "CPU", {
        "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads}).create_infer_request()
    return (f"OpenVINO {ov.__version__.split('-')[0]}",
            lambda f, s: request.infer({"frame": f, "state": s}, share_inputs=True, share_outputs=False)[0])


def pytorch(how, weights, height, width, precision, threads):
    import torch
    torch.set_num_threads(threads)
    module = rvm_graph.torch_module(weights, height, width).eval()
    graph = rvm_graph.Graph(weights, height, width)
    with torch.no_grad():  # makes the buffers
        module(torch.zeros(1, height, width, 3), torch.zeros(1, graph.tokens, graph.d))
    call = torch.compile(module, mode="max-autotune-no-cudagraphs") if how == "compiled" else module

    def run(f, s):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return call(torch.from_numpy(f), torch.from_numpy(s)).float().numpy()
    return f"PyTorch {torch.__version__.split('+')[0]} {how}", run


def main():
    name, precision, weights_path, video_path, threads = sys.argv[1:]
    pixels = np.load(video_path)
    height, width = pixels.shape[1:3]
    with np.load(weights_path) as file:
        weights = {key: file[key] for key in file.files if not key.startswith(("decoder", "delta", "detok", "mask"))}
    frames = [(f[None] / np.float32(255)).astype(np.float32) for f in pixels]
    graph = rvm_graph.Graph(weights, height, width)
    state = np.zeros((1, graph.tokens, graph.d), np.float32)
    make = {"onnxruntime": onnx_runtime, "openvino": openvino,
            "torch-eager": lambda *a: pytorch("eager", *a), "torch-compiled": lambda *a: pytorch("compiled", *a)}[name]
    title, run = make(weights, height, width, precision, int(threads))
    del weights, graph  # a large model fits several times only if nobody keeps copies
    print(title, flush=True)
    t = 0
    for line in sys.stdin:
        command, argument = line.split()
        if command == "step":
            times = []
            for _ in range(int(argument)):
                frame = frames[t % len(frames)]
                start = time.perf_counter()
                state = run(frame, state)
                times.append(1e3 * (time.perf_counter() - start))
                t += 1
            print(*times, flush=True)
        else:
            np.save(argument, state)
            print("saved", flush=True)


if __name__ == "__main__":
    main()
