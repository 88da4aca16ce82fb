#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rvm/core/detail/finite.hpp>
#include <rvm/features.hpp>
#include <rvm/image/detail/non_finite_pixel.hpp>
#include <rvm/image/frame.hpp>
#include <rvm/image/patches.hpp>
#include <rvm/model/model.hpp>
#include <rvm/saved_state.hpp>

namespace rvm {

namespace detail {

// Where a backend's executor copies to when the host wants to read: memory of the host, pinned if the backend has such.
template <class B>
struct ResultMemory {
  using type = Tensor<float>;
  static type make(const typename B::Device&, std::size_t n) { return type({n}); }
};
template <class B>
requires requires {
  typename B::template Pinned<float>;
}
struct ResultMemory<B> {
  using type = typename B::template Pinned<float>;
  static type make(const typename B::Device& device, std::size_t n) { return type(device, n); }
};

// Whether an executor computes later than it is told to, can write down what it is told and do it again, and can do two
// things at once: see CudaExecutor.
template <class B>
inline constexpr bool kReplays = requires(typename B::Executor& run, std::span<const FrameView> frames,
                                          void (*body)()) {
  run.replay(std::size_t{}, frames, body);
  run.beside(body, body);
};

}  // namespace detail

/// Frames that a backend reads where they are: those of Cuda lie on the device.
template <class Frame, class B>
concept DeviceFrameOf = std::same_as<Frame, typename B::DeviceFrame>;

/// What a stream does when a step gives a state with a NaN or an infinity in it: of a float frame that holds one, or of
/// numbers too large for the weights. Such a state would never become finite again by itself.
enum class NonFinite : std::uint8_t {
  kThrow,  ///< throws NonFiniteError; the stream stays as it was, all videos of a batch
  kReset,  ///< that video alone begins again: the zero state, and frames() 0
  kAllow,  ///< goes on with such numbers, and does not look for them
};

/// What a stream of frames looks like.
struct StreamOptions {
  std::size_t height = 256;  // pixels, a multiple of 16
  std::size_t width = 256;   // pixels, a multiple of 16
  std::size_t batch = 1;     // videos that step together, each with a state of its own
  std::size_t chunk = 4;     // time steps whose frames run() encodes together: more memory, for speed on a GPU
  NonFinite non_finite = NonFinite::kThrow;  // what step() and run() do; advance() looks where that costs no waiting
};

/// A place where videos are read frame by frame: the recurrent state and all memory that a step needs. Every step costs
/// the same, however long the video is, and once a stream has stepped it allocates nothing more.
///
/// Used by one thread at a time; different streams of one model may run on different threads. A copy is a fork: it goes
/// on from the same state on its own. A call that throws leaves the stream as it was before.
template <Backend B>
class Stream {
 public:
  /// A stream in the zero state. Throws FrameError if the sides are not multiples of 16, ArgumentError if batch or
  /// chunk is 0, or std::bad_alloc.
  explicit Stream(Model<B> model, const StreamOptions& options = {})
      : Stream(model, options, typename B::Executor(model.device())) {}
  /// The same with an executor of the caller's making: one that computes in a queue of the caller's.
  Stream(Model<B> model, const StreamOptions& options, typename B::Executor executor)
      : model_(std::move(model)),
        options_(checked(options)),
        executor_(std::move(executor)),
        table_(model_.patch_embedding().table(model_.device(), grid_height(), grid_width())),
        encoding_(model_, encoder_widths(), rows()),
        core_(model_.device(), rows(), token_width(), model_.core().keys_values_width()),
        states_{Floats(model_.device(), values()), Floats(model_.device(), values()),
                Floats(model_.device(), values())},
        staging_(detail::ResultMemory<B>::make(model_.device(), B::kHostMemory ? 0 : values())),
        frames_(options.batch, 0),
        next_frames_(options.batch, 0) {}

  Stream(const Stream& other) : Stream(other.model_, other.options_) {
    if constexpr (detail::kReplays<B>) other.executor_.finish();
    executor_.copy(other.states_[other.current_].data(), states_[current_].data(), values());
    if constexpr (detail::kReplays<B>) executor_.finish();
    frames_ = other.frames_;
  }
  Stream(Stream&&) noexcept = default;
  Stream& operator=(const Stream& other) {
    if (this != &other) *this = Stream(other);
    return *this;
  }
  Stream& operator=(Stream&&) noexcept = default;
  ~Stream() = default;

  /// Takes the next frame of the only video. Throws FrameError if the frame is not of the stream's size, or
  /// NonFiniteError if the state would not stay finite and StreamOptions::non_finite is kThrow.
  Features step(const FrameView& frame) { return step(std::span(&frame, 1)); }

