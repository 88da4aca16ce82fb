#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <utility>

#include <rvm/backend/cuda/memory.hpp>
#include <rvm/backend/cuda/operations.hpp>
#include <rvm/backend/cuda/queue.hpp>
#include <rvm/image/frame.hpp>

namespace rvm {

/// A frame whose pixels lie in device memory, for Cuda: a FrameView whose address is the device's. What wrote them must
/// come before the step in the stream's queue, or be done.
class DeviceFrameView {
 public:
  DeviceFrameView() = default;
  /// `pixels` only says where the pixels are and how they lie; nothing of it is read by the host.
  explicit DeviceFrameView(const FrameView& pixels) : pixels_(pixels) {}

  std::size_t height() const noexcept { return pixels_.height(); }
  std::size_t width() const noexcept { return pixels_.width(); }
  bool empty() const noexcept { return pixels_.empty(); }
  const FrameView& pixels() const noexcept { return pixels_; }

 private:
  FrameView pixels_;
};

namespace detail::cuda {

/// Frames on their way to the device. For every number of frames there is one place on the device, which kernels in a
/// graph read whatever the frames are: first where and how the pixels of each lie, then, of frames that come from the
/// host, the pixels themselves.
class FrameStaging {
 public:
  FrameStaging() = default;
  explicit FrameStaging(ContextHandle context) : context_(std::move(context)) {}

  /// What a kernel reads after bring() of as many frames.
  const DeviceFrame* frames(std::size_t count) const {
    return reinterpret_cast<const DeviceFrame*>(places_.at(count).device.data());
  }

  /// Whether grow() would move the place, which a graph may know.
  template <class Frame>
  bool moves(std::span<const Frame> frames) const {
    const auto found = places_.find(frames.size());
    return found != places_.end() && found->second.device.size() < bytes(frames);
  }
  /// Makes the place large enough. If it moves, nothing may be under way.
  template <class Frame>
  void grow(std::span<const Frame> frames) {
    const std::size_t size = bytes(frames);
    const auto found = places_.find(frames.size());
    if (found != places_.end() && found->second.device.size() >= size) return;
    Place place;
    place.device = CudaBuffer<std::byte>(context_, size);
    for (Pinned& pinned : place.pinned) {
      pinned.memory = CudaPinned<std::byte>(context_, size);
      pinned.copied = EventHandle(context_);
    }
    places_[frames.size()] = std::move(place);
  }

  /// Copies the frames, in the order of the queue. The caller's memory is free when this returns.
  template <class Frame>
  void bring(Queue queue, std::span<const Frame> frames) {
    Place& place = places_.at(frames.size());
    Pinned& pinned = place.pinned[place.turn];
    place.turn = 1 - place.turn;
    if (pinned.used) context_->check(cuda::finish(pinned.copied.get()), "copying frames to the device");
    std::size_t end = table_bytes(frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const DeviceFrame frame = lay(frames[i], pinned.memory.data(), place.device.data(), end);
      std::memcpy(pinned.memory.data() + i * sizeof frame, &frame, sizeof frame);
    }
    context_->check(copy_to_device(queue, place.device.data(), pinned.memory.data(), end),
                    "copying frames to the device");
    context_->check(record(pinned.copied.get(), queue), "copying frames to the device");
    pinned.used = true;
  }

 private:
  static constexpr std::size_t kAlignment = 256;
  struct Pinned {
    CudaPinned<std::byte> memory;
    EventHandle copied;
    bool used = false;
  };
  struct Place {
    CudaBuffer<std::byte> device;
    std::array<Pinned, 2> pinned;  // in turn, so that the host fills one while the other is copied
    std::size_t turn = 0;
  };

  static constexpr std::size_t round_up(std::size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  static constexpr std::size_t table_bytes(std::size_t frames) { return round_up(frames * sizeof(DeviceFrame)); }
  static std::size_t row_bytes(const FrameView& frame) { return frame.width() * bytes_per_pixel(frame.format()); }

  static std::size_t bytes(std::span<const FrameView> frames) {
    std::size_t sum = table_bytes(frames.size());
    for (const FrameView& frame : frames) sum += round_up(frame.height() * row_bytes(frame));
    return sum;
  }
  static std::size_t bytes(std::span<const DeviceFrameView> frames) { return table_bytes(frames.size()); }

  // Copies a frame's rows to `end` and moves that behind them.
  static DeviceFrame lay(const FrameView& frame, std::byte* host, const std::byte* device, std::size_t& end) {
    const std::size_t row = row_bytes(frame);
    for (std::size_t y = 0; y < frame.height(); ++y) std::memcpy(host + end + y * row, frame.row(y), row);
    const DeviceFrame laid{device + end, static_cast<std::ptrdiff_t>(row), frame.format()};
    end += round_up(frame.height() * row);
    return laid;
  }
  static DeviceFrame lay(const DeviceFrameView& frame, std::byte*, const std::byte*, std::size_t&) {
    return {frame.pixels().row(0), frame.pixels().row_stride(), frame.pixels().format()};
  }

  ContextHandle context_;
  std::map<std::size_t, Place> places_;  // by the number of frames
};

}  // namespace detail::cuda

}  // namespace rvm
