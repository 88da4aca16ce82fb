// c/rvm.h, called through the shared library.

#include <rvm/c/rvm.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <rvm/interop/detail/dlpack_abi.hpp>
#include <rvm/tracking/mask_tracker.hpp>
#include <rvm/tracking/point_tracker.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"

namespace {

struct Free {
  void operator()(rvm_model* p) const { rvm_model_free(p); }
  void operator()(rvm_stream* p) const { rvm_stream_free(p); }
  void operator()(rvm_mask_tracker* p) const { rvm_mask_tracker_free(p); }
  void operator()(rvm_point_tracker* p) const { rvm_point_tracker_free(p); }
};
template <class T>
using Handle = std::unique_ptr<T, Free>;

Handle<rvm_model> load(const char* backend = nullptr, const char* precision = nullptr) {
  rvm_model_options options = RVM_MODEL_OPTIONS_INIT;
  options.backend = backend;
  options.precision = precision;
  rvm_model* model = nullptr;
  REQUIRE(rvm_model_load(test::data("weights.npz").c_str(), &options, &model) == RVM_OK);
  return Handle<rvm_model>(model);
}

Handle<rvm_stream> start(const rvm_model* model, std::size_t height, std::size_t width, std::size_t batch = 1) {
  rvm_stream_options options = RVM_STREAM_OPTIONS_INIT;
  options.height = height;
  options.width = width;
  options.batch = batch;
  rvm_stream* stream = nullptr;
  REQUIRE(rvm_stream_create(model, &options, &stream) == RVM_OK);
  return Handle<rvm_stream>(stream);
}

rvm_frame frame_of(const rvm::FrameView& frame) {
  return {frame.row(0), frame.height(), frame.width(), 0, RVM_RGB};
}

std::span<const float> all(const rvm_features& features) {
  return {features.values, features.batch * features.tokens * features.width};
}

std::string last_error() {
  return rvm_last_error();
}

}  // namespace

TEST_CASE("C: features are those of the authors' model, for every backend and precision") {
  const test::Clip clip("features_96x160.npz");
  const auto [backend, precision, limit] = GENERATE(table<const char*, const char*, double>({{nullptr, nullptr, 2e-5},
                                                                                             {"cpu", "f32", 2e-5},
                                                                                             {"eigen", nullptr, 2e-5},
                                                                                             {"cpu", "bf16", 0.1},
                                                                                             {"cpu", "int8", 0.3}}));
  CAPTURE(std::string(backend == nullptr ? "" : backend), std::string(precision == nullptr ? "" : precision));
  const auto model = load(backend, precision);
  rvm_model_info info = RVM_MODEL_INFO_INIT;
  REQUIRE(rvm_model_get_info(model.get(), &info) == RVM_OK);
  CHECK(info.backend == std::string(backend == nullptr ? "cpu" : backend));
  CHECK(info.precision == std::string(precision == nullptr ? "f32" : precision));
  CHECK(info.width == clip.features.shape()[2]);
  const auto stream = start(model.get(), clip.height(), clip.width());
  for (std::size_t t = 0; t < clip.frames.size(); ++t) {
    const rvm_frame frame = frame_of(clip.frames[t]);
    rvm_features features = RVM_FEATURES_INIT;
    REQUIRE(rvm_stream_step(stream.get(), &frame, 1, &features) == RVM_OK);
    CHECK(features.grid_height == clip.height() / 16);
    CHECK(features.grid_width == clip.width() / 16);
    CHECK(test::difference(all(features), clip.features[t]) < limit);
  }
}

