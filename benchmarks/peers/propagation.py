#!/usr/bin/env python3
"""Times label propagation (spec, section 6) in this library and in PyTorch: in turn, in one run, on the same features.

    benchmarks/peers/propagation.py [--grid HxW] [--width D] [--labels C] [--rounds N] [--steps N] [--threads N] [--bin DIR]

PyTorch does what the authors' notebooks do: for every frame the whole affinity of 21 context frames, divided by the
temperature, far tokens masked, topk, softmax, weighted sum. Twice: with the context along the first axis, as there, and along
the last, which suits topk. Needs PyTorch and the programs of a build with RVM_BUILD_BENCHMARKS=ON; installs the peers from
PyPI into build/peers-venv when run outside of it. This library is a process of its own, stopped while PyTorch has its turn.
Checks that all agree after 24 frames, but for tokens whose 7th and 8th candidate are equal to rounding; then prints a table
in Markdown: the median of all steps in milliseconds.
"""
import argparse
import collections
import os
import pathlib
import statistics
import sys
import time

from compare import TOP, Engine, processor
import numpy as np
import torch

FRAMES = 24


def video(height, width, depth, seed=0):
    """Features [T, h, w, D] of a scene that the camera moves over: a smooth random field and some noise."""
    rng = np.random.default_rng(seed)
    coarse = 6
    rows, columns = (np.arange(n + FRAMES) / coarse for n in (height, width))
    knots = rng.normal(size=(int(rows[-1]) + 2, int(columns[-1]) + 2, depth))
    y, x = rows.astype(int), columns.astype(int)
    fy, fx = (rows - y)[:, None, None], (columns - x)[None, :, None]
    scene = knots[y] * (1 - fy) + knots[y + 1] * fy
    scene = scene[:, x] * (1 - fx) + scene[:, x + 1] * fx
    frames = [scene[t // 2:t // 2 + height, t // 3:t // 3 + width] for t in range(FRAMES)]
    return (np.stack(frames) + 0.2 * rng.normal(size=(FRAMES, height, width, depth))).astype(np.float32)


class TorchPropagation:
    """The notebooks' way, streaming. `last` puts the context along the affinity's last axis instead of the first."""

    def __init__(self, features, labels, last, n_context=20, temperature=0.7, topk=7, radius=20):
        height, width, _ = features.shape
        y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
        y, x = y.reshape(-1), x.reshape(-1)
        self.far = torch.hypot(y[:, None] - y[None], x[:, None] - x[None]) >= radius
        self.last, self.temperature, self.topk = last, temperature, topk
        self.first = self.unit(features), labels.reshape(height * width, -1)
        self.queue = collections.deque([self.first] * n_context, maxlen=n_context)
        self.step(features)

    @staticmethod
    def unit(features):
        return torch.nn.functional.normalize(features.reshape(-1, features.shape[-1]), dim=-1)

    @torch.no_grad()
    def step(self, features):
        present = self.unit(features)
        context = torch.stack([self.first[0]] + [f for f, _ in self.queue])
        labels = torch.cat([self.first[1]] + [label for _, label in self.queue])
        n, tokens, _ = context.shape
        if self.last:
            affinity = (present @ context.reshape(n * tokens, -1).T).div_(self.temperature).reshape(tokens, n, tokens)
            affinity[:, 1:].masked_fill_(self.far[:, None], -1e10)
            best, ids = torch.topk(affinity.reshape(tokens, n * tokens), self.topk, dim=1)
            labels = (labels[ids] * torch.softmax(best, 1)[..., None]).sum(1)
        else:
            affinity = torch.einsum("cnd,md->cnm", context, present) / self.temperature
            affinity[1:].masked_fill_(self.far, -1e10)
            best, ids = torch.topk(affinity.reshape(n * tokens, tokens), self.topk, dim=0)
            labels = (labels[ids] * torch.softmax(best, 0)[..., None]).sum(0)
        self.queue.append((present, labels))
        return labels


class TorchEngine:
    def __init__(self, title, features, labels, last):
        self.title, self.features, self.times, self.next = title, torch.from_numpy(features), [], 1
        self.propagation = TorchPropagation(self.features[0], torch.from_numpy(labels), last)

    def steps(self, count):
        for _ in range(count):
            start = time.perf_counter()
            labels = self.propagation.step(self.features[self.next])
            self.times.append(1e3 * (time.perf_counter() - start))
            self.next = self.next % (FRAMES - 1) + 1
        return labels.numpy()

    def turn(self, count):
        self.steps(1)
        self.times.pop()
        self.steps(count)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=lambda s: tuple(map(int, s.split("x"))), default=(30, 55), metavar="HxW")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--labels", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="steps of each in a round")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--bin", type=pathlib.Path, default=TOP / "build" / "release" / "bin")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    height, width = options.grid
    scratch = TOP / "build" / "peers"
    scratch.mkdir(parents=True, exist_ok=True)
    features = video(height, width, options.width)
    labels = np.zeros((height, width, options.labels), np.float32)  # stripes
    stripe = np.arange(width) * options.labels // width
    labels[:, np.arange(width), stripe] = 1
    np.save(scratch / "features.npy", features)
    np.save(scratch / "labels.npy", labels)

    ours = Engine([options.bin / "bench_propagation", scratch / "features.npy", scratch / "labels.npy", options.threads],
                  "f32", "this library")
    before, after = map(int, ours.ask("memory").split())
    ours.ask(f"step {FRAMES - 1}")
    answer = ours.state(scratch / "propagated.npy").reshape(height * width, -1)
    peers = [TorchEngine(f"PyTorch {torch.__version__.split('+')[0]}, {title}", features, labels, last)
             for title, last in (("context first, as the notebooks", False), ("context last", True))]
    for peer in peers:
        peer.off = float((np.abs(peer.steps(FRAMES - 1) - answer).max(1) > 1e-5).mean())
        peer.times.clear()
        if not peer.off < 0.005:
            raise SystemExit(f"{peer.title} does not agree: {peer.off:.2%} of the tokens differ")
    for _ in range(options.rounds):
        for engine in (ours, *peers):
            engine.turn(options.steps)
    ours.close()
    mine = statistics.median(ours.times)
    print(f"{processor()}, {options.threads} threads, {time.strftime('%Y-%m-%d')}\n")
    print(f"{height}x{width} tokens of {options.width} numbers, {options.labels} labels, 1 + 20 context frames\n")
    print("| | ms a step | over this library's | tokens that differ by more than 1e-5 |\n|---|---|---|---|")
    print(f"| this library | {mine:.1f} | 1.0 | |")
    for peer in peers:
        median = statistics.median(peer.times)
        print(f"| {peer.title} | {median:.0f} | {median / mine:.1f} | {peer.off:.2%} |")
    print(f"\nMemory of this library's tracker: {(after - before) / 1e6:.0f} MB.")


if __name__ == "__main__":
    main()
