// Matrix products by cuBLASLt: which of its algorithms serves a shape on a device is measured once in a process.

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <rvm/backend/cuda/runtime.hpp>

#include "plain_product.hpp"
#include "status.hpp"

namespace rvm::detail::cuda {

namespace {

std::size_t bytes_of(Type type) {
  return type == Type::kFloat32 ? 4 : type == Type::kFloat8 ? 1 : 2;
}
cudaDataType_t data_type(Type type) {
  switch (type) {
    case Type::kBfloat16: return CUDA_R_16BF;
    case Type::kFloat16: return CUDA_R_16F;
    case Type::kFloat8: return CUDA_R_8F_E4M3;
    default: return CUDA_R_32F;
  }
}

// Bytes to which an address and its rows are aligned, at most 16.
std::size_t alignment(const void* data, std::size_t row_bytes) {
  const auto bits = reinterpret_cast<std::uintptr_t>(data) | row_bytes | 16;
  return bits & (~bits + 1);
}

// What decides how a product is computed.
using Key = std::array<std::size_t, 12>;
Key key_of(const Product& p) {
  return {p.rows,
          p.in,
          p.out,
          p.x_stride,
          p.y_stride,
          static_cast<std::size_t>(p.type),
          static_cast<std::size_t>(p.result),
          static_cast<std::size_t>(p.gelu) + 2 * static_cast<std::size_t>(p.accumulate),
          static_cast<std::size_t>(p.bias != nullptr),
          alignment(p.x, p.x_stride * bytes_of(p.type)),
          alignment(p.y, p.y_stride * bytes_of(p.result)),
          alignment(p.w, p.in * bytes_of(p.type))};
}

// How a product is computed: by an algorithm of the library, or the plain kernel; what of its end is fused.
struct Plan {
  std::optional<cublasLtMatmulAlgo_t> algorithm;
  bool bias = false;
  bool gelu = false;
  int index = 0;
  int proposals = 0;
  float microseconds = 0;
};

// What has been chosen on one device, for all models of the process: those of one file then give the same bits.
class Choices {
 public:
  // Null if nothing has been chosen; stays where it is, as it is.
  const Plan* find(const Key& key) {
    const std::lock_guard<std::mutex> lock(lock_);
    const auto found = plans_.find(key);
    return found == plans_.end() ? nullptr : &found->second;
  }
  void keep(const Key& key, const Plan& plan) {
    const std::lock_guard<std::mutex> lock(lock_);
    plans_.emplace(key, plan);
  }
  // Held by who measures; finds go on meanwhile.
  std::mutex& choosing() { return choosing_; }

 private:
  std::mutex choosing_;
  std::mutex lock_;
  std::map<Key, Plan> plans_;
};

std::atomic<bool> may_measure = true;

Choices& choices_of(int device, bool measure) {
  static std::mutex lock;
  static std::map<std::pair<int, bool>, Choices> all;
  const std::lock_guard<std::mutex> guard(lock);
  return all[{device, measure}];
}

}  // namespace

struct Products {
  cublasLtHandle_t library = nullptr;
  bool measure = true;
  std::size_t scratch = 0;  // bytes
  Choices* choices = nullptr;
};

namespace {

// A product as the library wants it: column-major, y' = w' x', so that its rows are our columns.
struct Description {
  cublasLtMatmulDescOpaque_t operation;
  cublasLtMatrixLayoutOpaque_t w;
  cublasLtMatrixLayoutOpaque_t x;
  cublasLtMatrixLayoutOpaque_t y;