TEST_CASE("C: every pixel format says what it is, with any row stride") {
  const test::Clip clip("features_64x64.npz");
  const auto model = load("eigen");
  const auto stream = start(model.get(), 64, 64);
  struct Layout {
    rvm_pixel_format format;
    std::size_t channels, red, blue;
  };
  const auto layout = GENERATE(Layout{RVM_RGB, 3, 0, 2}, Layout{RVM_BGR, 3, 2, 0}, Layout{RVM_RGBA, 4, 0, 2},
                               Layout{RVM_BGRA, 4, 2, 0});
  const std::size_t stride = 64 * layout.channels + 5;
  std::vector<std::uint8_t> pixels(64 * stride, 77);
  for (std::size_t y = 0; y < 64; ++y) {
    for (std::size_t x = 0; x < 64; ++x) {
      const std::uint8_t* const in = clip.frames[0].row(y) + 3 * x;
      std::uint8_t* const out = &pixels[y * stride + x * layout.channels];
      out[layout.red] = in[0];
      out[1] = in[1];
      out[layout.blue] = in[2];
    }
  }
  const rvm_frame frame{pixels.data(), 64, 64, static_cast<std::ptrdiff_t>(stride), layout.format};
  rvm_features features = RVM_FEATURES_INIT;
  REQUIRE(rvm_stream_step(stream.get(), &frame, 1, &features) == RVM_OK);
  CHECK(test::difference(all(features), clip.features[0]) < 2e-5);

  std::vector<float> floats(64 * 64 * 3);
  std::transform(clip.frames[0].row(0), clip.frames[0].row(0) + floats.size(), floats.begin(),
                 [](std::uint8_t v) { return static_cast<float>(v) / 255.0F; });
  const rvm_frame float_frame{floats.data(), 64, 64, 0, RVM_RGB_FLOAT};
  REQUIRE(rvm_stream_reset(stream.get()) == RVM_OK);
  REQUIRE(rvm_stream_step(stream.get(), &float_frame, 1, &features) == RVM_OK);
  CHECK(test::difference(all(features), clip.features[0]) < 2e-5);
}

TEST_CASE("C: a batch, run at once") {
  const test::Clip clip("batch_64x64.npz");
  const std::size_t batch = clip.video.shape()[0];
  const std::size_t steps = clip.video.shape()[1];
  const auto model = load("eigen");
  const auto stream = start(model.get(), 64, 64, batch);
  std::vector<rvm_frame> frames;
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t b = 0; b < batch; ++b) frames.push_back(frame_of(clip.frames[b * steps + t]));
  }
  std::vector<float> values(clip.features.size());
  REQUIRE(rvm_stream_run(stream.get(), frames.data(), frames.size(), values.data(), values.size()) == RVM_OK);
  const std::size_t size = values.size() / (steps * batch);
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t b = 0; b < batch; ++b) {
      CHECK(test::difference(std::span(values).subspan((t * batch + b) * size, size), clip.features[b][t]) < 2e-5);
    }
  }
  std::uint64_t seen = 0;
  REQUIRE(rvm_stream_reset_video(stream.get(), 1) == RVM_OK);
  REQUIRE(rvm_stream_frames(stream.get(), 1, &seen) == RVM_OK);
  CHECK(seen == 0);
  REQUIRE(rvm_stream_frames(stream.get(), 0, &seen) == RVM_OK);
  CHECK(seen == steps);
  CHECK(rvm_stream_run(stream.get(), frames.data(), frames.size(), values.data(), values.size() - 1) ==
        RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_step(stream.get(), frames.data(), 1, nullptr) == RVM_ERROR_FRAME);
}

