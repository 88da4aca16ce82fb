#include "common/npy_source.hpp"

#include <cstdint>
#include <span>
#include <string>

#include <rvm/core/dtype.hpp>
#include <rvm/core/error.hpp>
#include <rvm/core/tensor.hpp>
#include <rvm/weights/npy.hpp>

namespace rvm::examples {
namespace {

class NpySource final : public FrameSource {
 public:
  explicit NpySource(const std::filesystem::path& path) : reader_(path) {
    const Shape& shape = reader_.shape();
    if (reader_.dtype() != DType::kUint8 || shape.rank() != 4 || shape[3] != 3) {
      throw IoError(path.string() + ": expected frames uint8 [T, H, W, 3], found " +
                    std::string(name_of(reader_.dtype())) + " " + to_string(shape));
    }
  }

  std::optional<FrameView> next() override {
    if (next_ > 0) reader_.discard(next_ - 1);  // so that a long video does not fill the memory
    if (next_ == reader_.count()) return std::nullopt;
    const std::span<const std::byte> pixels = reader_.slice(next_++);
    return FrameView(reinterpret_cast<const std::uint8_t*>(pixels.data()), reader_.shape()[1], reader_.shape()[2]);
  }

  std::optional<std::size_t> count() const override { return reader_.count(); }

 private:
  NpyReader reader_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<FrameSource> open_npy_video(const std::filesystem::path& path) {
  return std::make_unique<NpySource>(path);
}

}  // namespace rvm::examples
