#include <rvm_ros/feature_node_core.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <rvm/rvm.hpp>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"

namespace {

using rvm_ros::FeatureNodeCore;
using rvm_ros::Header;
using rvm_ros::InputImage;
using rvm_ros::Parameters;

constexpr std::int64_t kSecond = 1'000'000'000;

struct Seen {
  Header header;
  std::uint64_t frame = 0;
  std::vector<float> tokens;
  std::vector<float> cls;
  std::optional<rvm::LabelImage> mask;
};

// A core, what it has published and what it has reported.
class Node {
 public:
  Node()
      : core([this](const rvm_ros::Result& result) { publish(result); },
             [this](const std::string& text) {
               const std::scoped_lock lock(mutex_);
               reports_.push_back(text);
               changed_.notify_all();
             }) {}

  ~Node() { open_door(); }

  void start(const Parameters& parameters) {
    core.configure(parameters);
    core.activate();
  }

  // Waits until there are so many results, or images that could not be used.
  std::vector<Seen> results(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return seen_.size() >= count; });
    REQUIRE(seen_.size() == count);
    return seen_;
  }
  std::vector<std::string> reports(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return reports_.size() >= count; });
    REQUIRE(reports_.size() == count);
    return reports_;
  }

  // Results wait to be published until the door is opened.
  void shut_door() { set_door(false); }
  void open_door() { set_door(true); }
  void wait_until_at_door() {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, kPatience, [&] { return waiting_; }));
  }
  bool throws = false;  // instead of keeping a result

 private:
  static constexpr std::chrono::seconds kPatience{60};

  void set_door(bool open) {
    const std::scoped_lock lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }

  void publish(const rvm_ros::Result& result) {
    std::unique_lock lock(mutex_);
    waiting_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    waiting_ = false;
    if (throws) throw std::runtime_error("the topic is gone");
    seen_.push_back({result.header,
                     result.frame,
                     {result.tokens.begin(), result.tokens.end()},
                     {result.cls.begin(), result.cls.end()},
                     result.mask == nullptr ? std::nullopt : std::optional(*result.mask)});
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Seen> seen_;
  std::vector<std::string> reports_;
  bool open_ = true;
  bool waiting_ = false;

 public:
  FeatureNodeCore core;  // last: its thread ends first
};

Parameters parameters_of(std::int64_t height, std::int64_t width) {
  Parameters parameters;
  parameters.weights = test::data("weights.npz");
  parameters.threads = 1;
  parameters.height = height;
  parameters.width = width;
  parameters.queue = 100;
  return parameters;
}

// An image of its own memory, each row a few bytes longer than it must be.
InputImage image_of(const rvm::FrameView& rgb, const std::string& encoding, std::int64_t stamp,
                    const std::string& frame_id = "camera") {
  const std::size_t channels = encoding == "mono8" ? 1 : encoding.size() == 4 ? 3 : 4;
  const bool blue_first = encoding.starts_with("b");
  const std::size_t step = rgb.width() * channels + 6;
  auto bytes = std::make_shared<std::vector<std::uint8_t>>(rgb.height() * step, 200);
  for (std::size_t y = 0; y < rgb.height(); ++y) {
    for (std::size_t x = 0; x < rgb.width(); ++x) {
      const std::uint8_t* const in = rgb.row(y) + 3 * x;
      for (std::size_t c = 0; c < std::min<std::size_t>(channels, 3); ++c) {
        (*bytes)[y * step + x * channels + c] = in[blue_first ? 2 - c : c];
      }
    }
  }
  return {{stamp, frame_id}, rgb.height(), rgb.width(), step, encoding, *bytes, bytes};
}

InputImage mask_of(const rvm::LabelImage& labels, std::int64_t stamp) {
  auto bytes = std::make_shared<std::vector<std::uint8_t>>(labels.begin(), labels.end());
  return {{stamp, "camera"}, labels.shape()[0], labels.shape()[1], labels.shape()[1], "mono8", *bytes, bytes};
}