  /// Takes the next frame of each of the batch's videos. Throws FrameError if their number is not the batch's or one is
  /// not of the stream's size, or NonFiniteError as above.
  Features step(std::span<const FrameView> frames) {
    check_step(frames);
    const std::size_t next = spare();
    next_frames_ = frames_;
    take(frames, next);
    settle(next, frames);
    const Features result = features_of(next);
    commit(next);
    return result;
  }

  Features step(std::initializer_list<FrameView> frames) { return step(std::span(frames.begin(), frames.size())); }

  /// As step, without its features: features() and device_features() give them. A backend that computes later than it
  /// is told to is not waited for, so the state is not looked at there and may be left not finite. Frames of the host
  /// may be changed when this returns. Throws FrameError, and NonFiniteError where the state is looked at.
  void advance(std::span<const FrameView> frames) { advance_over(frames); }
  void advance(const FrameView& frame) { advance_over(std::span(&frame, 1)); }
  /// The same for frames in the backend's own memory.
  template <DeviceFrameOf<B> Frame>
  void advance(std::span<const Frame> frames) {
    advance_over(frames);
  }
  template <DeviceFrameOf<B> Frame>
  void advance(const Frame& frame) {
    advance_over(std::span(&frame, 1));
  }

  /// Takes a whole clip, [T, B] frames in the order of time, and writes the features of every one to `out`, [T, B, N,
  /// D]. The same as step by step but for rounding, and on a GPU made to be faster. Throws FrameError and
  /// NonFiniteError as step does, for the clip as a whole, or ArgumentError if `out` is not of that size. What `out`
  /// holds after an exception is not defined.
  void run(std::span<const FrameView> clip, std::span<float> out) {
    check(clip);
    const std::size_t batch = options_.batch;
    const std::size_t steps = clip.size() / batch;
    if (steps * batch != clip.size()) {
      throw FrameError("a clip holds one frame of each of the " + std::to_string(batch) +
                       " videos for every step, found " + std::to_string(clip.size()) + " frames");
    }
    if (out.size() != steps * values()) {
      throw ArgumentError("the features of this clip are " + std::to_string(steps * values()) +
                          " numbers, found room for " + std::to_string(out.size()));
    }
    if constexpr (detail::kReplays<B>) {
      if (steps == 0 || run_overlapped(clip, out)) return;
    }
    const std::size_t chunk = std::min(steps, options_.chunk);
    if (encoding_.rows < chunk * rows()) {
      encoding_ = Encoding(model_, encoder_widths(), chunk * rows());
      if constexpr (detail::kReplays<B>) executor_.forget();
    }

    std::size_t from = current_;
    next_frames_ = frames_;
    for (std::size_t t = 0; t < steps;) {
      const std::size_t count = std::min(chunk, steps - t);
      const MatrixView<float> encoded = encode(clip.subspan(t * batch, count * batch), encoding_);
      for (std::size_t i = 0; i < count; ++i, ++t) {
        // The state before the clip stays as it is until the end; the other two take turns.
        const std::size_t to = from == (current_ + 1) % 3 ? (current_ + 2) % 3 : (current_ + 1) % 3;
        recur(encoded.row_block(i * rows(), rows()), state(from), state(to));
        settle(to, clip.subspan(t * batch, batch));
        executor_.read(states_[to].data(), out.subspan(t * values(), values()));
        from = to;
      }
    }
    commit(from);
  }

  /// The same into memory of its own: [T, N, D], or [T, B, N, D] for a batch of more than one.
  Tensor<float> run(std::span<const FrameView> clip) {
    const std::size_t steps = clip.size() / options_.batch;
    Tensor<float> out(options_.batch == 1 ? Shape{steps, token_count(), token_width()}
                                          : Shape{steps, options_.batch, token_count(), token_width()});
    run(clip, out.span());
    return out;
  }

  /// The features of the frame before, zero at first.
  Features features() { return features_of(current_); }

  /// The features of the frame before where they are, [B, N, D]: addresses of the backend's memory, valid until the
  /// next call that changes the stream. They are there when executor() has done what it was asked for.
  TensorView<const float> device_features() const {
    return {states_[current_].data(), {options_.batch, token_count(), token_width()}};
  }
  /// Who computes: for backends that have it, queue() and finish().
  const typename B::Executor& executor() const noexcept { return executor_; }

