#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <rvm/core/tensor.hpp>
#include <rvm/image/label_image.hpp>

namespace rvm_ros {

/// What the node can be told. Numbers are 64 bits wide and doubles, as a robot's parameters are.
struct Parameters {
  std::string weights;            // a .npz or .safetensors file
  std::string backend = "cpu";    // or cuda, where the package was built with it
  std::string precision = "f32";  // or bf16; of cpu also int8, of cuda also f16
  std::int64_t threads = 0;       // 0: as many as the process may use
  std::int64_t height = 256;      // of the frames that the model sees, a multiple of 16; images are resized
  std::int64_t width = 256;       // a multiple of 16
  std::int64_t queue = 1;         // images that may wait; the oldest goes when one more comes
  double max_gap = 0;             // seconds between images after which a new video begins; 0: never
  std::int64_t context = 20;      // tracking, as in rvm::PropagationOptions
  std::int64_t top_k = 7;
  double temperature = 0.7;
  double radius = 20;
};

/// Throws rvm::ArgumentError, which names the parameter, if one is out of its range.
void check(const Parameters& parameters);

/// When and where an image was taken; passed on as it came.
struct Header {
  std::int64_t stamp = 0;  // nanoseconds
  std::string frame_id;
  friend bool operator==(const Header&, const Header&) = default;
};

/// An image as it came, in memory that `owner` keeps.
struct InputImage {
  Header header;
  std::size_t height = 0;
  std::size_t width = 0;
  std::size_t step = 0;  // bytes from a row to the next
  std::string encoding;  // rgb8, bgr8, rgba8, bgra8 or mono8
  std::span<const std::uint8_t> data;
  std::shared_ptr<const void> owner;
};

/// What is known of one image. Views, valid until the function that is given them returns.
struct Result {
  const Header& header;
  std::uint64_t frame;                  // of this video, from 1
  rvm::TensorView<const float> tokens;  // [h, w, D]
  rvm::TensorView<const float> cls;     // [D]
  const rvm::LabelImage* mask;          // null when nothing is tracked
};

/// What has happened since the core was activated.
struct Statistics {
  std::uint64_t taken = 0;    // images that were offered
  std::uint64_t dropped = 0;  // of these, those that had to make room for newer ones
  std::uint64_t failed = 0;   // of these, those that could not be used
  std::uint64_t done = 0;     // of these, those with a result
};

/// All that the node does, without ROS: images go in from any thread, results come out on a thread of the core's own,
/// which is one image behind at most: when images come faster than they are computed, the oldest that wait are dropped.
///
/// States are those of a managed node: unconfigured, inactive, active. Transitions are called by one thread at a time,
/// not from the functions given here; one from the wrong state throws std::logic_error, and one that throws leaves the
/// core in the state before. What is wrong with an image or a mask is reported and changes nothing else.
class FeatureNodeCore {
 public:
  using Publish = std::function<void(const Result&)>;
  using Report = std::function<void(const std::string&)>;

  /// Both are called on the core's own thread, `report` also on that of offer_mask. What they throw is reported, or
  /// dropped.
  FeatureNodeCore(Publish publish, Report report);
  FeatureNodeCore(const FeatureNodeCore&) = delete;
  FeatureNodeCore& operator=(const FeatureNodeCore&) = delete;
  /// From any state.
  ~FeatureNodeCore();

  /// Unconfigured -> inactive: checks the parameters and loads the model. Throws rvm::Error or std::bad_alloc.
  void configure(const Parameters& parameters);
  /// Inactive -> active: a new video begins, without a mask.
  void activate();
  /// Active -> inactive: finishes the image at hand and forgets those that wait.
  void deactivate();
  /// Inactive -> unconfigured: frees the model.
  void cleanup();
  /// Any -> unconfigured. Does not throw.
  void shutdown() noexcept;

  /// Takes an image, on any thread, without waiting. Ignored unless active.
  void offer(InputImage image);
  /// Takes a mask (mono8, a label for every pixel, 0 for the background) of the image of the same stamp, or else of the
  /// first later one: what it shows is tracked from there on, instead of what was tracked before. The mask may be of
  /// another size than the images; results are of its size. Ignored unless active.
  void offer_mask(InputImage mask);
  /// A new video begins with the next image: the state is zero, and nothing is tracked. Ignored unless active.
  void reset();

  Statistics statistics() const;

 private:
  struct Configured;
  struct Inbox;

  void work() noexcept;
  void process(const InputImage& image);
  void say(const std::string& message) const noexcept;

  Publish publish_;
  Report report_;
  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<Configured> configured_;  // null when unconfigured
};

}  // namespace rvm_ros