rvm::TensorView<const float> tokens_of(const Seen& seen, const test::Clip& clip) {
  return {seen.tokens.data(), {clip.height() / 16, clip.width() / 16, clip.features.shape()[2]}};
}

// How far one image's result is from the authors' features [N, D].
double off(const Seen& seen, rvm::TensorView<const float> expected) {
  std::vector<float> all = seen.cls;
  all.insert(all.end(), seen.tokens.begin(), seen.tokens.end());
  return test::difference(all, expected);
}

}  // namespace

TEST_CASE("ROS: images become the authors' features, with the stamps and names that they came with") {
  const test::Clip clip("features_96x160.npz");
  Node node;
  node.start(parameters_of(96, 160));
  for (std::size_t t = 0; t < clip.frames.size(); ++t) {
    const auto stamp = static_cast<std::int64_t>(t) * kSecond + 123'456'789;
    node.core.offer(image_of(clip.frames[t], "rgb8", stamp, "eye " + std::to_string(t)));
  }
  const std::vector<Seen> seen = node.results(clip.frames.size());
  for (std::size_t t = 0; t < seen.size(); ++t) {
    CAPTURE(t);
    CHECK(off(seen[t], clip.features[t]) < 2e-5);
    CHECK(seen[t].header == Header{static_cast<std::int64_t>(t) * kSecond + 123'456'789, "eye " + std::to_string(t)});
    CHECK(seen[t].frame == t + 1);
    CHECK_FALSE(seen[t].mask.has_value());
  }
  node.core.deactivate();
  const rvm_ros::Statistics statistics = node.core.statistics();
  CHECK(statistics.taken == seen.size());
  CHECK(statistics.done == seen.size());
  CHECK(statistics.dropped == 0);
  CHECK(statistics.failed == 0);
}

TEST_CASE("ROS: every encoding of colours gives the same features, and grey ones its own") {
  const test::Clip clip("features_64x64.npz");
  Node node;
  node.start(parameters_of(64, 64));
  const std::vector<std::string> encodings{"rgb8", "bgr8", "rgba8", "bgra8"};
  for (std::size_t i = 0; i < encodings.size(); ++i) {
    node.core.reset();
    node.core.offer(image_of(clip.frames[0], encodings[i], static_cast<std::int64_t>(i)));
    CHECK(off(node.results(i + 1).back(), clip.features[0]) < 2e-5);
  }
  node.core.reset();
  node.core.offer(image_of(clip.frames[0], "mono8", 4));
  rvm::Image grey(64, 64);
  for (std::size_t y = 0; y < 64; ++y) {
    for (std::size_t x = 0; x < 64; ++x) {
      for (std::size_t c = 0; c < 3; ++c) grey.bytes()(y, x, c) = clip.frames[0].row(y)[3 * x];
    }
  }
  rvm::Stream stream(rvm::Model(test::small_weights()), {.height = 64, .width = 64});
  CHECK(test::difference(node.results(5).back().tokens, stream.step(grey).tokens()) == 0);
}

TEST_CASE("ROS: images of another size are resized as the library resizes") {
  const test::Clip clip("features_96x160.npz");
  Node node;
  Parameters parameters = parameters_of(64, 64);
  parameters.precision = GENERATE(as<std::string>(), "f32", "bf16", "int8");
  node.start(parameters);
  node.core.offer(image_of(clip.frames[0], "bgr8", 0));
  const rvm::Image resized = rvm::resize(clip.frames[0], 64, 64);
  const std::vector<float> found = node.results(1)[0].tokens;
  if (parameters.precision == "f32") {
    rvm::Stream stream(rvm::Model(test::small_weights()), {.height = 64, .width = 64});
    CHECK(test::difference(found, stream.step(resized).tokens()) == 0);
  } else if (parameters.precision == "bf16") {
    rvm::Stream stream(rvm::Model<rvm::Cpu<rvm::bfloat16>>(test::small_weights()), {.height = 64, .width = 64});
    CHECK(test::difference(found, stream.step(resized).tokens()) == 0);
  } else {
    rvm::Stream stream(rvm::Model<rvm::Cpu<std::int8_t>>(test::small_weights()), {.height = 64, .width = 64});
    CHECK(test::difference(found, stream.step(resized).tokens()) == 0);
  }
}