  cublasStatus_t make(const Product& p, bool bias, bool gelu) {
    cublasStatus_t status = cublasLtMatmulDescInit(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    const auto set = [&](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
      if (status != CUBLAS_STATUS_SUCCESS) return;
      status = cublasLtMatmulDescSetAttribute(&operation, attribute, &value, sizeof value);
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
    const cublasLtEpilogue_t epilogue = bias && gelu ? CUBLASLT_EPILOGUE_GELU_BIAS
                                        : bias       ? CUBLASLT_EPILOGUE_BIAS
                                        : gelu       ? CUBLASLT_EPILOGUE_GELU
                                                     : CUBLASLT_EPILOGUE_DEFAULT;
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
    if (bias) {
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
      set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, data_type(p.result));
    }
    if (p.type == Type::kFloat8) {
      const cublasLtMatmulMatrixScale_t each = CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
      set(CUBLASLT_MATMUL_DESC_A_SCALE_MODE, each);
      set(CUBLASLT_MATMUL_DESC_B_SCALE_MODE, each);
      set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, p.w_scales);
      set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, p.x_scales);
    }
    const auto layout = [&](cublasLtMatrixLayoutOpaque_t& l, Type type, std::size_t rows, std::size_t cols,
                            std::size_t stride) {
      if (status != CUBLAS_STATUS_SUCCESS) return;
      status = cublasLtMatrixLayoutInit(&l, data_type(type), rows, cols, static_cast<std::int64_t>(stride));
    };
    layout(w, p.type, p.in, p.out, p.in);
    layout(x, p.type, p.in, p.rows, p.x_stride);
    layout(y, p.result, p.out, p.rows, p.y_stride);
    return status;
  }
};

// What the library failed of. An error that lost the device it calls by a name of its own: a wait, where there may be
// one, tells CUDA's.
int reason(cublasStatus_t status, Queue queue) {
  if (status == CUBLAS_STATUS_EXECUTION_FAILED || status == CUBLAS_STATUS_INTERNAL_ERROR) {
    cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    RVM_CUDA_TRY(cudaStreamIsCapturing(queue, &capture));
    if (capture == cudaStreamCaptureStatusNone) RVM_CUDA_TRY(cudaStreamSynchronize(queue));
  }
  return seen(status);
}

int run(const Products& products, Queue queue, void* scratch, const Product& p, const Plan& plan) {
  if (!plan.algorithm) return launch_plain(queue, p);
  Description d;
  RVM_CUDA_TRY(d.make(p, plan.bias, plan.gelu));
  const float one = 1;
  const float beta = p.accumulate ? 1 : 0;
  const cublasStatus_t status = cublasLtMatmul(products.library, &d.operation, &one, p.w, &d.w, p.x, &d.x, &beta, p.y,
                                               &d.y, p.y, &d.y, &*plan.algorithm, scratch, products.scratch, queue);
  if (status != CUBLAS_STATUS_SUCCESS) return reason(status, queue);
  return launch_finish(queue, p, p.bias != nullptr && !plan.bias, p.gelu && !plan.gelu);
}

// What the library proposes, best first as it sees it; nothing if it does not take the product.
int propose(const Products& products, const Product& p, bool bias, bool gelu,
            std::vector<cublasLtMatmulHeuristicResult_t>& found) {
  found.clear();
  Description d;
  if (d.make(p, bias, gelu) != CUBLAS_STATUS_SUCCESS) return 0;
  cublasLtMatmulPreferenceOpaque_t preference;
  cublasStatus_t status = cublasLtMatmulPreferenceInit(&preference);
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    if (status != CUBLAS_STATUS_SUCCESS) return;
    status = cublasLtMatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof value);
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, products.scratch);
  // Sums of parts are added in float: "in place" is in the result's type, too.
  std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  if (p.result == Type::kFloat32) reductions |= CUBLASLT_REDUCTION_SCHEME_INPLACE;
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions);
  const auto of = [](std::size_t bytes) { return static_cast<std::uint32_t>(bytes); };
  const std::uint32_t y = of(alignment(p.y, p.y_stride * bytes_of(p.result)));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, of(alignment(p.w, p.in * bytes_of(p.type))));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, of(alignment(p.x, p.x_stride * bytes_of(p.type))));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, y);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, y);
  RVM_CUDA_TRY(status);
  const int most = products.measure ? 16 : 1;
  found.resize(static_cast<std::size_t>(most));
  int count = 0;
  status = cublasLtMatmulAlgoGetHeuristic(products.library, &d.operation, &d.w, &d.x, &d.y, &d.y, &preference, most,
                                          found.data(), &count);
  found.resize(status == CUBLAS_STATUS_SUCCESS ? static_cast<std::size_t>(count) : 0);
  std::erase_if(found, [](const auto& f) { return f.state != CUBLAS_STATUS_SUCCESS; });
  return status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE ? 0 : seen(status);
}

