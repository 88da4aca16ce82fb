#pragma once

#include <cstddef>

#include <rvm/layers/cross_transformer.hpp>
#include <rvm/layers/operand.hpp>

namespace rvm {

/// What one step of the recurrent core needs besides the blocks' workspace.
template <Backend B>
struct CoreWorkspace {
  using Element = typename B::Element;

  CoreWorkspace(const typename B::Device& device, std::size_t rows, std::size_t width, std::size_t keys_values_width)
      : operand(device, operand_size<B>(rows * width)),
        input_gates(device, rows * 2 * width),
        state_gates(device, rows * 2 * width),
        memory(device, rows * width),
        keys_values(device, rows * keys_values_width) {}

  typename B::template Buffer<Element> operand;    // [rows, width] encoded frame or state, where a product reads it
  typename B::template Buffer<float> input_gates;  // [rows, 2 * width] the frame's part of update and reset gate
  typename B::template Buffer<float> state_gates;  // [rows, 2 * width] the state's part of them
  typename B::template Buffer<Element> memory;     // [rows, width] reset gate * norm(state)
  typename B::template Buffer<Element> keys_values;
};

/// The GRU-gated cross-attention transformer (spec, section 2, step 5): from an encoded frame e and the state s,
///   u = sigmoid(e W_iu + s W_su), r = sigmoid(e W_ir + s W_sr), memory = r * norm(s),
///   next = (1 - u) * s + u * norm(CrossTransformer(e, memory)).
template <Backend B>
class RecurrentCore {
 public:
  using Element = typename B::Element;
  using Executor = typename B::Executor;

  /// Reads rnn_core/.... Throws WeightsError.
  RecurrentCore(const typename B::Device& device, WeightReader& reader, std::size_t width,
                const TransformerConfig& config)
      : input_gates_(device, reader,
                     {unbiased_part("rnn_core/input_update", width, width),
                      unbiased_part("rnn_core/input_reset", width, width)}),
        state_gates_(device, reader,
                     {unbiased_part("rnn_core/state_update", width, width),
                      unbiased_part("rnn_core/state_reset", width, width)}),
        state_norm_(device, read_state_norm(reader, "rnn_core/state_layer_norm", width)),
        transformer_(device, reader, "rnn_core/transformer", width, config),
        output_norm_(device, read_norm(reader, "rnn_core/transformer/output_norm", width)) {}

  /// Columns of the keys and values, for CoreWorkspace.
  std::size_t keys_values_width() const noexcept { return transformer_.keys_values_width(); }

  /// e: the encoded frames [batch * N, width], used up as the residual stream; state, next: [batch * N, width], which
  /// do not overlap.
  void operator()(Executor& run, Workspace<B>& workspace, CoreWorkspace<B>& own, MatrixView<float> e,
                  MatrixView<const float> state, MatrixView<float> next, std::size_t batch) const {
    read_state(run, own, state);
    read_frame(run, workspace, own, e, state, next, batch);
  }

  /// The first half of it, which needs no frame: the state's part of both gates.
  void read_state(Executor& run, CoreWorkspace<B>& own, MatrixView<const float> state) const {
    state_gates_(run, as_operand<B>(run, state, own.operand), gates(own.state_gates, state));
  }

  /// The second half of it, after read_state of the same state.
  void read_frame(Executor& run, Workspace<B>& workspace, CoreWorkspace<B>& own, MatrixView<float> e,
                  MatrixView<const float> state, MatrixView<float> next, std::size_t batch) const {
    const std::size_t width = e.cols;
    const MatrixView<float> input_gates = gates(own.input_gates, e);
    const MatrixView<float> state_gates = gates(own.state_gates, e);
    const MatrixView<Element> memory(own.memory.data(), e.rows, width);
    const MatrixView<Element> keys_values(own.keys_values.data(), e.rows, keys_values_width());

    input_gates_(run, as_operand<B>(run, e, own.operand), input_gates);
    const auto update = [&](MatrixView<const float> both) { return both.col_block(0, width); };
    const auto reset = [&](MatrixView<const float> both) { return both.col_block(width, width); };

    run.reset_gate(reset(input_gates), reset(state_gates), state, state_norm_.parameters(), memory);
    transformer_.project(run, memory, keys_values);
    transformer_(run, workspace, e, keys_values, batch);
    run.update_gate(update(input_gates), update(state_gates), state, e, output_norm_.parameters(), next);
  }

 private:
  // Update and reset gate side by side.
  static MatrixView<float> gates(typename B::template Buffer<float>& room, MatrixView<const float> x) {
    return {room.data(), x.rows, 2 * x.cols};
  }

  Linear<B> input_gates_;
  Linear<B> state_gates_;
  LayerNorm<B> state_norm_;
  CrossTransformer<B> transformer_;
  LayerNorm<B> output_norm_;
};

}  // namespace rvm
