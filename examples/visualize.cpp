// Draws what the model sees in a video: its features' principal components or clusters as colours, as a video or as one
// contact sheet.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/matrix.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/image/image.hpp>
#include <rvm/image/patches.hpp>
#include <rvm/visualize/kmeans.hpp>
#include <rvm/visualize/palette.hpp>
#include <rvm/visualize/pca_colours.hpp>
#include <rvm/visualize/streaming_pca_colours.hpp>

#include "common/any_stream.hpp"
#include "common/even_sample.hpp"
#include "common/montage.hpp"
#include "common/picture_sink.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/sized_source.hpp"

namespace {

using rvm::examples::AnyStream;
using rvm::examples::PictureSink;

struct Options {
  rvm::examples::ModelOptions model;
  std::filesystem::path output;
  std::string mode = "mix";
  std::size_t clusters = 0;  // 0: principal components instead
  std::size_t columns = 6;
};

/// A frame and what the model says of it.
struct Moment {
  std::size_t t = 0;
  rvm::Image frame;
  rvm::Tensor<float> features;  // [h, w, D]
};

/// From features [h, w, D] to one colour for each patch.
using Colours = std::function<rvm::Image(rvm::TensorView<const float>)>;

rvm::MatrixView<const float> rows_of(rvm::TensorView<const float> features) {
  const std::size_t width = features.shape()[2];
  return {features.data(), features.size() / width, width};
}

/// Those that colours are fitted to. The first frames look like none that follow, until the model's state has filled:
/// they would take a component or a cluster for themselves.
std::span<const Moment> settled(std::span<const Moment> moments) {
  constexpr std::size_t kSettling = 4;
  const auto first = std::find_if(moments.begin(), moments.end(), [](const Moment& m) { return m.t >= kSettling; });
  return first == moments.end() ? moments : std::span(first, moments.end());
}

/// The colours of clusters that the features of these moments fall into.
Colours fit_clusters(std::span<const Moment> moments, std::size_t count) {
  // Some thousand features from all over tell as much as all of them.
  constexpr std::size_t kEnough = 8192;
  const std::size_t patches = rows_of(moments[0].features).rows;
  const std::size_t width = rows_of(moments[0].features).cols;
  const std::size_t all = moments.size() * patches;
  rvm::Tensor<float> sample({std::min(all, kEnough), width});
  for (std::size_t i = 0; i < sample.shape()[0]; ++i) {
    const std::size_t at = i * all / sample.shape()[0];
    std::copy_n(rows_of(moments[at / patches].features).row(at % patches), width, sample[i].data());
  }
  const rvm::KMeans clusters({sample.data(), sample.shape()[0], width}, count);
  return [clusters, labels = std::vector<std::uint32_t>(patches)](rvm::TensorView<const float> features) mutable {
    clusters.assign(rows_of(features), labels);
    rvm::Image image(features.shape()[0], features.shape()[1]);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const rvm::Colour colour = rvm::distinct_colour(labels[i]);
      std::copy(colour.begin(), colour.end(), image.bytes().data() + 3 * i);
    }
    return image;
  };
}

/// The principal components of all these moments as colours.
Colours fit_components(std::span<const Moment> moments) {
  const rvm::Shape& grid = moments[0].features.shape();
  rvm::Tensor<float> all({moments.size(), grid[0], grid[1], grid[2]});
  for (std::size_t i = 0; i < moments.size(); ++i) {
    std::copy(moments[i].features.begin(), moments[i].features.end(), all[i].begin());
  }
  return rvm::PcaColours(all);
}

/// The principal components of these moments, and then of the video that goes on after the first `seen` frames.
Colours follow_components(std::span<const Moment> moments, std::size_t seen) {
  rvm::StreamingPcaColours colours({.warmup = moments.size()});
  for (const Moment& moment : moments) colours.observe(moment.features);
  return [colours, seen](rvm::TensorView<const float> features) mutable {
    if (seen == 0) return colours(features);
    --seen;
    return colours.paint(features);
  };
}

/// Turns moments into pictures. The first ones of a video, or some from all over it for a contact sheet, are held back
/// until the colours have been fitted to them.
class Painter {
 public:
  Painter(const Options& options, PictureSink& sink)
      : options_(options),
        sheet_(rvm::examples::is_contact_sheet(options.output)),
        sink_(sink),
        sample_(options.columns) {}

  void add(const rvm::FrameView& frame, AnyStream& stream) {
    if (options_.mode == "frame") {
      sink_.write(frame);
      return;
    }
    const rvm::TensorView<const float> features = stream.step(frame).tokens();
    const std::size_t t = seen_++;
    if (colours_) {
      paint(frame, features);
    } else if (!sheet_ || sample_.wants(t)) {
      Moment moment{t, to_rgb(frame), rvm::Tensor<float>(features.shape())};
      std::copy(features.begin(), features.end(), moment.features.begin());
      if (sheet_) {
        sample_.add(std::move(moment));
      } else {
        first_.push_back(std::move(moment));
        constexpr std::size_t kWarmup = 16;
        if (first_.size() == kWarmup) fit_and_paint(std::exchange(first_, {}));
      }
    }
  }

