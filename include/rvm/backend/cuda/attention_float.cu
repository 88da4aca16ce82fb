// Launcher of operations.hpp: attention, in float.

#include <rvm/backend/cuda/kernels/attention_float.cuh>
#include <rvm/backend/cuda/operations.hpp>

namespace rvm::detail::cuda {

template <class T>
int attention(CUstream_st* queue, AttentionShape shape, MatrixView<const T> q, MatrixView<const T> k,
              MatrixView<const T> v, MatrixView<T> out) {
  if (shape.batch * shape.heads * shape.queries == 0) return 0;
  return launch_attention(queue, shape, attention_arguments(shape, q, k, v, out));
}

template int attention(CUstream_st*, AttentionShape, MatrixView<const float>, MatrixView<const float>,
                       MatrixView<const float>, MatrixView<float>);

}  // namespace rvm::detail::cuda
