#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <rvm/weights/weights.hpp>

namespace test {

/// The model once more, in double and plain loops, straight from the paper's formulas: what the library is checked
/// against beside the authors' own answers. Shares nothing with the library but the weight files' reader.
class Reference {
 public:
  /// Rows of numbers; a row per token.
  struct Matrix {
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::vector<double> values;

    Matrix() = default;
    Matrix(std::size_t rows_, std::size_t cols_) : rows(rows_), cols(cols_), values(rows_ * cols_) {}
    template <class T>
    Matrix(const T* data, std::size_t rows_, std::size_t cols_)
        : rows(rows_), cols(cols_), values(data, data + rows_ * cols_) {}
    double& operator()(std::size_t i, std::size_t j) { return values[i * cols + j]; }
    double operator()(std::size_t i, std::size_t j) const { return values[i * cols + j]; }
  };

  explicit Reference(rvm::Weights weights) : weights_(std::move(weights)) {}

  /// pixels [height, width, 3] in [0, 1] -> tokens with class token and position.
  Matrix tokens(const std::vector<double>& pixels, std::size_t height, std::size_t width) const {
    constexpr std::size_t kPatch = 16;
    const std::size_t h = height / kPatch;
    const std::size_t w = width / kPatch;
    const Matrix cls = read("cls_token");
    const Matrix kernel = flatten(read("tokenizer/patch_embedding/Conv_0/kernel"), kPatch * kPatch * 3);
    const Matrix bias = read("tokenizer/patch_embedding/Conv_0/bias");
    const Matrix position = position_encoding(h, w, cls.cols);
    Matrix out(1 + h * w, cls.cols);
    for (std::size_t d = 0; d < cls.cols; ++d) out(0, d) = cls(0, d);
    for (std::size_t p = 0; p < h * w; ++p) {
      for (std::size_t d = 0; d < cls.cols; ++d) {
        double sum = bias(0, d) + position(p, d);
        for (std::size_t y = 0; y < kPatch; ++y) {
          for (std::size_t x = 0; x < kPatch; ++x) {
            for (std::size_t c = 0; c < 3; ++c) {
              const std::size_t row = p / w * kPatch + y;
              const std::size_t column = p % w * kPatch + x;
              sum += pixels[(row * width + column) * 3 + c] * kernel((y * kPatch + x) * 3 + c, d);
            }
          }
        }
        out(1 + p, d) = sum;
      }
    }
    return out;
  }

  Matrix encode(Matrix x) const {
    for (std::size_t i = 0; weights_.contains(layer(i) + "/mlp_norm/scale"); ++i) {
      const Matrix normed = norm(layer(i) + "/attention_norm", x);
      add(x, attention(layer(i) + "/attention", normed, normed));
      add(x, mlp(layer(i) + "/mlp", norm(layer(i) + "/mlp_norm", x)));
    }
    return norm("encoder/LayerNorm_0", x);
  }

  Matrix cross_transformer(const std::string& key, Matrix x, const Matrix& memory) const {
    for (std::size_t i = 0;; ++i) {
      const std::string block = key + "/xa_blocks_" + std::to_string(i);
      if (!weights_.contains(block + "/mlp_norm/scale")) break;
      add(x, attention(block + "/ca_attention", norm(block + "/ca_attention_norm", x), memory));
      add(x, mlp(block + "/mlp", norm(block + "/mlp_norm", x)));
      const Matrix normed = norm(block + "/attention_norm", x);
      add(x, attention(block + "/attention", normed, normed));
    }
    return norm(key + "/output_norm", x);
  }

  /// The state after a frame whose encoding is e.
  Matrix core(const Matrix& e, const Matrix& state) const {
    const Matrix update = gate("update", e, state);
    const Matrix reset = gate("reset", e, state);
    Matrix memory = norm("rnn_core/state_layer_norm", state, 1e-4);
    for (std::size_t i = 0; i < memory.values.size(); ++i) memory.values[i] *= reset.values[i];
    Matrix next = cross_transformer("rnn_core/transformer", e, memory);
    for (std::size_t i = 0; i < next.values.size(); ++i) {
      const double u = update.values[i];
      next.values[i] = (1 - u) * state.values[i] + u * next.values[i];
    }
    return next;
  }

