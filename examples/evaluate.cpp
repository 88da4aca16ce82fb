// Runs the model on the tracking benchmarks DAVIS, JHMDB and VIP, without training, and prints the figures that the
// authors' notebooks print.

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <rvm/core/error.hpp>

#include "common/any_stream.hpp"
#include "common/datasets/dataset.hpp"
#include "common/image_source.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/propagation_options.hpp"
#include "common/result_store.hpp"

namespace {

using nlohmann::json;
using rvm::examples::AnyModel;
using rvm::examples::Dataset;
using rvm::examples::FrameSize;
using rvm::examples::Progress;
using rvm::examples::Protocol;
using rvm::examples::ResultStore;

struct Benchmark {
  const char* name;
  const char* about;
  const char* folder;  // what is in the data set's
  FrameSize size;      // that the authors process frames at
  std::size_t top_k;   // that they propagate with
  std::unique_ptr<Dataset> (*open)(const std::filesystem::path&);
};

constexpr std::array<Benchmark, 3> kBenchmarks{{{"davis",
                                                 "DAVIS 2017: objects' masks; region and boundary scores J and F",
                                                 "JPEGImages/480p, Annotations/480p, ImageSets/2017/val.txt",
                                                 {480, 880},
                                                 7,
                                                 rvm::examples::open_davis},
                                                {"jhmdb",
                                                 "JHMDB: joints of bodies; percent of correct keypoints",
                                                 "Rename_Images, joint_positions, splits",
                                                 {320, 320},
                                                 7,
                                                 rvm::examples::open_jhmdb},
                                                {"vip",
                                                 "VIP: parts of people; mean intersection over union",
                                                 "Images, Annotations/Category_ids, lists/val_videos.txt",
                                                 {448, 880},
                                                 10,
                                                 rvm::examples::open_vip}}};

struct Options {
  rvm::examples::ModelOptions model;
  rvm::PropagationOptions propagation;
  std::filesystem::path data;
  std::filesystem::path output;
  bool anew = false;
};

void add_options(CLI::App& app, const Benchmark& benchmark, Options& options) {
  options.output = std::string(benchmark.name) + ".json";
  options.propagation.top_k = benchmark.top_k;
  app.add_option("--data", options.data, std::string("The data set's folder, with ") + benchmark.folder)
      ->type_name("DIR")
      ->required();
  add_model_options_without_input(app, options.model);
  app.get_option("--size")->description("Resize frames to HxW, multiples of 16 (default: " + to_string(benchmark.size) +
                                        ")");
  rvm::examples::add_propagation_options(app, options.propagation);
  app.add_option("--output", options.output, "Where results are stored after each sequence, and gone on from: .json")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_flag("--anew", options.anew, "Throw away results that are stored there");
}

/// The double that is written with as few digits as the float.
double shortest(float value) {
  std::array<char, 32> text{};
  const char* const end = std::to_chars(text.begin(), text.end(), value).ptr;
  double out = 0;
  std::from_chars(text.begin(), end, out);
  return out;
}

std::string hexadecimal(std::uint64_t number) {
  std::array<char, 16> text{};
  return {text.data(), std::to_chars(text.begin(), text.end(), number, 16).ptr};
}

/// All that results depend on.
json settings_of(const Benchmark& benchmark, const Options& options, const Protocol& protocol, const AnyModel& model) {
  const auto fingerprint = std::visit([](const auto& chosen) { return chosen.fingerprint(); }, model);
  return {{"data set", benchmark.name},
          {"data", std::filesystem::weakly_canonical(options.data).string()},
          {"weights", hexadecimal(fingerprint)},
          {"backend", options.model.backend},
          {"precision", options.model.precision},
          {"size", to_string(protocol.size)},
          {"context", protocol.propagation.context},
          {"top k", protocol.propagation.top_k},
          {"temperature", shortest(protocol.propagation.temperature)},
          {"radius", shortest(protocol.propagation.radius)}};
}

/// Frames of the sequences that are not stored yet; those that cannot be counted are found to be broken later.
std::size_t frames_left(const Dataset& data, const std::vector<std::string>& sequences, const ResultStore& store) {
  std::size_t count = 0;
  for (const std::string& name : sequences) {
    try {
      if (store.find(name) == nullptr) count += rvm::examples::list_images(data.frames(name)).size();
    } catch (const rvm::Error&) {
    }
  }
  return count;
}

/// Throws rvm::IoError if what is stored of a sequence is not what `data` gives of one.
void require_sound(const Dataset& data, const ResultStore& store, const std::string& name) {
  const json& result = *store.find(name);
  try {
    data.line(result);
    data.figures({result});
  } catch (const rvm::Error& error) {
    throw rvm::IoError(store.path().string() + ": sequences: " + name + ": " + error.what() +
                       "; throw it away with --anew");
  }
}

void evaluate(const CLI::App& app, const Benchmark& benchmark, const Options& options) {
  const std::unique_ptr<Dataset> data = benchmark.open(options.data);
  const std::vector<std::string> sequences = data->sequences();
  if (sequences.empty()) throw rvm::IoError(options.data.string() + ": its lists name no sequences");
  const AnyModel model = load_model(options.model);
  rvm::examples::say(app, rvm::examples::notice(model));

  Protocol protocol{options.model.size.value_or(benchmark.size), options.propagation};
  protocol.propagation.threads = options.model.threads;
  ResultStore store(options.output, settings_of(benchmark, options, protocol, model), options.anew);
  rvm::examples::AnyStream stream(model, protocol.size);

  std::vector<json> results;
  json left_out = json::object();
  Progress progress(frames_left(*data, sequences, store));
  for (const std::string& name : sequences) {
    const bool stored = store.find(name) != nullptr;
    if (stored) {
      require_sound(*data, store, name);
    } else {
      json result;
      try {
        result = data->evaluate(name, protocol, stream, progress);
      } catch (const rvm::examples::Interrupted&) {
        throw rvm::Error("interrupted; " + std::to_string(results.size()) + " of " + std::to_string(sequences.size()) +
                         " sequences are stored in " + options.output.string() + ", run again to go on");
      } catch (const rvm::Error& error) {
        progress.finish();
        rvm::examples::say(app, name + " is left out: " + error.what());
        left_out[name] = error.what();
        continue;
      }
      store.add(name, std::move(result));
    }
    results.push_back(*store.find(name));
    progress.finish();
    std::printf("%-24s %s%s\n", name.c_str(), data->line(results.back()).c_str(), stored ? "  (stored)" : "");
    std::fflush(stdout);
  }
  progress.finish();

  if (results.empty()) throw rvm::Error("all sequences are broken");
  const json all = data->figures(results);
  store.finish(all, left_out);
  std::printf("\n%zu of %zu sequences, stored in %s\n%s", results.size(), sequences.size(), options.output.c_str(),
              data->lines(all).c_str());
  if (!left_out.empty()) {
    throw rvm::Error(std::to_string(left_out.size()) + " of " + std::to_string(sequences.size()) +
                     " sequences are broken and left out; run again once they are repaired");
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Evaluates the model on tracking benchmarks, without training.", "evaluate");
  app.require_subcommand(1);
  std::array<Options, kBenchmarks.size()> options;
  for (std::size_t i = 0; i < kBenchmarks.size(); ++i) {
    add_options(*app.add_subcommand(kBenchmarks[i].name, kBenchmarks[i].about), kBenchmarks[i], options[i]);
  }
  app.footer(
      "Every sequence is stored when it is finished: run again to go on after an interruption. A sequence that is "
      "broken\n"
      "is left out and tried again in the next run.\n"
      "Exit code: 0 if all sequences are in the figures, 1 if some were left out or the program failed or was\n"
      "interrupted, 2 if the command line is wrong.\n\n"
      "Examples:\n"
      "  evaluate davis --weights rvm_large.npz --data DAVIS --output davis_large.json\n"
      "  evaluate jhmdb --weights rvm_large.npz --data jhmdb --precision bf16\n"
      "  evaluate vip --weights rvm_large.npz --data VIP");
  return rvm::examples::run_program(app, argc, argv, [&] {
    for (std::size_t i = 0; i < kBenchmarks.size(); ++i) {
      if (app.got_subcommand(kBenchmarks[i].name)) evaluate(app, kBenchmarks[i], options[i]);
    }
  });
}
