// Follows objects, points or boxes that are marked in a video's first frame through the rest of it.

#include <array>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <rvm/core/atomic_file.hpp>
#include <rvm/core/error.hpp>
#include <rvm/image/image.hpp>

#include "common/any_stream.hpp"
#include "common/image_source.hpp"
#include "common/json.hpp"
#include "common/label_png.hpp"
#include "common/picture_sink.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/propagation_options.hpp"
#include "common/sized_source.hpp"
#include "common/track/points.hpp"
#include "common/track/target.hpp"

namespace {

using rvm::examples::FrameSize;
using rvm::examples::SizedSource;
using rvm::examples::Target;

struct Options {
  rvm::examples::ModelOptions model;
  rvm::PropagationOptions propagation;
  std::filesystem::path mask;
  std::filesystem::path keypoints;
  std::vector<rvm::Point> points;
  std::vector<rvm::Box> boxes;
  std::filesystem::path masks_out;
  std::filesystem::path json_out;
  std::filesystem::path video_out;
  std::size_t trail = 20;
};

/// N numbers with commas between them. Throws CLI::ValidationError.
template <std::size_t N>
std::array<float, N> parse_numbers(const std::string& option, const std::string& text, const std::string& expected) {
  std::array<float, N> numbers{};
  const std::vector<std::string> parts = CLI::detail::split(text, ',');
  bool good = parts.size() == N;
  for (std::size_t i = 0; i < N && good; ++i) good = CLI::detail::lexical_cast(parts[i], numbers[i]);
  if (!good) throw CLI::ValidationError(option, "expected " + expected + ", found " + text);
  return numbers;
}

void add_options(CLI::App& app, Options& options) {
  add_model_options(app, options.model);
  CLI::Option_group& what = *app.add_option_group("What to follow, as it is in the first frame");
  what.add_option("--mask", options.mask, "A PNG of labels, of the frames' size: 0 is the background")
      ->type_name("FILE");
  what.add_option("--keypoints", options.keypoints, "JSON {\"points\": [[x, y], ...]}")->type_name("FILE");
  what.add_option_function<std::vector<std::string>>(
          "--point",
          [&options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              const auto [x, y] = parse_numbers<2>("--point", text, "X,Y");
              options.points.push_back({x, y});
            }
          },
          "A point, in pixels from the upper left corner; any number of them")
      ->type_name("X,Y");
  what.add_option_function<std::vector<std::string>>(
          "--box",
          [&options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              const auto [left, top, right, bottom] = parse_numbers<4>("--box", text, "LEFT,TOP,RIGHT,BOTTOM");
              options.boxes.push_back({left, top, right, bottom});
            }
          },
          "A box, in pixels from the upper left corner; any number of them")
      ->type_name("LEFT,TOP,RIGHT,BOTTOM");
  what.require_option(1);
  CLI::Option_group& out = *app.add_option_group("Where it goes");
  out.add_option("--output-masks", options.masks_out, "A directory of PNGs of labels, one a frame")
      ->type_name("DIR")
      ->needs(what.get_option("--mask"));
  out.add_option("--output-json", options.json_out, "Points, or boxes, of every frame: .json")->type_name("FILE");
  out.add_option(
         "--output-video", options.video_out,
         "The video with what is followed drawn on it: .mp4, .gif, a directory of PNGs, or .png: a contact sheet")
      ->type_name("PATH");
  out.require_option(1, 3);
  app.add_option("--trail", options.trail, "Frames in which the video shows where a point has been")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(0, 10000));
  rvm::examples::add_propagation_options(app, options.propagation);
  app.footer(
      "Examples:\n"
      "  track --weights rvm_small.npz --input video.mp4 --mask first.png --output-masks masks/ --output-video "
      "out.mp4\n"
      "  track --weights rvm_small.npz --input video.mp4 --point 120,80 --point 64,200 --output-json points.json");
}

std::unique_ptr<Target> make_target(const Options& options, const FrameSize& frames) {
  rvm::PropagationOptions propagation = options.propagation;
  propagation.threads = options.model.threads;
  if (!options.mask.empty()) return rvm::examples::follow_mask(options.mask, frames, propagation);
  if (!options.boxes.empty()) return rvm::examples::follow_boxes(options.boxes, frames, propagation);
  return rvm::examples::follow_points(
      options.keypoints.empty() ? options.points : rvm::examples::read_points(options.keypoints), options.trail, frames,
      propagation);
}

