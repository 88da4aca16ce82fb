#include "rvm_ros/feature_node_core.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

#include <rvm/backend/cpu.hpp>
#include <rvm/core/error.hpp>
#include <rvm/image/frame.hpp>
#include <rvm/image/image.hpp>
#include <rvm/image/lanczos.hpp>
#include <rvm/stream.hpp>
#include <rvm/tracking/mask_tracker.hpp>
#include <rvm/weights/load.hpp>
#ifdef RVM_ROS_CUDA
#include <rvm/backend/cuda.hpp>
#endif

namespace rvm_ros {
namespace {

#ifdef RVM_ROS_CUDA
constexpr bool kHasCuda = true;
#else
constexpr bool kHasCuda = false;
#endif

// What is chosen at run time is a variant, here at the edge.
using AnyStream =
    std::variant<rvm::Stream<rvm::Cpu<float>>, rvm::Stream<rvm::Cpu<rvm::bfloat16>>, rvm::Stream<rvm::Cpu<std::int8_t>>
#ifdef RVM_ROS_CUDA
                 ,
                 rvm::Stream<rvm::Cuda<float>>, rvm::Stream<rvm::Cuda<rvm::bfloat16>>,
                 rvm::Stream<rvm::Cuda<rvm::float16>>
#endif
                 >;

template <class B>
AnyStream stream_of(const Parameters& parameters, const typename B::Options& options) {
  const rvm::Model<B> model(rvm::load_weights(parameters.weights), options);
  return rvm::Stream<B>(model, {.height = static_cast<std::size_t>(parameters.height),
                                .width = static_cast<std::size_t>(parameters.width),
                                .chunk = 1});
}

AnyStream any_stream(const Parameters& parameters) {
#ifdef RVM_ROS_CUDA
  if (parameters.backend == "cuda") {
    if (parameters.precision == "bf16") return stream_of<rvm::Cuda<rvm::bfloat16>>(parameters, {});
    if (parameters.precision == "f16") return stream_of<rvm::Cuda<rvm::float16>>(parameters, {});
    return stream_of<rvm::Cuda<float>>(parameters, {});
  }
#endif
  const rvm::CpuOptions options{.threads = static_cast<std::size_t>(parameters.threads), .isa = {}};
  if (parameters.precision == "bf16") return stream_of<rvm::Cpu<rvm::bfloat16>>(parameters, options);
  if (parameters.precision == "int8") return stream_of<rvm::Cpu<std::int8_t>>(parameters, options);
  return stream_of<rvm::Cpu<float>>(parameters, options);
}

void require(bool fits, const std::string& name, const std::string& expected, const std::string& found) {
  if (!fits) throw rvm::ArgumentError("parameter " + name + ": expected " + expected + ", found " + found);
}

void require_range(const std::string& name, std::int64_t value, std::int64_t least, std::int64_t most) {
  require(value >= least && value <= most, name, std::to_string(least) + " to " + std::to_string(most),
          std::to_string(value));
}

void require_side(const std::string& name, std::int64_t value) {
  require(value >= 16 && value <= 4096 && value % 16 == 0, name, "a multiple of 16 from 16 to 4096",
          std::to_string(value));
}

// The pixels as a frame. Throws rvm::FrameError if the encoding is another or there are fewer bytes than it says.
rvm::FrameView frame_of(const InputImage& image) {
  struct Encoding {
    std::string_view name;
    rvm::PixelFormat format;
  };
  constexpr std::array<Encoding, 5> kEncodings{{{"rgb8", rvm::PixelFormat::kRgb},
                                                {"bgr8", rvm::PixelFormat::kBgr},
                                                {"rgba8", rvm::PixelFormat::kRgba},
                                                {"bgra8", rvm::PixelFormat::kBgra},
                                                {"mono8", rvm::PixelFormat::kGrey}}};
  const auto* const found =
      std::find_if(kEncodings.begin(), kEncodings.end(), [&](const Encoding& e) { return e.name == image.encoding; });
  if (found == kEncodings.end()) {
    throw rvm::FrameError("an image's encoding: expected rgb8, bgr8, rgba8, bgra8 or mono8, found \"" + image.encoding +
                          "\"");
  }
  constexpr std::size_t kLongestSide = 65535;
  if (image.height == 0 || image.width == 0 || image.height > kLongestSide || image.width > kLongestSide) {
    throw rvm::FrameError("an image of " + std::to_string(image.height) + "x" + std::to_string(image.width) +
                          " pixels cannot be used");
  }
  const std::size_t row = image.width * rvm::bytes_per_pixel(found->format);
  if (image.step < row || image.data.size() < row || (image.data.size() - row) / image.step < image.height - 1) {
    throw rvm::FrameError("an image of " + std::to_string(image.height) + "x" + std::to_string(image.width) + " " +
                          image.encoding + " pixels in rows of " + std::to_string(image.step) + " bytes has only " +
                          std::to_string(image.data.size()) + " bytes");
  }
  return {image.data.data(), image.height, image.width, found->format, static_cast<std::ptrdiff_t>(image.step)};
}

rvm::LabelImage labels_of(const InputImage& mask) {
  if (mask.encoding != "mono8") {
    throw rvm::FrameError("a mask's encoding: expected mono8, found \"" + mask.encoding + "\"");
  }
  const rvm::FrameView rows = frame_of(mask);
  rvm::LabelImage labels({rows.height(), rows.width()});
  for (std::size_t y = 0; y < rows.height(); ++y) std::copy_n(rows.row(y), rows.width(), labels[y].begin());
  return labels;
}

}  // namespace

void check(const Parameters& parameters) {
  require(!parameters.weights.empty(), "weights", "the path of a weight file", "nothing");
  const bool gpu = parameters.backend == "cuda";
  require(parameters.backend == "cpu" || (gpu && kHasCuda), "backend",
          kHasCuda ? "cpu or cuda" : "cpu, as this package was built without CUDA", "\"" + parameters.backend + "\"");
  const std::string& precision = parameters.precision;
  require(precision == "f32" || precision == "bf16" || precision == (gpu ? "f16" : "int8"), "precision",
          gpu ? "f32, bf16 or f16" : "f32, bf16 or int8", "\"" + precision + "\"");
  require_range("threads", parameters.threads, 0, 1024);
  require_side("height", parameters.height);
  require_side("width", parameters.width);
  require_range("queue", parameters.queue, 1, 1000);
  require(parameters.max_gap >= 0 && std::isfinite(parameters.max_gap), "max_gap", "0 or a number of seconds",
          std::to_string(parameters.max_gap));
  require_range("context", parameters.context, 1, 1000);
  require_range("top_k", parameters.top_k, 1, 1000);
  const auto temperature = static_cast<float>(parameters.temperature);
  require(temperature >= std::numeric_limits<float>::min() && std::isfinite(temperature), "temperature",
          "a number above 0", std::to_string(parameters.temperature));
  require(parameters.radius >= 0 && std::isfinite(parameters.radius), "radius", "a number of tokens, at least 0",
          std::to_string(parameters.radius));
}

// What the core's thread and the others share.
struct FeatureNodeCore::Inbox {
  mutable std::mutex mutex;
  std::condition_variable changed;
  bool active = false;
  std::size_t room = 1;
  std::deque<InputImage> images;
  std::optional<InputImage> mask;
  bool reset = false;
  Statistics statistics;
};

// What there is between configure() and cleanup(); while active, used by the core's thread alone.
struct FeatureNodeCore::Configured {
  explicit Configured(const Parameters& given)
      : parameters(given),
        tracking{.context = static_cast<std::size_t>(given.context),
                 .temperature = static_cast<float>(given.temperature),
                 .top_k = static_cast<std::size_t>(given.top_k),
                 .radius = static_cast<float>(given.radius),
                 .threads = static_cast<std::size_t>(given.threads)},
        stream(any_stream(given)) {}

