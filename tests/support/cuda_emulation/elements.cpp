#include <rvm/backend/cuda/elements.cu>
