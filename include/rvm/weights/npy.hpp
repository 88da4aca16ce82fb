#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <rvm/core/atomic_file.hpp>
#include <rvm/core/dtype.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/mapped_file.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/weights/array.hpp>
#include <rvm/weights/detail/file_bytes.hpp>
#include <rvm/weights/npy_header.hpp>

namespace rvm {

namespace detail {

/// The array in a .npy file's bytes; `name` is the file's in messages.
inline WeightArray npy_array(const FileBytes& file, std::string name) {
  const NpyHeader header = parse_npy_header(file.bytes(), name, {});
  return WeightArray({.file = std::move(name),
                      .key = {},
                      .dtype = header.dtype,
                      .shape = header.shape,
                      .fortran_order = header.fortran_order,
                      .bytes = file.bytes().subspan(header.data_offset),
                      .owner = file.owner(),
                      .checksum = std::nullopt});
}

}  // namespace detail

/// The array in a .npy file, mapped. Throws IoError if the file cannot be read, WeightsError if it is damaged.
inline WeightArray open_npy(const std::filesystem::path& path) {
  return detail::npy_array(detail::FileBytes(path), path.string());
}
/// The same of a file's contents in memory, which `name` stands for in messages.
inline WeightArray open_npy(std::vector<std::byte> file, std::string name) {
  return detail::npy_array(detail::FileBytes(std::move(file)), std::move(name));
}

/// The array in a .npy file. Throws as open_npy, and WeightsError if the elements are not of type T.
template <class T>
Tensor<T> load_npy(const std::filesystem::path& path) {
  return open_npy(path).as<T>();
}

/// Writes a .npy file, whole or not at all. Throws IoError.
template <class T>
void save_npy(const std::filesystem::path& path, TensorView<T> array) {
  AtomicFile file(path);
  file.write(npy_header(kDTypeOf<T>, array.shape()));
  file.write(std::as_bytes(array.span()));
  file.commit();
}
template <class T>
void save_npy(const std::filesystem::path& path, const Tensor<T>& array) {
  save_npy(path, array.view());
}

/// A .npy file read slice by slice along its first axis, such as a video [T, H, W, 3]; mapped, so that only the slices
/// in use take memory. Const functions are safe to call from several threads.
class NpyReader {
 public:
  /// Throws IoError if the file cannot be read, WeightsError if it is damaged, a scalar, or in Fortran order.
  explicit NpyReader(const std::filesystem::path& path)
      : file_(path), header_(parse_npy_header(file_.bytes(), path.string(), {})) {
    const std::size_t size = file_.bytes().size() - header_.data_offset;
    detail::require_size(shape(), dtype(), size, path.string(), {});
    if (shape().rank() == 0) throw WeightsError(path.string(), {}, "at least one axis", "a scalar");
    if (header_.fortran_order && shape().rank() > 1) throw WeightsError(path.string(), {}, "C order", "Fortran order");
    slice_size_ = count() == 0 ? 0 : size / count();
  }

  DType dtype() const noexcept { return header_.dtype; }
  const Shape& shape() const noexcept { return header_.shape; }
  /// The number of slices.
  std::size_t count() const noexcept { return shape()[0]; }

  /// The elements of slice i, as stored; valid as long as the reader. Throws ArgumentError if there is no such slice.
  std::span<const std::byte> slice(std::size_t i) const {
    if (i >= count()) throw ArgumentError("slice " + std::to_string(i) + " of " + std::to_string(count()));
    return file_.bytes().subspan(header_.data_offset + i * slice_size_, slice_size_);
  }

  /// Gives the memory of slice i back; it can be read again.
  void discard(std::size_t i) const noexcept {
    if (i < count()) file_.discard(header_.data_offset + i * slice_size_, slice_size_);
  }

 private:
  MappedFile file_;
  NpyHeader header_;
  std::size_t slice_size_ = 0;
};

/// Writes a .npy file item by item when it is not known beforehand how many will come. The file appears when close()
/// has returned; without it nothing remains. Used by one thread at a time.
class NpyWriter {
 public:
  /// `item` is the shape of one item; the file's array has one axis more in front. Throws IoError if the file cannot be
  /// created, ArgumentError if the item has no element or too many axes.
  NpyWriter(const std::filesystem::path& path, DType dtype, const Shape& item)
      : dtype_(dtype), item_(item), item_size_(item.elements()), file_(path) {
    if (item_size_ == 0) throw ArgumentError("an item of shape " + to_string(item) + " has no element");
    file_.write(header());
  }

  /// Appends one item or several: any contiguous range of the writer's element type. Throws ArgumentError if the type
  /// is another or the elements do not make whole items, IoError if they cannot be written.
  template <std::ranges::contiguous_range Items>
  void append(const Items& items) {
    using T = std::remove_cvref_t<std::ranges::range_reference_t<const Items>>;
    const std::span<const T> elements(std::ranges::data(items), std::ranges::size(items));
    if (kDTypeOf<T> != dtype_) {
      throw ArgumentError(name() + ": the elements are " + std::string(name_of(dtype_)) + ", not " +
                          std::string(name_of(kDTypeOf<T>)));
    }
    if (elements.size() % item_size_ != 0) {
      throw ArgumentError(name() + ": " + std::to_string(elements.size()) + " elements are no whole number of items " +
                          to_string(item_));
    }
    file_.write(std::as_bytes(elements));
    count_ += elements.size() / item_size_;
  }

  /// The number of items so far.
  std::size_t count() const noexcept { return count_; }

  /// Completes the file. Throws IoError, or ArgumentError the second time.
  void close() {
    file_.write_at(0, header());
    file_.commit();
  }

 private:
  std::string name() const { return file_.path().string(); }

  std::vector<std::byte> header() const {
    std::vector<std::size_t> extents{count_};
    extents.insert(extents.end(), item_.begin(), item_.end());
    return npy_header(dtype_, Shape(std::span<const std::size_t>(extents)));
  }

  DType dtype_;
  Shape item_;
  std::size_t item_size_;
  AtomicFile file_;
  std::size_t count_ = 0;
};

}  // namespace rvm