// Device memory for a while.
struct Memory {
  ~Memory() {
    if (data != nullptr) cudaFree(data);
  }
  cudaError_t make(std::size_t bytes) { return cudaMalloc(&data, bytes); }
  void* data = nullptr;
};

struct Limits {
  float relative;
  float absolute;
};
// How far numbers of size 1 may be from the plain kernel's. The library's GELU may use the processor's own tanh, good
// to 5e-4, which bfloat16 does not notice.
Limits limits(const Product& p) {
  if (p.type == Type::kFloat8) return {0x1p-6F, 2e-2F};
  if (p.result == Type::kBfloat16) return {0x1p-7F, 1e-3F};
  if (p.result == Type::kFloat16) return {0x1p-9F, 1e-4F};
  return p.type == Type::kFloat32 ? Limits{1e-5F, 5e-5F} : Limits{1e-5F, 2e-4F};
}

// Times proposals on operands of their own. Weights are cold, as they are in a step: every repetition has others, and
// before them the cache is filled with something else.
class Trial {
 public:
  Trial() = default;
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial() {
    if (first_ != nullptr) cudaEventDestroy(first_);
    if (last_ != nullptr) cudaEventDestroy(last_);
    if (queue_ != nullptr) cudaStreamDestroy(queue_);
  }

