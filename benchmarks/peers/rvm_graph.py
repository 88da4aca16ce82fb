"""One step of the model as an ONNX graph and as a PyTorch module, over weights in the published layout.

Both take a frame [1, H, W, 3] in [0, 1] and the state [1, N, D], and give the next state.
"""
import numpy as np


def position_encoding(h, w, width):
    """[h * w, width]: the 16x16 table of sines and cosines, resized bicubically (a = -0.5, antialiased)."""
    column = np.arange(width)
    angle = np.arange(256)[:, None] / np.power(10000.0, 2 * (column // 2) / width)
    table = np.where(column % 2 == 0, np.sin(angle), np.cos(angle)).astype(np.float32).reshape(16, 16, width)
    if (h, w) == (16, 16):
        return table.reshape(256, width)

    def weights(out):
        scale = out / 16
        t = np.abs(((np.arange(out) + 0.5) / scale - 0.5)[:, None] - np.arange(16)[None]) / max(1 / scale, 1)
        near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
        k = np.where(t < 1, near, np.where(t < 2, far, 0))
        return k / k.sum(1, keepdims=True)

    resized = np.einsum("yi,xj,ijd->yxd", weights(h), weights(w), table.astype(np.float64))
    return resized.astype(np.float32).reshape(h * w, width)


class Graph:
    """The step, spelled once over a handful of operations that OnnxOps and TorchOps offer."""

    def __init__(self, weights, height, width):
        self.w = weights
        self.height, self.width = height, width
        self.h, self.wd = height // 16, width // 16
        self.tokens = 1 + self.h * self.wd
        self.d = weights["cls_token"].shape[-1]

    def step(self, ops, frame, state):
        w = self.w
        conv = "tokenizer/patch_embedding/Conv_0"
        x = ops.reshape(frame, [1, self.h, 16, self.wd, 16, 3])
        x = ops.reshape(ops.transpose(x, [0, 1, 3, 2, 4, 5]), [1, self.h * self.wd, 768])
        x = ops.linear(x, w[f"{conv}/kernel"].reshape(768, self.d), w[f"{conv}/bias"])
        x = ops.add(x, ops.constant(position_encoding(self.h, self.wd, self.d)[None]))
        x = ops.concat(ops.constant(w["cls_token"][None]), x)
        i = 0
        while f"encoder/layers_{i}/mlp_norm/scale" in w:
            b = f"encoder/layers_{i}"
            y = self.norm(ops, f"{b}/attention_norm", x)
            x = ops.add(x, self.attention(ops, f"{b}/attention", y, y))
            x = ops.add(x, self.mlp(ops, f"{b}/mlp", self.norm(ops, f"{b}/mlp_norm", x)))
            i += 1
        e = self.norm(ops, "encoder/LayerNorm_0", x)
        update, reset = (ops.sigmoid(ops.add(ops.linear(e, w[f"rnn_core/input_{g}/kernel"], None),
                                             ops.linear(state, w[f"rnn_core/state_{g}/kernel"], None)))
                         for g in ("update", "reset"))
        memory = ops.multiply(reset, ops.layer_norm(state, w["rnn_core/state_layer_norm/scale"],
                                                    np.zeros(self.d, np.float32), 1e-4))
        x, i = e, 0
        while f"rnn_core/transformer/xa_blocks_{i}/mlp_norm/scale" in w:
            b = f"rnn_core/transformer/xa_blocks_{i}"
            x = ops.add(x, self.attention(ops, f"{b}/ca_attention", self.norm(ops, f"{b}/ca_attention_norm", x), memory))
            x = ops.add(x, self.mlp(ops, f"{b}/mlp", self.norm(ops, f"{b}/mlp_norm", x)))
            y = self.norm(ops, f"{b}/attention_norm", x)
            x = ops.add(x, self.attention(ops, f"{b}/attention", y, y))
            i += 1
        x = self.norm(ops, "rnn_core/transformer/output_norm", x)
        return ops.add(state, ops.multiply(update, ops.subtract(x, state)))

    def norm(self, ops, key, x):
        return ops.layer_norm(x, self.w[f"{key}/scale"], self.w[f"{key}/bias"], 1e-6)

    def mlp(self, ops, key, x):
        x = ops.gelu(ops.linear(x, self.w[f"{key}/dense_in/kernel"], self.w[f"{key}/dense_in/bias"]))
        return ops.linear(x, self.w[f"{key}/dense_out/kernel"], self.w[f"{key}/dense_out/bias"])

    def attention(self, ops, key, x, memory):
        heads, head_dim = self.w[f"{key}/query/kernel"].shape[1:]
        inner = heads * head_dim

        def project(name, t):
            kernel = self.w[f"{key}/{name}/kernel"].reshape(self.d, inner)
            t = ops.linear(t, kernel, self.w[f"{key}/{name}/bias"].reshape(inner))
            return ops.transpose(ops.reshape(t, [1, self.tokens, heads, head_dim]), [0, 2, 1, 3])

        out = ops.attention(project("query", x), project("key", memory), project("value", memory), head_dim)
        out = ops.reshape(ops.transpose(out, [0, 2, 1, 3]), [1, self.tokens, inner])
        return ops.linear(out, self.w[f"{key}/out/kernel"].reshape(inner, self.d), self.w[f"{key}/out/bias"])


class OnnxOps:
    """Nodes of an ONNX graph."""

    def __init__(self):
        self.nodes, self.initializers = [], []

    def constant(self, array):
        from onnx import numpy_helper
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind, inputs, **attributes):
        from onnx import helper
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def reshape(self, x, shape): return self.node("Reshape", [x, self.constant(np.array(shape, np.int64))])
    def transpose(self, x, order): return self.node("Transpose", [x], perm=order)
    def add(self, x, y): return self.node("Add", [x, y])
    def subtract(self, x, y): return self.node("Sub", [x, y])
    def multiply(self, x, y): return self.node("Mul", [x, y])
    def concat(self, x, y): return self.node("Concat", [x, y], axis=1)
    def sigmoid(self, x): return self.node("Sigmoid", [x])
    def gelu(self, x): return self.node("Gelu", [x], approximate="tanh")

    def linear(self, x, kernel, bias):
        y = self.node("MatMul", [x, self.constant(kernel)])
        return y if bias is None else self.add(y, self.constant(bias))

    def layer_norm(self, x, scale, bias, epsilon):
        return self.node("LayerNormalization", [x, self.constant(scale), self.constant(bias)], axis=-1, epsilon=epsilon)

    def attention(self, q, k, v, head_dim):
        q = self.multiply(q, self.constant(np.float32(head_dim**-0.5)))
        p = self.node("Softmax", [self.node("MatMul", [q, self.transpose(k, [0, 1, 3, 2])])], axis=-1)
        return self.node("MatMul", [p, v])


def onnx_model(weights, height, width):
    """The step as an ONNX model: inputs frame and state, output next."""
    from onnx import TensorProto, helper
    graph, ops = Graph(weights, height, width), OnnxOps()
    result = graph.step(ops, "frame", "state")
    ops.nodes.append(helper.make_node("Identity", [result], ["next"]))
    shape = [1, graph.tokens, graph.d]
    value = lambda name, s: helper.make_tensor_value_info(name, TensorProto.FLOAT, s)
    made = helper.make_graph(ops.nodes, "rvm", [value("frame", [1, height, width, 3]), value("state", shape)],
                             [value("next", shape)], ops.initializers)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def torch_module(weights, height, width):
    """The step as a PyTorch module."""
    import torch
    from torch.nn import functional as F
    graph = Graph(weights, height, width)

    class TorchOps:
        def __init__(self, module): self.module, self.count = module, 0

        def parameter(self, array):
            name = f"p{self.count}"
            self.count += 1
            if not hasattr(self.module, name):
                self.module.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)))
            return getattr(self.module, name)

        def constant(self, array): return self.parameter(array)
        def reshape(self, x, shape): return x.reshape(shape)
        def transpose(self, x, order): return x.permute(order)
        def add(self, x, y): return x + y
        def subtract(self, x, y): return x - y
        def multiply(self, x, y): return x * y
        def concat(self, x, y): return torch.cat([x, y], 1)
        def sigmoid(self, x): return torch.sigmoid(x)
        def gelu(self, x): return F.gelu(x, approximate="tanh")

        def linear(self, x, kernel, bias):
            return F.linear(x, self.parameter(kernel.T), None if bias is None else self.parameter(bias))

        def layer_norm(self, x, scale, bias, epsilon):
            return F.layer_norm(x.float(), x.shape[-1:], self.parameter(scale), self.parameter(bias), epsilon)

        def attention(self, q, k, v, head_dim): return F.scaled_dot_product_attention(q, k, v)

    class Step(torch.nn.Module):
        def forward(self, frame, state): return graph.step(TorchOps(self), frame, state)

    return Step()
