#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <rvm/backend/concept.hpp>
#include <rvm/core/detail/float_environment.hpp>
#include <rvm/layers/patch_embedding.hpp>
#include <rvm/model/config.hpp>
#include <rvm/model/encoder.hpp>
#include <rvm/model/recurrent_core.hpp>

namespace rvm {

/// Encoder and recurrent core, ready to compute. Immutable: one model serves any number of streams on any number of
/// threads. A cheap handle: copies share the weights, and a stream keeps its model alive.
template <Backend B>
class Model {
 public:
  using Options = typename B::Options;

  /// Reads, checks and packs the arrays of encoder and core; the decoder's stay untouched, and `weights` is not needed
  /// afterwards. Throws WeightsError (which names file, key, expected and found), std::bad_alloc, or std::system_error
  /// if a thread cannot be started.
  explicit Model(const Weights& weights, const Options& options = {}) {
    const detail::FloatEnvironment environment;
    WeightReader reader(weights);
    const Config config = read_config(reader);
    auto parts = std::make_shared<Parts>(options, reader, config);
    parts->fingerprint = reader.fingerprint();
    parts_ = std::move(parts);
  }

  /// The sizes read from the weights; without the decoder's.
  const Config& config() const noexcept { return parts_->config; }
  /// Tells models with different weights apart, whatever the file format, backend or precision.
  std::uint64_t fingerprint() const noexcept { return parts_->fingerprint; }

  const typename B::Device& device() const noexcept { return parts_->device; }
  const PatchEmbedding<B>& patch_embedding() const noexcept { return parts_->patch_embedding; }
  const Encoder<B>& encoder() const noexcept { return parts_->encoder; }
  const RecurrentCore<B>& core() const noexcept { return parts_->core; }

 private:
  struct Parts {
    Parts(const Options& options, WeightReader& reader, const Config& config_)
        : config(config_),
          device(options),
          patch_embedding(device, reader, config.width),
          encoder(device, reader, config.width, config.encoder),
          core(device, reader, config.width, config.core) {}

    Config config;
    typename B::Device device;
    PatchEmbedding<B> patch_embedding;
    Encoder<B> encoder;
    RecurrentCore<B> core;
    std::uint64_t fingerprint = 0;
  };

  std::shared_ptr<const Parts> parts_;
};

}  // namespace rvm
