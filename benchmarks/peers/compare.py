#!/usr/bin/env python3
"""Times one streaming step in this library, PyTorch, ONNX Runtime and OpenVINO: in turn, in one run, on the same weights.

    benchmarks/peers/compare.py [--variants S B L] [--size HxW] [--peers NAME ...] [--rounds N] [--frames N]
                                [--threads N] [--bin build/release/bin]

Installs the peers from PyPI into build/peers-venv when run outside of it. Needs the programs of a build with
RVM_BUILD_BENCHMARKS=ON. Every engine is a process of its own, stopped while another has its turn, so that none disturbs the
others. Prints a table in Markdown: the median of all steps of an engine in milliseconds, this library's time in the same
precision over it, and how far the features are from this library's in float32 after the same frames.
"""
import argparse
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
VENV = TOP / "build" / "peers-venv"
PEERS = ["numpy", "onnx", "onnxruntime", "openvino", "torch"]


def ensure_environment():
    if sys.prefix == str(VENV) or os.environ.get("RVM_PEERS_READY"):
        return
    if not (VENV / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin" / "pip", "install", "-q", *PEERS], check=True)
        (VENV / "ready").touch()
    os.execv(VENV / "bin" / "python", [str(VENV / "bin" / "python"), *sys.argv])


ensure_environment()
OURS = "this library"
import numpy as np  # noqa: E402


class Engine:
    """A process that steps when it is told to, and is stopped in between. What it says on standard error goes to a file."""

    def __init__(self, command, precision, title=None):
        self.precision, self.ours = precision, title == OURS
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, bufsize=1)
        self.title = title or self.process.stdout.readline().strip()
        self.times = []
        if not self.title:
            raise RuntimeError(self.last_words())

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
        except BrokenPipeError:
            pass  # and so there is no answer
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise RuntimeError(self.last_words())
        return answer

    def last_words(self):
        code = self.process.wait()
        self.errors.seek(0)
        return (self.errors.read().strip().splitlines() or [f"it ended with {code}"])[-1]

    def turn(self, frames):
        """One step to wake up, then some that count."""
        self.process.send_signal(signal.SIGCONT)
        self.ask("step 1")
        self.times += [float(word) for word in self.ask(f"step {frames}").split()]
        self.process.send_signal(signal.SIGSTOP)

    def state(self, path):
        self.ask(f"save {path}")
        return np.load(path)

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


def start(options, weights, video):
    """The engines, each after its first frames; one that cannot be had is named and left out."""
    stepper = [options.bin / "bench_stepper", "--weights", weights, "--input", video, "--threads", options.threads]
    ours = [([*stepper, "--precision", p], p, OURS) for p in ("f32", "bf16", "int8")]
    onednn = [([*stepper, "--precision", p, "--onednn"], p, f"{OURS} on oneDNN") for p in ("f32", "bf16", "int8")]
    script = pathlib.Path(__file__).with_name("engine.py")
    peers = [([sys.executable, script, name, p, weights, video, options.threads], p, None)
             for name in options.peers if name != "onednn" for p in (("f32",) if name == "onnxruntime" else ("f32", "bf16"))]
    for command, precision, title in ours + (onednn if "onednn" in options.peers else []) + peers:
        engine = None
        try:
            engine = Engine(command, precision, title)
            engine.ask("step 4")  # compiled now where that happens late
            engine.first = engine.state(video.with_name("state.npy"))
            engine.process.send_signal(signal.SIGSTOP)
            yield engine
        except RuntimeError as error:
            print(f"left out: {command[2] if title is None else title} {precision}: {error}", file=sys.stderr)
            if engine is not None:
                engine.close()


def compare(options, variant):
    height, width = options.size
    scratch = TOP / "build" / "peers"
    scratch.mkdir(parents=True, exist_ok=True)
    weights = scratch / f"random_{variant}.npz"
    if not weights.exists():
        subprocess.run([options.bin / "random_weights", "--variant", variant, "--output", weights], check=True,
                       stdout=subprocess.DEVNULL)
    video = scratch / "video.npy"
    np.save(video, np.random.default_rng(0).integers(0, 256, (8, height, width, 3), np.uint8))

    engines = list(start(options, weights, video))
    if not engines or not engines[0].ours or engines[0].precision != "f32":
        raise SystemExit("this library in float32, which all others are compared with, does not run")
    exact = engines[0].first
    off = [float(np.sqrt(np.mean((e.first - exact) ** 2) / np.mean(exact**2))) for e in engines]
    for engine, distance in zip(engines, off):
        if not distance <= {"f32": 1e-4, "bf16": 1e-2, "int8": 5e-2}[engine.precision]:
            raise SystemExit(f"{engine.title} {engine.precision} does not agree: {distance:.2%}")
    for _ in range(options.rounds):
        for engine in engines:
            engine.turn(options.frames)
    medians = [statistics.median(engine.times) for engine in engines]
    ours = {e.precision: m for e, m in zip(engines, medians) if e.ours}
    print(f"\n### {variant}, {height}x{width}, one stream\n")
    print("| engine | precision | ms a frame | this library's time over it | difference in features |\n|---|---|---|---|---|")
    for engine, median, distance in zip(engines, medians, off):
        ratio = f"{ours[engine.precision] / median:.2f}" if engine.precision in ours else "-"
        print(f"| {engine.title} | {engine.precision} | {median:.1f} | {ratio} | {distance:.2%} |")
    sys.stdout.flush()
    for engine in engines:
        engine.close()


def processor():
    with open("/proc/cpuinfo") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    flags = next(v for k, v in lines.items() if k.strip() == "flags").split()
    name = next((v.strip() for k, v in lines.items() if k.strip() == "model name"), platform.processor())
    units = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if f in flags]
    return f"{name} ({', '.join(units)})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", default=["S", "B", "L"], choices=["S", "B", "L", "H"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=5, help="steps of each engine in a round")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--size", type=lambda s: tuple(map(int, s.split("x"))), default=(256, 256), metavar="HxW")
    parser.add_argument("--bin", type=pathlib.Path, default=TOP / "build" / "release" / "bin")
    parser.add_argument("--peers", nargs="*", default=["onednn", "onnxruntime", "openvino", "torch-eager", "torch-compiled"])
    options = parser.parse_args()
    print(f"{processor()}, {options.threads} threads, {time.strftime('%Y-%m-%d')}")
    for variant in options.variants:
        compare(options, variant)


if __name__ == "__main__":
    main()
