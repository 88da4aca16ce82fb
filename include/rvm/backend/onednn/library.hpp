#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <utility>

#include <dnnl.hpp>

#include <rvm/core/dtype.hpp>
#include <rvm/core/error.hpp>

// oneDNN 2.6 and 3.x behind one face.
namespace rvm::detail {

/// Runs oneDNN on the calling thread alone while it lives, and leaves the thread's OpenMP setting as it was: the
/// library's own thread team does the sharing out. Does nothing where oneDNN uses no OpenMP.
class OneThread {
 public:
  OneThread() noexcept {
    if (openmp().get == nullptr) return;
    before_ = openmp().get();
    if (before_ != 1) openmp().set(1);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() {
    if (before_ > 1) openmp().set(before_);
  }

 private:
  struct OpenMp {
    int (*get)() = nullptr;
    void (*set)(int) = nullptr;
  };

  // Looked up rather than linked: the OpenMP that counts is the one that oneDNN was built with, which need not be the
  // host's.
  static const OpenMp& openmp() noexcept {
    static const OpenMp functions = [] {
      Dl_info onednn{};
      void* library = nullptr;
      if (::dladdr(reinterpret_cast<const void*>(&dnnl_version), &onednn) != 0) {
        library = ::dlopen(onednn.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
      }
      const auto find = [&](const char* name) { return ::dlsym(library != nullptr ? library : RTLD_DEFAULT, name); };
      OpenMp found{reinterpret_cast<int (*)()>(find("omp_get_max_threads")),
                   reinterpret_cast<void (*)(int)>(find("omp_set_num_threads"))};
      return found.get != nullptr && found.set != nullptr ? found : OpenMp{};
    }();
    return functions;
  }

  int before_ = 1;
};

/// Throws what a failure of oneDNN means to the caller: std::bad_alloc where memory ran out, or else Error.
[[noreturn]] inline void throw_onednn_failure(dnnl_status_t status, const std::string& what) {
  if (status == dnnl_out_of_memory) throw std::bad_alloc();
  throw Error("oneDNN: " + what + " (status " + std::to_string(static_cast<int>(status)) + ")");
}

/// What body() returns. Throws as above for a dnnl::error of its.
template <class Body>
decltype(auto) with_onednn(const Body& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    throw_onednn_failure(error.status, error.what());
  }
}

/// "oneDNN 2.6.3".
inline std::string onednn_version() {
  const dnnl_version_t* const version = dnnl_version();
  return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch);
}

template <class T>
inline constexpr auto kOneDnnType = dnnl::memory::data_type::undef;
template <>
inline constexpr auto kOneDnnType<float> = dnnl::memory::data_type::f32;
template <>
inline constexpr auto kOneDnnType<bfloat16> = dnnl::memory::data_type::bf16;
template <>
inline constexpr auto kOneDnnType<std::int8_t> = dnnl::memory::data_type::s8;
template <>
inline constexpr auto kOneDnnType<std::uint8_t> = dnnl::memory::data_type::u8;

/// One matrix product: y = x w + bias, or y += x w + bias.
struct ProductShape {
  std::size_t rows = 0;
  std::size_t depth = 0;
  std::size_t cols = 0;
  std::size_t x_stride = 0;
  std::size_t y_stride = 0;
  bool biased = false;
  bool accumulate = false;
  friend bool operator==(const ProductShape&, const ProductShape&) = default;
};

inline dnnl::memory::dim onednn_dim(std::size_t n) {
  return static_cast<dnnl::memory::dim>(n);
}

inline dnnl::memory::desc onednn_matrix(std::size_t rows, std::size_t cols, std::size_t stride,
                                        dnnl::memory::data_type type) {
  return {{onednn_dim(rows), onednn_dim(cols)}, type, dnnl::memory::dims{onednn_dim(stride), 1}};
}

/// The primitive for a product whose weights lie as `weights` says (format "any" lets oneDNN choose).
inline dnnl::matmul::primitive_desc onednn_product(const dnnl::engine& engine, const ProductShape& shape,
                                                   dnnl::memory::data_type x, dnnl::memory::data_type y,
                                                   const dnnl::memory::desc& weights) {
  const dnnl::memory::desc source = onednn_matrix(shape.rows, shape.depth, shape.x_stride, x);
  const dnnl::memory::desc destination = onednn_matrix(shape.rows, shape.cols, shape.y_stride, y);
  const dnnl::memory::desc bias = onednn_matrix(1, shape.cols, shape.cols, dnnl::memory::data_type::f32);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (shape.accumulate) {
    dnnl::post_ops operations;
    operations.append_sum(1.0F);
    attributes.set_post_ops(operations);
  }
#if DNNL_VERSION_MAJOR >= 3
  if (shape.biased) return {engine, source, weights, bias, destination, attributes};
  return {engine, source, weights, destination, attributes};
#else
  if (shape.biased) return {dnnl::matmul::desc(source, weights, bias, destination), attributes, engine};
  return {dnnl::matmul::desc(source, weights, destination), attributes, engine};
#endif
}

/// Points a memory object elsewhere.
inline void set_data(const dnnl::memory& memory, const void* data) noexcept {
  static_cast<void>(dnnl_memory_set_data_handle(memory.get(), const_cast<void*>(data)));
}

}  // namespace rvm::detail
