#include "common/video_sink.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>

#include <rvm/core/atomic_file.hpp>
#include <rvm/core/error.hpp>

#include "common/extension.hpp"
#include "common/ffmpeg.hpp"

extern "C" {
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/log.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
}

namespace rvm::examples {
namespace {

using ffmpeg::Owned;
using ffmpeg::owned;
using ffmpeg::reason;

/// What makes one kind of video another.
struct Kind {
  const char* container;
  std::array<const char*, 3> encoders;  // by name, the best first
  const char* pixels;                   // FFmpeg's filters from RGB to what the encoders take
  bool even_sides;                      // whether these need them
  AVRational time_base;                 // of the encoder's clock; 0 is a tick for each picture
  std::int64_t shortest;                // ticks between two pictures
};

constexpr Kind kMp4{"mp4",
                    {"libx264", "libopenh264", "mpeg4"},
                    "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int"
                    "+full_chroma_inp,format=yuv420p",
                    true,
                    {0, 1},
                    1};

// Browsers slow down what is shown for less than two hundredths of a second. An ordered pattern lies still where the
// picture does; spreading errors to neighbours would make it crawl.
constexpr Kind kGif{"gif",
                    {"gif", nullptr, nullptr},
                    "split[for_palette][for_pixels];[for_palette]palettegen=stats_mode=single:reserve_transparent=0"
                    "[palette];[for_pixels][palette]paletteuse=new=1:dither=bayer:bayer_scale=4",
                    false,
                    {1, 100},
                    2};

/// A file as FFmpeg writes to it. Errors pass through C, so they are kept and thrown afterwards.
class Output {
 public:
  explicit Output(const std::filesystem::path& path) : file_(path) {
    constexpr int kBuffer = 1 << 16;
    auto* const buffer = static_cast<unsigned char*>(av_malloc(kBuffer));
    if (buffer == nullptr) throw std::bad_alloc();
    io_ = owned(avio_alloc_context(buffer, kBuffer, 1, this, nullptr, &on_write, &on_seek));
  }

  AVIOContext* io() const noexcept { return io_.get(); }
  /// Throws what went wrong with the file, if anything did.
  void check() const {
    if (error_) std::rethrow_exception(error_);
  }
  void commit() {
    avio_flush(io_.get());
    check();
    file_.commit();
  }

 private:
  // FFmpeg 7 made the bytes const.
  template <class Byte>
  static int on_write(void* self, Byte* bytes, int size) {
    return static_cast<Output*>(self)->write({bytes, static_cast<std::size_t>(size)});
  }

  int write(std::span<const std::uint8_t> bytes) {
    try {
      const std::uint64_t replaced = std::min<std::uint64_t>(file_.position() - at_, bytes.size());
      if (replaced > 0) file_.write_at(at_, std::as_bytes(bytes.first(replaced)));
      file_.write(std::as_bytes(bytes.subspan(replaced)));
      at_ += bytes.size();
      return static_cast<int>(bytes.size());
    } catch (...) {
      if (!error_) error_ = std::current_exception();
      return AVERROR(EIO);
    }
  }

  static std::int64_t on_seek(void* self, std::int64_t offset, int whence) {
    auto& output = *static_cast<Output*>(self);
    const auto end = static_cast<std::int64_t>(output.file_.position());
    if (whence == AVSEEK_SIZE) return end;
    if (whence == SEEK_CUR) offset += static_cast<std::int64_t>(output.at_);
    if (whence == SEEK_END) offset += end;
    if (offset < 0 || offset > end) return AVERROR(EINVAL);
    output.at_ = static_cast<std::uint64_t>(offset);
    return offset;
  }

  AtomicFile file_;
  std::uint64_t at_ = 0;
  std::exception_ptr error_;
  Owned<AVIOContext> io_;
};

class VideoSink final : public PictureSink {
 public:
  VideoSink(const std::filesystem::path& path, const Kind& kind, double fps)
      : PictureSink(path), kind_(kind), rate_(av_d2q(std::clamp(fps, 0.01, 1000.0), kLargestRateTerm)), output_(path) {
    av_log_set_level(AV_LOG_QUIET);  // what goes wrong is said once, by our errors
    time_base_ = kind_.time_base.num == 0 ? av_inv_q(rate_) : kind_.time_base;
  }
  ~VideoSink() override {
    if (begun_ && !ended_)
      av_write_trailer(container_.get());  // into what is thrown away: frees what FFmpeg holds back
  }

 private:
  static constexpr int kLargestRateTerm = 65535;  // MPEG-4's