/// Where everything goes, as the user asked. What is written stays when something fails later.
class Outputs {
 public:
  /// Throws rvm::IoError if one cannot be written.
  Outputs(const Options& options, const FrameSize& frames, std::optional<double> fps)
      : masks_(options.masks_out), json_(options.json_out) {
    if (!masks_.empty()) open_masks();
    if (!json_.empty()) rvm::AtomicFile probe(json_);  // a name that cannot be written is refused before the work
    if (!options.video_out.empty()) video_ = rvm::examples::open_sink(options.video_out, fps);
    text_ = "{\"input\": " + rvm::examples::as_text(options.model.input.string()) +
            ", \"height\": " + std::to_string(frames.height) + ", \"width\": " + std::to_string(frames.width) +
            ",\n\"frames\": [";
  }

  /// The next frame, and where the target is in it.
  void write(Target& target, const rvm::FrameView& frame) {
    if (!masks_.empty()) {
      std::array<char, 32> name{};
      std::snprintf(name.data(), name.size(), "%05zu.png", count_);
      rvm::examples::save_label_png(masks_ / name.data(), *target.mask());
    }
    if (!json_.empty()) text_ += (count_ == 0 ? "\n" : ",\n") + target.json().dump();
    ++count_;
    if (video_) {
      to_rgb(frame, picture_);
      target.draw(picture_);
      video_->write(picture_);
    }
  }

  /// No more frames come: completes all that can be completed, whether or not something went wrong before. Then throws
  /// rvm::Error if it did: the problem, and what was kept; else says what was written.
  void finish(std::string problem) {
    const auto attempt = [&](const auto& part) {
      try {
        kept_.push_back(part());
      } catch (const std::exception& error) {
        if (problem.empty()) problem = error.what();
      }
    };
    if (!masks_.empty()) kept_.push_back(masks_.string() + ": " + frames_text(count_));
    if (video_)
      attempt([&] {
        video_->finish();
        return video_->summary();
      });
    if (!json_.empty())
      attempt([&] {
        save_json();
        return json_.string() + ": " + frames_text(count_);
      });
    std::string kept;
    for (const std::string& line : kept_) kept += (kept.empty() ? "" : problem.empty() ? "\n" : ", ") + line;
    if (!problem.empty()) throw rvm::Error(problem + "; kept " + (count_ == 0 || kept.empty() ? "nothing" : kept));
    std::puts(kept.c_str());
  }

 private:
  static std::string frames_text(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " frame" : " frames");
  }

  void open_masks() const {
    std::error_code error;
    std::filesystem::create_directories(masks_, error);
    if (error) throw rvm::IoError(masks_.string() + ": cannot create the directory: " + error.message());
    std::filesystem::directory_iterator entries(masks_, error);
    if (error) throw rvm::IoError(masks_.string() + ": " + error.message());
    for (const auto& entry : entries) {
      if (!rvm::examples::is_image(entry.path())) continue;
      throw rvm::IoError(masks_.string() + ": holds pictures already, such as " + entry.path().filename().string() +
                         "; name a new or an empty directory");
    }
  }

  void save_json() const {
    const std::string whole = text_ + "\n]}\n";
    rvm::AtomicFile file(json_);
    file.write(std::as_bytes(std::span(whole)));
    file.commit();
  }

  std::filesystem::path masks_;
  std::filesystem::path json_;
  std::unique_ptr<rvm::examples::PictureSink> video_;
  std::string text_;  // the JSON so far
  std::vector<std::string> kept_;
  std::size_t count_ = 0;
  rvm::Image picture_;
};

void track(const CLI::App& app, const Options& options) {
  SizedSource source(options.model.input, options.model.size);
  rvm::examples::say(app, source.notice());
  const std::unique_ptr<Target> target = make_target(options, source.original_size());
  const rvm::examples::AnyModel model = load_model(options.model);
  rvm::examples::say(app, rvm::examples::notice(model));
  rvm::examples::AnyStream stream(model, source.size());
  Outputs outputs(options, source.original_size(), source.fps());

  rvm::examples::Progress progress(source.count());
  std::string problem;
  try {
    while (const std::optional<rvm::FrameView> frame = source.next()) {
      if (rvm::examples::interrupted()) throw rvm::Error("interrupted");
      target->step(stream.step(*frame).tokens());
      outputs.write(*target, source.original());
      progress.advance();
    }
  } catch (const std::bad_alloc&) {
    problem = "out of memory";
  } catch (const std::exception& error) {
    problem = error.what();
  }
  progress.finish();
  rvm::examples::say(app, source.warning());
  outputs.finish(problem);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Follows objects, points or boxes of a video's first frame through the rest of it.", "track");
  Options options;
  add_options(app, options);
  return rvm::examples::run_program(app, argc, argv, [&] { track(app, options); });
}
