#pragma once

/// \file
/// Everything but the backends that need a package of their own; those are included beside it, as
/// <rvm/backend/onednn.hpp>.

#include <rvm/backend/cpu.hpp>
#include <rvm/backend/eigen.hpp>
#include <rvm/core/version.hpp>
#include <rvm/image/frame.hpp>
#include <rvm/image/image.hpp>
#include <rvm/image/label_image.hpp>
#include <rvm/image/lanczos.hpp>
#include <rvm/image/point.hpp>
#include <rvm/image/resize.hpp>
#include <rvm/model/decoder.hpp>
#include <rvm/model/layout.hpp>
#include <rvm/model/masking.hpp>
#include <rvm/model/model.hpp>
#include <rvm/model/random.hpp>
#include <rvm/reconstruction.hpp>
#include <rvm/stream.hpp>
#include <rvm/tracking/box_tracker.hpp>
#include <rvm/tracking/keypoints.hpp>
#include <rvm/tracking/label_propagation.hpp>
#include <rvm/tracking/mask_tracker.hpp>
#include <rvm/tracking/masks.hpp>
#include <rvm/tracking/metrics.hpp>
#include <rvm/tracking/point_tracker.hpp>
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

// Without a backend named, the fastest one computes that needs no package.
template <Backend B = Cpu<float>>
class Model;
template <Backend B = Cpu<float>>
class Stream;
// clang-format off
Model(const Weights&) -> Model<Cpu<float>>;
Model(const Weights&, const Cpu<float>::Options&) -> Model<Cpu<float>>;
// clang-format on

}  // namespace rvm