TEST_CASE("C: what is wrong is said, and nothing is changed") {
  const test::Clip clip("features_64x64.npz");
  rvm_model* no_model = nullptr;
  rvm_model_options options = RVM_MODEL_OPTIONS_INIT;
  const std::string weights = test::data("weights.npz");
  CHECK(rvm_model_load("/nowhere/at.npz", nullptr, &no_model) == RVM_ERROR_IO);
  CHECK_THAT(last_error(), ContainsSubstring("/nowhere/at.npz"));
  CHECK(rvm_model_load(test::data("lanczos.npz").c_str(), nullptr, &no_model) == RVM_ERROR_WEIGHTS);
  CHECK_THAT(last_error(), ContainsSubstring("lanczos.npz"));
  options.backend = "abacus";
  CHECK(rvm_model_load(weights.c_str(), &options, &no_model) == RVM_ERROR_ARGUMENT);
  CHECK_THAT(last_error(), ContainsSubstring("abacus"));
  options.backend = "eigen";
  options.precision = "int8";
  CHECK(rvm_model_load(weights.c_str(), &options, &no_model) == RVM_ERROR_ARGUMENT);
  CHECK_THAT(last_error(), ContainsSubstring("int8"));
  CHECK(no_model == nullptr);

  const auto model = load();
  rvm_stream* no_stream = nullptr;
  rvm_stream_options odd = RVM_STREAM_OPTIONS_INIT;
  odd.height = 65;
  CHECK(rvm_stream_create(model.get(), &odd, &no_stream) == RVM_ERROR_FRAME);
  CHECK_THAT(last_error(), ContainsSubstring("65"));
  CHECK(no_stream == nullptr);

  const auto stream = start(model.get(), 64, 64);
  rvm_frame frame = frame_of(clip.frames[0]);
  rvm_features features = RVM_FEATURES_INIT;
  REQUIRE(rvm_stream_step(stream.get(), &frame, 1, &features) == RVM_OK);
  const std::vector<float> before(all(features).begin(), all(features).end());

  rvm_frame bad = frame;
  bad.pixels = nullptr;
  CHECK(rvm_stream_step(stream.get(), &bad, 1, &features) == RVM_ERROR_FRAME);
  bad = frame;
  bad.width = 48;
  CHECK(rvm_stream_step(stream.get(), &bad, 1, &features) == RVM_ERROR_FRAME);
  CHECK_THAT(last_error(), ContainsSubstring("64x48"));
  bad = frame;
  bad.row_stride = 10;
  CHECK(rvm_stream_step(stream.get(), &bad, 1, &features) == RVM_ERROR_FRAME);
  bad = frame;
  const int no_format = 6;
  std::memcpy(&bad.format, &no_format, sizeof no_format);
  CHECK(rvm_stream_step(stream.get(), &bad, 1, &features) == RVM_ERROR_FRAME);
  CHECK(rvm_stream_restore(stream.get(), before.data(), 100) == RVM_ERROR_STATE);
  std::vector<std::byte> small(10);
  std::size_t size = 0;
  CHECK(rvm_stream_save(stream.get(), small.data(), small.size(), &size) == RVM_ERROR_ARGUMENT);
  CHECK(size > small.size());
  CHECK(rvm_stream_reset_video(stream.get(), 1) == RVM_ERROR_ARGUMENT);

  std::uint64_t seen = 0;
  REQUIRE(rvm_stream_frames(stream.get(), 0, &seen) == RVM_OK);
  CHECK(seen == 1);
  REQUIRE(rvm_stream_features(stream.get(), &features) == RVM_OK);
  CHECK(test::difference(all(features), before) == 0);
  CHECK_THAT(std::string(rvm_status_text(RVM_ERROR_STATE)), ContainsSubstring("saved state"));
  CHECK_THAT(std::string(rvm_status_text(RVM_ERROR_OTHER)), ContainsSubstring("another"));
  CHECK_THAT(std::string(rvm_status_text(RVM_ERROR_NON_FINITE)), ContainsSubstring("not finite"));
}

TEST_CASE("C: what becomes of a frame that would make the state not finite") {
  const auto model = load("eigen");
  std::vector<float> pixels(64 * 64 * 3, 0.5F);
  const rvm_frame frame{pixels.data(), 64, 64, 0, RVM_RGB_FLOAT};
  const auto step_twice = [&](rvm_non_finite policy, rvm_status expected, std::uint64_t left) {
    CAPTURE(policy);
    rvm_stream_options options = RVM_STREAM_OPTIONS_INIT;
    options.height = options.width = 64;
    options.non_finite = policy;
    rvm_stream* made = nullptr;
    REQUIRE(rvm_stream_create(model.get(), &options, &made) == RVM_OK);
    const Handle<rvm_stream> stream(made);
    pixels[7] = 0.5F;
    REQUIRE(rvm_stream_step(stream.get(), &frame, 1, nullptr) == RVM_OK);
    pixels[7] = std::numeric_limits<float>::quiet_NaN();
    CHECK(rvm_stream_step(stream.get(), &frame, 1, nullptr) == expected);
    std::uint64_t seen = 0;
    REQUIRE(rvm_stream_frames(stream.get(), 0, &seen) == RVM_OK);
    CHECK(seen == left);
    rvm_features features = RVM_FEATURES_INIT;
    REQUIRE(rvm_stream_features(stream.get(), &features) == RVM_OK);
    return std::ranges::all_of(all(features), [](float value) { return std::isfinite(value); });
  };
  CHECK(step_twice(RVM_NON_FINITE_ERROR, RVM_ERROR_NON_FINITE, 1));
  CHECK_THAT(last_error(), ContainsSubstring("frame 1 of video 0"));
  step_twice(RVM_NON_FINITE_RESET, RVM_OK, 0);
  CHECK_FALSE(step_twice(RVM_NON_FINITE_ALLOW, RVM_OK, 2));
  rvm_stream_options options = RVM_STREAM_OPTIONS_INIT;
  const int no_policy = 3;
  std::memcpy(&options.non_finite, &no_policy, sizeof no_policy);
  rvm_stream* none = nullptr;
  CHECK(rvm_stream_create(model.get(), &options, &none) == RVM_ERROR_ARGUMENT);
  CHECK_THAT(last_error(), ContainsSubstring("non_finite 3"));
  CHECK(none == nullptr);
}

