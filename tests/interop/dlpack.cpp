#include <rvm/interop/dlpack.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include <rvm/features.hpp>

#if __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>
#endif

#include "support/catch.hpp"

namespace {

using Versioned = rvm::dlpack::ManagedTensorVersioned;

// A tensor as another library would describe it.
struct Foreign {
  template <class T>
  Foreign(T* data, std::vector<std::int64_t> extents, std::vector<std::int64_t> steps = {})
      : shape(std::move(extents)), strides(std::move(steps)) {
    using Element = std::remove_const_t<T>;
    tensor.data = const_cast<Element*>(data);
    tensor.ndim = static_cast<std::int32_t>(shape.size());
    tensor.dtype = {rvm::detail::dlpack_code(rvm::kDTypeOf<T>), 8 * sizeof(T), 1};
    tensor.shape = shape.data();
    tensor.strides = strides.empty() ? nullptr : strides.data();
  }

  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
  rvm::dlpack::Tensor tensor{};
};

}  // namespace

TEST_CASE("a tensor is exported with its memory") {
  rvm::Tensor<float> tensor({2, 3, 4});
  std::iota(tensor.begin(), tensor.end(), 0.0F);
  const float* const memory = tensor.data();
  const auto exported = rvm::to_dlpack(std::move(tensor));
  CHECK(tensor.empty());
  const rvm::dlpack::Tensor& out = exported->dl_tensor;
  CHECK(out.data == memory);
  CHECK(out.device == rvm::dlpack::Device{rvm::dlpack::kCpu, 0});
  CHECK(out.ndim == 3);
  CHECK(std::vector(out.shape, out.shape + 3) == std::vector<std::int64_t>{2, 3, 4});
  CHECK(std::vector(out.strides, out.strides + 3) == std::vector<std::int64_t>{12, 4, 1});
  CHECK(out.dtype.code == 2);
  CHECK(out.dtype.bits == 32);
  CHECK(out.dtype.lanes == 1);
  CHECK(out.byte_offset == 0);
  CHECK(static_cast<const float*>(out.data)[23] == 23);
}

TEST_CASE("a view is exported without a copy, and keeps its owner until the consumer is done") {
  auto values = std::make_shared<rvm::Tensor<float>>(rvm::Shape{1, 1 + 2 * 3, 8});
  const std::weak_ptr<rvm::Tensor<float>> alive = values;
  const rvm::Features features(values->view(), 2, 3);
  auto tokens = rvm::to_dlpack<Versioned>(features.tokens(), values);
  auto all = rvm::to_dlpack(features.values(), std::move(values));
  CHECK(tokens->dl_tensor.data == features.tokens().data());
  CHECK(tokens->flags == rvm::dlpack::kReadOnly);
  CHECK(tokens->version.major == 1);
  CHECK(all->dl_tensor.data == features.values().data());
  tokens.reset();
  CHECK_FALSE(alive.expired());
  rvm::dlpack::ManagedTensor* const taken = all.release();
  taken->deleter(taken);
  CHECK(alive.expired());

  std::vector<float> saved(6, 1.0F);
  const auto writable = rvm::to_dlpack<Versioned>(rvm::TensorView<float>(saved.data(), {2, 3}), nullptr);
  CHECK(writable->flags == 0);
  const auto on_gpu = rvm::to_dlpack(rvm::TensorView<float>(saved.data(), {6}), nullptr, {rvm::dlpack::kCuda, 1});
  CHECK(on_gpu->dl_tensor.device == rvm::dlpack::Device{rvm::dlpack::kCuda, 1});
}

TEMPLATE_TEST_CASE("every element type comes back as it was", "", bool, std::int8_t, std::uint8_t, std::int16_t,
                   std::uint16_t, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, rvm::float16, rvm::bfloat16,
                   float, double) {
  rvm::Tensor<TestType> tensor({3, 1, 2});
  const TestType* const memory = tensor.data();
  const auto exported = rvm::to_dlpack<Versioned>(std::move(tensor));
  const rvm::TensorView<TestType> back = rvm::from_dlpack<TestType>(*exported);
  CHECK(back.data() == memory);
  CHECK(back.shape() == rvm::Shape{3, 1, 2});
  exported->dl_tensor.dtype.bits = static_cast<std::uint8_t>(exported->dl_tensor.dtype.bits + 8);
  CHECK_THROWS_AS(rvm::from_dlpack<TestType>(*exported), rvm::ArgumentError);
}

