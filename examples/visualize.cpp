// Draws a picture of what the model sees: frames of a video in the upper row, and below each the first three principal
// components of its features as colours.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <CLI/CLI.hpp>
#include <rvm/rvm.hpp>

#include "common/picture.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/sized_source.hpp"

namespace {

/// A frame and what the model says of it.
struct Moment {
  rvm::Image frame;
  std::vector<float> features;  // [h, w, D]
};

/// At most 2 * columns moments, evenly spaced however long the video turns out to be: when the room is full, every
/// other one is dropped and the step between them doubled.
class EvenSample {
 public:
  explicit EvenSample(std::size_t columns) : room_(2 * columns) {}

  bool wants(std::size_t t) const { return t % step_ == 0; }
  void add(Moment moment) {
    if (moments_.size() == room_) {
      for (std::size_t i = 0; 2 * i < moments_.size(); ++i) std::swap(moments_[i], moments_[2 * i]);
      moments_.resize((moments_.size() + 1) / 2);
      step_ *= 2;
    }
    moments_.push_back(std::move(moment));
  }
  /// `columns` of them, or fewer if there are no more.
  std::vector<Moment> take(std::size_t columns) {
    std::vector<Moment> out;
    const std::size_t count = std::min(columns, moments_.size());
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = count == 1 ? 0 : (i * (moments_.size() - 1) + (count - 1) / 2) / (count - 1);
      out.push_back(std::move(moments_[at]));
    }
    return out;
  }

 private:
  std::size_t room_;
  std::size_t step_ = 1;
  std::vector<Moment> moments_;
};

/// Copies `part` to where its top left corner is at (top, left) of `sheet`.
void paste(const rvm::Image& part, std::size_t top, std::size_t left, rvm::Image& sheet) {
  for (std::size_t y = 0; y < part.height(); ++y) {
    const auto row = part.bytes()[y];
    std::copy(row.begin(), row.end(), &sheet.bytes()(top + y, left, 0));
  }
}

/// Each pixel of `small`, floats in [0, 1], as a block of 16 x 16 bytes: one patch, one colour.
rvm::Image enlarge(const rvm::Image& small) {
  rvm::Image out(small.height() * rvm::kPatchSize, small.width() * rvm::kPatchSize);
  for (std::size_t y = 0; y < out.height(); ++y) {
    for (std::size_t x = 0; x < out.width(); ++x) {
      for (std::size_t c = 0; c < 3; ++c) {
        const float value = small.floats()(y / rvm::kPatchSize, x / rvm::kPatchSize, c);
        out.bytes()(y, x, c) = static_cast<std::uint8_t>(value * 255.0F + 0.5F);
      }
    }
  }
  return out;
}

rvm::Image draw(const std::vector<Moment>& moments, const rvm::Shape& grid) {
  constexpr std::size_t kGap = 4;
  rvm::Tensor<float> all({moments.size(), grid[0], grid[1], grid[2]});
  for (std::size_t i = 0; i < moments.size(); ++i) {
    std::copy(moments[i].features.begin(), moments[i].features.end(), all[i].begin());
  }
  const rvm::PcaColours colours(all);
  const std::size_t height = moments[0].frame.height();
  const std::size_t width = moments[0].frame.width();
  rvm::Image sheet(2 * height + kGap, moments.size() * (width + kGap) - kGap);
  std::fill(sheet.bytes().begin(), sheet.bytes().end(), std::uint8_t{255});
  for (std::size_t i = 0; i < moments.size(); ++i) {
    paste(moments[i].frame, 0, i * (width + kGap), sheet);
    paste(enlarge(colours(all[i])), height + kGap, i * (width + kGap), sheet);
  }
  return sheet;
}

template <rvm::Backend B>
void visualize(const CLI::App& app, rvm::examples::SizedSource& source, const rvm::Model<B>& model,
               const std::filesystem::path& output, std::size_t columns) {
  rvm::Stream stream(model, {.height = source.size().height, .width = source.size().width});

  EvenSample sample(columns);
  rvm::examples::Progress progress(source.count());
  for (std::size_t t = 0; const std::optional<rvm::FrameView> frame = source.next(); ++t) {
    if (rvm::examples::interrupted()) throw rvm::Error("interrupted; nothing is written");
    const rvm::TensorView<const float> features = stream.step(*frame).tokens();
    if (sample.wants(t)) sample.add({to_rgb(*frame), {features.begin(), features.end()}});
    progress.advance();
  }
  progress.finish();
  rvm::examples::say(app, source.warning());

  const std::vector<Moment> moments = sample.take(columns);
  const rvm::Image sheet = draw(moments, {stream.grid_height(), stream.grid_width(), stream.token_width()});
  rvm::examples::save_png(output, sheet);
  std::printf("%s: %zux%zu pixels, %zu of %zu frames\n", output.c_str(), sheet.height(), sheet.width(), moments.size(),
              progress.done());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Draws frames of a video, and below each its features' first three principal components as colours.",
               "visualize");
  rvm::examples::ModelOptions options;
  std::filesystem::path output;
  std::size_t columns = 6;
  add_model_options(app, options);
  app.add_option("--output", output, "Where the picture goes: .png")->type_name("FILE")->required();
  app.add_option("--columns", columns, "Frames to show, spread evenly over the video")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  app.footer("Example:\n  visualize --weights rvm_small.npz --input video.mp4 --output picture.png --columns 8");
  return rvm::examples::run_program(app, argc, argv, [&] {
    rvm::examples::SizedSource source(options.input, options.size);
    rvm::examples::say(app, source.notice());
    const rvm::examples::AnyModel chosen = rvm::examples::load_model(options);
    rvm::examples::say(app, rvm::examples::notice(chosen));
    std::visit([&](const auto& model) { visualize(app, source, model, output, columns); }, chosen);
  });
}
