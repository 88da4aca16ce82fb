// Launcher of operations.hpp: attention, on tensor cores.

#include <rvm/backend/cuda/kernels/attention.cuh>
#include <rvm/backend/cuda/operations.hpp>

namespace rvm::detail::cuda {

template <class T>
int attention(CUstream_st* queue, AttentionShape shape, MatrixView<const T> q, MatrixView<const T> k,
              MatrixView<const T> v, MatrixView<T> out) {
  if (shape.batch * shape.heads * shape.queries == 0) return 0;
  return launch_attention(queue, shape, attention_arguments(shape, q, k, v, out));
}

template int attention(CUstream_st*, AttentionShape, MatrixView<const bfloat16>, MatrixView<const bfloat16>,
                       MatrixView<const bfloat16>, MatrixView<bfloat16>);
template int attention(CUstream_st*, AttentionShape, MatrixView<const float16>, MatrixView<const float16>,
                       MatrixView<const float16>, MatrixView<float16>);

}  // namespace rvm::detail::cuda