  void begin_video() {
    std::visit([](auto& chosen) { chosen.reset(); }, stream);
    tracker.reset();
    last_stamp.reset();
  }

  // Whether an image that was taken then belongs to another video than the one before.
  bool begins_video(std::int64_t stamp) const noexcept {
    if (!last_stamp) return false;
    const double gap = (static_cast<double>(stamp) - static_cast<double>(*last_stamp)) * 1e-9;
    return stamp < *last_stamp || (parameters.max_gap > 0 && gap > parameters.max_gap);
  }

  Parameters parameters;
  rvm::PropagationOptions tracking;
  AnyStream stream;
  rvm::Resizer resizer;
  rvm::Image resized;
  std::optional<rvm::MaskTracker> tracker;
  std::optional<std::int64_t> last_stamp;
  std::thread thread;
};

FeatureNodeCore::FeatureNodeCore(Publish publish, Report report)
    : publish_(std::move(publish)), report_(std::move(report)), inbox_(std::make_unique<Inbox>()) {}

FeatureNodeCore::~FeatureNodeCore() {
  shutdown();
}

void FeatureNodeCore::configure(const Parameters& parameters) {
  if (configured_) throw std::logic_error("configure: the core is configured already");
  check(parameters);
  configured_ = std::make_unique<Configured>(parameters);
}

void FeatureNodeCore::activate() {
  if (!configured_ || configured_->thread.joinable()) throw std::logic_error("activate: the core is not inactive");
  configured_->begin_video();
  {
    const std::scoped_lock lock(inbox_->mutex);
    inbox_->room = static_cast<std::size_t>(configured_->parameters.queue);
    inbox_->images.clear();
    inbox_->mask.reset();
    inbox_->reset = false;
    inbox_->statistics = {};
    inbox_->active = true;
  }
  try {
    configured_->thread = std::thread([this] { work(); });
  } catch (...) {
    const std::scoped_lock lock(inbox_->mutex);
    inbox_->active = false;
    throw;
  }
}

void FeatureNodeCore::deactivate() {
  if (!configured_ || !configured_->thread.joinable()) throw std::logic_error("deactivate: the core is not active");
  {
    const std::scoped_lock lock(inbox_->mutex);
    inbox_->active = false;
    inbox_->images.clear();
    inbox_->mask.reset();
  }
  inbox_->changed.notify_all();
  configured_->thread.join();
}

void FeatureNodeCore::cleanup() {
  if (!configured_ || configured_->thread.joinable()) throw std::logic_error("cleanup: the core is not inactive");
  configured_.reset();
}

void FeatureNodeCore::shutdown() noexcept {
  if (configured_ && configured_->thread.joinable()) deactivate();
  configured_.reset();
}

void FeatureNodeCore::offer(InputImage image) {
  std::deque<InputImage> dropped;  // freed without the lock
  {
    const std::scoped_lock lock(inbox_->mutex);
    if (!inbox_->active) return;
    inbox_->images.push_back(std::move(image));
    ++inbox_->statistics.taken;
    while (inbox_->images.size() > inbox_->room) {
      dropped.push_back(std::move(inbox_->images.front()));
      inbox_->images.pop_front();
      ++inbox_->statistics.dropped;
    }
  }
  inbox_->changed.notify_one();
}

void FeatureNodeCore::offer_mask(InputImage mask) {
  try {
    labels_of(mask);
  } catch (const std::exception& error) {
    return say(std::string("a mask is not used: ") + error.what());
  }
  std::optional<InputImage> before;  // freed without the lock
  const std::scoped_lock lock(inbox_->mutex);
  if (!inbox_->active) return;
  before = std::exchange(inbox_->mask, std::move(mask));
}

void FeatureNodeCore::reset() {
  const std::scoped_lock lock(inbox_->mutex);
  if (inbox_->active) inbox_->reset = true;
}

Statistics FeatureNodeCore::statistics() const {
  const std::scoped_lock lock(inbox_->mutex);
  return inbox_->statistics;
}

void FeatureNodeCore::work() noexcept {
  while (true) {
    InputImage image;
    {
      std::unique_lock lock(inbox_->mutex);
      inbox_->changed.wait(lock, [&] { return !inbox_->active || !inbox_->images.empty(); });
      if (!inbox_->active) return;
      image = std::move(inbox_->images.front());
      inbox_->images.pop_front();
    }
    bool done = false;
    try {
      process(image);
      done = true;
    } catch (const std::exception& error) {
      say(std::string("an image is not used: ") + error.what());
    } catch (...) {
      say("an image is not used: an unknown error");
    }
    const std::scoped_lock lock(inbox_->mutex);
    ++(done ? inbox_->statistics.done : inbox_->statistics.failed);
  }
}

void FeatureNodeCore::process(const InputImage& image) {
  Configured& core = *configured_;
  rvm::FrameView frame = frame_of(image);
  const auto height = static_cast<std::size_t>(core.parameters.height);
  const auto width = static_cast<std::size_t>(core.parameters.width);
  if (frame.height() != height || frame.width() != width) {
    core.resizer.resize(frame, height, width, core.resized);
    frame = core.resized;
  }

  bool asked = false;
  std::optional<InputImage> mask;
  {
    const std::scoped_lock lock(inbox_->mutex);
    asked = std::exchange(inbox_->reset, false);
    if (inbox_->mask && inbox_->mask->header.stamp <= image.header.stamp) mask = std::exchange(inbox_->mask, {});
  }
  if (asked) {
    core.begin_video();
  } else if (core.begins_video(image.header.stamp)) {
    say("time went back, or on by more than max_gap: a new video begins");
    core.begin_video();
  }

  const auto [features, frames] = std::visit(
      [&](auto& chosen) {
        const rvm::Features stepped = chosen.step(frame);
        return std::pair(stepped, chosen.frames());
      },
      core.stream);
  core.last_stamp = image.header.stamp;
  try {
    if (mask) {
      core.tracker.emplace(features.tokens(), labels_of(*mask), core.tracking);
    } else if (core.tracker) {
      core.tracker->step(features.tokens());
    }
  } catch (const std::exception& error) {
    say(std::string("nothing is tracked any more: ") + error.what());
    core.tracker.reset();
  }
  publish_({image.header, frames, features.tokens(), features.cls(), core.tracker ? &core.tracker->mask() : nullptr});
}

void FeatureNodeCore::say(const std::string& message) const noexcept {
  try {
    if (report_) report_(message);
  } catch (...) {  // nobody is left to tell
  }
}

}  // namespace rvm_ros
