#pragma once

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <rvm/tracking/label_propagation.hpp>

#include "common/any_stream.hpp"
#include "common/progress.hpp"
#include "common/sized_source.hpp"

namespace rvm::examples {

/// The user has asked the program to stop. Not an rvm::Error, so that it is not taken for a sequence's fault.
class Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted") {}
};

/// What sequences are run with.
struct Protocol {
  FrameSize size;  // that frames are resized to
  PropagationOptions propagation;
};

/// The features of a directory of frames, one after the other.
class SequenceFeatures {
 public:
  /// Starts a new video in `stream`, which takes frames of `size`. Throws rvm::IoError if there are no frames.
  SequenceFeatures(const std::filesystem::path& frames, const FrameSize& size, AnyStream& stream, Progress& progress);

  /// The next frame's, [h, w, D], valid until the next call. Throws rvm::IoError if there is no further frame or it
  /// cannot be read, and Interrupted.
  TensorView<const float> next();

  std::size_t count() const { return *source_.count(); }
  /// Of the frames before they are resized.
  const FrameSize& original_size() const noexcept { return source_.original_size(); }

 private:
  std::filesystem::path path_;
  SizedSource source_;
  AnyStream& stream_;
  Progress& progress_;
};

/// A data set in the folders that it comes in, and what its evaluation computes.
class Dataset {
 public:
  Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;
  virtual ~Dataset() = default;

  /// The names of the sequences to evaluate, in order.
  virtual std::vector<std::string> sequences() const = 0;

  /// Where the frames of a sequence are.
  virtual std::filesystem::path frames(const std::string& sequence) const = 0;

  /// Tracks through one sequence. What it gives holds the sequence's figures, and what figures() needs of it. Throws
  /// rvm::Error if the sequence is broken: whatever is wrong with its files, or what they hold.
  virtual nlohmann::json evaluate(const std::string& sequence, const Protocol& protocol, AnyStream& stream,
                                  Progress& progress) const = 0;

  // From what evaluate() has given, or a file claims that it has. They throw rvm::Error if it is something else.

  /// The figures of all sequences together; at least one.
  virtual nlohmann::json figures(const std::vector<nlohmann::json>& results) const = 0;

  /// The figures of one sequence, in one line for the user.
  virtual std::string line(const nlohmann::json& result) const = 0;
  /// The figures of all, in the lines that the authors' notebook prints.
  virtual std::string lines(const nlohmann::json& figures) const = 0;
};

/// DAVIS 2017: JPEGImages/480p/NAME/*.jpg, Annotations/480p/NAME/*.png, ImageSets/2017/val.txt. The figures are J, F
/// and their mean, over frames but the first and the last, and over the objects of all sequences.
std::unique_ptr<Dataset> open_davis(const std::filesystem::path& directory);

/// JHMDB: Rename_Images/CLASS/NAME/*.png, joint_positions/CLASS/NAME/joint_positions.mat, and of
/// splits/CLASS_test_split1.txt the videos marked 2. The figures are percents of correct keypoints, each joint's over
/// all sequences, and the mean over joints.
std::unique_ptr<Dataset> open_jhmdb(const std::filesystem::path& directory);

/// VIP (VIP_Fine): Images/NAME/*.jpg, Annotations/Category_ids/NAME/*.png, lists/val_videos.txt. The figures are the
/// intersection over union of each of 20 categories over all frames of all sequences, and the mean over categories.
std::unique_ptr<Dataset> open_vip(const std::filesystem::path& directory);

/// A figure as the user reads it, "0.661234"; "nan" if there is none.
std::string figure_text(double figure, int digits = 6);
/// The one of that key. Throws rvm::IoError if there is none.
std::string figure_text(const nlohmann::json& figures, const std::string& key, int digits = 6);

/// The lines of a text file without the blanks around them, empty ones left out. Throws rvm::IoError.
std::vector<std::string> read_lines(const std::filesystem::path& path);

/// The mask of every frame: the PNG of `masks` that has its name. Throws rvm::IoError if a frame has none, or a mask no
/// frame.
std::vector<std::filesystem::path> masks_of(const std::filesystem::path& frames, const std::filesystem::path& masks);

}  // namespace rvm::examples
