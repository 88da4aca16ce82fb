#include "common/video_source.hpp"

#include <cstdint>
#include <string>
#include <string_view>

#include <rvm/core/error.hpp>

#include "common/ffmpeg.hpp"

extern "C" {
#ifdef RVM_HAS_AVDEVICE
#include <libavdevice/avdevice.h>
#endif
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>
}

namespace rvm::examples {
namespace {

using ffmpeg::Owned;
using ffmpeg::owned;
using ffmpeg::reason;

std::string size_text(int height, int width) {
  return std::to_string(height) + "x" + std::to_string(width);
}

class VideoSource final : public FrameSource {
 public:
  explicit VideoSource(const std::filesystem::path& path) : path_(path.string()) {
    av_log_set_level(AV_LOG_QUIET);            // what goes wrong is said once, by our errors and warning()
    open_container("file:" + path_, nullptr);  // so that a colon in a name does not make it a protocol
    open_decoder();
  }
  /// Of a device.
  VideoSource(const AVInputFormat* format, const std::string& name) : path_(name), is_device_(true) {
    av_log_set_level(AV_LOG_QUIET);
    open_container(name, format);
    open_decoder();
  }

  std::optional<FrameView> next() override {
    while (!receive()) {
      if (draining_) return std::nullopt;
      send();
    }
    ++decoded_;
    if ((frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame_->decode_error_flags != 0) ++damaged_;
    return convert();
  }

  std::optional<std::size_t> count() const override {
    if (stream_->nb_frames > 0) return static_cast<std::size_t>(stream_->nb_frames);
    if (container_->duration > 0 && fps()) {
      return static_cast<std::size_t>(static_cast<double>(container_->duration) / AV_TIME_BASE * *fps() + 0.5);
    }
    return std::nullopt;
  }

  std::optional<double> fps() const override {
    if (stream_->avg_frame_rate.num <= 0 || stream_->avg_frame_rate.den <= 0) return std::nullopt;
    return av_q2d(stream_->avg_frame_rate);
  }

  std::string warning() const override {
    std::string text;
    const auto add = [&](const std::string& part) { text += (text.empty() ? path_ + ": " : "; ") + part; };
    if (skipped_ > 0) add("damaged packets left out: " + std::to_string(skipped_));
    if (damaged_ > 0) add("frames decoded with damage: " + std::to_string(damaged_));
    if (!read_error_.empty()) add("reading stopped after " + std::to_string(decoded_) + " frames: " + read_error_);
    if (draining_ && decoded_ < count().value_or(0) * 9 / 10) {
      add("ended after " + std::to_string(decoded_) + " frames, while it claims about " + std::to_string(*count()));
    }
    return text;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw IoError(path_ + ": " + what); }

  void open_container(const std::string& url, const AVInputFormat* format) {
    AVFormatContext* opened = nullptr;
    // FFmpeg 4 takes a pointer to a format that is not const.
    if (const int code = avformat_open_input(&opened, url.c_str(), const_cast<AVInputFormat*>(format), nullptr);
        code < 0) {
      fail((format == nullptr ? "not a video that FFmpeg can open: " : "cannot be opened: ") + reason(code));
    }
    container_ = owned(opened);
    // FFmpeg takes any text for a drawing made of terminal control codes.
    if (std::string_view(container_->iformat->name) == "tty") fail("not a video: a text file");
    if (const int code = avformat_find_stream_info(opened, nullptr); code < 0) {
      fail("no streams could be found: " + reason(code));
    }
  }

  void open_decoder() {
    const AVCodec* codec = nullptr;
    const int index = av_find_best_stream(container_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (index == AVERROR_DECODER_NOT_FOUND) fail("this FFmpeg has no decoder for its video stream");
    if (index < 0) fail("it has no video stream");
    stream_ = container_->streams[index];
    if ((stream_->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) fail("it has no video stream, only a cover picture");
    for (unsigned i = 0; i < container_->nb_streams; ++i) {
      if (container_->streams[i] != stream_) container_->streams[i]->discard = AVDISCARD_ALL;
    }
    decoder_ = owned(avcodec_alloc_context3(codec));
    int code = avcodec_parameters_to_context(decoder_.get(), stream_->codecpar);
    decoder_->pkt_timebase = stream_->time_base;
    // One per processor; but threads hold frames back, and a device's are wanted at once.
    decoder_->thread_count = is_device_ ? 1 : 0;
    if (code >= 0) code = avcodec_open2(decoder_.get(), codec, nullptr);
    if (code < 0) fail("its " + std::string(codec->name) + " video cannot be decoded: " + reason(code));
  }

  // Whether the decoder had another frame. It keeps some until the packets that they depend on, or the end, have come.
  bool receive() {
    for (;;) {
      const int code = avcodec_receive_frame(decoder_.get(), frame_.get());
      if (code >= 0) return true;
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return false;
      if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
      ++skipped_;
    }
  }

  // Hands the decoder the video's next packet, or tells it that there are no more.
  void send() {
    int code = 0;
    do {
      av_packet_unref(packet_.get());
      code = av_read_frame(container_.get(), packet_.get());
    } while (code >= 0 && packet_->stream_index != stream_->index);
    if (code < 0) {
      if (code != AVERROR_EOF) read_error_ = reason(code);
      draining_ = true;
      av_packet_unref(packet_.get());
    }
    code = avcodec_send_packet(decoder_.get(), draining_ ? nullptr : packet_.get());
    if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
    if (code < 0 && !draining_) ++skipped_;
  }

  FrameView convert() {
    const AVFrame& in = *frame_;
    if (rgb_->width == 0) allocate_rgb(in.height, in.width);
    if (in.width != rgb_->width || in.height != rgb_->height) {
      fail("frame " + std::to_string(decoded_) + " is " + size_text(in.height, in.width) +
           ", while those before it are " + size_text(rgb_->height, rgb_->width) + "; frames must have one size");
    }
    const auto format = static_cast<AVPixelFormat>(in.format);
    scaler_.reset(sws_getCachedContext(scaler_.release(), in.width, in.height, format, in.width, in.height,
                                       AV_PIX_FMT_RGB24, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr,
                                       nullptr, nullptr));
    if (!scaler_) fail("its pixel format cannot be turned to RGB");
    set_colours(in);
    const int rows = sws_scale(scaler_.get(), in.data, in.linesize, 0, in.height, rgb_->data, rgb_->linesize);
    if (rows < 0) fail("frame " + std::to_string(decoded_) + " cannot be turned to RGB: " + reason(rows));
    return {rgb_->data[0], static_cast<std::size_t>(rgb_->height), static_cast<std::size_t>(rgb_->width),
            PixelFormat::kRgb, rgb_->linesize[0]};
  }

  void allocate_rgb(int height, int width) {
    rgb_->height = height;
    rgb_->width = width;
    rgb_->format = AV_PIX_FMT_RGB24;
    if (av_frame_get_buffer(rgb_.get(), 0) < 0) throw std::bad_alloc();
  }

  // The YUV matrix and range that the frame is tagged with; without tags BT.601 and the range of its pixel format, as
  // the ffmpeg program takes them. Means nothing, and fails, for frames that are not YUV.
  void set_colours(const AVFrame& in) {
    const bool tagged = in.colorspace != AVCOL_SPC_UNSPECIFIED;
    const int* matrix = sws_getCoefficients(tagged ? static_cast<int>(in.colorspace) : SWS_CS_DEFAULT);
    const AVPixFmtDescriptor* pixels = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(in.format));
    const bool full = in.color_range == AVCOL_RANGE_JPEG || std::string_view(pixels->name).starts_with("yuvj");
    sws_setColorspaceDetails(scaler_.get(), matrix, full ? 1 : 0, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16,
                             1 << 16);
  }

  std::string path_;
  bool is_device_ = false;
  Owned<AVFormatContext> container_;
  AVStream* stream_ = nullptr;  // the container's
  Owned<AVCodecContext> decoder_;
  Owned<AVPacket> packet_ = owned(av_packet_alloc());
  Owned<AVFrame> frame_ = owned(av_frame_alloc());
  Owned<AVFrame> rgb_ = owned(av_frame_alloc());
  Owned<SwsContext> scaler_;
  bool draining_ = false;
  std::size_t decoded_ = 0;
  std::size_t skipped_ = 0;
  std::size_t damaged_ = 0;
  std::string read_error_;
};

}  // namespace

std::unique_ptr<FrameSource> open_video(const std::filesystem::path& path) {
  return std::make_unique<VideoSource>(path);
}

std::unique_ptr<FrameSource> open_camera(const std::filesystem::path& device) {
  return open_device("v4l2", device.string());
}

#ifdef RVM_HAS_AVDEVICE
std::unique_ptr<FrameSource> open_device(const std::string& format, const std::string& name) {
  avdevice_register_all();
  const AVInputFormat* const input = av_find_input_format(format.c_str());
  if (input == nullptr) throw IoError(name + ": this FFmpeg has no device " + format);
  return std::make_unique<VideoSource>(input, name);
}
#else
std::unique_ptr<FrameSource> open_device(const std::string& /*format*/, const std::string& name) {
  throw IoError(name +
                ": this program was built without libavdevice, so it cannot read cameras; install "
                "libavdevice-dev and rebuild");
}
#endif

}  // namespace rvm::examples
