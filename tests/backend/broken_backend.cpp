// Does not compile, on purpose: the compiler's message must name the part of the concept that is missing.

#include <rvm/rvm.hpp>

struct NoAttention : rvm::EigenCpu<float> {
  struct Executor : rvm::EigenCpu<float>::Executor {
    using rvm::EigenCpu<float>::Executor::Executor;
    void attention() = delete;
  };
};

using Model = rvm::Model<NoAttention>;
