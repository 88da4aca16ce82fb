// Writes the features of every frame of a video to a .npy file: float32 [T, N, D], the class token first.

#include <cstdio>
#include <filesystem>
#include <optional>

#include <CLI/CLI.hpp>
#include <rvm/core/error.hpp>
#include <rvm/features.hpp>
#include <rvm/weights/npy.hpp>

#include "common/any_stream.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/sized_source.hpp"

namespace {

/// Frames in, features out, one after the other; nothing remains of the output if it throws.
void extract(const CLI::App& app, rvm::examples::SizedSource& source, rvm::examples::AnyStream& stream,
             const std::filesystem::path& output) {
  const rvm::Shape item{stream.token_count(), stream.token_width()};
  rvm::NpyWriter writer(output, rvm::DType::kFloat32, item);
  rvm::examples::Progress progress(source.count());
  while (const std::optional<rvm::FrameView> frame = source.next()) {
    if (rvm::examples::interrupted()) throw rvm::Error("interrupted; nothing is written");
    writer.append(stream.step(*frame).values().span());
    progress.advance();
  }
  writer.close();
  const double rate = progress.rate();
  progress.finish();

  rvm::examples::say(app, source.warning());
  std::printf("%s: float32 %s, %.1f frames per second\n", output.c_str(),
              to_string(rvm::Shape{writer.count(), item[0], item[1]}).c_str(), rate);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Extracts the features of every frame of a video.", "extract_features");
  rvm::examples::ModelOptions options;
  std::filesystem::path output;
  add_model_options(app, options);
  app.add_option("--output", output, "Where the features go: .npy, float32 [T, N, D]")->type_name("FILE")->required();
  app.footer(
      "Examples:\n"
      "  extract_features --weights rvm_small.npz --input video.mp4 --output features.npy\n"
      "  extract_features --weights rvm_small.npz --input frames/ --output features.npy --size 256x256");
  return rvm::examples::run_program(app, argc, argv, [&] {
    rvm::examples::SizedSource source(options.input, options.size);
    rvm::examples::say(app, source.notice());
    const rvm::examples::AnyModel chosen = rvm::examples::load_model(options);
    rvm::examples::say(app, rvm::examples::notice(chosen));
    rvm::examples::AnyStream stream(chosen, source.size());
    extract(app, source, stream, output);
  });
}
