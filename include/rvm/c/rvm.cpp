// The one file of librvm_c: what rvm.h declares, over the library.

#include <rvm/c/rvm.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <rvm/backend/cpu.hpp>
#include <rvm/backend/eigen.hpp>
#include <rvm/core/version.hpp>
#include <rvm/interop/dlpack.hpp>
#include <rvm/stream.hpp>
#include <rvm/tracking/mask_tracker.hpp>
#include <rvm/tracking/point_tracker.hpp>
#include <rvm/weights/load.hpp>

namespace {

// What is chosen at run time is a variant, here at the edge.
using AnyModel = std::variant<rvm::Model<rvm::Cpu<float>>, rvm::Model<rvm::Cpu<rvm::bfloat16>>,
                              rvm::Model<rvm::Cpu<std::int8_t>>, rvm::Model<rvm::EigenCpu<float>>>;

template <class>
struct StreamsOf;
template <class... B>
struct StreamsOf<std::variant<rvm::Model<B>...>> {
  using Type = std::variant<rvm::Stream<B>...>;
};
using AnyStream = StreamsOf<AnyModel>::Type;

// Plain memory, which needs no destructor at a thread's end and no allocation to hold a message.
thread_local std::array<char, 2048> last_error{};

rvm_status fail(rvm_status status, const char* message) noexcept {
  std::snprintf(last_error.data(), last_error.size(), "%s", message);
  return status;
}

// Runs the body of a function of the interface: no exception leaves it.
template <class Body>
rvm_status guarded(const Body& body) noexcept {
  try {
    body();
    return RVM_OK;
  } catch (const rvm::ArgumentError& error) {
    return fail(RVM_ERROR_ARGUMENT, error.what());
  } catch (const rvm::IoError& error) {
    return fail(RVM_ERROR_IO, error.what());
  } catch (const rvm::WeightsError& error) {
    return fail(RVM_ERROR_WEIGHTS, error.what());
  } catch (const rvm::FrameError& error) {
    return fail(RVM_ERROR_FRAME, error.what());
  } catch (const rvm::StateError& error) {
    return fail(RVM_ERROR_STATE, error.what());
  } catch (const rvm::NonFiniteError& error) {
    return fail(RVM_ERROR_NON_FINITE, error.what());
  } catch (const std::bad_alloc&) {
    return fail(RVM_ERROR_MEMORY, "out of memory");
  } catch (const std::length_error&) {
    return fail(RVM_ERROR_MEMORY, "more memory was asked for than there can be");
  } catch (const std::exception& error) {
    return fail(RVM_ERROR_OTHER, error.what());
  } catch (...) {
    return fail(RVM_ERROR_OTHER, "an exception that is not of the standard library");
  }
}

template <class T>
T& needed(T* pointer, const char* name) {
  if (pointer == nullptr) throw rvm::ArgumentError(std::string(name) + " is a null pointer");
  return *pointer;
}

// The caller's struct: of its first version's size or longer, and zero where it is longer than this one. Where it ends
// earlier, the rest is as in `value`.
template <class T>
T read_struct(const T& given, const char* name, T value = {}, std::size_t first_size = sizeof(T)) {
  if (given.struct_size < first_size) {
    throw rvm::ArgumentError(std::string(name) + "'s struct_size: expected at least " + std::to_string(first_size) +
                             ", found " + std::to_string(given.struct_size) + ": begin with its _INIT macro");
  }
  constexpr std::size_t kLongest = 4096;
  if (given.struct_size > kLongest) {
    throw rvm::ArgumentError(std::string(name) + "'s struct_size was not set: found " +
                             std::to_string(given.struct_size));
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(&given);
  const std::size_t known = std::min(sizeof(T), given.struct_size);
  if (std::any_of(bytes + known, bytes + given.struct_size, [](unsigned char byte) { return byte != 0; })) {
    throw rvm::ArgumentError(std::string(name) + " asks for what this library, " + rvm_version_text() +
                             ", does not know");
  }
  std::memcpy(&value, bytes, known);
  return value;
}

// Fills in the caller's struct, keeping its size.
template <class T>
void write_struct(T value, T& out) noexcept {
  value.struct_size = out.struct_size;
  out = value;
}

template <class T>
T& needed_struct(T* out, const char* name) {
  if (needed(out, name).struct_size < sizeof(T)) read_struct(*out, name);  // throws
  return *out;
}

bool is(const char* text, std::string_view name, bool if_null) {
  return text == nullptr ? if_null : text == name;
}

AnyModel load(const char* path, const rvm_model_options& options) {
  const std::size_t threads = options.threads;
  const auto weights = [&] { return rvm::load_weights(path); };
  if (is(options.backend, "cpu", true)) {
    if (is(options.precision, "f32", true))
      return rvm::Model<rvm::Cpu<float>>(weights(), {.threads = threads, .isa = {}});
    if (is(options.precision, "bf16", false)) {
      return rvm::Model<rvm::Cpu<rvm::bfloat16>>(weights(), {.threads = threads, .isa = {}});
    }
    if (is(options.precision, "int8", false)) {
      return rvm::Model<rvm::Cpu<std::int8_t>>(weights(), {.threads = threads, .isa = {}});
    }
    throw rvm::ArgumentError("the backend cpu computes in f32, bf16 or int8, not in " + std::string(options.precision));
  }
  if (is(options.backend, "eigen", false)) {
    if (is(options.precision, "f32", true)) return rvm::Model<rvm::EigenCpu<float>>(weights(), {.threads = threads});
    throw rvm::ArgumentError("the backend eigen computes in f32, not in " + std::string(options.precision));
  }
  throw rvm::ArgumentError("unknown backend \"" + std::string(options.backend) + "\": expected cpu or eigen");
}

template <class B>
const char* precision_of(const rvm::Model<B>&) noexcept {
  if constexpr (std::is_same_v<B, rvm::Cpu<std::int8_t>>) return "int8";
  return std::is_same_v<typename B::Element, float> ? "f32" : "bf16";
}

rvm::FrameView frame_of(const rvm_frame& frame) {
  const auto bytes = [&](rvm::PixelFormat format) {
    return rvm::FrameView(static_cast<const std::uint8_t*>(frame.pixels), frame.height, frame.width, format,
                          frame.row_stride);
  };
  switch (frame.format) {
    case RVM_RGB: return bytes(rvm::PixelFormat::kRgb);
    case RVM_BGR: return bytes(rvm::PixelFormat::kBgr);
    case RVM_RGBA: return bytes(rvm::PixelFormat::kRgba);
    case RVM_BGRA: return bytes(rvm::PixelFormat::kBgra);
    case RVM_GREY: return bytes(rvm::PixelFormat::kGrey);
    case RVM_RGB_FLOAT: return {static_cast<const float*>(frame.pixels), frame.height, frame.width, frame.row_stride};
  }
  throw rvm::FrameError("unknown pixel format " + std::to_string(static_cast<int>(frame.format)));
}

rvm::NonFinite non_finite_of(rvm_non_finite policy) {
  switch (policy) {
    case RVM_NON_FINITE_ERROR: return rvm::NonFinite::kThrow;
    case RVM_NON_FINITE_RESET: return rvm::NonFinite::kReset;
    case RVM_NON_FINITE_ALLOW: return rvm::NonFinite::kAllow;
  }
  throw rvm::ArgumentError("unknown non_finite " + std::to_string(static_cast<int>(policy)));
}

rvm_features features_of(const rvm::Features& features) noexcept {
  const rvm::Shape all = features.values().shape();
  const rvm::Shape grid = features.tokens().shape();
  return {sizeof(rvm_features), features.values().data(), all[0], all[1], all[2], grid[0], grid[1]};
}

// The dense features [h, w, D] of one video.
rvm::TensorView<const float> tokens_of(const rvm_features* given, std::size_t video) {
  const rvm_features features = read_struct(needed(given, "features"), "features");
  needed(features.values, "features.values");
  const rvm::Shape all{features.batch, features.tokens, features.width};
  if (features.grid_height == 0 || features.grid_width == 0 || all.elements() == 0 ||
      rvm::Shape{features.grid_height, features.grid_width}.elements() != features.tokens - 1) {
    throw rvm::ArgumentError("features of shape " + to_string(all) + " are not those of a grid of " +
                             std::to_string(features.grid_height) + "x" + std::to_string(features.grid_width));
  }
  if (video >= features.batch) {
    throw rvm::ArgumentError("there is no video " + std::to_string(video) + " in a batch of " +
                             std::to_string(features.batch));
  }
  return rvm::Features({features.values, all}, features.grid_height, features.grid_width).tokens(video);
}

rvm::PropagationOptions propagation_of(const rvm_tracker_options* given) {
  const rvm_tracker_options defaults = RVM_TRACKER_OPTIONS_INIT;
  const rvm_tracker_options options = given == nullptr ? defaults : read_struct(*given, "options");
  return {.context = options.context,
          .temperature = options.temperature,
          .top_k = options.top_k,
          .radius = options.radius,
          .threads = options.threads};
}

// A copy of a mask with rows any number of bytes apart.
rvm::LabelImage labels_of(const std::uint8_t* mask, std::size_t height, std::size_t width, std::ptrdiff_t row_stride) {
  const rvm::FrameView rows(mask, height, width, rvm::PixelFormat::kGrey, row_stride);
  rvm::LabelImage labels({height, width});
  for (std::size_t y = 0; y < height; ++y) std::copy_n(rows.row(y), width, labels[y].begin());
  return labels;
}

}  // namespace

struct rvm_model {
  AnyModel model;
};

struct rvm_stream {
  explicit rvm_stream(AnyStream started) : stream(std::make_shared<AnyStream>(std::move(started))) {}

