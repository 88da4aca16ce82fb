#include <rvm/backend/cuda/attention_float.cu>