  /// One step; an empty state stands for zero.
  Matrix step(const std::vector<double>& pixels, std::size_t height, std::size_t width, const Matrix& state) const {
    const Matrix e = encode(tokens(pixels, height, width));
    return core(e, state.values.empty() ? Matrix(e.rows, e.cols) : state);
  }

  /// Masked reconstruction of one target from the source's frames, all as pixels [height, width, 3]: its pixels.
  std::vector<double> reconstruct(const std::vector<std::vector<double>>& source, const std::vector<double>& target,
                                  std::size_t height, std::size_t width, std::size_t offset,
                                  const std::vector<std::size_t>& visible) const {
    Matrix state;
    Matrix features;
    for (const std::vector<double>& frame : source) {
      state = step(frame, height, width, state);
      features.values.insert(features.values.end(), state.values.begin(), state.values.end());
      features.rows += state.rows;
      features.cols = state.cols;
    }
    const Matrix memory = dense("decoder_embedder", features);

    const Matrix all = tokens(target, height, width);
    Matrix shown(1 + visible.size(), all.cols);
    for (std::size_t d = 0; d < all.cols; ++d) {
      shown(0, d) = all(0, d);
      for (std::size_t k = 0; k < visible.size(); ++k) shown(1 + k, d) = all(1 + visible[k], d);
    }
    const Matrix seen = dense("decoder_embedder", encode(shown));

    const Matrix mask = read("mask_token");
    Matrix one_hot(1, 64);
    one_hot(0, offset) = 1;
    const Matrix delta = dense("delta_embedder", one_hot);
    const Matrix position = sinusoids(all.rows - 1, mask.cols);
    Matrix x(all.rows, mask.cols);
    for (std::size_t d = 0; d < mask.cols; ++d) {
      for (std::size_t p = 1; p < x.rows; ++p) x(p, d) = mask(0, d);
      for (std::size_t k = 0; k < visible.size(); ++k) x(1 + visible[k], d) = seen(1 + k, d);
      for (std::size_t p = 1; p < x.rows; ++p) x(p, d) += delta(0, d) + position(p - 1, d);
      x(0, d) = seen(0, d);
    }
    const Matrix patches = dense("detokenizer/Dense_0", cross_transformer("decoder", x, memory));

    std::vector<double> pixels(height * width * 3);
    for (std::size_t y = 0; y < height; ++y) {
      for (std::size_t i = 0; i < width * 3; ++i) {
        const std::size_t p = y / 16 * (width / 16) + i / 3 / 16;
        pixels[y * width * 3 + i] = patches(1 + p, (y % 16 * 16 + i / 3 % 16) * 3 + i % 3);
      }
    }
    return pixels;
  }

  Matrix norm(const std::string& key, const Matrix& x, double epsilon = 1e-6) const {
    const Matrix scale = read(key + "/scale");
    const Matrix bias = weights_.contains(key + "/bias") ? read(key + "/bias") : Matrix(1, x.cols);
    Matrix out(x.rows, x.cols);
    const auto n = static_cast<double>(x.cols);
    for (std::size_t i = 0; i < x.rows; ++i) {
      double sum = 0;
      double squares = 0;
      for (std::size_t j = 0; j < x.cols; ++j) {
        sum += x(i, j);
        squares += x(i, j) * x(i, j);
      }
      const double mean = sum / n;
      const double deviation = std::sqrt(squares / n - mean * mean + epsilon);
      for (std::size_t j = 0; j < x.cols; ++j) out(i, j) = (x(i, j) - mean) / deviation * scale(0, j) + bias(0, j);
    }
    return out;
  }

  Matrix mlp(const std::string& key, const Matrix& x) const {
    Matrix hidden = dense(key + "/dense_in", x);
    for (double& v : hidden.values) v = 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
    return dense(key + "/dense_out", hidden);
  }

  Matrix attention(const std::string& key, const Matrix& x, const Matrix& memory) const {
    const rvm::Shape heads = weights_.at(key + "/query/kernel").shape();
    const Matrix q = dense(key + "/query", x);
    const Matrix k = dense(key + "/key", memory);
    const Matrix v = dense(key + "/value", memory);
    Matrix out(x.rows, q.cols);
    std::vector<double> p(memory.rows);
    for (std::size_t h = 0; h < heads[1]; ++h) {
      const std::size_t first = h * heads[2];
      for (std::size_t i = 0; i < x.rows; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < memory.rows; ++j) {
          double dot = 0;
          for (std::size_t d = first; d < first + heads[2]; ++d) dot += q(i, d) * k(j, d);
          sum += p[j] = std::exp(dot / std::sqrt(static_cast<double>(heads[2])));
        }
        for (std::size_t j = 0; j < memory.rows; ++j) {
          for (std::size_t d = first; d < first + heads[2]; ++d) out(i, d) += p[j] / sum * v(j, d);
        }
      }
    }
    return dense(key + "/out", out);
  }

