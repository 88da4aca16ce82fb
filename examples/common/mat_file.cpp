#include "common/mat_file.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/core/mapped_file.hpp>

#include <matio.h>
#include <zlib.h>

namespace rvm::examples {
namespace {

struct Free {
  void operator()(mat_t* file) const noexcept { Mat_Close(file); }
  void operator()(matvar_t* variable) const noexcept { Mat_VarFree(variable); }
};

template <class T>
void convert(const matvar_t& variable, Tensor<double>& out) {
  const auto* values = static_cast<const T*>(variable.data);
  std::transform(values, values + out.size(), out.begin(), [](T value) { return static_cast<double>(value); });
}

/// False if the array holds no real numbers.
bool convert(const matvar_t& variable, Tensor<double>& out) {
  if (variable.isComplex != 0) return false;
  switch (variable.class_type) {
    case MAT_C_DOUBLE: convert<double>(variable, out); return true;
    case MAT_C_SINGLE: convert<float>(variable, out); return true;
    case MAT_C_INT64: convert<std::int64_t>(variable, out); return true;
    case MAT_C_UINT64: convert<std::uint64_t>(variable, out); return true;
    case MAT_C_INT32: convert<std::int32_t>(variable, out); return true;
    case MAT_C_UINT32: convert<std::uint32_t>(variable, out); return true;
    case MAT_C_INT16: convert<std::int16_t>(variable, out); return true;
    case MAT_C_UINT16: convert<std::uint16_t>(variable, out); return true;
    case MAT_C_INT8: convert<std::int8_t>(variable, out); return true;
    case MAT_C_UINT8: convert<std::uint8_t>(variable, out); return true;
    default: return false;
  }
}

/// Whether a whole zlib stream is there and its checksum right.
bool is_whole_zlib(std::span<const std::byte> packed) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) throw std::bad_alloc();
  std::array<Bytef, 1 << 15> scratch{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  int status = Z_OK;
  while (status == Z_OK) {
    stream.next_out = scratch.data();
    stream.avail_out = static_cast<uInt>(scratch.size());
    status = inflate(&stream, Z_NO_FLUSH);
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END;
}

/// Whether all that a version 5 or 7 file says to hold is there. matio does not ask: it makes numbers up for a file
/// that was cut off. Other versions are left to it.
bool is_whole(std::span<const std::byte> file) {
  constexpr std::size_t kHeader = 128;
  constexpr std::array<char, 4> kLittleEndian5{0, 1, 'I', 'M'};
  constexpr std::uint32_t kCompressed = 15;
  if (file.size() < kHeader) return false;
  if (std::memcmp(file.data() + kHeader - kLittleEndian5.size(), kLittleEndian5.data(), kLittleEndian5.size()) != 0) {
    return true;
  }
  for (file = file.subspan(kHeader); !file.empty();) {
    std::array<std::uint32_t, 2> tag{};  // the element's type, and its size without the tag
    if (file.size() < sizeof tag) return false;
    std::memcpy(tag.data(), file.data(), sizeof tag);
    file = file.subspan(sizeof tag);
    if (file.size() < tag[1]) return false;
    if (tag[0] == kCompressed && !is_whole_zlib(file.first(tag[1]))) return false;
    file = file.subspan(tag[1]);
  }
  return true;
}

}  // namespace

Tensor<double> read_mat_array(const std::filesystem::path& path, const std::string& name) {
  const auto fail = [&](const std::string& what) { throw IoError(path.string() + ": " + what); };
  const MappedFile bytes(path);
  if (!is_whole(bytes.bytes())) fail("not a MATLAB file, or a damaged one");
  Mat_LogInitFunc("", [](int /*level*/, char* /*message*/) {});  // what goes wrong is said once, by our errors
  const std::unique_ptr<mat_t, Free> file(Mat_Open(path.c_str(), MAT_ACC_RDONLY));
  if (!file) fail("not a MATLAB file");
  const std::unique_ptr<matvar_t, Free> variable(Mat_VarReadInfo(file.get(), name.c_str()));
  if (!variable || variable->dims == nullptr || variable->rank < 1) fail("no array " + name + " in it");
  if (variable->rank > static_cast<int>(Shape::kMaxRank)) fail(name + " has too many axes");
  std::vector<std::size_t> extents(variable->dims, variable->dims + variable->rank);
  std::reverse(extents.begin(), extents.end());
  const Shape shape(extents);
  constexpr std::size_t kMostInflated = 1100;  // bytes that deflate makes of one
  if (shape.elements() / kMostInflated > bytes.bytes().size())
    fail(name + " claims more numbers than the file can hold");
  if (Mat_VarReadDataAll(file.get(), variable.get()) != 0 || variable->data == nullptr ||
      variable->nbytes / std::max<std::size_t>(1, static_cast<std::size_t>(variable->data_size)) < shape.elements()) {
    fail(name + " cannot be read: the file is damaged");
  }
  Tensor<double> out(shape);
  if (!convert(*variable, out)) fail(name + " holds no real numbers");
  return out;
}

}  // namespace rvm::examples
