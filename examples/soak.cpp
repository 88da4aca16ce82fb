// Watches an endless video of noise with a small random model, as a robot would for weeks: steps, saves and restores
// the state, resets, and looks whether anything creeps. Memory must stay flat, a step must cost the last time what it
// cost the first, and the features must be, to the last bit, those of a new stream that goes on from the saved state.
//
// Prints a table, and ends with 0 if all of that held, 1 if not.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <rvm/backend/cpu.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "common/program.hpp"

namespace {

constexpr std::size_t kSide = 64;
constexpr double kMostMemory = 1024;  // kB more than after the first rounds
constexpr double kMostTime = 0.02;    // of a step's time more than in the first rounds

struct Options {
  std::size_t frames = 100000;
  std::size_t round = 1000;
  std::size_t compared = 250;
  std::size_t threads = 1;
  std::string precision = "f32";
  bool untimed = false;
};

/// A video of noise without end: the same frame for the same number.
class Noise {
 public:
  rvm::FrameView frame(std::uint64_t number) {
    std::uint64_t state = number * 0x9e3779b97f4a7c15U + 1;
    for (std::uint8_t& pixel : pixels_) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      pixel = static_cast<std::uint8_t>(state >> 56);
    }
    return {pixels_.data(), kSide, kSide};
  }

 private:
  std::vector<std::uint8_t> pixels_ = std::vector<std::uint8_t>(kSide * kSide * 3);
};

/// Memory of this process that is in use, in kB; 0 where the system does not say.
double resident_kilobytes() {
  std::ifstream status("/proc/self/status");
  double kilobytes = 0;
  for (std::string word; status >> word;) {
    if (word == "VmRSS:" && status >> kilobytes) return kilobytes;
  }
  return 0;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// One round's figures.
struct Round {
  double old_time = 0;    // median of a step of the old stream, ms
  double new_time = 0;    // the same of a new stream, which steps in turn with it
  double kilobytes = 0;   // in use at the end
  std::size_t equal = 0;  // frames whose features were the same bits in both
};

template <class B>
class Soak {
 public:
  explicit Soak(const Options& options)
      : options_(options),
        model_(rvm::random_weights({64, {2, 2, 32, 128}, {2, 2, 32, 128}, {}}),
               {.threads = options.threads, .isa = {}}),
        stream_(model_, {.height = kSide, .width = kSide}) {}

  /// Steps a round's frames. Before the last of them a new stream takes over the state, and both see the same.
  Round run() {
    // Every seventh round is another video's.
    if (++rounds_ % 7 == 0) stream_.reset();
    while (frames_ % options_.round < options_.round - options_.compared) stream_.step(noise_.frame(frames_++));

    // As in a robot that starts again: from bytes.
    const std::vector<std::byte> saved = stream_.save();
    rvm::Stream<B> fresh(model_, {.height = kSide, .width = kSide});
    fresh.restore(saved);
    if (fresh.frames() != stream_.frames()) throw std::runtime_error("the restored stream has seen other frames");
    // Every other round this one goes on as it is, so that what the bytes have lost is seen.
    if (rounds_ % 2 == 0) stream_.restore(saved);

    Round round;
    std::vector<double> old_times(options_.compared);
    std::vector<double> new_times(options_.compared);
    for (std::size_t i = 0; i < options_.compared; ++i) {
      const rvm::FrameView frame = noise_.frame(frames_++);
      // Whoever comes second finds the caches warm: they take turns.
      if (i % 2 == 0) old_times[i] = step(stream_, frame);
      new_times[i] = step(fresh, frame);
      if (i % 2 != 0) old_times[i] = step(stream_, frame);
      const auto one = stream_.features().values();
      const auto other = fresh.features().values();
      if (std::equal(one.begin(), one.end(), other.begin(), other.end())) ++round.equal;
    }
    round.old_time = median(std::move(old_times));
    round.new_time = median(std::move(new_times));
    round.kilobytes = resident_kilobytes();
    return round;
  }

 private:
  static double step(rvm::Stream<B>& stream, const rvm::FrameView& frame) {
    const auto start = std::chrono::steady_clock::now();
    stream.step(frame);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

  Options options_;
  rvm::Model<B> model_;
  rvm::Stream<B> stream_;
  Noise noise_;
  std::uint64_t frames_ = 0;
  std::size_t rounds_ = 0;
};

/// The medians of some rounds.
Round summary(std::span<const Round> rounds) {
  Round out;
  const auto of = [&](double Round::*figure) {
    std::vector<double> values;
    for (const Round& round : rounds) values.push_back(round.*figure);
    return median(std::move(values));
  };
  out.old_time = of(&Round::old_time);
  out.new_time = of(&Round::new_time);
  for (const Round& round : rounds) {
    out.kilobytes = std::max(out.kilobytes, round.kilobytes);
    out.equal += round.equal;
  }
  return out;
}

/// Runs it all and prints the table. Throws std::runtime_error, which says what crept.
template <class B>
void soak(const Options& options) {
  Soak<B> soak(options);
  const std::size_t count = options.frames / options.round;
  std::vector<Round> rounds;
  rounds.reserve(count);
  std::printf("%12s %12s %14s %12s %10s\n", "frames", "ms a step", "a new stream's", "memory, kB", "equal");
  const std::size_t part = std::max<std::size_t>(1, count / 10);
  for (std::size_t i = 0; i < count; ++i) {
    rounds.push_back(soak.run());
    if ((i + 1) % part != 0) continue;
    const Round last = summary(std::span(rounds).last(part));
    std::printf("%12zu %12.4f %14.4f %12.0f %4zu/%zu\n", (i + 1) * options.round, last.old_time, last.new_time,
                last.kilobytes, last.equal, part * options.compared);
    std::fflush(stdout);
  }

  // The first round of all warms up.
  const Round all = summary(rounds);
  const Round first = summary(std::span(rounds).subspan(rounds.size() > part ? 1 : 0, part));
  const Round last = summary(std::span(rounds).last(part));
  const double memory = all.kilobytes - first.kilobytes;
  const double drift = last.old_time / first.old_time - 1;
  // What became of the machine meanwhile becomes of new streams too.
  const double age = last.old_time / last.new_time - 1;
  std::printf("memory %+.0f kB; a step %+.2f %% from first to last, %+.2f %% beside a new stream's\n", memory,
              100 * drift, 100 * age);
  if (all.equal != count * options.compared) throw std::runtime_error("features differ from a new stream's");
  if (memory > kMostMemory) throw std::runtime_error("memory grows");
  if (!options.untimed && std::min(drift, age) > kMostTime) throw std::runtime_error("steps grow longer");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Steps a small model for long, with saved states and resets, and looks whether anything creeps.");
  Options options;
  app.add_option("--frames", options.frames, "Frames to step")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000000));
  app.add_option("--round", options.round, "Frames between two saved states")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  app.add_option("--threads", options.threads, "Threads; 0: as many as the process may use")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--precision", options.precision, "f32, bf16 or int8")
      ->type_name("NAME")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "int8"}));
  app.add_flag("--untimed", options.untimed, "Report times but do not judge them");
  return rvm::examples::run_program(app, argc, argv, [&] {
    options.compared = std::min(options.compared, (options.round + 1) / 2);
    if (options.frames < options.round) throw std::runtime_error("--frames must be at least one --round");
    if (options.precision == "bf16") {
      soak<rvm::Cpu<rvm::bfloat16>>(options);
    } else if (options.precision == "int8") {
      soak<rvm::Cpu<std::int8_t>>(options);
    } else {
      soak<rvm::Cpu<float>>(options);
    }
  });
}