  void put(const Image& picture) override {
    require_room(picture);
    if (!begun_) begin(picture);
    const std::int64_t time = av_rescale_q(static_cast<std::int64_t>(count()), av_inv_q(rate_), time_base_);
    if (count() > 0 && time < last_time_ + kind_.shortest) return;
    last_time_ = time;
    av_frame_unref(frame_.get());
    frame_->format = AV_PIX_FMT_RGB24;
    frame_->height = static_cast<int>(picture.height());
    frame_->width = static_cast<int>(picture.width());
    check(av_frame_get_buffer(frame_.get(), 0), "cannot take a picture");
    for (std::size_t y = 0; y < picture.height(); ++y) {
      const auto row = picture.bytes()[y];
      std::copy(row.begin(), row.end(), frame_->data[0] + static_cast<std::ptrdiff_t>(y) * frame_->linesize[0]);
    }
    frame_->pts = time;
    check(av_buffersrc_add_frame(source_, frame_.get()), "cannot convert a picture");
    encode_filtered();
  }

  void close() override {
    check(av_buffersrc_add_frame(source_, nullptr), "cannot convert the last picture");
    encode_filtered();
    encode(nullptr);
    ended_ = true;
    check(av_write_trailer(container_.get()), "cannot be completed");
    output_.commit();
  }

  // So that a full disk is noticed while there still is room for what the encoder holds back and for the index at the
  // end: the pictures so far are not lost then.
  void require_room(const Image& picture) const {
    const std::filesystem::path directory = path().has_parent_path() ? path().parent_path() : ".";
    std::error_code error;
    const std::filesystem::space_info space = std::filesystem::space(directory, error);
    const std::uintmax_t needed = (std::uintmax_t{1} << 20) + 4 * picture.bytes().size() + 64 * count();
    if (error || space.capacity == 0 || space.available >= needed) return;
    throw IoError(path().string() + ": no space left on the device for more pictures");
  }

  void begin(const Image& first) {
    open_filters(first);
    std::string failures;
    for (const char* name : kind_.encoders) {
      const AVCodec* const codec = name == nullptr ? nullptr : avcodec_find_encoder_by_name(name);
      if (codec == nullptr) continue;
      const int code = open_encoder(*codec);
      if (code >= 0) break;
      encoder_.reset();
      failures += std::string(failures.empty() ? ": " : "; ") + name + ": " + reason(code);
    }
    if (!encoder_) throw IoError(path().string() + ": this FFmpeg cannot encode it" + failures);

    AVFormatContext* made = nullptr;
    check(avformat_alloc_output_context2(&made, nullptr, kind_.container, nullptr), "this FFmpeg cannot write it");
    container_ = owned(made);
    container_->pb = output_.io();
    stream_ = avformat_new_stream(made, nullptr);
    if (stream_ == nullptr) throw std::bad_alloc();
    check(avcodec_parameters_from_context(stream_->codecpar, encoder_.get()), "cannot describe the video");
    stream_->time_base = time_base_;
    stream_->avg_frame_rate = rate_;
    check(avformat_write_header(made, nullptr), "cannot begin the video");
    begun_ = true;
  }

  void open_filters(const Image& first) {
    graph_ = owned(avfilter_graph_alloc());
    const std::string input = "video_size=" + std::to_string(first.width()) + "x" + std::to_string(first.height()) +
                              ":pix_fmt=rgb24:pixel_aspect=1/1:time_base=" + std::to_string(time_base_.num) + "/" +
                              std::to_string(time_base_.den);
    const auto create = [&](AVFilterContext** filter, const char* type, const char* arguments) {
      check(avfilter_graph_create_filter(filter, avfilter_get_by_name(type), type, arguments, nullptr, graph_.get()),
            "cannot convert pictures");
    };
    create(&source_, "buffer", input.c_str());
    create(&sink_, "buffersink", nullptr);
    const auto end = [](const char* name, AVFilterContext* filter) {
      Owned<AVFilterInOut> inout = owned(avfilter_inout_alloc());
      inout->name = av_strdup(name);
      inout->filter_ctx = filter;
      inout->pad_idx = 0;
      inout->next = nullptr;
      return inout;
    };
    // Seen from the text in between, its input is our source's output.
    AVFilterInOut* inputs = end("out", sink_).release();
    AVFilterInOut* outputs = end("in", source_).release();
    const std::string text = "[in]" + even_sides(first) + kind_.pixels + "[out]";
    const int code = avfilter_graph_parse_ptr(graph_.get(), text.c_str(), &inputs, &outputs, nullptr);
    avfilter_inout_free(&inputs);
    avfilter_inout_free(&outputs);
    check(code, "cannot convert pictures");
    check(avfilter_graph_config(graph_.get(), nullptr), "cannot convert pictures");
  }

