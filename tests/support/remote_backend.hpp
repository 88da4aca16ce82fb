#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <rvm/backend/eigen.hpp>
#include <rvm/backend/host_buffer.hpp>

namespace test {

/// The Eigen backend behind addresses that the host cannot read, as those of a graphics card: whoever reads a buffer
/// but through the executor ends the process.
struct RemoteBackend {
 private:
  using Local = rvm::EigenCpu<float>;
  using In = rvm::MatrixView<const float>;
  using Out = rvm::MatrixView<float>;

  // No address of this form is ever valid.
  template <class T>
  static T* flip(T* address) {
    return std::bit_cast<T*>(std::bit_cast<std::uintptr_t>(address) ^ std::uintptr_t{1} << 62);
  }
  template <class T>
  static rvm::MatrixView<T> home(rvm::MatrixView<T> view) {
    return {flip(view.data), view.rows, view.cols, view.stride};
  }

 public:
  static constexpr std::string_view kName = "remote";
  static constexpr bool kHostMemory = false;
  using Element = float;
  using Options = Local::Options;
  using Dense = Local::Dense;
  using Norm = Local::Norm;

  template <class T>
  class Buffer {
   public:
    template <class Device>
    Buffer(const Device& device, std::size_t n) : memory_(device, n) {}
    T* data() noexcept { return flip(memory_.data()); }
    const T* data() const noexcept { return flip(memory_.data()); }
    std::size_t size() const noexcept { return memory_.size(); }

   private:
    rvm::HostBuffer<T> memory_;
  };

  class Device : public Local::Device {
   public:
    using Local::Device::Device;
    Buffer<float> upload(std::span<const float> values) const {
      Buffer<float> buffer(*this, values.size());
      std::copy(values.begin(), values.end(), flip(buffer.data()));
      return buffer;
    }
  };

  class Executor {
   public:
    explicit Executor(const Device& device) : local_(device) {}

    void write(std::span<const float> values, float* to) { local_.write(values, flip(to)); }
    void read(const float* from, std::span<float> values) const { local_.read(flip(from), values); }
    void copy(const float* from, float* to, std::size_t n) { local_.copy(flip(from), flip(to), n); }
    void zero(float* to, std::size_t n) { local_.zero(flip(to), n); }
    bool finite(const float* from, std::size_t n) const { return local_.finite(flip(from), n); }
    void patches(std::span<const rvm::FrameView> frames, Out out) { local_.patches(frames, home(out)); }
    void dense(In x, const Dense& w, Out y, rvm::Activation activation = rvm::Activation::kNone) {
      local_.dense(home(x), w, home(y), activation);
    }
    void dense_add(In x, const Dense& w, Out y) { local_.dense_add(home(x), w, home(y)); }
    void layer_norm(In x, const Norm& norm, Out y) { local_.layer_norm(home(x), norm, home(y)); }
    void convert(In x, Out y) { local_.convert(home(x), home(y)); }
    void attention(const rvm::AttentionShape& shape, In q, In k, In v, Out out) {
      local_.attention(shape, home(q), home(k), home(v), home(out));
    }
    void reset_gate(In a, In b, In state, const Norm& norm, Out out) {
      local_.reset_gate(home(a), home(b), home(state), norm, home(out));
    }
    void update_gate(In a, In b, In state, In x, const Norm& norm, Out next) {
      local_.update_gate(home(a), home(b), home(state), home(x), norm, home(next));
    }

   private:
    Local::Executor local_;
  };
};

static_assert(rvm::Backend<RemoteBackend>);

}  // namespace test