  int make(const Products& products, const Product& like) {
    p_ = like;
    const std::size_t weight = like.in * like.out * bytes_of(like.type);
    constexpr std::size_t kCold = std::size_t{96} << 20;
    const std::size_t most = like.type == Type::kFloat32 ? 4 : 16;
    copies_ = std::clamp<std::size_t>(kCold / std::max<std::size_t>(weight, 1), 2, most);
    stride_ = (weight + 255) / 256 * 256;
    const std::size_t x = like.rows * like.x_stride;
    const std::size_t y = like.rows * like.y_stride;
    RVM_CUDA_TRY(cudaStreamCreateWithFlags(&queue_, cudaStreamNonBlocking));
    RVM_CUDA_TRY(cudaEventCreate(&first_));
    RVM_CUDA_TRY(cudaEventCreate(&last_));
    RVM_CUDA_TRY(x_.make(x * bytes_of(like.type) + kSlack));
    RVM_CUDA_TRY(y_.make(y * bytes_of(like.result) + kSlack));
    RVM_CUDA_TRY(w_.make(copies_ * stride_ + kSlack));
    RVM_CUDA_TRY(bias_.make(like.out * bytes_of(like.result) + kSlack));
    RVM_CUDA_TRY(scales_.make(std::max(like.rows, like.out) * sizeof(float)));
    RVM_CUDA_TRY(expected_.make(like.rows * like.out * bytes_of(like.result) + sizeof(unsigned)));
    RVM_CUDA_TRY(scratch_.make(products.scratch));
    RVM_CUDA_TRY(far_.make(sizeof(unsigned)));
    int device = 0;
    int cache = 0;
    RVM_CUDA_TRY(cudaGetDevice(&device));
    RVM_CUDA_TRY(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, device));
    other_bytes_ = 2 * static_cast<std::size_t>(cache);
    RVM_CUDA_TRY(other_.make(std::max<std::size_t>(other_bytes_, 1)));
    p_.x = as_aligned(x_, like.x, like.x_stride * bytes_of(like.type));
    p_.y = as_aligned(y_, like.y, like.y_stride * bytes_of(like.result));
    p_.w = as_aligned(w_, like.w, like.in * bytes_of(like.type));
    if (like.bias != nullptr) p_.bias = bias_.data;
    if (like.type == Type::kFloat8) {
      p_.x_scales = static_cast<const float*>(scales_.data);
      p_.w_scales = static_cast<const float*>(scales_.data);
    }
    const float small = 1.7F / std::sqrt(static_cast<float>(std::max<std::size_t>(like.in, 1)));
    RVM_CUDA_TRY(launch_fill(queue_, like.type, const_cast<void*>(p_.x), x, 1.7F, 1));
    RVM_CUDA_TRY(
        launch_fill(queue_, like.type, const_cast<void*>(p_.w), copies_ * stride_ / bytes_of(like.type), small, 2));
    RVM_CUDA_TRY(launch_fill(queue_, like.result, bias_.data, like.out, 1.0F, 3));
    RVM_CUDA_TRY(launch_fill(queue_, Type::kFloat32, scales_.data, std::max(like.rows, like.out), 1.0F, 4));
    RVM_CUDA_TRY(prepare_y());
    Product plain = p_;
    plain.y = expected_.data;
    plain.y_stride = like.out;
    if (like.accumulate) {
      RVM_CUDA_TRY(cudaMemcpy2DAsync(plain.y, like.out * bytes_of(like.result), p_.y,
                                     like.y_stride * bytes_of(like.result), like.out * bytes_of(like.result), like.rows,
                                     cudaMemcpyDeviceToDevice, queue_));
    }
    RVM_CUDA_TRY(launch_plain(queue_, plain));
    RVM_CUDA_TRY(cudaStreamSynchronize(queue_));
    return 0;
  }

  // Leaves `right` false where the answer is not the plain kernel's.
  int check(const Products& products, const Plan& plan, bool& right) {
    right = false;
    RVM_CUDA_TRY(prepare_y());
    RVM_CUDA_TRY(cudaMemsetAsync(far_.data, 0, sizeof(unsigned), queue_));
    if (run(products, queue_, scratch_.data, p_, plan) != 0) return seen(cudaStreamSynchronize(queue_));
    const Limits limit = limits(p_);
    RVM_CUDA_TRY(
        launch_compare(queue_, p_, expected_.data, limit.relative, limit.absolute, static_cast<unsigned*>(far_.data)));
    unsigned far = 1;
    RVM_CUDA_TRY(cudaMemcpyAsync(&far, far_.data, sizeof far, cudaMemcpyDeviceToHost, queue_));
    RVM_CUDA_TRY(cudaStreamSynchronize(queue_));
    right = far == 0;
    return 0;
  }

  int time(const Products& products, Plan& plan) {
    RVM_CUDA_TRY(cudaStreamBeginCapture(queue_, cudaStreamCaptureModeThreadLocal));
    int error = 0;
    for (std::size_t i = 0; i < copies_ && error == 0; ++i) {
      Product p = p_;
      p.w = static_cast<const char*>(p_.w) + i * stride_;
      error = run(products, queue_, scratch_.data, p, plan);
    }
    cudaGraph_t captured = nullptr;
    cudaGraphExec_t graph = nullptr;
    const int ended = seen(cudaStreamEndCapture(queue_, &captured));
    if (error == 0) error = ended;
    if (error == 0) error = seen(cudaGraphInstantiate(&graph, captured, 0));
    if (captured != nullptr) cudaGraphDestroy(captured);
    float best = 0;
    for (int i = 0; i < 4 && error == 0; ++i) {  // the first is to warm up
      float milliseconds = 0;
      error = seen(cudaMemsetAsync(other_.data, 0, other_bytes_, queue_));
      if (error == 0) error = seen(cudaEventRecord(first_, queue_));
      if (error == 0) error = seen(cudaGraphLaunch(graph, queue_));
      if (error == 0) error = seen(cudaEventRecord(last_, queue_));
      if (error == 0) error = seen(cudaEventSynchronize(last_));
      if (error == 0) error = seen(cudaEventElapsedTime(&milliseconds, first_, last_));
      if (i == 1 || (i > 1 && milliseconds < best)) best = milliseconds;
    }
    if (graph != nullptr) cudaGraphExecDestroy(graph);
    plan.microseconds = 1e3F * best / static_cast<float>(copies_);
    return error;
  }

 private:
  static constexpr std::size_t kSlack = 32;

  // An address as `like` is aligned, no more.
  static void* as_aligned(const Memory& memory, const void* like, std::size_t row_bytes) {
    const std::size_t a = alignment(like, row_bytes);
    return static_cast<char*>(memory.data) + (a < 16 ? a : 0);
  }

  int prepare_y() { return launch_fill(queue_, p_.result, p_.y, p_.rows * p_.y_stride, 1.0F, 5); }

  Product p_;
  std::size_t copies_ = 1;
  std::size_t stride_ = 0;
  std::size_t other_bytes_ = 0;
  cudaStream_t queue_ = nullptr;
  cudaEvent_t first_ = nullptr;
  cudaEvent_t last_ = nullptr;
  Memory x_, y_, w_, bias_, scales_, expected_, scratch_, far_, other_;
};