#ifdef DLPACK_VERSION
TEST_CASE("the structs are those of DLPack's own header") {
  STATIC_REQUIRE(sizeof(DLTensor) == sizeof(rvm::dlpack::Tensor));
  STATIC_REQUIRE(sizeof(DLManagedTensor) == sizeof(rvm::dlpack::ManagedTensor));
  STATIC_REQUIRE(offsetof(DLTensor, device) == offsetof(rvm::dlpack::Tensor, device));
  STATIC_REQUIRE(offsetof(DLTensor, ndim) == offsetof(rvm::dlpack::Tensor, ndim));
  STATIC_REQUIRE(offsetof(DLTensor, dtype) == offsetof(rvm::dlpack::Tensor, dtype));
  STATIC_REQUIRE(offsetof(DLTensor, shape) == offsetof(rvm::dlpack::Tensor, shape));
  STATIC_REQUIRE(offsetof(DLTensor, strides) == offsetof(rvm::dlpack::Tensor, strides));
  STATIC_REQUIRE(offsetof(DLTensor, byte_offset) == offsetof(rvm::dlpack::Tensor, byte_offset));
  STATIC_REQUIRE(offsetof(DLManagedTensor, deleter) == offsetof(rvm::dlpack::ManagedTensor, deleter));
  CHECK(kDLCUDA == static_cast<int>(rvm::dlpack::kCuda));
  CHECK(kDLCUDAHost == static_cast<int>(rvm::dlpack::kCudaHost));

  rvm::Tensor<float> tensor({4, 5});
  const float* const memory = tensor.data();
  const auto exported = rvm::to_dlpack<DLManagedTensor>(std::move(tensor));
  CHECK(exported->dl_tensor.device.device_type == kDLCPU);
  CHECK(exported->dl_tensor.dtype.code == kDLFloat);
  CHECK(rvm::from_dlpack<const float>(*exported).data() == memory);
  CHECK(rvm::from_dlpack<float>(exported->dl_tensor).shape() == rvm::Shape{4, 5});
}
#endif

TEST_CASE("tensors of others are seen in place") {
  std::vector<float> numbers(24);
  const Foreign plain(numbers.data(), {2, 3, 4});
  CHECK(rvm::from_dlpack<float>(plain.tensor).data() == numbers.data());
  const Foreign strided(numbers.data(), {2, 3, 4}, {12, 4, 1});
  CHECK(rvm::from_dlpack<const float>(strided.tensor).shape() == rvm::Shape{2, 3, 4});
  Foreign shifted(numbers.data(), {4}, {1});
  shifted.tensor.byte_offset = 8;
  CHECK(rvm::from_dlpack<float>(shifted.tensor).data() == numbers.data() + 2);
  // The stride of an axis of one element, or of no elements at all, means nothing.
  CHECK(rvm::from_dlpack<float>(Foreign(numbers.data(), {1, 4}, {-7, 1}).tensor).size() == 4);
  CHECK(rvm::from_dlpack<float>(Foreign(static_cast<float*>(nullptr), {0, 4}, {9, 9}).tensor).empty());
  CHECK(rvm::from_dlpack<float>(Foreign(numbers.data(), {}).tensor).size() == 1);

  Foreign gpu(numbers.data(), {24});
  gpu.tensor.device = {rvm::dlpack::kCuda, 1};
  CHECK_THROWS_WITH(rvm::from_dlpack<float>(gpu.tensor), ContainsSubstring("on device 1:0, found one on 2:1"));
  CHECK_THROWS_AS(rvm::from_dlpack<float>(gpu.tensor, {rvm::dlpack::kCuda, 0}), rvm::ArgumentError);
  CHECK(rvm::from_dlpack<float>(gpu.tensor, {rvm::dlpack::kCuda, 1}).data() == numbers.data());
  gpu.tensor.device = {rvm::dlpack::kCudaHost, 0};
  CHECK(rvm::from_dlpack<float>(gpu.tensor).size() == 24);
  CHECK_THROWS_AS(rvm::from_dlpack<float>(plain.tensor, {rvm::dlpack::kCuda, 0}), rvm::ArgumentError);
}

TEST_CASE("tensors that cannot be used are refused") {
  std::vector<float> numbers(24);
  const auto refused = [](const Foreign& foreign, const char* why) {
    CHECK_THROWS_WITH(rvm::from_dlpack<float>(foreign.tensor), ContainsSubstring(why));
  };
  refused(Foreign(numbers.data(), {3, 4}, {1, 3}), "axis 1 has the stride 3 instead of 1");
  refused(Foreign(numbers.data(), {2, 4}, {5, 1}), "axis 0 has the stride 5 instead of 4");
  refused(Foreign(numbers.data(), {2, -1}), "negative");
  const std::int64_t large = std::int64_t{1} << 40;
  refused(Foreign(numbers.data(), {large, large}), "does not fit");
  refused(Foreign(numbers.data(), {large, 1 << 22}), "does not fit");
  refused(Foreign(static_cast<float*>(nullptr), {2}), "null");
  refused(Foreign(numbers.data(), {1, 1, 1, 1, 1, 1, 1, 1, 1}), "at most 8 axes");
  Foreign damaged(numbers.data(), {2});
  damaged.tensor.ndim = -1;
  refused(damaged, "found -1");
  damaged.tensor.ndim = 1;
  damaged.tensor.shape = nullptr;
  refused(damaged, "shape is a null pointer");
  Foreign odd(numbers.data(), {2});
  odd.tensor.byte_offset = 2;
  refused(odd, "aligned");
  Foreign lanes(numbers.data(), {2});
  lanes.tensor.dtype.lanes = 4;
  refused(lanes, "float32");
  refused(Foreign(reinterpret_cast<std::int32_t*>(numbers.data()), {2}), "expected a DLPack tensor of float32");

  rvm::Tensor<float> tensor({2});
  const auto exported = rvm::to_dlpack<Versioned>(std::move(tensor));
  exported->flags = rvm::dlpack::kReadOnly;
  CHECK_THROWS_WITH(rvm::from_dlpack<float>(*exported), ContainsSubstring("read-only"));
  CHECK(rvm::from_dlpack<const float>(*exported).size() == 2);
  exported->version.major = 2;
  CHECK_THROWS_WITH(rvm::from_dlpack<const float>(*exported), ContainsSubstring("found version 2.0"));
}

