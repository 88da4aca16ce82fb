#pragma once

/// \file
/// Everything but the backends that need a package of their own; those are included beside it, as
/// <rvm/backend/onednn.hpp>.

#include <rvm/backend/eigen.hpp>
#include <rvm/core/version.hpp>
#include <rvm/image/frame.hpp>
#include <rvm/image/image.hpp>
#include <rvm/image/lanczos.hpp>
#include <rvm/model/layout.hpp>
#include <rvm/model/model.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>
#include <rvm/visualize/kmeans.hpp>
#include <rvm/visualize/overlay.hpp>
#include <rvm/visualize/palette.hpp>
#include <rvm/visualize/pca.hpp>
#include <rvm/visualize/pca_colours.hpp>
#include <rvm/visualize/streaming_pca_colours.hpp>
#include <rvm/weights/load.hpp>
#include <rvm/weights/npy.hpp>
#include <rvm/weights/npz.hpp>
#include <rvm/weights/safetensors.hpp>

namespace rvm {

// Without a backend named, the portable one computes.
template <Backend B = EigenCpu<float>>
class Model;
template <Backend B = EigenCpu<float>>
class Stream;
// clang-format off
Model(const Weights&) -> Model<EigenCpu<float>>;
Model(const Weights&, const EigenCpu<float>::Options&) -> Model<EigenCpu<float>>;
// clang-format on

}  // namespace rvm
