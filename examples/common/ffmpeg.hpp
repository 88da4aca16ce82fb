#pragma once

// What the reader and the writer of videos share: owners of FFmpeg's objects and its errors in words.

#include <array>
#include <memory>
#include <new>
#include <string>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
}

namespace rvm::examples::ffmpeg {

struct Free {
  void operator()(AVFormatContext* p) const noexcept {
    if (p->oformat != nullptr) {
      avformat_free_context(p);
    } else {
      avformat_close_input(&p);
    }
  }
  void operator()(AVIOContext* p) const noexcept {
    av_freep(&p->buffer);
    avio_context_free(&p);
  }
  void operator()(AVCodecContext* p) const noexcept { avcodec_free_context(&p); }
  void operator()(AVFilterGraph* p) const noexcept { avfilter_graph_free(&p); }
  void operator()(AVFilterInOut* p) const noexcept { avfilter_inout_free(&p); }
  void operator()(AVPacket* p) const noexcept { av_packet_free(&p); }
  void operator()(AVFrame* p) const noexcept { av_frame_free(&p); }
  void operator()(SwsContext* p) const noexcept { sws_freeContext(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

/// Takes what one of FFmpeg's functions has made; null means that memory ran out.
template <class T>
Owned<T> owned(T* pointer) {
  if (pointer == nullptr) throw std::bad_alloc();
  return Owned<T>(pointer);
}

inline std::string reason(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return text.data();
}

}  // namespace rvm::examples::ffmpeg