  // Views of the caller's frames, in memory that is kept from call to call.
  std::span<const rvm::FrameView> frames_of(const rvm_frame* given, std::size_t count) {
    if (count != 0) needed(given, "frames");
    frames.clear();
    for (const rvm_frame& frame : std::span(given, count)) frames.push_back(frame_of(frame));
    return frames;
  }

  std::shared_ptr<AnyStream> stream;  // shared with the tensors that are views of its memory
  std::vector<rvm::FrameView> frames;
};

struct rvm_mask_tracker {
  rvm::MaskTracker tracker;
};

struct rvm_point_tracker {
  rvm::PointTracker tracker;
};

uint32_t rvm_version(void) {
  return RVM_VERSION;
}

#define RVM_TEXT_OF(x) #x
#define RVM_TEXT(x) RVM_TEXT_OF(x)
const char* rvm_version_text(void) {
  return RVM_TEXT(RVM_VERSION_MAJOR) "." RVM_TEXT(RVM_VERSION_MINOR) "." RVM_TEXT(RVM_VERSION_PATCH);
}

const char* rvm_last_error(void) {
  return last_error.data();
}

const char* rvm_status_text(rvm_status status) {
  switch (status) {
    case RVM_OK: return "success";
    case RVM_ERROR_ARGUMENT: return "an argument cannot be used";
    case RVM_ERROR_IO: return "a file cannot be read";
    case RVM_ERROR_WEIGHTS: return "a weight file cannot be used";
    case RVM_ERROR_FRAME: return "a frame cannot be used";
    case RVM_ERROR_STATE: return "a saved state cannot be used";
    case RVM_ERROR_MEMORY: return "out of memory";
    case RVM_ERROR_OTHER: return "another error";
    case RVM_ERROR_NON_FINITE: return "a frame would make the state not finite";
  }
  return "an unknown status";
}

rvm_status rvm_model_load(const char* path, const rvm_model_options* options, rvm_model** model) {
  return guarded([&] {
    needed(model, "model") = nullptr;
    needed(path, "path");
    const rvm_model_options defaults = RVM_MODEL_OPTIONS_INIT;
    *model = new rvm_model{load(path, options == nullptr ? defaults : read_struct(*options, "options"))};
  });
}

rvm_status rvm_model_get_info(const rvm_model* model, rvm_model_info* info) {
  return guarded([&] {
    needed(model, "model");
    needed_struct(info, "info");
    std::visit(
        [&]<class B>(const rvm::Model<B>& chosen) {
          write_struct({sizeof(rvm_model_info), chosen.config().width, rvm::kPatchSize, chosen.fingerprint(),
                        std::is_same_v<B, rvm::EigenCpu<float>> ? "eigen" : "cpu", precision_of(chosen)},
                       *info);
        },
        model->model);
  });
}

void rvm_model_free(rvm_model* model) {
  delete model;
}

rvm_status rvm_stream_create(const rvm_model* model, const rvm_stream_options* options, rvm_stream** stream) {
  return guarded([&] {
    needed(stream, "stream") = nullptr;
    needed(model, "model");
    const rvm_stream_options defaults = RVM_STREAM_OPTIONS_INIT;
    constexpr std::size_t kFirstSize = offsetof(rvm_stream_options, non_finite);
    const rvm_stream_options given =
        options == nullptr ? defaults : read_struct(*options, "options", defaults, kFirstSize);
    const rvm::StreamOptions chosen{.height = given.height,
                                    .width = given.width,
                                    .batch = given.batch == 0 ? defaults.batch : given.batch,
                                    .chunk = given.chunk == 0 ? defaults.chunk : given.chunk,
                                    .non_finite = non_finite_of(given.non_finite)};
    *stream = std::visit([&](const auto& loaded) { return new rvm_stream(rvm::Stream(loaded, chosen)); }, model->model);
  });
}

rvm_status rvm_stream_fork(const rvm_stream* stream, rvm_stream** fork) {
  return guarded([&] {
    needed(fork, "fork") = nullptr;
    *fork = new rvm_stream(*needed(stream, "stream").stream);
  });
}

void rvm_stream_free(rvm_stream* stream) {
  delete stream;
}

rvm_status rvm_stream_step(rvm_stream* stream, const rvm_frame* frames, size_t count, rvm_features* features) {
  return guarded([&] {
    const std::span views = needed(stream, "stream").frames_of(frames, count);
    if (features != nullptr) needed_struct(features, "features");
    std::visit(
        [&](auto& chosen) {
          const rvm::Features found = chosen.step(views);
          if (features != nullptr) write_struct(features_of(found), *features);
        },
        *stream->stream);
  });
}

rvm_status rvm_stream_run(rvm_stream* stream, const rvm_frame* frames, size_t count, float* values,
                          size_t value_count) {
  return guarded([&] {
    const std::span views = needed(stream, "stream").frames_of(frames, count);
    if (value_count != 0) needed(values, "values");
    std::visit([&](auto& chosen) { chosen.run(views, std::span(values, value_count)); }, *stream->stream);
  });
}

rvm_status rvm_stream_features(rvm_stream* stream, rvm_features* features) {
  return guarded([&] {
    needed(stream, "stream");
    needed_struct(features, "features");
    std::visit([&](auto& chosen) { write_struct(features_of(chosen.features()), *features); }, *stream->stream);
  });
}

rvm_status rvm_stream_reset(rvm_stream* stream) {
  return guarded([&] { std::visit([](auto& chosen) { chosen.reset(); }, *needed(stream, "stream").stream); });
}

rvm_status rvm_stream_reset_video(rvm_stream* stream, size_t video) {
  return guarded([&] { std::visit([&](auto& chosen) { chosen.reset(video); }, *needed(stream, "stream").stream); });
}

rvm_status rvm_stream_frames(const rvm_stream* stream, size_t video, uint64_t* frames) {
  return guarded([&] {
    needed(stream, "stream");
    needed(frames, "frames");
    *frames = std::visit([&](const auto& chosen) { return chosen.frames(video); }, *stream->stream);
  });
}

rvm_status rvm_stream_save(const rvm_stream* stream, void* bytes, size_t capacity, size_t* size) {
  return guarded([&] {
    needed(stream, "stream");
    needed(size, "size");
    const std::vector<std::byte> saved = std::visit([](const auto& chosen) { return chosen.save(); }, *stream->stream);
    *size = saved.size();
    if (bytes == nullptr) return;
    if (capacity < saved.size()) {
      throw rvm::ArgumentError("a saved state of " + std::to_string(saved.size()) + " bytes does not fit " +
                               std::to_string(capacity));
    }
    std::memcpy(bytes, saved.data(), saved.size());
  });
}

rvm_status rvm_stream_restore(rvm_stream* stream, const void* bytes, size_t size) {
  return guarded([&] {
    needed(stream, "stream");
    if (bytes == nullptr) throw rvm::ArgumentError("bytes is a null pointer");
    const std::span saved(static_cast<const std::byte*>(bytes), size);
    std::visit([&](auto& chosen) { chosen.restore(saved); }, *stream->stream);
  });
}

rvm_status rvm_stream_features_dlpack(rvm_stream* stream, int copy, struct DLManagedTensor** tensor) {
  return guarded([&] {
    needed(tensor, "tensor") = nullptr;
    needed(stream, "stream");
    const rvm::TensorView<const float> values =
        std::visit([](auto& chosen) { return chosen.features().values(); }, *stream->stream);
    rvm::DlpackPtr<> exported;
    if (copy == 0) {
      exported = rvm::to_dlpack(values, stream->stream);
    } else {
      rvm::Tensor<float> copied(values.shape());
      std::copy(values.begin(), values.end(), copied.begin());
      exported = rvm::to_dlpack(std::move(copied));
    }
    *tensor = reinterpret_cast<struct DLManagedTensor*>(exported.release());
  });
}

rvm_status rvm_mask_tracker_create(const rvm_features* features, size_t video, const uint8_t* mask, size_t height,
                                   size_t width, ptrdiff_t row_stride, const rvm_tracker_options* options,
                                   rvm_mask_tracker** tracker) {
  return guarded([&] {
    needed(tracker, "tracker") = nullptr;
    needed(mask, "mask");
    const rvm::LabelImage labels = labels_of(mask, height, width, row_stride);
    *tracker = new rvm_mask_tracker{rvm::MaskTracker(tokens_of(features, video), labels, propagation_of(options))};
  });
}

rvm_status rvm_mask_tracker_step(rvm_mask_tracker* tracker, const rvm_features* features, size_t video,
                                 const uint8_t** mask) {
  return guarded([&] {
    needed(tracker, "tracker");
    needed(mask, "mask");
    *mask = tracker->tracker.step(tokens_of(features, video)).data();
  });
}

void rvm_mask_tracker_free(rvm_mask_tracker* tracker) {
  delete tracker;
}

rvm_status rvm_point_tracker_create(const rvm_features* features, size_t video, const rvm_point* points, size_t count,
                                    size_t height, size_t width, const rvm_tracker_options* options,
                                    rvm_point_tracker** tracker) {
  return guarded([&] {
    needed(tracker, "tracker") = nullptr;
    needed(points, "points");
    std::vector<rvm::Point> places;
    for (const rvm_point& point : std::span(points, count)) places.push_back({point.x, point.y});
    *tracker = new rvm_point_tracker{
        rvm::PointTracker(tokens_of(features, video), places, height, width, propagation_of(options))};
  });
}

rvm_status rvm_point_tracker_step(rvm_point_tracker* tracker, const rvm_features* features, size_t video,
                                  rvm_point* points, size_t count) {
  return guarded([&] {
    needed(tracker, "tracker");
    needed(points, "points");
    if (count != tracker->tracker.points().size()) {
      throw rvm::ArgumentError("this tracker follows " + std::to_string(tracker->tracker.points().size()) +
                               " points, found room for " + std::to_string(count));
    }
    const std::span<const rvm::Point> found = tracker->tracker.step(tokens_of(features, video));
    std::transform(found.begin(), found.end(), points, [](const rvm::Point& point) {
      return rvm_point{point.x, point.y};
    });
  });
}

void rvm_point_tracker_free(rvm_point_tracker* tracker) {
  delete tracker;
}