  /// Forgets everything: the zero state for all videos. Throws nothing, unless a device has been lost.
  void reset() noexcept(B::kHostMemory) {
    executor_.zero(states_[spare()].data(), values());
    std::fill(next_frames_.begin(), next_frames_.end(), 0);
    commit(spare());
  }
  /// The zero state for one video of the batch; the others go on. Throws ArgumentError if there is no such video.
  void reset(std::size_t video) {
    check_video(video);
    const std::size_t size = values() / options_.batch;
    executor_.copy(states_[current_].data(), states_[spare()].data(), values());
    executor_.zero(states_[spare()].data() + video * size, size);
    next_frames_ = frames_;
    next_frames_[video] = 0;
    commit(spare());
  }

  /// The state as bytes that survive a restart; restore() goes on from there, bit for bit. Throws std::bad_alloc.
  std::vector<std::byte> save() const {
    SavedState saved = identity();
    saved.frames = frames_;
    saved.values.resize(values());
    executor_.read(states_[current_].data(), saved.values);
    return saved.to_bytes();
  }
  /// Takes back what save() gave, from a stream of the same weights, frame size and batch, whatever its backend or
  /// precision. Throws StateError if the bytes are damaged, of another version or of another model, or if the state is
  /// not finite and StreamOptions::non_finite is not kAllow.
  void restore(std::span<const std::byte> bytes) {
    SavedState saved = SavedState::from_bytes(bytes, identity());
    if (options_.non_finite != NonFinite::kAllow && !detail::all_finite(saved.values.data(), values())) {
      throw StateError("the saved state has a NaN or an infinity in it");
    }
    executor_.write(saved.values, states_[spare()].data());
    next_frames_ = saved.frames;
    commit(spare());
  }

  const Model<B>& model() const noexcept { return model_; }
  const StreamOptions& options() const noexcept { return options_; }
  /// Patches along each side of a frame.
  std::size_t grid_height() const noexcept { return options_.height / kPatchSize; }
  std::size_t grid_width() const noexcept { return options_.width / kPatchSize; }
  /// N: the class token and one per patch.
  std::size_t token_count() const noexcept { return 1 + grid_height() * grid_width(); }
  /// D.
  std::size_t token_width() const noexcept { return model_.config().width; }
  /// Frames seen since the last reset, by one video of the batch. Throws ArgumentError if there is no such video.
  std::uint64_t frames(std::size_t video = 0) const {
    check_video(video);
    return frames_[video];
  }

 private:
  using Element = typename B::Element;
  using Floats = typename B::template Buffer<float>;

  // What encoding a number of frames at once needs; the core's blocks use the same workspace.
  struct Encoding {
    Encoding(const Model<B>& model, const WorkspaceWidths& widths, std::size_t rows_)
        : rows(rows_),
          patches(model.device(), rows * kPatchValues),
          tokens(model.device(), rows * model.config().width),
          workspace(model.device(), rows, widths) {}

    std::size_t rows;
    typename B::template Buffer<Element> patches;  // [rows, 768]
    Floats tokens;                                 // [rows, D]
    Workspace<B> workspace;
  };

  // What a clip needs where chunks overlap.
  struct Overlap {
    Overlap(const Model<B>& model, const WorkspaceWidths& widths, std::size_t rows, std::size_t steps_)
        : steps(steps_),
          encodings{Encoding(model, widths, rows * steps), Encoding(model, widths, rows * steps)},
          features{Floats(model.device(), rows * model.config().width * steps),
                   Floats(model.device(), rows * model.config().width * steps)},
          carry(model.device(), rows * model.config().width) {}

    std::size_t steps;                  // of a chunk
    std::array<Encoding, 2> encodings;  // in turn
    std::array<Floats, 2> features;     // in turn, [steps, B, N, D]
    Floats carry;                       // the state between chunks
  };

  static const StreamOptions& checked(const StreamOptions& options) {
    const auto bad = [](std::size_t side) { return side == 0 || side % kPatchSize != 0; };
    if (bad(options.height) || bad(options.width)) {
      throw FrameError("frames of " + size_text(options.height, options.width) +
                       " cannot be cut into patches of 16x16: crop them, or resize them (rvm::resize) to " +
                       std::to_string(nearest_whole_patches(options.height)) + "x" +
                       std::to_string(nearest_whole_patches(options.width)));
    }
    if (options.batch == 0 || options.chunk == 0) throw ArgumentError("a stream's batch and chunk must be at least 1");
    return options;
  }

  static std::string size_text(std::size_t height, std::size_t width) {
    return std::to_string(height) + "x" + std::to_string(width) + " (height x width)";
  }

