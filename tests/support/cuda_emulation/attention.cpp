#include <rvm/backend/cuda/attention.cu>
