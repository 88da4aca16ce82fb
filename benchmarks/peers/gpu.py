#!/usr/bin/env python3
"""Times one streaming step of other libraries on a GPU, for the table beside bench_cuda's.

    gpu.py prepare FOLDER [--variant S] [--size HxW]
                                writes weights, a video and what PyTorch says of it in float32
    gpu.py agree FOLDER         how far the features that bench_cuda --features FOLDER wrote are from that
    gpu.py time [--seconds N]   prints a table, each row as soon as it is there

Peers: PyTorch eager, torch.compile (max-autotune, which uses CUDA graphs), JAX (jit); products in bfloat16, the residual
stream, norms and state in float32, frames as bytes on the device; one of 20 steps that follow each other. Each has a
process of its own and all together N seconds; one that could not be had, or was not compiled by then, is a row that says
so.
"""
import argparse
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

import numpy as np

from rvm_graph import Graph

SIZES = {  # width, then depth, heads, head_dim, mlp of encoder and core
    "S": (384, (12, 6, 64, 1536), (4, 8, 48, 2048)),
    "B": (768, (12, 12, 64, 3072), (4, 12, 64, 3072)),
    "L": (1024, (24, 16, 64, 4096), (4, 16, 64, 4096)),
    "H": (1280, (32, 16, 80, 5120), (4, 16, 80, 5120)),
}


def random_weights(variant, seed=0):
    """Arrays in the published layout, without a decoder."""
    rng = np.random.default_rng(seed)
    d, encoder, core = SIZES[variant]
    w = {}

    def dense(key, rows, shape, bias=None):
        w[f"{key}/kernel"] = rng.standard_normal(shape, np.float32) * np.float32(rows ** -0.5)
        if bias is not None:
            w[f"{key}/bias"] = rng.standard_normal(bias, np.float32) * np.float32(0.02)

    def norm(key, bias=True):
        w[f"{key}/scale"] = 1 + rng.standard_normal(d, np.float32) * np.float32(0.02)
        if bias:
            w[f"{key}/bias"] = rng.standard_normal(d, np.float32) * np.float32(0.02)

    def attention(key, heads, head_dim):
        for name in ("query", "key", "value"):
            dense(f"{key}/{name}", d, (d, heads, head_dim), (heads, head_dim))
        dense(f"{key}/out", heads * head_dim, (heads, head_dim, d), (d,))

    def mlp(key, hidden):
        dense(f"{key}/dense_in", d, (d, hidden), (hidden,))
        dense(f"{key}/dense_out", hidden, (hidden, d), (d,))

    w["cls_token"] = rng.standard_normal((1, d), np.float32) * np.float32(0.02)
    dense("tokenizer/patch_embedding/Conv_0", 768, (1, 16, 16, 3, d), (d,))
    for i in range(encoder[0]):
        key = f"encoder/layers_{i}"
        norm(f"{key}/attention_norm")
        norm(f"{key}/mlp_norm")
        attention(f"{key}/attention", encoder[1], encoder[2])
        mlp(f"{key}/mlp", encoder[3])
    norm("encoder/LayerNorm_0")
    for gate in ("input_update", "input_reset", "state_update", "state_reset"):
        dense(f"rnn_core/{gate}", d, (d, d))
    norm("rnn_core/state_layer_norm", bias=False)
    for i in range(core[0]):
        key = f"rnn_core/transformer/xa_blocks_{i}"
        for name in ("ca_attention_norm", "mlp_norm", "attention_norm"):
            norm(f"{key}/{name}")
        attention(f"{key}/ca_attention", core[1], core[2])
        attention(f"{key}/attention", core[1], core[2])
        mlp(f"{key}/mlp", core[3])
    norm("rnn_core/transformer/output_norm")
    return w


