#pragma once

/// \file
/// Tensors out and in as DLPack, without a copy: what PyTorch, CuPy, JAX and NumPy in the same process exchange arrays
/// by. Works with the structs of interop/detail/dlpack_abi.hpp and with those of any DLPack header from 0.4 on, which
/// need not be there: name the struct, as in to_dlpack<DLManagedTensor>(...).

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <rvm/core/dtype.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/frame.hpp>
#include <rvm/interop/channel_order.hpp>
#include <rvm/interop/detail/dlpack_abi.hpp>

namespace rvm {
namespace detail {

/// DLPack's code of an element type; its size is the rest.
constexpr std::uint8_t dlpack_code(DType dtype) noexcept {
  switch (dtype) {
    case DType::kBool: return dlpack::kBool;
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64: return dlpack::kInt;
    case DType::kUint8:
    case DType::kUint16:
    case DType::kUint32:
    case DType::kUint64: return dlpack::kUint;
    case DType::kBfloat16: return dlpack::kBfloat;
    case DType::kFloat16:
    case DType::kFloat32:
    case DType::kFloat64: return dlpack::kFloat;
  }
  return dlpack::kFloat;
}

/// "a float of 32 bits on device 1:0", for messages.
template <class DlTensor>
std::string dlpack_text(const DlTensor& tensor) {
  const auto code = static_cast<unsigned>(tensor.dtype.code);
  return "elements of type code " + std::to_string(code) + " with " + std::to_string(tensor.dtype.bits) + " bits x " +
         std::to_string(tensor.dtype.lanes);
}

template <class T, class DlTensor>
bool dlpack_holds(const DlTensor& tensor) noexcept {
  return static_cast<unsigned>(tensor.dtype.code) == dlpack_code(kDTypeOf<T>) && tensor.dtype.bits == 8 * sizeof(T) &&
         tensor.dtype.lanes == 1;
}

/// The tensor in a managed one, if it is of a version that is known; a plain tensor itself.
template <class Dl>
const auto& dlpack_tensor(const Dl& source) {
  if constexpr (requires { source.version.major; }) {
    if (source.version.major != dlpack::kVersion.major) {
      throw ArgumentError("expected a tensor of DLPack " + std::to_string(dlpack::kVersion.major) + ", found version " +
                          std::to_string(source.version.major) + "." + std::to_string(source.version.minor));
    }
  }
  if constexpr (requires { source.dl_tensor; }) {
    return source.dl_tensor;
  } else {
    return source;
  }
}

/// The shape, checked; on the device that is expected.
template <class DlTensor>
Shape dlpack_shape(const DlTensor& tensor, const dlpack::Device& device) {
  const auto type = static_cast<std::int32_t>(tensor.device.device_type);
  const bool host = device.device_type == dlpack::kCpu && type == dlpack::kCudaHost;
  if (!host && (type != device.device_type || tensor.device.device_id != device.device_id)) {
    throw ArgumentError("expected a DLPack tensor on device " + std::to_string(device.device_type) + ":" +
                        std::to_string(device.device_id) + ", found one on " + std::to_string(type) + ":" +
                        std::to_string(tensor.device.device_id));
  }
  if (tensor.ndim < 0 || static_cast<std::size_t>(tensor.ndim) > Shape::kMaxRank) {
    throw ArgumentError("expected a DLPack tensor of at most " + std::to_string(Shape::kMaxRank) + " axes, found " +
                        std::to_string(tensor.ndim));
  }
  const auto rank = static_cast<std::size_t>(tensor.ndim);
  if (rank != 0 && tensor.shape == nullptr) throw ArgumentError("a DLPack tensor's shape is a null pointer");
  std::array<std::size_t, Shape::kMaxRank> extents{};
  for (std::size_t i = 0; i < rank; ++i) {
    if (tensor.shape[i] < 0) {
      throw ArgumentError("axis " + std::to_string(i) + " of a DLPack tensor has a negative extent");
    }
    extents[i] = static_cast<std::size_t>(tensor.shape[i]);
  }
  const Shape shape(std::span<const std::size_t>(extents.data(), rank));
  if (shape.elements() > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(double)) {
    throw ArgumentError("a DLPack tensor of shape " + to_string(shape) + " does not fit memory");
  }
  if (shape.elements() != 0 && tensor.data == nullptr) throw ArgumentError("a DLPack tensor's data is a null pointer");
  return shape;
}

/// The first element.
template <class T, class DlTensor>
T* dlpack_data(const DlTensor& tensor) {
  if (tensor.data == nullptr) return nullptr;
  auto* const data = static_cast<std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>*>(tensor.data) +
                     tensor.byte_offset;
  if (reinterpret_cast<std::uintptr_t>(data) % alignof(T) != 0) {
    throw ArgumentError("a DLPack tensor's elements are not aligned to their size");
  }
  return reinterpret_cast<T*>(data);
}

/// What an exported tensor lives in, until its consumer calls the deleter.
template <class Managed>
struct DlpackExport {
  Managed managed{};
  std::array<std::int64_t, Shape::kMaxRank> shape{};
  std::array<std::int64_t, Shape::kMaxRank> strides{};
  std::shared_ptr<const void> owner;
};

}  // namespace detail

/// Calls a managed tensor's deleter.
struct DlpackDelete {
  template <class Managed>
  void operator()(Managed* managed) const noexcept {
    if (managed != nullptr && managed->deleter != nullptr) managed->deleter(managed);
  }
};

/// A managed tensor that nobody has taken yet: release() hands it over, to a PyCapsule for example, and whoever has it
/// then calls its deleter once, on any thread.
template <class Managed = dlpack::ManagedTensor>
using DlpackPtr = std::unique_ptr<Managed, DlpackDelete>;

/// Exports memory that `owner` keeps: no copy; the owner is let go when the consumer calls the deleter. Without an
/// owner the memory must outlive the consumer. Row-major, strides filled in. Elements that are const are marked
/// read-only where Managed has flags (DLPack 1.0); older consumers cannot know and must not write.
///
/// Features are a view of their stream: with the stream as owner, std::shared_ptr<rvm::Stream<...>>, the memory stays
/// valid, but its numbers are those of that frame only until the stream's next call; export a copy of what must last
/// longer. `device` says where the pointer points to, for memory of a GPU. Throws std::bad_alloc.
template <class Managed = dlpack::ManagedTensor, class T>
DlpackPtr<Managed> to_dlpack(TensorView<T> values, std::shared_ptr<const void> owner,
                             const dlpack::Device& device = {}) {
  auto whole = std::make_unique<detail::DlpackExport<Managed>>();
  whole->owner = std::move(owner);
  const std::size_t rank = values.shape().rank();
  std::int64_t stride = 1;
  for (std::size_t i = rank; i-- > 0;) {
    whole->shape[i] = static_cast<std::int64_t>(values.shape()[i]);
    whole->strides[i] = stride;
    stride *= std::max<std::int64_t>(whole->shape[i], 1);
  }
  Managed& managed = whole->managed;
  auto& tensor = managed.dl_tensor;
  tensor.data = const_cast<std::remove_const_t<T>*>(values.data());
  tensor.device.device_type = static_cast<decltype(tensor.device.device_type)>(device.device_type);
  tensor.device.device_id = device.device_id;
  tensor.ndim = static_cast<std::int32_t>(rank);
  tensor.dtype.code = detail::dlpack_code(kDTypeOf<T>);
  tensor.dtype.bits = static_cast<std::uint8_t>(8 * sizeof(T));
  tensor.dtype.lanes = 1;
  tensor.shape = whole->shape.data();
  tensor.strides = whole->strides.data();
  if constexpr (requires { managed.version.major; }) {
    managed.version.major = dlpack::kVersion.major;
    managed.version.minor = dlpack::kVersion.minor;
    managed.flags = std::is_const_v<T> ? dlpack::kReadOnly : 0;
  }
  managed.manager_ctx = whole.get();
  managed.deleter = [](Managed* self) { delete static_cast<detail::DlpackExport<Managed>*>(self->manager_ctx); };
  return DlpackPtr<Managed>(&whole.release()->managed);
}

/// Exports a tensor with its memory: what Stream::run returns, for example. No copy. Throws std::bad_alloc, and the
/// tensor is then as it was.
template <class Managed = dlpack::ManagedTensor, class T>
DlpackPtr<Managed> to_dlpack(Tensor<T>&& tensor) {
  auto owner = std::make_shared<Tensor<T>>();
  auto exported = to_dlpack<Managed>(tensor.view(), owner);
  *owner = std::move(tensor);
  return exported;
}

/// A view of a tensor of DLPack's, managed or not; valid as long as its owner keeps it: call the deleter after the last
/// use. `device` is where the caller can use memory: the default is the host, pinned memory included; with
/// {dlpack::kCuda, 0} the view's pointer is one of that GPU, for its backend alone. T may be const. Throws
/// ArgumentError if the elements are not T, lie elsewhere, are not contiguous in row-major order, may not be written
/// and T is not const, or the struct is damaged or of an unknown version.
template <class T, class Dl>
TensorView<T> from_dlpack(const Dl& source, const dlpack::Device& device = {}) {
  const auto& tensor = detail::dlpack_tensor(source);
  const Shape shape = detail::dlpack_shape(tensor, device);
  if (!detail::dlpack_holds<T>(tensor)) {
    throw ArgumentError("expected a DLPack tensor of " + std::string(name_of(kDTypeOf<T>)) + ", found " +
                        detail::dlpack_text(tensor));
  }
  if constexpr (!std::is_const_v<T> && requires { source.flags; }) {
    if ((source.flags & dlpack::kReadOnly) != 0) throw ArgumentError("a DLPack tensor is read-only");
  }
  if (tensor.strides != nullptr && shape.elements() != 0) {
    std::int64_t expected = 1;
    for (std::size_t i = shape.rank(); i-- > 0;) {
      if (shape[i] != 1 && tensor.strides[i] != expected) {
        throw ArgumentError("expected a DLPack tensor in row-major order without gaps; axis " + std::to_string(i) +
                            " has the stride " + std::to_string(tensor.strides[i]) + " instead of " +
                            std::to_string(expected));
      }
      expected *= tensor.shape[i];
    }
  }
  return {detail::dlpack_data<T>(tensor), shape};
}

/// A view of an image of DLPack's in the host's memory, managed or not: uint8 [H, W], [H, W, 1], [H, W, 3] or
/// [H, W, 4], or float32 [H, W, 3] in [0, 1] in the order RGB. Rows may have any stride, negative too; pixels follow
/// one another. Valid as from_dlpack's view is. Throws FrameError on another shape, type or order, ArgumentError if the
/// tensor lies elsewhere or the struct is damaged or of an unknown version.
template <class Dl>
FrameView frame_from_dlpack(const Dl& source, ChannelOrder order = ChannelOrder::kRgb) {
  const auto& tensor = detail::dlpack_tensor(source);
  const Shape shape = detail::dlpack_shape(tensor, {});
  const std::size_t channels = shape.rank() == 3 ? shape[2] : 1;
  const bool floats = detail::dlpack_holds<float>(tensor);
  const bool right_shape =
      (shape.rank() == 2 || shape.rank() == 3) && (channels == 3 || (!floats && (channels == 1 || channels == 4)));
  if (!right_shape || (!floats && !detail::dlpack_holds<std::uint8_t>(tensor))) {
    throw FrameError(
        "a frame is a DLPack tensor uint8 [H, W], [H, W, 1], [H, W, 3], [H, W, 4] or float32 [H, W, 3], "
        "found " +
        detail::dlpack_text(tensor) + " and shape " + to_string(shape));
  }
  if (floats && order == ChannelOrder::kBgr) throw FrameError("a frame of floats is in the order RGB");
  if (shape.elements() == 0) throw FrameError("a frame has no pixels: " + to_string(shape));
  const std::size_t size = floats ? sizeof(float) : 1;
  auto row_stride = static_cast<std::ptrdiff_t>(shape[1] * channels * size);
  if (tensor.strides != nullptr) {
    const bool packed = (shape.rank() == 2 || channels == 1 || tensor.strides[2] == 1) &&
                        (shape[1] == 1 || tensor.strides[1] == static_cast<std::int64_t>(channels));
    if (!packed) throw FrameError("the pixels of a row, and their channels, must follow one another without gaps");
    const std::int64_t furthest = std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(4 * shape[0]);
    if (shape[0] != 1 && (tensor.strides[0] > furthest || tensor.strides[0] < -furthest)) {
      throw FrameError("a frame's row stride of " + std::to_string(tensor.strides[0]) + " elements is too large");
    }
    if (shape[0] != 1 && tensor.strides[0] == 0) throw FrameError("a frame's rows all lie at one place");
    if (shape[0] != 1) row_stride = static_cast<std::ptrdiff_t>(tensor.strides[0]) * static_cast<std::ptrdiff_t>(size);
  }
  if (floats) return {detail::dlpack_data<const float>(tensor), shape[0], shape[1], row_stride};
  const bool rgb = order == ChannelOrder::kRgb;
  const PixelFormat format = channels == 1   ? PixelFormat::kGrey
                             : channels == 3 ? (rgb ? PixelFormat::kRgb : PixelFormat::kBgr)
                                             : (rgb ? PixelFormat::kRgba : PixelFormat::kBgra);
  return {detail::dlpack_data<const std::uint8_t>(tensor), shape[0], shape[1], format, row_stride};
}

}  // namespace rvm
