// Hides most of a frame and lets the model fill it in from frames before it: one picture of the source frames, what is
// shown of the target, its reconstruction and the target itself.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <CLI/CLI.hpp>
#include <rvm/rvm.hpp>

#include "common/montage.hpp"
#include "common/picture.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/sized_source.hpp"

namespace {

struct Task {
  std::vector<std::size_t> source;  // frame numbers, ascending
  std::size_t target = 0;           // one of source.back() .. source.back() + 63
  double ratio = rvm::kMaskedRatio;
  std::uint64_t seed = 0;
  std::filesystem::path output;
};

/// Reads "N", "FIRST-LAST" or several of them with commas between: ascending, at most 64 frames. Nothing if it is not
/// that.
std::optional<std::vector<std::size_t>> parse_frames(std::string_view text) {
  constexpr std::size_t kMost = 64;
  const auto take_number = [&text]() -> std::optional<std::size_t> {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
  };
  const auto take = [&text](char c) {
    const bool found = text.starts_with(c);
    text.remove_prefix(found ? 1 : 0);
    return found;
  };
  std::vector<std::size_t> frames;
  do {
    const std::optional<std::size_t> first = take_number();
    const std::optional<std::size_t> last = take('-') ? take_number() : first;
    if (!first || !last || *last < *first || (!frames.empty() && *first <= frames.back())) return std::nullopt;
    if (*last - *first >= kMost - frames.size()) return std::nullopt;
    for (std::size_t frame = *first; frame <= *last; ++frame) frames.push_back(frame);
  } while (take(','));
  if (!text.empty()) return std::nullopt;
  return frames;
}

/// The frame with all but the visible patches grey.
rvm::Image masked(const rvm::Image& frame, const std::vector<std::size_t>& visible) {
  constexpr std::uint8_t kGrey = 128;
  const std::size_t columns = frame.width() / rvm::kPatchSize;
  std::vector<bool> shown(frame.height() / rvm::kPatchSize * columns);
  for (const std::size_t place : visible) shown[place] = true;
  rvm::Image out = frame;
  for (std::size_t y = 0; y < out.height(); ++y) {
    for (std::size_t x = 0; x < out.width(); ++x) {
      if (shown[y / rvm::kPatchSize * columns + x / rvm::kPatchSize]) continue;
      std::fill_n(&out.bytes()(y, x, 0), 3, kGrey);
    }
  }
  return out;
}

/// Between pixels in [0, 1] and a frame, over all pixels and channels.
double mean_squared_error(rvm::TensorView<const float> pixels, const rvm::Image& frame) {
  double sum = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const double off = double{pixels.data()[i]} - frame.bytes().data()[i] / 255.0;
    sum += off * off;
  }
  return sum / static_cast<double>(pixels.size());
}

template <rvm::Backend B>
void reconstruct(const CLI::App& app, rvm::examples::SizedSource& video, const std::filesystem::path& input,
                 const rvm::Decoder<B>& decoder, const Task& task) {
  rvm::Stream stream(decoder.model(), {.height = video.size().height, .width = video.size().width});

  std::vector<rvm::Image> pictures;  // of the source
  rvm::Tensor<float> features({task.source.size(), stream.token_count(), stream.token_width()});
  rvm::Image target;
  rvm::examples::Progress progress(task.target + 1);
  for (std::size_t t = 0; t <= task.target; ++t) {
    if (rvm::examples::interrupted()) throw rvm::Error("interrupted; nothing is written");
    const std::optional<rvm::FrameView> frame = video.next();
    if (!frame) {
      throw rvm::Error(input.string() + ": expected at least " + std::to_string(task.target + 1) +
                       " frames, to reconstruct frame " + std::to_string(task.target) + ", found " + std::to_string(t));
    }
    if (pictures.size() < task.source.size() && task.source[pictures.size()] == t) {
      const auto values = stream.step(*frame).values();
      std::copy(values.begin(), values.end(), features[pictures.size()].begin());
      pictures.push_back(to_rgb(*frame));
    }
    if (t == task.target) target = to_rgb(*frame);
    progress.advance();
  }
  progress.finish();
  rvm::examples::say(app, video.warning());

  const std::size_t patches = stream.grid_height() * stream.grid_width();
  const rvm::MaskedFrame asked{target, task.target - task.source.back(),
                               rvm::draw_visible(patches, task.ratio, task.seed)};
  rvm::Reconstruction reconstruction(decoder, features, stream.grid_height(), stream.grid_width());
  const rvm::Tensor<float> pixels = reconstruction(std::span(&asked, 1));

  pictures.push_back(masked(target, asked.visible));
  rvm::examples::to_bytes(rvm::FrameView(pixels.data(), target.height(), target.width()), pictures.emplace_back());
  pictures.push_back(target);
  const rvm::Image sheet = rvm::examples::side_by_side(pictures);
  rvm::examples::save_png(task.output, sheet);
  std::printf("%s: %zux%zu pixels, %zu of %zu patches shown, mean squared error %.4f\n", task.output.c_str(),
              sheet.height(), sheet.width(), asked.visible.size(), patches, mean_squared_error(pixels[0], target));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Hides most of a frame and fills it in from frames before it. Writes one picture, from left to right: the\n"
      "source frames, what is shown of the target, its reconstruction, the target.",
      "reconstruct");
  rvm::examples::ModelOptions options;
  Task task;
  add_model_options(app, options);
  app.add_option_function<std::string>(
         "--source",
         [&task](const std::string& text) {
           const std::optional<std::vector<std::size_t>> frames = parse_frames(text);
           if (!frames) {
             throw CLI::ValidationError("--source",
                                        "expected up to 64 frame numbers, ascending, as 0,4,8 or 0-3, found " + text);
           }
           task.source = *frames;
         },
         "The frames that the model sees whole, from 0 on: 8, or 0,4,8, or 0-3")
      ->type_name("FRAMES")
      ->required();
  app.add_option("--target", task.target, "The frame to fill in: the last source frame, or one of the 63 after it")
      ->type_name("N")
      ->required();
  app.add_option("--ratio", task.ratio, "Share of the target's patches that is hidden")
      ->type_name("R")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", task.seed, "Decides which patches are hidden")->type_name("N")->capture_default_str();
  app.add_option("--output", task.output, "Where the picture goes: .png")->type_name("FILE")->required();
  app.final_callback([&task] {
    const std::size_t last = task.source.back();
    if (task.target >= last && task.target - last < rvm::kOffsets) return;
    throw CLI::ValidationError("--target", "expected one of frames " + std::to_string(last) + " to " +
                                               std::to_string(last + rvm::kOffsets - 1) +
                                               ", as the last source frame is " + std::to_string(last) + ", found " +
                                               std::to_string(task.target));
  });
  app.footer(
      "Examples:\n"
      "  reconstruct --weights rvm_small.npz --input video.mp4 --source 0-3 --target 12 --output picture.png\n"
      "  reconstruct --weights rvm_small.npz --input frames/ --source 8 --target 24 --ratio 0.8 --output picture.png");
  return rvm::examples::run_program(app, argc, argv, [&] {
    rvm::examples::SizedSource video(options.input, options.size);
    rvm::examples::say(app, video.notice());
    const rvm::examples::AnyModel chosen = rvm::examples::load_model(options);
    rvm::examples::say(app, rvm::examples::notice(chosen));
    std::visit(
        [&](const auto& model) {
          const rvm::Decoder decoder(model, rvm::load_weights(options.weights));
          reconstruct(app, video, options.input, decoder, task);
        },
        chosen);
  });
}
