// What goes wrong on a GPU, on an emulated one.

#include <cstddef>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rvm/backend/cuda.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "support/catch.hpp"
#include "support/cuda_emulation/device_world.hpp"
#include "support/random.hpp"

namespace {

using Backend = rvm::Cuda<rvm::bfloat16>;
using Values = std::vector<float>;

constexpr rvm::StreamOptions kSize{.height = 48, .width = 32, .chunk = 2};
constexpr int kIllegalAddress = 700;

rvm::Model<Backend> small_model(const Backend::Options& options = {}) {
  return rvm::Model<Backend>(rvm::random_weights({24, {1, 3, 8, 40}, {1, 2, 12, 36}, {}}), options);
}

Values copy(const rvm::Features& features) {
  return {features.values().begin(), features.values().end()};
}

struct Revived {
  ~Revived() {
    cuda_emulation::fail_allocation(0);
    for (int device = 0; device < cuda_emulation::kDevices; ++device) cuda_emulation::revive_device(device);
  }
};

}  // namespace

TEST_CASE("memory that runs out leaves the stream as it was, wherever it does") {
  const Revived revived;
  const auto video = test::Random(1).bytes({6, 48, 32, 3});
  const auto frames = test::frames_of(video);
  Values stepped;
  Values ran;
  {
    rvm::Stream stream(small_model(), kSize);
    stepped = copy(stream.step(frames[0]));
    const auto features = stream.run(std::span(frames).subspan(1));
    ran.assign(features.begin(), features.end());
  }
  // At the n-th taking of memory, of the model, the stream, its first step, its first clip.
  std::size_t failures = 0;
  for (std::size_t n = 1;; ++n) {
    CAPTURE(n);
    std::optional<rvm::Stream<Backend>> stream;
    Values out(ran.size());
    cuda_emulation::fail_allocation(n);
    bool failed = false;
    try {
      stream.emplace(small_model(), kSize);
      stream->step(frames[0]);
      stream->run(std::span(frames).subspan(1), out);
    } catch (const std::bad_alloc& error) {
      failed = true;
      CHECK_THAT(error.what(), ContainsSubstring("cudaErrorMemoryAllocation"));
    }
    cuda_emulation::fail_allocation(0);
    if (!failed) break;
    ++failures;
    if (!stream) continue;
    if (stream->frames() == 0) {
      CHECK((copy(stream->features()) == Values(stepped.size())));
      CHECK((copy(stream->step(frames[0])) == stepped));
    }
    CHECK((copy(stream->features()) == stepped));
    stream->run(std::span(frames).subspan(1), out);
    CHECK((out == ran));
  }
  CHECK(failures > 20);
}

TEST_CASE("a lost device gives one error from then on, and the saved state goes on elsewhere") {
  const Revived revived;
  const auto video = test::Random(2).bytes({3, 48, 32, 3});
  const auto frames = test::frames_of(video);
  rvm::Stream stream(small_model(), kSize);
  stream.step(frames[0]);
  const auto saved = stream.save();
  const Values expected = copy(rvm::Stream(stream).step(frames[1]));

  cuda_emulation::lose_device(0, kIllegalAddress);
  std::string first;
  try {
    stream.step(frames[1]);
    FAIL("a step on a lost device");
  } catch (const rvm::CudaError& error) {
    first = error.what();
    CHECK(error.lost());
    CHECK(error.name() == "cudaErrorIllegalAddress");
    CHECK_FALSE(error.operation().empty());
    CHECK_THAT(first, ContainsSubstring(error.operation()) && ContainsSubstring("an illegal memory access"));
  }
  cuda_emulation::revive_device(0);  // the process may not know
  const auto same_error = [&](const auto& call) { CHECK_THROWS_WITH(call(), first); };
  same_error([&] { stream.step(frames[1]); });
  same_error([&] { stream.advance(frames[1]); });
  same_error([&] { stream.run(frames); });
  same_error([&] { stream.features(); });
  same_error([&] { stream.save(); });
  same_error([&] { stream.reset(); });
  same_error([&] { stream.restore(saved); });
  same_error([&] { const rvm::Stream fork = stream; });
  CHECK(stream.frames() == 1);

  for (const int device : {0, 1}) {
    rvm::Stream elsewhere(small_model({.device = device}), kSize);
    elsewhere.restore(saved);
    CHECK(elsewhere.frames() == 1);
    CHECK((copy(elsewhere.step(frames[1])) == expected));
  }
}

