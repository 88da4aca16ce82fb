#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <rvm/core/atomic_file.hpp>
#include <rvm/core/dtype.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/weights/detail/bytes.hpp>
#include <rvm/weights/detail/file_bytes.hpp>
#include <rvm/weights/detail/inflater.hpp>
#include <rvm/weights/detail/zip_format.hpp>
#include <rvm/weights/detail/zip_reader.hpp>
#include <rvm/weights/limits.hpp>
#include <rvm/weights/npy_header.hpp>
#include <rvm/weights/weights.hpp>

namespace rvm {

namespace detail {

inline constexpr std::string_view kNpySuffix = ".npy";

/// The arrays of a .npz file. Stored members are used in place, deflated ones unpacked when asked for.
class NpzStore final : public WeightStore {
 public:
  NpzStore(const std::string& source, const FileBytes& file)
      : NpzStore(source, file, read_zip_directory(file.bytes(), source)) {}

  WeightArray array(std::size_t index) const override {
    const ZipMember& member = members_[index];
    const std::string& key = keys()[index];
    const auto raw = zip_member_bytes(file_.bytes(), member, source(), key);
    if (member.method == kZipStored) return in_place(raw, member, key);
    if (member.method == kZipDeflated) return unpacked(raw, member, key);
    throw WeightsError(source(), key, "ZIP method 0 (stored) or 8 (deflated)", std::to_string(member.method));
  }

  void discard(std::size_t index) const noexcept override {
    const ZipMember& member = members_[index];
    const std::size_t header = kZipLocalSize + member.name.size();
    file_.discard(static_cast<std::size_t>(member.offset), header + static_cast<std::size_t>(member.compressed_size));
  }

 private:
  NpzStore(std::string source, FileBytes file, std::vector<ZipMember> members)
      : WeightStore(std::move(source), keys_of(members)), file_(std::move(file)), members_(std::move(members)) {}

  static std::vector<std::string> keys_of(const std::vector<ZipMember>& members) {
    std::vector<std::string> keys;
    keys.reserve(members.size());
    for (const ZipMember& member : members) {
      const std::size_t suffix = member.name.ends_with(kNpySuffix) ? kNpySuffix.size() : 0;
      keys.push_back(member.name.substr(0, member.name.size() - suffix));
    }
    return keys;
  }

  WeightArray in_place(std::span<const std::byte> raw, const ZipMember& member, const std::string& key) const {
    if (member.size != raw.size()) {
      throw WeightsError(source(), key, std::to_string(member.size) + " stored bytes", std::to_string(raw.size()));
    }
    const NpyHeader header = parse_npy_header(raw, source(), key);
    return make(key, header, raw.subspan(header.data_offset), file_.owner(), Checksum{raw, member.crc32});
  }

  // Memory for the elements is taken only when the .npy header agrees with the member's size.
  WeightArray unpacked(std::span<const std::byte> raw, const ZipMember& member, const std::string& key) const {
    Inflater inflater(raw, member, source(), key);
    std::vector<std::byte> head(std::min<std::uint64_t>(member.size, kNpyPrefixLimit));
    inflater.read(head);
    const NpyHeader header = parse_npy_header(head, source(), key);
    require_size(header.shape, header.dtype, member.size - header.data_offset, source(), key);
    const auto size = static_cast<std::size_t>(member.size) - header.data_offset;
    const std::shared_ptr<std::byte[]> data(new std::byte[size]);
    const auto rest = std::copy(head.begin() + static_cast<std::ptrdiff_t>(header.data_offset), head.end(), data.get());
    inflater.read({rest, data.get() + size});
    inflater.finish();
    return make(key, header, {data.get(), size}, data, std::nullopt);
  }

