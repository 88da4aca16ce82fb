#include "common/jpeg.hpp"

#include <memory>
#include <new>

#include <rvm/core/error.hpp>

#include <turbojpeg.h>

#include "common/picture_limits.hpp"

namespace rvm::examples {

bool is_jpeg(std::span<const std::byte> file) noexcept {
  return file.size() >= 2 && file[0] == std::byte{0xff} && file[1] == std::byte{0xd8};
}

Image decode_jpeg(std::span<const std::byte> file, const std::string& name) {
  struct Destroy {
    void operator()(void* decoder) const noexcept { tjDestroy(decoder); }
  };
  const std::unique_ptr<void, Destroy> decoder(tjInitDecompress());
  if (!decoder) throw std::bad_alloc();
  const auto fail = [&](const std::string& reason) { throw IoError(name + ": cannot be read as an image: " + reason); };
  const auto require = [&](int status) {
    if (status != 0) fail(tjGetErrorStr2(decoder.get()));
  };
  const auto* const bytes = reinterpret_cast<const unsigned char*>(file.data());
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colours = 0;
  require(tjDecompressHeader3(decoder.get(), bytes, file.size(), &width, &height, &subsampling, &colours));
  if (width < 1 || height < 1) fail("there is no picture in the JPEG");
  require_possible(static_cast<std::size_t>(height), static_cast<std::size_t>(width), file.size(), name);
  Image image(static_cast<std::size_t>(height), static_cast<std::size_t>(width));
  // The decoder that other programs have, to the bit; and a file of endless scans takes no endless time.
  constexpr int kFlags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
  require(tjDecompress2(decoder.get(), bytes, file.size(), image.bytes().data(), width, 0, height, TJPF_RGB, kFlags));
  return image;
}

}  // namespace rvm::examples
