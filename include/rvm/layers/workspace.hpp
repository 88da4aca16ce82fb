#pragma once

#include <algorithm>
#include <cstddef>

#include <rvm/backend/concept.hpp>

namespace rvm {

/// The columns that a transformer needs for its intermediate results.
struct WorkspaceWidths {
  std::size_t normed = 0;     // token width
  std::size_t projected = 0;  // queries, or queries, keys and values
  std::size_t attended = 0;   // heads * head_dim
  std::size_t hidden = 0;     // the MLP's width

  /// What serves either of two.
  friend WorkspaceWidths max(const WorkspaceWidths& a, const WorkspaceWidths& b) {
    return {std::max(a.normed, b.normed), std::max(a.projected, b.projected), std::max(a.attended, b.attended),
            std::max(a.hidden, b.hidden)};
  }
};

/// Scratch of the transformer blocks, planned once for a number of rows and used by one layer after another. Small on
/// purpose: what fits a cache stays there.
template <Backend B>
class Workspace {
 public:
  using Element = typename B::Element;

  Workspace(const typename B::Device& device, std::size_t rows, const WorkspaceWidths& widths)
      : normed_(device, rows * widths.normed),
        projected_(device, rows * widths.projected),
        attended_(device, rows * widths.attended),
        hidden_(device, rows * widths.hidden) {}

  /// Room for [rows, cols] each; contents do not outlive a layer.
  MatrixView<Element> normed(std::size_t rows, std::size_t cols) { return {normed_.data(), rows, cols}; }
  MatrixView<Element> projected(std::size_t rows, std::size_t cols) { return {projected_.data(), rows, cols}; }
  MatrixView<Element> attended(std::size_t rows, std::size_t cols) { return {attended_.data(), rows, cols}; }
  MatrixView<Element> hidden(std::size_t rows, std::size_t cols) { return {hidden_.data(), rows, cols}; }

 private:
  using Buffer = typename B::template Buffer<Element>;
  Buffer normed_;
  Buffer projected_;
  Buffer attended_;
  Buffer hidden_;
};

}  // namespace rvm