  template <class Frame>
  void check(std::span<const Frame> frames) const {
    for (const Frame& frame : frames) {
      if (frame.empty()) throw FrameError("a frame is empty");
      if (frame.height() != options_.height || frame.width() != options_.width) {
        throw FrameError("this stream takes frames of " + size_text(options_.height, options_.width) + ", found " +
                         size_text(frame.height(), frame.width()) + ": resize the frame (rvm::resize)");
      }
    }
  }

  template <class Frame>
  void check_step(std::span<const Frame> frames) const {
    check(frames);
    if (frames.size() != options_.batch) {
      throw FrameError("a step takes one frame of each of the " + std::to_string(options_.batch) + " videos, found " +
                       std::to_string(frames.size()) + " frames");
    }
  }

  void check_video(std::size_t video) const {
    if (video >= options_.batch) {
      throw ArgumentError("there is no video " + std::to_string(video) + " in a batch of " +
                          std::to_string(options_.batch));
    }
  }

  // The encoder over any number of frames: [frames * N, D], in the encoding's memory.
  template <class Frame>
  MatrixView<float> encode(std::span<const Frame> frames, Encoding& encoding) {
    const std::size_t n = frames.size() * token_count();
    const MatrixView<Element> patches(encoding.patches.data(), n, kPatchValues);
    const MatrixView<float> tokens(encoding.tokens.data(), n, token_width());
    executor_.patches(frames, patches);
    model_.patch_embedding()(executor_, patches, table_, tokens);
    model_.encoder()(executor_, encoding.workspace, tokens, frames.size());
    return tokens;
  }

  void recur(MatrixView<float> encoded, MatrixView<const float> from, MatrixView<float> to) {
    model_.core()(executor_, encoding_.workspace, core_, encoded, from, to, options_.batch);
  }

  // A step from the current state to another one.
  template <class Frame>
  void take(std::span<const Frame> frames, std::size_t next) {
    if constexpr (detail::kReplays<B>) {
      // What the core makes of the state alone needs no frame.
      executor_.replay(key(kStep, current_, 0, 0), frames, [&] {
        executor_.beside([&] { model_.core().read_state(executor_, core_, state(current_)); },
                         [&] { encode(frames, encoding_); });
        model_.core().read_frame(executor_, encoding_.workspace, core_, tokens(encoding_, 0), state(current_),
                                 state(next), options_.batch);
      });
    } else {
      recur(encode(frames, encoding_), state(current_), state(next));
    }
  }

  template <class Frame>
  void advance_over(std::span<const Frame> frames) {
    check_step(frames);
    const std::size_t next = spare();
    next_frames_ = frames_;
    take(frames, next);
    if constexpr (std::same_as<Frame, FrameView> && !detail::kReplays<B>) {
      settle(next, frames);
    } else {
      for (std::uint64_t& count : next_frames_) ++count;
    }
    commit(next);
  }

  // A clip in chunks, the next one being encoded while the core scans the one before and the host takes the one before
  // that. False, and the stream is as it was, if a state would not stay finite and that matters.
  bool run_overlapped(std::span<const FrameView> clip, std::span<float> out) requires detail::kReplays<B> {
    const std::size_t batch = options_.batch;
    const std::size_t steps = clip.size() / batch;
    const std::size_t chunk = std::min(steps, options_.chunk);
    if (!overlap_ || overlap_->steps < chunk) {
      executor_.forget();
      overlap_.reset();
      overlap_.emplace(model_, encoder_widths(), rows(), chunk);
    }
    Overlap& own = *overlap_;
    const std::size_t chunks = (steps + chunk - 1) / chunk;
    const auto size = [&](std::size_t k) { return k < chunks ? std::min(chunk, steps - k * chunk) : 0; };
    const auto frames = [&](std::size_t k) {
      return k < chunks ? clip.subspan(k * chunk * batch, size(k) * batch) : std::span<const FrameView>();
    };
    const auto receive = [&](std::size_t k) {
      executor_.receive(k % 2, out.subspan(k * chunk * values(), size(k) * values()));
    };
    executor_.copy(states_[current_].data(), own.carry.data(), values());
    executor_.replay(key(kEncode, 0, size(0), 0), frames(0), [&] { encode(frames(0), own.encodings[0]); });
    for (std::size_t k = 0; k < chunks; ++k) {
      const std::size_t side = k % 2;
      const auto scan = [&] { scan_chunk(own, side, size(k)); };
      if (k > 1) executor_.sent(side);
      executor_.replay(key(kScan, side, size(k), size(k + 1)), frames(k + 1), [&] {
        if (size(k + 1) == 0) return scan();
        executor_.beside([&] { encode(frames(k + 1), own.encodings[1 - side]); }, scan);
      });
      if (k > 1) receive(k - 2);
      executor_.send(side, own.features[side].data(), size(k) * values());
    }
    if (chunks > 1) receive(chunks - 2);
    receive(chunks - 1);
    if (!executor_.watched() && options_.non_finite != NonFinite::kAllow) return false;
    const std::size_t next = spare();
    executor_.copy(own.carry.data(), states_[next].data(), values());
    next_frames_ = frames_;
    for (std::uint64_t& count : next_frames_) count += steps;
    commit(next);
    return true;
  }