  WeightArray make(const std::string& key, const NpyHeader& header, std::span<const std::byte> elements,
                   std::shared_ptr<const void> owner, std::optional<Checksum> checksum) const {
    return WeightArray({.file = source(),
                        .key = key,
                        .dtype = header.dtype,
                        .shape = header.shape,
                        .fortran_order = header.fortran_order,
                        .bytes = elements,
                        .owner = std::move(owner),
                        .checksum = checksum});
  }

  FileBytes file_;
  std::vector<ZipMember> members_;
};

}  // namespace detail

/// Opens a .npz file. Reads only its directory; an array's bytes are read when they are asked for, and checked against
/// the file's CRC before values are handed out. Throws IoError if the file cannot be read, WeightsError if it is no
/// whole ZIP archive.
inline Weights load_npz(const std::filesystem::path& path) {
  return Weights(std::make_shared<detail::NpzStore>(path.string(), detail::FileBytes(path)));
}

/// Writes a .npz file of stored (uncompressed) members, as numpy.savez does. The file appears when close() has
/// returned; without it nothing remains. Used by one thread at a time.
class NpzWriter {
 public:
  /// Throws IoError if the file cannot be created.
  explicit NpzWriter(const std::filesystem::path& path) : file_(path) {}

  /// Adds an array. Throws ArgumentError if the key is taken, too long or no relative path (it may not lead out of the
  /// archive's place by ".."), IoError if the array cannot be written.
  template <class T>
  void add(std::string_view key, TensorView<T> array) {
    add(key, npy_header(kDTypeOf<T>, array.shape()), std::as_bytes(array.span()));
  }
  template <class T>
  void add(std::string_view key, const Tensor<T>& array) {
    add(key, array.view());
  }
  /// Adds an array as it is stored elsewhere. Throws WeightsError if it is damaged.
  void add(std::string_view key, const WeightArray& array) {
    array.verify();
    add(key, npy_header(array.dtype(), array.shape(), array.fortran_order()), array.bytes());
  }

  /// Completes the file. Throws IoError, or ArgumentError the second time.
  void close() {
    const std::uint64_t offset = file_.position();
    std::vector<std::byte> directory;
    for (const detail::ZipMember& member : members_) detail::append_zip_entry(directory, member);
    file_.write(directory);
    file_.write(detail::zip_end(members_.size(), directory.size(), offset));
    file_.commit();
  }

 private:
  void add(std::string_view key, std::span<const std::byte> header, std::span<const std::byte> data) {
    constexpr std::size_t kLongestName = 0xffff;
    std::string name(key);
    name += detail::kNpySuffix;
    if (name.size() > kLongestName) throw ArgumentError(file_.path().string() + ": a key is too long");
    if (!detail::is_inside(name)) {
      throw ArgumentError(
          detail::text(file_.path().string(), ": expected a relative path as key, found ", detail::printable(key)));
    }
    if (!names_.insert(name).second)
      throw ArgumentError(file_.path().string() + ": two arrays named " + std::string(key));
    const std::uint64_t size = std::uint64_t{header.size()} + data.size();
    detail::ZipMember member{.name = name,
                             .flags = detail::zip_flags_of(name),
                             .method = detail::kZipStored,
                             .crc32 = detail::crc32_of(data, detail::crc32_of(header)),
                             .compressed_size = size,
                             .size = size,
                             .offset = file_.position(),
                             .limit = 0};
    file_.write(detail::zip_local_header(member));
    file_.write(header);
    file_.write(data);
    members_.push_back(std::move(member));
  }

  AtomicFile file_;
  std::vector<detail::ZipMember> members_;
  std::unordered_set<std::string> names_;
};

/// Writes all arrays to a .npz file, one after another, each as it is stored. Throws IoError, or WeightsError if an
/// array is damaged.
inline void save_npz(const std::filesystem::path& path, const Weights& weights) {
  NpzWriter writer(path);
  for (const std::string& key : weights.keys()) {
    writer.add(key, weights.at(key));
    weights.discard(key);
  }
  writer.close();
}

}  // namespace rvm
