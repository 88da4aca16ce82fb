#include "common/any_stream.hpp"

#include <variant>

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
    : chosen_(std::visit(
          [&](const auto& chosen) {
            return std::make_unique<Chosen>(Chosen{Stream(chosen, {.height = size.height, .width = size.width})});
          },
          model)) {}

AnyStream::~AnyStream() = default;

TensorView<const float> AnyStream::step(const FrameView& frame) {
  return std::visit([&](auto& stream) { return stream.step(frame).tokens(); }, chosen_->stream);
}

void AnyStream::reset() noexcept {
  std::visit([](auto& stream) { stream.reset(); }, chosen_->stream);
}

}  // namespace rvm::examples
