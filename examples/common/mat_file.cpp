#include "common/mat_file.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <rvm/core/error.hpp>
#include <rvm/core/mapped_file.hpp>

#include <matio.h>

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

}  // namespace

Tensor<double> read_mat_array(const std::filesystem::path& path, const std::string& name) {
  const auto fail = [&](const std::string& what) { throw IoError(path.string() + ": " + what); };
  const std::size_t file_size = MappedFile(path).bytes().size();  // throws with the system's reason if there is none
  Mat_LogInitFunc("", [](int /*level*/, char* /*message*/) {});   // what goes wrong is said once, by our errors
  const std::unique_ptr<mat_t, Free> file(Mat_Open(path.c_str(), MAT_ACC_RDONLY));
  if (!file) fail("not a MATLAB file of version 5 or later");
  const std::unique_ptr<matvar_t, Free> variable(Mat_VarReadInfo(file.get(), name.c_str()));
  if (!variable || variable->dims == nullptr || variable->rank < 1) fail("no array " + name + " in it");
  if (variable->rank > static_cast<int>(Shape::kMaxRank)) fail(name + " has too many axes");
  std::vector<std::size_t> extents(variable->dims, variable->dims + variable->rank);
  std::reverse(extents.begin(), extents.end());
  const Shape shape(extents);
  constexpr std::size_t kMostCompressed = 1100;  // what deflate can make of a byte
  if (shape.elements() / kMostCompressed > file_size) fail(name + " claims more numbers than the file can hold");
  if (Mat_VarReadDataAll(file.get(), variable.get()) != 0 || variable->data == nullptr ||
      variable->nbytes / std::max<std::size_t>(1, static_cast<std::size_t>(variable->data_size)) < shape.elements()) {
    fail(name + " cannot be read: the file is damaged");
  }
  Tensor<double> out(shape);
  if (!convert(*variable, out)) fail(name + " holds no real numbers");
  return out;
}

}  // namespace rvm::examples