TEST_CASE("C: memory that is not there is an error of its own") {
  if (!test::allocations_are_counted()) return;
  const auto model = load("eigen");
  rvm_stream* stream = nullptr;
  rvm_status status = RVM_OK;
  {
    const test::FailingAllocation failing(3, true);
    status = rvm_stream_create(model.get(), nullptr, &stream);
  }
  CHECK(status == RVM_ERROR_MEMORY);
  CHECK(last_error() == "out of memory");
  CHECK(stream == nullptr);
  CHECK(rvm_stream_create(model.get(), nullptr, &stream) == RVM_OK);
  rvm_stream_free(stream);
}

TEST_CASE("C: null pointers are refused, and freed") {
  const auto model = load("eigen");
  const auto stream = start(model.get(), 64, 64);
  rvm_model* m = nullptr;
  rvm_stream* s = nullptr;
  rvm_mask_tracker* masks = nullptr;
  rvm_point_tracker* points = nullptr;
  rvm_features features = RVM_FEATURES_INIT;
  rvm_model_info info = RVM_MODEL_INFO_INIT;
  const std::uint8_t mask = 0;
  const std::uint8_t* found = nullptr;
  rvm_point point{0, 0};
  std::uint64_t seen = 0;
  std::size_t size = 0;
  DLManagedTensor* tensor = nullptr;
  CHECK(rvm_model_load(nullptr, nullptr, &m) == RVM_ERROR_ARGUMENT);
  CHECK_THAT(last_error(), ContainsSubstring("path is a null pointer"));
  CHECK(rvm_model_load("x", nullptr, nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_model_get_info(nullptr, &info) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_model_get_info(model.get(), nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_create(nullptr, nullptr, &s) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_create(model.get(), nullptr, nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_fork(nullptr, &s) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_fork(stream.get(), nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_step(nullptr, nullptr, 0, nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_step(stream.get(), nullptr, 1, nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_run(nullptr, nullptr, 0, nullptr, 0) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_run(stream.get(), nullptr, 0, nullptr, 1) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_features(nullptr, &features) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_features(stream.get(), nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_reset(nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_reset_video(nullptr, 0) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_frames(nullptr, 0, &seen) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_frames(stream.get(), 0, nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_save(nullptr, nullptr, 0, &size) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_save(stream.get(), nullptr, 0, nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_restore(nullptr, &mask, 1) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_restore(stream.get(), nullptr, 1) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_features_dlpack(nullptr, 0, &tensor) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_stream_features_dlpack(stream.get(), 0, nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_mask_tracker_create(nullptr, 0, &mask, 1, 1, 0, nullptr, &masks) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_mask_tracker_create(&features, 0, &mask, 1, 1, 0, nullptr, &masks) == RVM_ERROR_ARGUMENT);
  REQUIRE(rvm_stream_features(stream.get(), &features) == RVM_OK);
  CHECK(rvm_mask_tracker_create(&features, 0, nullptr, 1, 1, 0, nullptr, &masks) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_mask_tracker_create(&features, 1, &mask, 1, 1, 0, nullptr, &masks) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_mask_tracker_create(&features, 0, &mask, 1, 1, 0, nullptr, nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_mask_tracker_step(nullptr, &features, 0, &found) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_point_tracker_create(&features, 0, nullptr, 1, 64, 64, nullptr, &points) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_point_tracker_create(&features, 0, &point, 1, 64, 64, nullptr, nullptr) == RVM_ERROR_ARGUMENT);
  CHECK(rvm_point_tracker_step(nullptr, &features, 0, &point, 1) == RVM_ERROR_ARGUMENT);
  CHECK((m == nullptr && s == nullptr && masks == nullptr && points == nullptr && tensor == nullptr));
  rvm_model_free(nullptr);
  rvm_stream_free(nullptr);
  rvm_mask_tracker_free(nullptr);
  rvm_point_tracker_free(nullptr);
}

TEST_CASE("C: structs of other versions") {
  const auto model = load("eigen");
  rvm_stream* stream = nullptr;
  struct Later {
    rvm_stream_options known;
    std::size_t unknown;
  } later{RVM_STREAM_OPTIONS_INIT, 0};
  later.known.struct_size = sizeof later;
  REQUIRE(rvm_stream_create(model.get(), &later.known, &stream) == RVM_OK);
  rvm_stream_free(stream);
  later.unknown = 1;
  CHECK(rvm_stream_create(model.get(), &later.known, &stream) == RVM_ERROR_ARGUMENT);
  CHECK_THAT(last_error(), ContainsSubstring("does not know"));
  rvm_stream_options options = RVM_STREAM_OPTIONS_INIT;
  options.struct_size = GENERATE(std::size_t{0}, std::size_t{8}, std::size_t{1} << 40);
  CHECK(rvm_stream_create(model.get(), &options, &stream) == RVM_ERROR_ARGUMENT);
  CHECK_THAT(last_error(), ContainsSubstring("struct_size"));
  CHECK(stream == nullptr);
  rvm_model_info info{};
  CHECK(rvm_model_get_info(model.get(), &info) == RVM_ERROR_ARGUMENT);
}

TEST_CASE("C: a struct from before it grew has defaults where it ends") {
  const auto model = load("eigen");
  std::array<std::size_t, 6> earlier{5 * sizeof(std::size_t), 64, 64, 1, 4, std::numeric_limits<std::size_t>::max()};
  rvm_stream_options options;
  std::memcpy(&options, earlier.data(), sizeof options);
  rvm_stream* stream = nullptr;
  REQUIRE(rvm_stream_create(model.get(), &options, &stream) == RVM_OK);
  rvm_stream_free(stream);
}

TEST_CASE("C: errors are a thread's own, and a stream outlives its model") {
  const test::Clip clip("features_64x64.npz");
  auto model = load("eigen");
  const auto stream = start(model.get(), 64, 64);
  model.reset();
  const rvm_frame frame = frame_of(clip.frames[0]);
  CHECK(rvm_stream_step(stream.get(), &frame, 1, nullptr) == RVM_OK);
  CHECK(rvm_stream_reset(nullptr) == RVM_ERROR_ARGUMENT);
  std::string other = "not asked";
  std::thread([&] { other = rvm_last_error(); }).join();
  CHECK(other.empty());
  CHECK_FALSE(last_error().empty());
}

TEST_CASE("C: features as a DLPack tensor outlive the stream that they are a view of") {
  const test::Clip clip("features_64x64.npz");
  const auto model = load("eigen");
  auto stream = start(model.get(), 64, 64);
  const rvm_frame frame = frame_of(clip.frames[0]);
  rvm_features features = RVM_FEATURES_INIT;
  REQUIRE(rvm_stream_step(stream.get(), &frame, 1, &features) == RVM_OK);
  DLManagedTensor* view = nullptr;
  DLManagedTensor* copy = nullptr;
  REQUIRE(rvm_stream_features_dlpack(stream.get(), 0, &view) == RVM_OK);
  REQUIRE(rvm_stream_features_dlpack(stream.get(), 1, &copy) == RVM_OK);
  auto* const viewed = reinterpret_cast<rvm::dlpack::ManagedTensor*>(view);
  auto* const copied = reinterpret_cast<rvm::dlpack::ManagedTensor*>(copy);
  CHECK(viewed->dl_tensor.data == features.values);
  CHECK(copied->dl_tensor.data != features.values);
  CHECK(viewed->dl_tensor.ndim == 3);
  CHECK(viewed->dl_tensor.shape[1] == 17);
  stream.reset();
  const std::size_t n = clip.features[0].size();
  CHECK(test::difference(std::span(static_cast<const float*>(viewed->dl_tensor.data), n), clip.features[0]) < 2e-5);
  CHECK(test::difference(std::span(static_cast<const float*>(copied->dl_tensor.data), n), clip.features[0]) < 2e-5);
  viewed->deleter(viewed);
  copied->deleter(copied);
}

TEST_CASE("C: trackers follow what the library's own follow") {
  const auto model = load("eigen");
  const auto stream = start(model.get(), 64, 64);
  const test::Clip clip("features_64x64.npz");
  rvm_frame frame = frame_of(clip.frames[0]);
  rvm_features features = RVM_FEATURES_INIT;
  REQUIRE(rvm_stream_step(stream.get(), &frame, 1, &features) == RVM_OK);
  rvm::Tensor<float> first({4, 4, features.width});
  std::copy_n(features.values + features.width, first.size(), first.begin());
  // Labels 1 on the left, 2 on the right, in rows that are longer than the image.
  rvm::LabelImage labels({64, 64});
  std::vector<std::uint8_t> padded(64 * 70, 99);
  for (std::size_t y = 0; y < 64; ++y) {
    for (std::size_t x = 0; x < 64; ++x) padded[y * 70 + x] = labels(y, x) = x < 30 ? 1 : 2;
  }
  const std::vector<rvm_point> places{{10, 20}, {50, 40}};
  const std::vector<rvm::Point> points{{10, 20}, {50, 40}};
  rvm_tracker_options options = RVM_TRACKER_OPTIONS_INIT;
  options.top_k = 3;
  const rvm::PropagationOptions same{.top_k = 3};
  rvm_mask_tracker* mask_tracker = nullptr;
  rvm_point_tracker* point_tracker = nullptr;
  REQUIRE(rvm_mask_tracker_create(&features, 0, padded.data(), 64, 64, 70, &options, &mask_tracker) == RVM_OK);
  const Handle<rvm_mask_tracker> masks(mask_tracker);
  REQUIRE(rvm_point_tracker_create(&features, 0, places.data(), 2, 64, 64, &options, &point_tracker) == RVM_OK);
  const Handle<rvm_point_tracker> joints(point_tracker);
  rvm::MaskTracker own_masks(first, labels, same);
  rvm::PointTracker own_points(first, points, 64, 64, same);

  for (std::size_t t = 1; t < clip.frames.size(); ++t) {
    frame = frame_of(clip.frames[t]);
    REQUIRE(rvm_stream_step(stream.get(), &frame, 1, &features) == RVM_OK);
    const rvm::TensorView<const float> tokens(features.values + features.width, {4, 4, features.width});
    const std::uint8_t* mask = nullptr;
    REQUIRE(rvm_mask_tracker_step(masks.get(), &features, 0, &mask) == RVM_OK);
    CHECK(test::difference(std::span(mask, 64 * 64), own_masks.step(tokens)) == 0);
    std::vector<rvm_point> found(2);
    REQUIRE(rvm_point_tracker_step(joints.get(), &features, 0, found.data(), 2) == RVM_OK);
    const std::span<const rvm::Point> expected = own_points.step(tokens);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(found[i].x == expected[i].x);
      CHECK(found[i].y == expected[i].y);
    }
    CHECK(rvm_point_tracker_step(joints.get(), &features, 0, found.data(), 1) == RVM_ERROR_ARGUMENT);
  }
  options.top_k = 0;
  CHECK(rvm_mask_tracker_create(&features, 0, padded.data(), 64, 64, 70, &options, &mask_tracker) ==
        RVM_ERROR_ARGUMENT);
  CHECK(rvm_mask_tracker_create(&features, 0, padded.data(), 64, 64, 7, nullptr, &mask_tracker) == RVM_ERROR_FRAME);
  features.grid_height = 5;
  CHECK(rvm_mask_tracker_create(&features, 0, padded.data(), 64, 64, 70, nullptr, &mask_tracker) == RVM_ERROR_ARGUMENT);
  CHECK(mask_tracker == nullptr);
}