TEST_CASE("a warm stream takes no memory, launches once a step, and waits for nothing") {
  const auto video = test::Random(3).bytes({4, 48, 32, 3});
  const auto frames = test::frames_of(video);
  rvm::Stream stream(small_model(), kSize);
  const auto all = [&] {
    for (const auto& frame : frames) stream.advance(frame);
    stream.step(frames[0]);
    stream.run(frames);
  };
  all();
  all();
  auto before = cuda_emulation::counts();
  all();
  auto after = cuda_emulation::counts();
  CHECK(after.allocations == before.allocations);
  before = after;
  for (const auto& frame : frames) stream.advance(frame);
  after = cuda_emulation::counts();
  CHECK(after.launches == before.launches + frames.size());
  CHECK(after.operations == before.operations + frames.size());  // the frames
  stream.features();
}

TEST_CASE("a clip of another length leaves the graphs of others as they are") {
  const auto video = test::Random(5).bytes({6, 48, 32, 3});
  const auto frames = test::frames_of(video);
  rvm::Stream stream(small_model(), {.height = 48, .width = 32, .chunk = 3});
  stream.run(frames);
  for (const auto& frame : frames) stream.advance(frame);
  stream.run(std::span(frames).first(5));  // two frames together, which have not been seen
  const auto before = cuda_emulation::counts();
  stream.advance(frames[0]);
  CHECK(cuda_emulation::counts().launches == before.launches + 1);
  CHECK(cuda_emulation::counts().operations == before.operations + 1);
}

TEST_CASE("what runs beside something that throws is waited for") {
  const Backend::Device device({});
  Backend::Executor run(device);
  const auto old = device.upload(std::vector<float>{7});
  rvm::CudaBuffer<float> memory(device, 1);
  const auto throws = [] { throw rvm::ArgumentError("thrown on purpose"); };
  CHECK_THROWS_AS(run.beside([&] { run.copy(old.data(), memory.data(), 1); }, throws), rvm::ArgumentError);
  run.zero(memory.data(), 1);
  run.beside([] {}, [] {});
  Values found(1, -1.0F);
  run.read(memory.data(), found);
  CHECK(found[0] == 0);

  // In a graph, too: what has been written down of it is dropped, and the next one is whole.
  const std::span<const rvm::FrameView> no_frames;
  bool failing = true;
  std::size_t times = 0;
  const auto replay = [&] {
    run.replay(1, no_frames, [&] {
      run.beside([&] { run.copy(old.data(), memory.data(), 1); },
                 [&] {
                   if (failing && ++times == 2) throws();
                 });
    });
  };
  CHECK_THROWS_AS(replay(), rvm::ArgumentError);
  failing = false;
  replay();
  run.zero(memory.data(), 1);
  replay();
  run.read(memory.data(), found);
  CHECK(found[0] == 7);
}

TEST_CASE("numbers that were written need not be kept") {
  const Backend::Device device({});
  Backend::Executor run(device);
  rvm::CudaBuffer<float> memory(device, 2);
  Values numbers{1, 2};
  run.write(numbers, memory.data());
  numbers = {3, 4};
  Values found(2);
  run.read(memory.data(), found);
  CHECK((found == Values{1, 2}));
}

TEST_CASE("a device that is too old is refused by name") {
  constexpr int kOld = cuda_emulation::kDevices - 1;
  CHECK_THROWS_AS(Backend::Device({.device = kOld}), rvm::ArgumentError);
  CHECK_THROWS_WITH(Backend::Device({.device = kOld}),
                    ContainsSubstring("8.0 and later") && ContainsSubstring("emulated GPU 2, 7.0"));
}

TEST_CASE("everything is given back") {
  const std::size_t before = cuda_emulation::counts().live;
  {
    const auto video = test::Random(4).bytes({4, 48, 32, 3});
    rvm::Stream stream(small_model(), kSize);
    stream.run(test::frames_of(video));
    rvm::Stream fork = stream;
    rvm::Stream moved = std::move(fork);
    fork = moved;
    moved.step(test::frames_of(video)[0]);
    CHECK(cuda_emulation::counts().live > before);
  }
  CHECK(cuda_emulation::counts().live == before);
}