  // YUV 4:2:0 has one colour for two pixels along each side.
  std::string even_sides(const Image& first) const {
    const std::size_t right = first.width() % 2;
    const std::size_t bottom = first.height() % 2;
    if (!kind_.even_sides || right + bottom == 0) return {};
    return "pad=iw+" + std::to_string(right) + ":ih+" + std::to_string(bottom) +
           ",fillborders=mode=smear:right=" + std::to_string(right) + ":bottom=" + std::to_string(bottom) + ",";
  }

  int open_encoder(const AVCodec& codec) {
    encoder_ = owned(avcodec_alloc_context3(&codec));
    encoder_->width = av_buffersink_get_w(sink_);
    encoder_->height = av_buffersink_get_h(sink_);
    encoder_->pix_fmt = static_cast<AVPixelFormat>(av_buffersink_get_format(sink_));
    encoder_->sample_aspect_ratio = {1, 1};
    encoder_->time_base = time_base_;
    encoder_->framerate = rate_;
    encoder_->thread_count = 0;  // one per processor
    if (encoder_->pix_fmt == AV_PIX_FMT_YUV420P) {
      encoder_->color_range = AVCOL_RANGE_MPEG;
      encoder_->colorspace = AVCOL_SPC_BT709;
      encoder_->color_primaries = AVCOL_PRI_BT709;
      encoder_->color_trc = AVCOL_TRC_BT709;
      encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;  // MP4 keeps it apart from the pictures
    }
    // Nearly lossless to the eye, in the terms of each encoder.
    if (const std::string_view name = codec.name; name == "libx264") {
      av_opt_set(encoder_->priv_data, "crf", "18", 0);
      av_opt_set(encoder_->priv_data, "preset", "fast", 0);
    } else if (name == "mpeg4") {
      encoder_->flags |= AV_CODEC_FLAG_QSCALE;
      encoder_->global_quality = 3 * FF_QP2LAMBDA;
    } else {
      encoder_->bit_rate = static_cast<std::int64_t>(0.3 * av_q2d(rate_) * encoder_->width * encoder_->height);
    }
    return avcodec_open2(encoder_.get(), &codec, nullptr);
  }

  void encode_filtered() {
    for (;;) {
      av_frame_unref(filtered_.get());
      const int code = av_buffersink_get_frame(sink_, filtered_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      check(code, "cannot convert a picture");
      filtered_->pict_type = AV_PICTURE_TYPE_NONE;
      encode(filtered_.get());
    }
  }

  // A picture, or null for the end.
  void encode(const AVFrame* picture) {
    check(avcodec_send_frame(encoder_.get(), picture), "cannot encode a picture");
    for (;;) {
      const int code = avcodec_receive_packet(encoder_.get(), packet_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      check(code, "cannot encode a picture");
      av_packet_rescale_ts(packet_.get(), time_base_, stream_->time_base);
      packet_->stream_index = stream_->index;
      check(av_interleaved_write_frame(container_.get(), packet_.get()), "cannot write a picture");
    }
  }

  void check(int code, const std::string& what) const {
    output_.check();
    if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
    if (code < 0) throw IoError(path().string() + ": " + what + ": " + reason(code));
  }

  const Kind& kind_;
  AVRational rate_;
  AVRational time_base_{};
  Output output_;
  Owned<AVFilterGraph> graph_;
  AVFilterContext* source_ = nullptr;  // the graph's
  AVFilterContext* sink_ = nullptr;
  Owned<AVCodecContext> encoder_;
  Owned<AVFormatContext> container_;
  AVStream* stream_ = nullptr;  // the container's
  Owned<AVPacket> packet_ = owned(av_packet_alloc());
  Owned<AVFrame> frame_ = owned(av_frame_alloc());
  Owned<AVFrame> filtered_ = owned(av_frame_alloc());
  bool begun_ = false;
  bool ended_ = false;
  std::int64_t last_time_ = 0;
};

}  // namespace

std::unique_ptr<PictureSink> open_video_sink(const std::filesystem::path& path, double fps) {
  return std::make_unique<VideoSink>(path, extension_of(path) == ".gif" ? kGif : kMp4, fps);
}

}  // namespace rvm::examples
