#!/usr/bin/env python3
"""Times one streaming step in this library, PyTorch, ONNX Runtime and OpenVINO: in turn, in one run, on the same weights.

    benchmarks/peers/compare.py [--variants S B L] [--rounds N] [--frames N] [--threads N] [--bin build/release/bin]

Installs the peers from PyPI into build/peers-venv when run outside of it. Needs the programs of a build with
RVM_BUILD_BENCHMARKS=ON. Prints a table in Markdown: the median of all steps of an engine in milliseconds, that over the
fastest of this library in the same precision class, and how far the features are from this library's in float32.
"""
import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
VENV = TOP / "build" / "peers-venv"
PEERS = ["numpy", "onnx", "onnxruntime", "openvino", "torch"]


def ensure_environment():
    if os.environ.get("RVM_PEERS_READY") or sys.prefix == str(VENV):
        return
    if not (VENV / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin" / "pip", "install", "-q", *PEERS], check=True)
        (VENV / "ready").touch()
    os.execv(VENV / "bin" / "python", [str(VENV / "bin" / "python"), *sys.argv])


ensure_environment()
import numpy as np  # noqa: E402

import rvm_graph  # noqa: E402


class Ours:
    """This library, in a process of its own that steps when it is told to."""

    def __init__(self, options, precision, weights, video):
        self.name, self.precision = "this library", precision
        self.scratch = video.with_name(f"state-{precision}.npy")
        self.process = subprocess.Popen(
            [options.bin / "bench_stepper", "--weights", weights, "--input", video, "--backend", "onednn",
             "--precision", precision, "--threads", str(options.threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def steps(self, count):
        return [float(word) for word in self.ask(f"step {count}").split()]

    def state(self):
        self.ask(f"save {self.scratch}")
        return np.load(self.scratch)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Peer:
    """An engine in this process: `run` maps frame and state to the next state."""

    def __init__(self, name, precision, run, frames, state, keep=lambda next_state: next_state):
        self.name, self.precision, self.run, self.frames, self.keep = name, precision, run, frames, keep
        self.current, self.t = state, 0

    def steps(self, count):
        times = []
        for _ in range(count):
            start = time.perf_counter()
            self.current = self.run(self.frames[self.t % len(self.frames)], self.current)
            times.append(1e3 * (time.perf_counter() - start))
            self.t += 1
        return times

    def state(self):
        return np.asarray(self.keep(self.current), np.float32)

    def close(self):
        pass


def onnx_runtime(model, frames, state, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    yield Peer(f"ONNX Runtime {onnxruntime.__version__}", "f32",
               lambda f, s: session.run(["next"], {"frame": f, "state": s})[0], frames, state)


def openvino(model, frames, state, threads, precisions):
    import openvino as ov
    core = ov.Core()
    graph = core.read_model(model=model, weights=b"")
    for precision in precisions:
        compiled = core.compile_model(graph, "CPU", {
            "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads})
        request = compiled.create_infer_request()

        def run(f, s, request=request):
            return request.infer({"frame": f, "state": s}, share_inputs=True, share_outputs=False)[0]
        yield Peer(f"OpenVINO {ov.__version__.split('-')[0]}", precision, run, frames, state)


def pytorch(weights, height, width, frames, state, threads):
    import torch
    torch.set_num_threads(threads)
    tensors = [torch.from_numpy(f) for f in frames]
    zero = torch.from_numpy(state)
    version = torch.__version__.split("+")[0]
    for how in ("eager", "compiled"):
        for precision in ("f32", "bf16"):
            module = rvm_graph.torch_module(weights, height, width).eval()
            with torch.inference_mode():
                module(tensors[0], zero)  # makes the buffers
            call = torch.compile(module, mode="max-autotune-no-cudagraphs") if how == "compiled" else module

            def run(f, s, call=call, precision=precision):
                with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                    return call(f, s).float()
            yield Peer(f"PyTorch {version} {how}", precision, run, tensors, zero, lambda s: s.numpy())


def available(engines, what):
    """The engines that can be made; one that cannot is named and left out."""
    try:
        yield from engines
    except Exception as error:  # an engine that fails must not end the comparison
        print(f"left out: {what}: {type(error).__name__}: {str(error).splitlines()[0]}", file=sys.stderr)


def compare(options, variant):
    height, width = options.size
    scratch = TOP / "build" / "peers"
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / f"random_{variant}.npz"
    if not path.exists():
        subprocess.run([options.bin / "random_weights", "--variant", variant, "--output", path], check=True)
    video = scratch / "video.npy"
    pixels = np.random.default_rng(0).integers(0, 256, (8, height, width, 3), np.uint8)
    np.save(video, pixels)
    with np.load(path) as file:
        weights = {key: file[key] for key in file.files if not key.startswith(("decoder", "delta", "detok", "mask"))}
    frames = [(f[None] / np.float32(255)).astype(np.float32) for f in pixels]
    graph = rvm_graph.Graph(weights, height, width)
    state = np.zeros((1, graph.tokens, graph.d), np.float32)

    engines = [Ours(options, precision, path, video) for precision in ("f32", "bf16", "int8")]
    model = rvm_graph.onnx_model(weights, height, width).SerializeToString()
    engines += available(onnx_runtime(model, frames, state, options.threads), "ONNX Runtime")
    engines += available(openvino(model, frames, state, options.threads, ("f32", "bf16")), "OpenVINO")
    del model
    if not options.no_torch:
        engines += available(pytorch(weights, height, width, frames, state, options.threads), "PyTorch")

    alive = []
    for engine in engines:  # the first frames: compiled where that happens late, and the answers compared
        for attempt in available(iter([engine]), engine.name):
            try:
                attempt.steps(4)
                alive.append(attempt)
            except Exception as error:
                print(f"left out: {attempt.name} {attempt.precision}: {type(error).__name__}: "
                      f"{str(error).splitlines()[0]}", file=sys.stderr)
    exact = alive[0].state()
    off = {e: float(np.sqrt(np.mean((e.state() - exact) ** 2) / np.mean(exact**2))) for e in alive}
    for engine, distance in off.items():
        if distance > {"f32": 1e-4, "bf16": 1e-2, "int8": 5e-2}[engine.precision]:
            raise SystemExit(f"{engine.name} {engine.precision} does not agree: {distance:.2%}")

    times = {engine: [] for engine in alive}
    for _ in range(options.rounds):
        for engine in alive:
            time.sleep(0.1)  # so that threads of the one before have gone to sleep
            engine.steps(1)
            times[engine] += engine.steps(options.frames)
    medians = {engine: statistics.median(t) for engine, t in times.items()}
    ours = {e.precision: m for e, m in medians.items() if isinstance(e, Ours)}
    print(f"\n### {variant}, {height}x{width}, one stream\n")
    print("| engine | precision | ms a frame | this library in its time | difference in features |\n|---|---|---|---|---|")
    for engine in alive:
        m = medians[engine]
        print(f"| {engine.name} | {engine.precision} | {m:.1f} | {ours[engine.precision] / m:.2f} | {off[engine]:.2%} |")
    sys.stdout.flush()
    for engine in alive:
        engine.close()


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", default=["S", "B", "L"], choices=["S", "B", "L", "H"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=5, help="steps of each engine in a round")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--size", type=lambda s: tuple(map(int, s.split("x"))), default=(256, 256), metavar="HxW")
    parser.add_argument("--bin", type=pathlib.Path, default=TOP / "build" / "release" / "bin")
    parser.add_argument("--no-torch", action="store_true")
    options = parser.parse_args()
    flags = next(line for line in open("/proc/cpuinfo") if line.startswith("flags")).split()
    units = [f for f in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16") if f in flags]
    print(f"{processor()}, {options.threads} threads, {' '.join(units)}, {time.strftime('%Y-%m-%d')}")
    for variant in options.variants:
        compare(options, variant)


if __name__ == "__main__":
    main()