  /// No more frames come: paints those held back.
  void finish() { fit_and_paint(sheet_ ? sample_.take() : std::exchange(first_, {})); }

 private:
  void fit_and_paint(const std::vector<Moment>& moments) {
    if (moments.empty()) return;
    colours_ = options_.clusters > 0 ? fit_clusters(settled(moments), options_.clusters)
               : sheet_              ? fit_components(settled(moments))
                                     : follow_components(settled(moments), moments.size());
    for (const Moment& moment : moments) paint(moment.frame, moment.features);
  }

  void paint(const rvm::FrameView& frame, rvm::TensorView<const float> features) {
    rvm::Image colours = rvm::examples::enlarge(colours_(features), rvm::kPatchSize);
    if (options_.mode != "mix") {
      sink_.write(colours);
      return;
    }
    const std::vector<rvm::Image> both{to_rgb(frame), std::move(colours)};
    sink_.write(sheet_ ? rvm::examples::one_below_the_other(both) : rvm::examples::side_by_side(both));
  }

  const Options& options_;
  bool sheet_;
  PictureSink& sink_;
  rvm::examples::EvenSample<Moment> sample_;
  std::vector<Moment> first_;
  std::size_t seen_ = 0;
  Colours colours_;
};

void visualize(const CLI::App& app, const Options& options, rvm::examples::SizedSource& source, AnyStream& stream) {
  const auto sink = rvm::examples::open_sink(options.output, source.fps(), options.columns);
  rvm::examples::Progress progress(source.count());
  fill(*sink, [&] {
    Painter painter(options, *sink);
    std::exception_ptr stopped;
    try {
      while (const std::optional<rvm::FrameView> frame = source.next()) {
        if (rvm::examples::interrupted()) throw rvm::Error("interrupted");
        painter.add(*frame, stream);
        progress.advance();
      }
    } catch (const rvm::Error&) {
      stopped = std::current_exception();
    }
    painter.finish();
    if (stopped) std::rethrow_exception(stopped);
  });
  progress.finish();
  rvm::examples::say(app, source.warning());
  std::printf("%s, from %zu frames\n", sink->summary().c_str(), progress.done());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Draws what the model sees in a video: one colour for each patch of 16 x 16 pixels.", "visualize");
  Options options;
  add_model_options(app, options.model);
  app.add_option("--output", options.output,
                 "Where the pictures go: a video .mp4, a .gif, a directory of PNGs, or one contact sheet .png")
      ->type_name("PATH")
      ->required();
  app.add_option("--mode", options.mode,
                 "What a picture shows: frame; pca, the features' first three principal components as red, green and "
                 "blue; kmeans, the clusters that features fall into; mix, the frame and beside it (below it in a "
                 "contact sheet) its components, or its clusters if --clusters is given")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"frame", "pca", "kmeans", "mix"}));
  app.add_option("--clusters", options.clusters, "Clusters for kmeans (8 if not given) or mix")
      ->type_name("K")
      ->check(CLI::Range(2, 256));
  app.add_option("--columns", options.columns, "Pictures in a contact sheet, spread evenly over the video")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  app.footer(
      "The colours of a video are fitted to its first 16 frames, but for the first 4; components then follow it "
      "slowly.\n"
      "When it is interrupted, the pictures so far are kept.\n\n"
      "Examples:\n"
      "  visualize --weights rvm_small.npz --input video.mp4 --output colours.mp4\n"
      "  visualize --weights rvm_small.npz --input video.mp4 --output clusters.gif --mode kmeans --clusters 6\n"
      "  visualize --weights rvm_small.npz --input video.mp4 --output sheet.png --columns 8");
  app.final_callback([&] {
    if (options.mode == "kmeans" && options.clusters == 0) options.clusters = 8;
    if (options.clusters > 0 && options.mode != "kmeans" && options.mode != "mix") {
      throw CLI::ValidationError("--clusters", "goes with the modes kmeans and mix, not " + options.mode);
    }
  });
  return rvm::examples::run_program(app, argc, argv, [&] {
    rvm::examples::SizedSource source(options.model.input, options.model.size);
    rvm::examples::say(app, source.notice());
    const rvm::examples::AnyModel chosen = rvm::examples::load_model(options.model);
    rvm::examples::say(app, rvm::examples::notice(chosen));
    AnyStream stream(chosen, source.size());
    visualize(app, options, source, stream);
  });
}