TEST_CASE("ROS: a managed node's transitions, and what is refused in which state") {
  const test::Clip clip("features_64x64.npz");
  Node node;
  FeatureNodeCore& core = node.core;
  CHECK_THROWS_AS(core.activate(), std::logic_error);
  CHECK_THROWS_AS(core.deactivate(), std::logic_error);
  CHECK_THROWS_AS(core.cleanup(), std::logic_error);

  core.configure(parameters_of(64, 64));
  CHECK_THROWS_AS(core.configure(parameters_of(64, 64)), std::logic_error);
  CHECK_THROWS_AS(core.deactivate(), std::logic_error);
  core.offer(image_of(clip.frames[0], "rgb8", 0));  // inactive: ignored
  CHECK(core.statistics().taken == 0);

  core.activate();
  CHECK_THROWS_AS(core.activate(), std::logic_error);
  CHECK_THROWS_AS(core.cleanup(), std::logic_error);
  core.offer(image_of(clip.frames[0], "rgb8", 1));
  node.results(1);
  core.deactivate();
  core.offer(image_of(clip.frames[0], "rgb8", 2));
  CHECK(core.statistics().taken == 1);

  core.activate();  // a video of its own
  CHECK(core.statistics().taken == 0);
  core.offer(image_of(clip.frames[0], "rgb8", 3));
  const Seen again = node.results(2).back();
  CHECK(again.frame == 1);
  CHECK(off(again, clip.features[0]) < 2e-5);
  core.deactivate();
  core.cleanup();
  CHECK_THROWS_AS(core.activate(), std::logic_error);
  core.configure(parameters_of(96, 64));
  core.activate();
  core.shutdown();
  CHECK_THROWS_AS(core.activate(), std::logic_error);
  core.shutdown();
}

TEST_CASE("ROS: parameters are checked, by name, and a core that refused some takes others") {
  const auto refused = [](auto change, const char* name) {
    Parameters parameters = parameters_of(64, 64);
    change(parameters);
    CHECK_THROWS_WITH(rvm_ros::check(parameters), ContainsSubstring(std::string("parameter ") + name + ": expected"));
  };
  rvm_ros::check(parameters_of(64, 64));
  refused([](Parameters& p) { p.weights = ""; }, "weights");
  refused([](Parameters& p) { p.backend = "tpu"; }, "backend");
#ifdef RVM_ROS_CUDA
  refused([](Parameters& p) { p.backend = "cuda", p.precision = "int8"; }, "precision");
#else
  refused([](Parameters& p) { p.backend = "cuda"; }, "backend");
#endif
  refused([](Parameters& p) { p.precision = "f16"; }, "precision");
  refused([](Parameters& p) { p.precision = "f64"; }, "precision");
  refused([](Parameters& p) { p.threads = -1; }, "threads");
  refused([](Parameters& p) { p.height = 65; }, "height");
  refused([](Parameters& p) { p.height = 0; }, "height");
  refused([](Parameters& p) { p.width = -16; }, "width");
  refused([](Parameters& p) { p.width = 1 << 20; }, "width");
  refused([](Parameters& p) { p.queue = 0; }, "queue");
  refused([](Parameters& p) { p.max_gap = -0.5; }, "max_gap");
  refused([](Parameters& p) { p.max_gap = std::numeric_limits<double>::infinity(); }, "max_gap");
  refused([](Parameters& p) { p.context = 0; }, "context");
  refused([](Parameters& p) { p.top_k = 0; }, "top_k");
  refused([](Parameters& p) { p.temperature = 0; }, "temperature");
  refused([](Parameters& p) { p.temperature = 1e-50; }, "temperature");
  refused([](Parameters& p) { p.radius = std::numeric_limits<double>::quiet_NaN(); }, "radius");

  Node node;
  Parameters parameters = parameters_of(64, 64);
  parameters.weights = "/nowhere/at.npz";
  CHECK_THROWS_AS(node.core.configure(parameters), rvm::IoError);
  parameters.weights = test::data("lanczos.npz");
  CHECK_THROWS_AS(node.core.configure(parameters), rvm::WeightsError);
  CHECK_THROWS_AS(node.core.activate(), std::logic_error);
  node.start(parameters_of(64, 64));
}