  /// x times key/kernel, whose axes are folded to [x.cols, rest], plus key/bias if there is one.
  Matrix dense(const std::string& key, const Matrix& x) const {
    const Matrix kernel = flatten(read(key + "/kernel"), x.cols);
    Matrix out(x.rows, kernel.cols);
    if (weights_.contains(key + "/bias")) {
      const Matrix bias = flatten(read(key + "/bias"), 1);
      for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = bias.values[i % out.cols];
    }
    for (std::size_t i = 0; i < x.rows; ++i) {
      for (std::size_t k = 0; k < x.cols; ++k) {
        for (std::size_t j = 0; j < out.cols; ++j) out(i, j) += x(i, k) * kernel(k, j);
      }
    }
    return out;
  }

  /// [h * w, width].
  static Matrix position_encoding(std::size_t h, std::size_t w, std::size_t width) {
    constexpr std::size_t kBase = 16;
    const Matrix table = sinusoids(kBase * kBase, width);
    if (h == kBase && w == kBase) return table;
    Matrix out(h * w, width);
    for (std::size_t y = 0; y < h; ++y) {
      for (std::size_t x = 0; x < w; ++x) {
        for (std::size_t i = 0; i < kBase; ++i) {
          for (std::size_t j = 0; j < kBase; ++j) {
            const double weight = cubic_weight(kBase, h, y, i) * cubic_weight(kBase, w, x, j);
            if (weight == 0) continue;
            for (std::size_t d = 0; d < width; ++d) out(y * w + x, d) += weight * table(i * kBase + j, d);
          }
        }
      }
    }
    return out;
  }

 private:
  static Matrix sinusoids(std::size_t positions, std::size_t width) {
    Matrix table(positions, width);
    for (std::size_t p = 0; p < positions; ++p) {
      for (std::size_t j = 0; j < width; ++j) {
        const double exponent = 2 * static_cast<double>(j / 2) / static_cast<double>(width);
        const double angle = static_cast<double>(p) / std::pow(10000.0, exponent);
        table(p, j) = static_cast<float>(j % 2 == 0 ? std::sin(angle) : std::cos(angle));
      }
    }
    return table;
  }

  static std::string layer(std::size_t i) { return "encoder/layers_" + std::to_string(i); }

  // The share of input i in output o of a cubic resize (Keys, a = -0.5), antialiased when shrinking.
  static double cubic_weight(std::size_t in, std::size_t out, std::size_t o, std::size_t i) {
    const double scale = static_cast<double>(out) / static_cast<double>(in);
    const double stretch = scale < 1 ? 1 / scale : 1;
    const double centre = (static_cast<double>(o) + 0.5) / scale - 0.5;
    const auto keys = [&](std::size_t at) {
      const double t = std::abs(centre - static_cast<double>(at)) / stretch;
      if (t >= 2) return 0.0;
      return t >= 1 ? -0.5 * (t * t * t - 5 * t * t + 8 * t - 4) : 1.5 * t * t * t - 2.5 * t * t + 1;
    };
    double total = 0;
    for (std::size_t at = 0; at < in; ++at) total += keys(at);
    return keys(i) / total;
  }

  Matrix gate(const std::string& name, const Matrix& e, const Matrix& state) const {
    Matrix out = dense("rnn_core/input_" + name, e);
    add(out, dense("rnn_core/state_" + name, state));
    for (double& v : out.values) v = 1 / (1 + std::exp(-v));
    return out;
  }

  static void add(Matrix& x, const Matrix& y) {
    for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] += y.values[i];
  }
  static Matrix flatten(Matrix m, std::size_t rows) {
    m.cols = m.values.size() / rows;
    m.rows = rows;
    return m;
  }
  // The array as one row.
  Matrix read(const std::string& key) const {
    const rvm::Tensor<float> array = weights_.at(key).as<float>();
    return {array.data(), 1, array.size()};
  }

  rvm::Weights weights_;
};

}  // namespace test