// The fastest proposal whose answers are right; a product without its end, whose end then follows, if the library
// cannot fuse it; the plain kernel if it cannot do that either.
int choose(const Products& products, const Product& p, Plan& best) {
  best = {};
  const bool bias = p.bias != nullptr;
  std::array<Plan, 3> ends;
  ends[0].bias = ends[1].bias = bias;
  ends[0].gelu = p.gelu;
  // GELU in float is wanted to the last digits.
  const bool fuses = !p.gelu || p.type != Type::kFloat32;
  std::optional<Trial> trial;
  for (std::size_t i = fuses ? 0 : 1; i < ends.size(); ++i) {
    if (i > 0 && fuses && ends[i].bias == ends[i - 1].bias && ends[i].gelu == ends[i - 1].gelu) continue;
    std::vector<cublasLtMatmulHeuristicResult_t> found;
    const int error = propose(products, p, ends[i].bias, ends[i].gelu, found);
    if (error != 0) return error;
    for (std::size_t j = 0; j < found.size(); ++j) {
      if (!trial) {
        if (const int failed = trial.emplace().make(products, p); failed != 0) return failed;
      }
      Plan plan = ends[i];
      plan.algorithm = found[j].algo;
      plan.index = static_cast<int>(j);
      plan.proposals = static_cast<int>(found.size());
      bool right = false;
      if (const int failed = trial->check(products, plan, right); failed != 0) return failed;
      if (!right) continue;
      if (products.measure) {
        if (const int failed = trial->time(products, plan); failed != 0) return failed;
      }
      if (!best.algorithm || plan.microseconds < best.microseconds) best = plan;
    }
    if (best.algorithm) return 0;
  }
  return 0;
}

}  // namespace

void measure_nothing() noexcept {
  may_measure = false;
}

int make_products(Products** products, bool measure) {
  measure = measure && may_measure;
  int device = 0;
  int major = 0;
  RVM_CUDA_TRY(cudaGetDevice(&device));
  RVM_CUDA_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  cublasLtHandle_t library = nullptr;
  RVM_CUDA_TRY(cublasLtCreate(&library));
  try {
    *products = new Products{library, measure, product_scratch(major), &choices_of(device, measure)};
  } catch (const std::bad_alloc&) {
    cublasLtDestroy(library);
    return cudaErrorMemoryAllocation;
  }
  return 0;
}

void destroy_products(Products* products) noexcept {
  if (products == nullptr) return;
  cublasLtDestroy(products->library);
  delete products;
}

int prepare(Products& products, std::span<const Queue> busy, const Product& product) {
  if (product.rows == 0 || product.out == 0) return 0;
  Choices& choices = *products.choices;
  const Key key = key_of(product);
  if (choices.find(key) != nullptr) return 0;
  try {
    const std::lock_guard<std::mutex> one_at_a_time(choices.choosing());
    if (choices.find(key) != nullptr) return 0;
    // Not the device: a wait for that would break what another thread is capturing.
    for (const Queue queue : busy) RVM_CUDA_TRY(cudaStreamSynchronize(queue));
    Plan plan;
    RVM_CUDA_TRY(choose(products, product, plan));
    choices.keep(key, plan);
    return 0;
  } catch (const std::bad_alloc&) {
    return cudaErrorMemoryAllocation;
  }
}

int multiply(Products& products, Queue queue, void* scratch, const Product& product) {
  if (product.rows == 0 || product.out == 0) return 0;
  const Plan* const plan = products.choices->find(key_of(product));
  if (plan == nullptr) return cudaErrorInvalidConfiguration;
  return run(products, queue, scratch, product, *plan);
}

void explain(Products& products, const Product& product, char* text, std::size_t size) noexcept {
  if (size == 0) return;
  text[0] = 0;
  const Plan* const plan = products.choices->find(key_of(product));
  if (plan == nullptr) return;
  if (!plan->algorithm) {
    std::snprintf(text, size, "plain kernel");
  } else {
    std::snprintf(text, size, "algorithm %d of %d%s%s, %.1f us", plan->index + 1, plan->proposals,
                  product.bias != nullptr && !plan->bias ? ", bias apart" : "",
                  product.gelu && !plan->gelu ? ", GELU apart" : "", static_cast<double>(plan->microseconds));
  }
}

}  // namespace rvm::detail::cuda