TEST_CASE("ROS: images that come too fast make room for newer ones") {
  const test::Clip clip("features_64x64.npz");
  Node node;
  Parameters parameters = parameters_of(64, 64);
  parameters.queue = 2;
  node.start(parameters);
  node.shut_door();
  node.core.offer(image_of(clip.frames[0], "rgb8", 0));
  node.wait_until_at_door();
  InputImage first = image_of(clip.frames[1], "rgb8", 1);
  const std::weak_ptr<const void> memory = first.owner;
  node.core.offer(std::move(first));
  for (std::int64_t t = 2; t <= 5; ++t) node.core.offer(image_of(clip.frames[1], "rgb8", t));
  CHECK(memory.expired());
  node.open_door();
  const std::vector<Seen> seen = node.results(3);
  CHECK(seen[0].header.stamp == 0);
  CHECK(seen[1].header.stamp == 4);
  CHECK(seen[2].header.stamp == 5);
  CHECK(off(seen[1], clip.features[1]) < 2e-5);  // what was dropped has changed nothing
  node.core.deactivate();
  CHECK(node.core.statistics().taken == 6);
  CHECK(node.core.statistics().dropped == 3);
  CHECK(node.core.statistics().done == 3);
}

TEST_CASE("ROS: an image that waits is forgotten when the node is deactivated") {
  const test::Clip clip("features_64x64.npz");
  Node node;
  node.start(parameters_of(64, 64));
  node.shut_door();
  node.core.offer(image_of(clip.frames[0], "rgb8", 0));
  node.wait_until_at_door();
  node.core.offer(image_of(clip.frames[0], "rgb8", 1));
  // The door opens once images are ignored: then none waits any more.
  std::thread opener([&] {
    std::uint64_t taken = 0;
    do {
      taken = node.core.statistics().taken;
      node.core.offer(image_of(clip.frames[0], "rgb8", 1));
    } while (node.core.statistics().taken != taken);
    node.open_door();
  });
  node.core.deactivate();
  opener.join();
  CHECK(node.results(1)[0].header.stamp == 0);
  node.core.activate();
  node.core.offer(image_of(clip.frames[0], "rgb8", 2));
  CHECK(node.results(2)[1].header.stamp == 2);
}

TEST_CASE("ROS: a bad image or mask is reported and changes nothing") {
  const test::Clip clip("features_64x64.npz");
  Node node;
  node.start(parameters_of(64, 64));
  node.core.offer(image_of(clip.frames[0], "rgb8", 0));
  node.results(1);
  std::size_t reports = 0;
  const auto refused = [&](auto change, const char* why) {
    InputImage bad = image_of(clip.frames[1], "rgb8", 1);
    change(bad);
    node.core.offer(std::move(bad));
    CHECK_THAT(node.reports(++reports).back(), ContainsSubstring(why));
  };
  refused([](InputImage& i) { i.encoding = "bayer_rggb8"; }, "bayer_rggb8");
  refused([](InputImage& i) { i.height = 0; }, "0x64");
  refused([](InputImage& i) { i.width = std::size_t{1} << 62; }, "cannot be used");
  refused([](InputImage& i) { i.step = 100; }, "rows of 100 bytes");
  refused([](InputImage& i) { i.data = i.data.first(i.data.size() / 2); }, "bytes has only");
  refused([](InputImage& i) { i.data = {}; }, "has only 0 bytes");
  refused([](InputImage& i) { i.step = std::size_t{1} << 63; }, "bytes has only");
  InputImage mask = image_of(clip.frames[0], "rgb8", 0);
  node.core.offer_mask(mask);
  CHECK_THAT(node.reports(++reports).back(), ContainsSubstring("mono8"));

  node.throws = true;
  node.core.offer(image_of(clip.frames[0], "rgb8", 2));
  CHECK_THAT(node.reports(++reports).back(), ContainsSubstring("the topic is gone"));
  node.throws = false;
  node.core.reset();
  node.core.offer(image_of(clip.frames[0], "rgb8", 3));
  node.core.offer(image_of(clip.frames[1], "rgb8", 4));
  const std::vector<Seen> seen = node.results(3);
  CHECK(off(seen[2], clip.features[1]) < 2e-5);
  node.core.deactivate();
  CHECK(node.core.statistics().failed == 8);
}

