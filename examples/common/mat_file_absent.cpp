#include <rvm/core/error.hpp>

#include "common/mat_file.hpp"

namespace rvm::examples {

Tensor<double> read_mat_array(const std::filesystem::path& path, const std::string& /*name*/) {
  throw IoError(path.string() +
                ": this program was built without matio, so it cannot read MATLAB files; install libmatio-dev and "
                "rebuild (davis and vip work without)");
}

}  // namespace rvm::examples