  // The core over an encoded chunk, from `carry` and back to it.
  void scan_chunk(Overlap& own, std::size_t side, std::size_t steps) requires detail::kReplays<B> {
    const auto features = [&](std::size_t i) {
      return MatrixView<float>(own.features[side].data() + i * values(), rows(), token_width());
    };
    MatrixView<const float> from(own.carry.data(), rows(), token_width());
    for (std::size_t i = 0; i < steps; ++i) {
      recur(tokens(own.encodings[side], i), from, features(i));
      from = features(i);
    }
    executor_.copy(from.data, own.carry.data(), values());
    executor_.watch(own.features[side].data(), steps * values());
  }

  // What is replayed, among all that a stream replays.
  enum Replay : std::size_t { kStep, kEncode, kScan };
  static std::size_t key(Replay what, std::size_t place, std::size_t size, std::size_t next_size) {
    return what + 3 * (place + 3 * (size + (std::size_t{1} << 24) * next_size));
  }

  // The tokens of step i of an encoding.
  MatrixView<float> tokens(Encoding& encoding, std::size_t i) {
    return {encoding.tokens.data() + i * values(), rows(), token_width()};
  }

  MatrixView<float> state(std::size_t i) { return {states_[i].data(), rows(), token_width()}; }

  Features features_of(std::size_t i) {
    const float* host = states_[i].data();
    if constexpr (!B::kHostMemory) {
      executor_.read(states_[i].data(), staging_.span());
      host = staging_.data();
    }
    return {{host, {options_.batch, token_count(), token_width()}}, grid_height(), grid_width()};
  }

  // A state that a call may change before it is certain to succeed.
  std::size_t spare() const noexcept { return (current_ + 1) % states_.size(); }

  // What follows from a new state's numbers; counts the step.
  void settle(std::size_t to, std::span<const FrameView> frames) {
    for (std::uint64_t& count : next_frames_) ++count;
    if (options_.non_finite == NonFinite::kAllow || executor_.finite(states_[to].data(), values())) return;
    const std::size_t size = values() / options_.batch;
    for (std::size_t video = 0; video < options_.batch; ++video) {
      if (executor_.finite(states_[to].data() + video * size, size)) continue;
      if (options_.non_finite == NonFinite::kThrow) {
        const std::string pixel = detail::non_finite_pixel(frames[video]);
        const bool before = !executor_.finite(states_[current_].data() + video * size, size);
        throw NonFiniteError("frame " + std::to_string(next_frames_[video] - 1) + " of video " + std::to_string(video) +
                             " would leave a NaN or an infinity in the state: " +
                             (!pixel.empty() ? "its pixels hold one at " + pixel
                              : before ? "an earlier frame, which advance() took, left one there; reset() the video"
                                       : "its pixels are finite, but numbers grew too large on their way"));
      }
      executor_.zero(states_[to].data() + video * size, size);
      next_frames_[video] = 0;
    }
  }

  void commit(std::size_t current) noexcept {
    current_ = current;
    frames_.swap(next_frames_);
  }

  SavedState identity() const {
    return {
        model_.fingerprint(), options_.height, options_.width, options_.batch, token_count(), token_width(), {}, {}};
  }

  WorkspaceWidths encoder_widths() const {
    const Config& config = model_.config();
    return max(workspace_widths(config.width, config.encoder), workspace_widths(config.width, config.core));
  }
  std::size_t rows() const noexcept { return options_.batch * token_count(); }
  std::size_t values() const noexcept { return rows() * token_width(); }

  Model<B> model_;
  StreamOptions options_;
  typename B::Executor executor_;
  Floats table_;
  Encoding encoding_;
  CoreWorkspace<B> core_;
  std::array<Floats, 3> states_;  // each [B, N, D]
  std::size_t current_ = 0;
  typename detail::ResultMemory<B>::type staging_;  // where features() puts what the host cannot read in place
  std::optional<Overlap> overlap_;
  std::vector<std::uint64_t> frames_;       // [B]
  std::vector<std::uint64_t> next_frames_;  // [B], of the step that is being taken
};

}  // namespace rvm
