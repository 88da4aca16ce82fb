#include "common/any_stream.hpp"

#include <variant>

#include <rvm/image/patches.hpp>
#include <rvm/stream.hpp>

namespace rvm::examples {
namespace {

template <class>
struct StreamsOf;
template <class... B>
struct StreamsOf<std::variant<Model<B>...>> {
  using Type = std::variant<Stream<B>...>;
};
using Streams = StreamsOf<AnyModel>::Type;

}  // namespace

struct AnyStream::Chosen {
  Streams stream;
};

AnyStream::AnyStream(const AnyModel& model, const FrameSize& size)
    : size_(size),
      chosen_(std::visit(
          [&](const auto& chosen) {
            return std::make_unique<Chosen>(Chosen{Stream(chosen, {.height = size.height, .width = size.width})});
          },
          model)) {}

AnyStream::~AnyStream() = default;

Features AnyStream::step(const FrameView& frame) {
  return std::visit([&](auto& stream) { return stream.step(frame); }, chosen_->stream);
}

Features AnyStream::features() {
  return std::visit([](auto& stream) { return stream.features(); }, chosen_->stream);
}

void AnyStream::reset() {
  std::visit([](auto& stream) { stream.reset(); }, chosen_->stream);
}

std::vector<std::byte> AnyStream::save() const {
  return std::visit([](const auto& stream) { return stream.save(); }, chosen_->stream);
}

void AnyStream::restore(std::span<const std::byte> state) {
  std::visit([&](auto& stream) { stream.restore(state); }, chosen_->stream);
}

std::size_t AnyStream::grid_height() const noexcept {
  return size_.height / kPatchSize;
}

std::size_t AnyStream::grid_width() const noexcept {
  return size_.width / kPatchSize;
}

std::size_t AnyStream::token_width() const noexcept {
  return std::visit([](const auto& stream) { return stream.token_width(); }, chosen_->stream);
}

std::uint64_t AnyStream::frames() const {
  return std::visit([](const auto& stream) { return stream.frames(); }, chosen_->stream);
}

}  // namespace rvm::examples
