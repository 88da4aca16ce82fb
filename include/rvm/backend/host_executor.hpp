#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>

#include <rvm/backend/concept.hpp>
#include <rvm/core/detail/finite.hpp>
#include <rvm/core/detail/partition.hpp>
#include <rvm/core/thread_team.hpp>
#include <rvm/image/patches.hpp>

namespace rvm::detail {

/// What every backend that computes on the host does alike: moves numbers, and cuts work into parts for a thread team.
/// The base of their executors.
class HostExecutor {
 public:
  explicit HostExecutor(ThreadTeam& team) : team_(&team) {}

  void write(std::span<const float> values, float* to) const { std::copy(values.begin(), values.end(), to); }
  void read(const float* from, std::span<float> values) const { std::copy_n(from, values.size(), values.begin()); }
  void copy(const float* from, float* to, std::size_t n) const { std::copy_n(from, n, to); }
  void zero(float* to, std::size_t n) const { std::fill_n(to, n, 0.0F); }
  bool finite(const float* from, std::size_t n) const { return all_finite(from, n); }

 protected:
  ThreadTeam& team() const noexcept { return *team_; }

  /// body(row) or body(row, thread) for every row.
  template <class Body>
  void for_rows(std::size_t rows, const Body& body) const {
    constexpr std::size_t kRowBlock = 16;
    const Partition blocks(rows, kRowBlock, 1);
    team_->run(blocks.count(), [&](std::size_t block, std::size_t thread) noexcept {
      for (std::size_t i = 0; i < blocks.length(block); ++i) {
        if constexpr (std::invocable<const Body&, std::size_t, std::size_t>) {
          body(blocks.first(block) + i, thread);
        } else {
          static_cast<void>(thread);
          body(blocks.first(block) + i);
        }
      }
    });
  }

  /// The backend's patches(); convert(768 floats, row of out) writes a patch where Element is not float.
  template <class Element, class Convert = std::nullptr_t>
  void cut_patches(std::span<const FrameView> frames, MatrixView<Element> out, const Convert& convert = {}) const {
    const std::size_t h = frames[0].height() / kPatchSize;
    const std::size_t w = frames[0].width() / kPatchSize;
    const std::size_t tokens = 1 + h * w;
    team_->run(frames.size() * h, [&](std::size_t part, std::size_t) noexcept {
      const std::size_t frame = part / h;
      const std::size_t py = part % h;
      if (py == 0) std::fill_n(out.row(frame * tokens), kPatchValues, Element(0.0F));
      for (std::size_t px = 0; px < w; ++px) {
        Element* const row = out.row(frame * tokens + 1 + py * w + px);
        if constexpr (std::same_as<Element, float>) {
          static_cast<void>(convert);
          extract_patch(frames[frame], py, px, row);
        } else {
          std::array<float, kPatchValues> patch;
          extract_patch(frames[frame], py, px, patch.data());
          convert(patch.data(), row);
        }
      }
    });
  }

 private:
  ThreadTeam* team_;
};

}  // namespace rvm::detail
