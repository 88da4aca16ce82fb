#include "common/latest_source.hpp"

#include <chrono>
#include <thread>
#include <utility>

namespace rvm::examples {

LatestSource::LatestSource(std::unique_ptr<FrameSource> source) : fps_(source->fps()) {
  std::thread([shared = shared_, source = std::shared_ptr<FrameSource>(std::move(source))]() mutable {
    read(shared, *source);
    source.reset();
    const std::lock_guard lock(shared->mutex);
    shared->ended = true;
    shared->changed.notify_all();
  }).detach();
}

LatestSource::~LatestSource() {
  std::unique_lock lock(shared_->mutex);
  shared_->stopped = true;
  shared_->changed.wait_for(lock, std::chrono::milliseconds(500), [&] { return shared_->ended; });
}

void LatestSource::read(const std::shared_ptr<Shared>& shared, FrameSource& source) {
  Image image;
  try {
    while (const std::optional<FrameView> frame = source.next()) {
      to_rgb(*frame, image);
      const std::lock_guard lock(shared->mutex);
      if (shared->stopped) return;
      std::swap(image, shared->newest);
      shared->fresh = true;
      shared->changed.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(shared->mutex);
    shared->error = std::current_exception();
  }
  const std::lock_guard lock(shared->mutex);
  shared->warning = source.warning();
}

bool LatestSource::ready() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->fresh || shared_->ended;
}

std::optional<FrameView> LatestSource::next() {
  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait(lock, [&] { return shared_->fresh || shared_->ended; });
  if (std::exchange(shared_->fresh, false)) {
    std::swap(given_, shared_->newest);
    return given_.view();
  }
  if (shared_->error) std::rethrow_exception(std::exchange(shared_->error, nullptr));
  return std::nullopt;
}

std::string LatestSource::warning() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->warning;
}

}  // namespace rvm::examples