TEST_CASE("ROS: a video begins anew when time goes back or on by too much, or when asked to") {
  const test::Clip clip("features_64x64.npz");
  Node node;
  Parameters parameters = parameters_of(64, 64);
  parameters.max_gap = 1.5;
  node.start(parameters);
  const std::vector<std::int64_t> stamps{10 * kSecond, 11 * kSecond, 13 * kSecond, 12 * kSecond, 12 * kSecond};
  for (const std::int64_t stamp : stamps) node.core.offer(image_of(clip.frames[0], "rgb8", stamp));
  std::vector<Seen> seen = node.results(5);
  std::vector<std::uint64_t> frames;
  for (const Seen& one : seen) frames.push_back(one.frame);
  CHECK(frames == std::vector<std::uint64_t>{1, 2, 1, 1, 2});
  CHECK(node.reports(2)[0].find("a new video begins") != std::string::npos);
  CHECK(seen[3].tokens == seen[0].tokens);
  node.core.reset();
  node.core.offer(image_of(clip.frames[0], "rgb8", 12 * kSecond));
  seen = node.results(6);
  CHECK(seen[5].frame == 1);
  CHECK(seen[5].tokens == seen[0].tokens);
}

TEST_CASE("ROS: a mask is tracked from its own image on, until another comes or the video ends") {
  const test::Clip clip("features_64x64.npz");
  REQUIRE(clip.frames.size() >= 3);
  rvm::LabelImage labels({30, 40});  // of another size than the images
  for (std::size_t y = 0; y < 30; ++y) {
    for (std::size_t x = 0; x < 40; ++x) labels(y, x) = x < 17 ? 5 : 0;
  }
  Node node;
  Parameters parameters = parameters_of(64, 64);
  parameters.context = 3;
  parameters.top_k = 2;
  node.start(parameters);
  node.core.offer_mask(mask_of(labels, 1));
  for (std::size_t t = 0; t < 3; ++t) {
    node.core.offer(image_of(clip.frames[t], "rgb8", static_cast<std::int64_t>(t)));
  }
  std::vector<Seen> seen = node.results(3);
  CHECK_FALSE(seen[0].mask.has_value());  // before the mask's image
  rvm::MaskTracker tracker(tokens_of(seen[1], clip), labels, {.context = 3, .top_k = 2, .threads = 1});
  REQUIRE(seen[1].mask.has_value());
  CHECK(seen[1].mask->shape() == labels.shape());
  CHECK(test::difference(*seen[1].mask, tracker.mask()) == 0);
  REQUIRE(seen[2].mask.has_value());
  CHECK(test::difference(*seen[2].mask, tracker.step(tokens_of(seen[2], clip))) == 0);

  rvm::LabelImage other({64, 64});
  other(10, 10) = 9;
  node.core.offer_mask(mask_of(labels, 3));
  node.core.offer_mask(mask_of(other, 3));  // instead of it
  node.core.offer(image_of(clip.frames[0], "rgb8", 4));
  seen = node.results(4);
  REQUIRE(seen[3].mask.has_value());
  CHECK(seen[3].mask->shape() == rvm::Shape{64, 64});

  node.core.reset();
  node.core.offer(image_of(clip.frames[0], "rgb8", 5));
  CHECK_FALSE(node.results(5)[4].mask.has_value());
}