def torch_step(weights, height, width, exact=False):
    """A module of a frame of bytes and the state, both on the GPU: straight-line code, as a compiler likes it."""
    import torch
    from torch.nn import functional as F
    graph = Graph(weights, height, width)
    kind = torch.float32 if exact else torch.bfloat16
    torch.backends.cuda.matmul.allow_tf32 = False

    class Ops:
        def __init__(self):
            self.code, self.root, self.count = torch.fx.Graph(), torch.nn.Module(), 0

        def call(self, function, *arguments, **options): return self.code.call_function(function, arguments, options)
        def to(self, x, dtype): return self.code.call_method("to", (x, dtype))

        def parameter(self, array, dtype):
            name = f"p{self.count}"
            self.count += 1
            self.root.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)).to("cuda", dtype))
            return self.code.get_attr(name)

        def constant(self, array): return self.parameter(array, torch.float32)
        def reshape(self, x, shape): return self.call(torch.reshape, x, shape)
        def transpose(self, x, order): return self.call(torch.permute, x, order)
        def add(self, x, y): return self.call(torch.add, x, y)
        def subtract(self, x, y): return self.call(torch.sub, x, y)
        def multiply(self, x, y): return self.call(torch.mul, x, y)
        def concat(self, x, y): return self.call(torch.cat, [x, y], 1)
        def sigmoid(self, x): return self.call(torch.sigmoid, self.to(x, torch.float32))
        def gelu(self, x): return self.call(F.gelu, x, approximate="tanh")

        def linear(self, x, kernel, bias):
            return self.call(F.linear, self.to(x, kind), self.parameter(kernel.T, kind),
                             None if bias is None else self.parameter(bias, kind))

        def layer_norm(self, x, scale, bias, epsilon):
            return self.call(F.layer_norm, self.to(x, torch.float32), [graph.d], self.constant(scale),
                             self.constant(bias), epsilon)

        def attention(self, q, k, v, head_dim): return self.call(F.scaled_dot_product_attention, q, k, v)

    ops = Ops()
    frame, state = ops.code.placeholder("frame"), ops.code.placeholder("state")
    pixels = ops.call(torch.div, ops.to(frame, torch.float32), 255.0)
    ops.code.output(ops.to(graph.step(ops, pixels, state), torch.float32))
    return torch.fx.GraphModule(ops.root, ops.code).eval(), graph


def time_torch(call, graph, mark=lambda: None, steps=20, rounds=7):
    """A function that gives the median of milliseconds a step."""
    import torch
    frame = torch.randint(0, 256, (1, graph.height, graph.width, 3), dtype=torch.uint8, device="cuda")

    @torch.no_grad()
    def run(count):
        state = torch.zeros(1, graph.tokens, graph.d, device="cuda")
        for _ in range(count):
            mark()
            state = call(frame, state).clone()
        return state

    def measure():
        times = []
        for _ in range(rounds):
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            first.record()
            run(steps)
            last.record()
            last.synchronize()
            times.append(first.elapsed_time(last) / steps)
        return statistics.median(times)

    run(5)
    torch.cuda.synchronize()
    return measure


def torch_eager(variant, height, width):
    import torch
    module, graph = torch_step(random_weights(variant), height, width)
    return f"PyTorch {torch.__version__.split('+')[0]} eager", time_torch(module, graph)


def torch_compiled(variant, height, width):
    import torch
    module, graph = torch_step(random_weights(variant), height, width)
    call = torch.compile(module, mode="max-autotune", fullgraph=True)
    return (f"PyTorch {torch.__version__.split('+')[0]} compiled",
            time_torch(call, graph, torch.compiler.cudagraph_mark_step_begin))


def jax_jit(variant, height, width):
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax
    import jax.numpy as jnp
    weights = random_weights(variant)
    graph = Graph(weights, height, width)
    parameters = []

    class Record:
        """Collects the parameters in the order in which they are asked for."""
        def __call__(self, array, dtype):
            parameters.append(jnp.asarray(array, dtype))
            return parameters[-1]

    def step(take, frame, state):
        class Ops:
            constant = staticmethod(lambda a: take(a, jnp.float32))
            reshape = staticmethod(lambda x, shape: x.reshape(shape))
            transpose = staticmethod(lambda x, order: x.transpose(order))
            add = staticmethod(lambda x, y: x + y)
            subtract = staticmethod(lambda x, y: x - y)
            multiply = staticmethod(lambda x, y: x * y)
            concat = staticmethod(lambda x, y: jnp.concatenate([x, y], 1))
            sigmoid = staticmethod(jax.nn.sigmoid)
            gelu = staticmethod(lambda x: jax.nn.gelu(x, approximate=True))

            @staticmethod
            def linear(x, kernel, bias):
                y = jnp.dot(x.astype(jnp.bfloat16), take(kernel, jnp.bfloat16), preferred_element_type=jnp.float32)
                return y if bias is None else y + take(bias, jnp.float32)

            @staticmethod
            def layer_norm(x, scale, bias, epsilon):
                mean = x.mean(-1, keepdims=True)
                variance = (x * x).mean(-1, keepdims=True) - mean * mean
                return (x - mean) * jax.lax.rsqrt(variance + epsilon) * take(scale, jnp.float32) + take(bias, jnp.float32)

            @staticmethod
            def attention(q, k, v, head_dim):
                q, k, v = (t.astype(jnp.bfloat16).transpose(0, 2, 1, 3) for t in (q, k, v))
                return jax.nn.dot_product_attention(q, k, v).transpose(0, 2, 1, 3)

        return graph.step(Ops, frame.astype(jnp.float32) / 255, state)

    state = jnp.zeros((1, graph.tokens, graph.d))
    frame = jnp.asarray(np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8))
    step(Record(), frame, state)

    def compiled(parameters, frame, state):
        rest = iter(parameters)
        return step(lambda array, dtype: next(rest), frame, state)

    call = jax.jit(compiled)
    call(parameters, frame, state).block_until_ready()

    def measure(steps=20, rounds=7):
        times = []
        for _ in range(rounds):
            s = state
            start = time.perf_counter()
            for _ in range(steps):
                s = call(parameters, frame, s)
            s.block_until_ready()
            times.append(1e3 * (time.perf_counter() - start) / steps)
        return statistics.median(times)

    return f"JAX {jax.__version__} jit", measure


