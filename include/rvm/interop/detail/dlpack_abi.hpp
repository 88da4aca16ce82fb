#pragma once

#include <cstdint>

/// The structs of DLPack 1.0 (github.com/dmlc/dlpack), as its binary interface lays them down, for programs that have
/// no header of DLPack's own. Members are named as there, so that the functions of interop/dlpack.hpp take either.
namespace rvm::dlpack {

/// Where memory lies; what this library names of DLPack's list.
enum DeviceType : std::int32_t { kCpu = 1, kCuda = 2, kCudaHost = 3 };

struct Device {
  std::int32_t device_type = kCpu;
  std::int32_t device_id = 0;
  friend bool operator==(const Device&, const Device&) = default;
};

enum DataTypeCode : std::uint8_t { kInt = 0, kUint = 1, kFloat = 2, kBfloat = 4, kBool = 6 };

struct DataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};

struct Tensor {
  void* data;
  Device device;
  std::int32_t ndim;
  DataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; may be null for row-major order
  std::uint64_t byte_offset;
};

struct ManagedTensor {
  Tensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(ManagedTensor*);
};

struct PackVersion {
  std::uint32_t major;
  std::uint32_t minor;
};

inline constexpr PackVersion kVersion{1, 0};
inline constexpr std::uint64_t kReadOnly = 1;  // a flag: whoever gets the tensor must not write to it

struct ManagedTensorVersioned {
  PackVersion version;
  void* manager_ctx;
  void (*deleter)(ManagedTensorVersioned*);
  std::uint64_t flags;
  Tensor dl_tensor;
};

static_assert(sizeof(void*) != 8 ||
              (sizeof(Tensor) == 48 && sizeof(ManagedTensor) == 64 && sizeof(ManagedTensorVersioned) == 80));

}  // namespace rvm::dlpack
