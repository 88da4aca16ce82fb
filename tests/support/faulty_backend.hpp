#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <stdexcept>
#include <string_view>

#include <rvm/backend/eigen.hpp>

namespace test {

/// What a FaultyBackend throws.
struct Fault : std::runtime_error {
  Fault() : std::runtime_error("an operation failed") {}
};

/// The Eigen backend, one of whose operations fails when its time has come: `operations_left` counts down. Its memory
/// counts as the device's, so that reading features is an operation too.
struct FaultyBackend : rvm::EigenCpu<float> {
  using Base = rvm::EigenCpu<float>;
  static constexpr std::string_view kName = "faulty";
  static constexpr bool kHostMemory = false;
  static constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

  inline static std::size_t operations_left = kNever;

  class Executor : public Base::Executor {
    using In = rvm::MatrixView<const float>;
    using Out = rvm::MatrixView<float>;
    using Eigen = Base::Executor;

   public:
    using Eigen::Eigen;

    void write(std::span<const float> values, float* to) {
      half([&](std::size_t n) { Eigen::write(values.first(n), to); }, values.size());
    }
    void read(const float* from, std::span<float> values) const {
      half([&](std::size_t n) { Eigen::read(from, values.first(n)); }, values.size());
    }
    void copy(const float* from, float* to, std::size_t n) {
      half([&](std::size_t m) { Eigen::copy(from, to, m); }, n);
    }
    void zero(float* to, std::size_t n) {
      half([&](std::size_t m) { Eigen::zero(to, m); }, n);
    }
    bool finite(const float* from, std::size_t n) const {
      count();
      return Eigen::finite(from, n);
    }
    void patches(std::span<const rvm::FrameView> frames, Out out) {
      count();
      Eigen::patches(frames, out);
    }
    void dense(In x, const Dense& w, Out y, rvm::Activation activation = rvm::Activation::kNone) {
      count();
      Eigen::dense(x, w, y, activation);
    }
    void dense_add(In x, const Dense& w, Out y) {
      count();
      Eigen::dense_add(x, w, y);
    }
    void layer_norm(In x, const Norm& norm, Out y) {
      count();
      Eigen::layer_norm(x, norm, y);
    }
    void attention(const rvm::AttentionShape& shape, In q, In k, In v, Out out) {
      count();
      Eigen::attention(shape, q, k, v, out);
    }
    void reset_gate(In a, In b, In state, const Norm& norm, Out out) {
      count();
      Eigen::reset_gate(a, b, state, norm, out);
    }
    void update_gate(In a, In b, In state, In x, const Norm& norm, Out next) {
      count();
      Eigen::update_gate(a, b, state, x, norm, next);
    }

   private:
    static void count() {
      if (operations_left != kNever && operations_left-- == 0) {
        operations_left = kNever;
        throw Fault();
      }
    }
    // What moves numbers fails when half of them have moved.
    template <class Move>
    static void half(const Move& move, std::size_t n) {
      if (operations_left == 0) move(n / 2);
      count();
      move(n);
    }
  };
};

static_assert(rvm::Backend<FaultyBackend>);

}  // namespace test