PEERS = {  # in the order in which they are timed
    "torch-compiled": ("PyTorch compiled", torch_compiled),
    "jax": ("JAX jit", jax_jit),
    "torch-eager": ("PyTorch eager", torch_eager),
}


def time_one(options):
    """One peer: prints its row."""
    (variant,), (name,) = options.variants, options.peers
    try:
        title, measure = PEERS[name][1](variant, *options.size)
        print(f"| {variant} | {title} | {measure():.3f} |", flush=True)
    except ImportError:
        print(f"| {variant} | {PEERS[name][0]} | not installed |", flush=True)


def time_all(options):
    end = time.monotonic() + options.seconds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the peer's process ends, too
    print("| size | peer | step in bfloat16, ms |\n|---|---|---|", flush=True)
    for variant in options.variants:
        for name in options.peers:
            command = [sys.executable, __file__, "time-one", "--variants", variant, "--peers", name,
                       "--size", "x".join(map(str, options.size))]
            # What it starts, such as compilers, ends with it.
            child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
            row, why = "", "not ready in time"
            try:
                row, _ = child.communicate(timeout=max(0, end - time.monotonic()))
                why = "failed: see the log"
            except subprocess.TimeoutExpired:
                pass
            finally:
                try:
                    os.killpg(child.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                child.wait()
            print(row.strip() or f"| {variant} | {PEERS[name][0]} | {why} |", flush=True)


def prepare(options):
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    options.folder.mkdir(parents=True, exist_ok=True)
    height, width = options.size
    weights = random_weights(options.variant)
    np.savez(options.folder / "weights.npz", **weights)
    video = np.random.default_rng(1).integers(0, 256, (8, height, width, 3), np.uint8)
    np.save(options.folder / "video.npy", video)
    module, graph = torch_step(weights, height, width, exact=True)
    state = torch.zeros(1, graph.tokens, graph.d, device="cuda")
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        for frame in video:
            state = module(torch.from_numpy(frame[None]).cuda(), state)
    np.save(options.folder / "expected.npy", state.cpu().numpy())


def agree(options):
    expected = np.load(options.folder / "expected.npy")
    far = False
    for precision, limit in (("float32", 1e-4), ("bfloat16", 1e-2)):
        found = np.load(options.folder / f"{precision}.npy")
        off = float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)))
        far = far or not off < limit
        print(f"{precision} {off:.2g} off{'' if off < limit else f' where {limit:g} is allowed'}", end="; ")
    print("8 frames, root mean square, by PyTorch's in float32")
    if far:
        raise SystemExit("that is too far")


def main():
    def size(text):
        return tuple(map(int, text.split("x")))

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, action):
        added = commands.add_parser(name)
        added.set_defaults(action=action)
        added.add_argument("--size", type=size, default=(256, 256), metavar="HxW")
        return added

    one = command("prepare", prepare)
    one.add_argument("folder", type=pathlib.Path)
    one.add_argument("--variant", default="S", choices=list(SIZES))
    command("agree", agree).add_argument("folder", type=pathlib.Path)
    for name, action in (("time", time_all), ("time-one", time_one)):
        timing = command(name, action)
        timing.add_argument("--variants", nargs="+", default=["S", "L"], choices=list(SIZES))
        timing.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
        timing.add_argument("--seconds", type=float, default=230)
    options = parser.parse_args()
    options.action(options)


if __name__ == "__main__":
    main()