TEST_CASE("images of others are frames in place") {
  using enum rvm::ChannelOrder;
  std::vector<std::uint8_t> bytes(4 * 10 * 12);
  const auto format = [&](std::vector<std::int64_t> shape, rvm::ChannelOrder order) {
    return rvm::frame_from_dlpack(Foreign(bytes.data(), std::move(shape)).tensor, order).format();
  };
  CHECK(format({10, 12}, kBgr) == rvm::PixelFormat::kGrey);
  CHECK(format({10, 12, 1}, kRgb) == rvm::PixelFormat::kGrey);
  CHECK(format({10, 12, 3}, kRgb) == rvm::PixelFormat::kRgb);
  CHECK(format({10, 12, 3}, kBgr) == rvm::PixelFormat::kBgr);
  CHECK(format({10, 12, 4}, kRgb) == rvm::PixelFormat::kRgba);
  CHECK(format({10, 12, 4}, kBgr) == rvm::PixelFormat::kBgra);

  const rvm::FrameView part = rvm::frame_from_dlpack(Foreign(bytes.data(), {5, 6, 3}, {36, 3, 1}).tensor);
  CHECK(part.height() == 5);
  CHECK(part.width() == 6);
  CHECK(part.row_stride() == 36);
  CHECK(part.row(1) == bytes.data() + 36);
  const rvm::FrameView flipped =
      rvm::frame_from_dlpack(Foreign(bytes.data() + 9 * 36, {10, 12, 3}, {-36, 3, 1}).tensor);
  CHECK(flipped.row(9) == bytes.data());
  const rvm::FrameView row = rvm::frame_from_dlpack(Foreign(bytes.data(), {1, 12, 3}, {0, 3, 1}).tensor);
  CHECK(row.row_stride() == 36);

  std::vector<float> floats(10 * 12 * 3);
  const rvm::FrameView rgb = rvm::frame_from_dlpack(Foreign(floats.data(), {5, 12, 3}, {72, 3, 1}).tensor);
  CHECK(rgb.format() == rvm::PixelFormat::kRgbFloat);
  CHECK(rgb.float_row(2) == floats.data() + 2 * 72);

  const auto refused = [](const Foreign& foreign, const char* why) {
    CHECK_THROWS_WITH(rvm::frame_from_dlpack(foreign.tensor), ContainsSubstring(why));
  };
  refused(Foreign(bytes.data(), {10, 12, 2}), "(10, 12, 2)");
  refused(Foreign(bytes.data(), {120}), "(120,)");
  refused(Foreign(floats.data(), {10, 12}), "a frame is");
  refused(Foreign(floats.data(), {10, 9, 4}), "a frame is");
  refused(Foreign(reinterpret_cast<std::uint16_t*>(bytes.data()), {5, 6, 3}), "16 bits");
  refused(Foreign(bytes.data(), {3, 10, 12}, {120, 12, 1}), "a frame is");
  refused(Foreign(bytes.data(), {10, 12, 3}, {36, 1, 12}), "follow one another");
  refused(Foreign(bytes.data(), {5, 6, 3}, {36, 6, 1}), "follow one another");
  refused(Foreign(bytes.data(), {5, 6}, {12, 2}), "follow one another");
  refused(Foreign(bytes.data(), {10, 12, 3}, {30, 3, 1}), "shorter than its rows");
  refused(Foreign(bytes.data(), {10, 12, 3}, {0, 3, 1}), "one place");
  refused(Foreign(bytes.data(), {10, 12, 3}, {std::int64_t{1} << 61, 3, 1}), "too large");
  refused(Foreign(bytes.data(), {0, 12, 3}), "no pixels");
  CHECK_THROWS_AS(rvm::frame_from_dlpack(Foreign(floats.data(), {10, 12, 3}).tensor, kBgr), rvm::FrameError);
  Foreign gpu(bytes.data(), {10, 12});
  gpu.tensor.device.device_type = rvm::dlpack::kCuda;
  refused(gpu, "on device 1:0");
}
