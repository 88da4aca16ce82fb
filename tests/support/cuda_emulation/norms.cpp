#include <rvm/backend/cuda/norms.cu>
