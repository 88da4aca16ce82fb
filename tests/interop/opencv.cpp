#include <rvm/interop/opencv.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include <rvm/backend/eigen.hpp>
#include <rvm/features.hpp>
#include <rvm/image/patches.hpp>
#include <rvm/model/random.hpp>
#include <rvm/stream.hpp>

#include "support/catch.hpp"

namespace {

// Every byte of the image another than its neighbours.
cv::Mat numbered(int height, int width, int type) {
  cv::Mat mat(height, width, type);
  for (int y = 0; y < height; ++y) {
    for (std::size_t i = 0; i < mat.elemSize() * static_cast<std::size_t>(width); ++i) {
      mat.ptr<std::uint8_t>(y)[i] = static_cast<std::uint8_t>(static_cast<std::size_t>(y) * 37 + i * 5 + 1);
    }
  }
  return mat;
}

}  // namespace

TEST_CASE("bytes of a cv::Mat are a frame in place, blue first unless said otherwise") {
  struct Case {
    int type;
    rvm::ChannelOrder order;
    rvm::PixelFormat format;
  };
  using enum rvm::ChannelOrder;
  const auto expected =
      GENERATE(Case{CV_8UC1, kBgr, rvm::PixelFormat::kGrey}, Case{CV_8UC1, kRgb, rvm::PixelFormat::kGrey},
               Case{CV_8UC3, kBgr, rvm::PixelFormat::kBgr}, Case{CV_8UC3, kRgb, rvm::PixelFormat::kRgb},
               Case{CV_8UC4, kBgr, rvm::PixelFormat::kBgra}, Case{CV_8UC4, kRgb, rvm::PixelFormat::kRgba});
  const cv::Mat mat = numbered(5, 7, expected.type);
  const rvm::FrameView frame = rvm::frame_view(mat, expected.order);
  CHECK(frame.row(0) == mat.data);
  CHECK(frame.row(4) == mat.ptr(4));
  CHECK(frame.height() == 5);
  CHECK(frame.width() == 7);
  CHECK(frame.format() == expected.format);
  if (expected.order == kBgr) CHECK(rvm::frame_view(mat).format() == expected.format);
}

TEST_CASE("a region of interest is a frame with the whole image's stride") {
  const cv::Mat whole = numbered(40, 50, CV_8UC3);
  const cv::Mat part = whole(cv::Rect(11, 6, 16, 32));
  const rvm::FrameView frame = rvm::frame_view(part);
  CHECK(frame.row(0) == whole.ptr(6) + 3 * 11);
  CHECK(frame.row_stride() == 150);
  CHECK(frame.height() == 32);
  CHECK(frame.width() == 16);
  std::vector<float> patch(rvm::kPatchValues);
  rvm::extract_patch(frame, 1, 0, patch.data());
  const auto pixel = part.at<cv::Vec3b>(16 + 3, 5);  // blue, green, red
  CHECK(patch[(3 * 16 + 5) * 3 + 0] == static_cast<float>(pixel[2]) / 255.0F);
  CHECK(patch[(3 * 16 + 5) * 3 + 2] == static_cast<float>(pixel[0]) / 255.0F);
}

TEST_CASE("a stream sees of a region of interest what it sees of the same pixels as RGB bytes") {
  const rvm::Model<rvm::EigenCpu<float>> model(rvm::random_weights({24, {1, 3, 8, 40}, {1, 2, 12, 36}, {}}));
  rvm::Stream of_mat(model, {.height = 32, .width = 16});
  rvm::Stream of_bytes(model, {.height = 32, .width = 16});
  for (int left = 0; left < 3; ++left) {
    const cv::Mat part = numbered(40, 50, CV_8UC3)(cv::Rect(left, 6, 16, 32));
    std::vector<std::uint8_t> rgb;
    for (int y = 0; y < part.rows; ++y) {
      for (int x = 0; x < part.cols; ++x) {
        const auto pixel = part.at<cv::Vec3b>(y, x);  // blue, green, red
        rgb.insert(rgb.end(), {pixel[2], pixel[1], pixel[0]});
      }
    }
    const auto found = of_mat.step(rvm::frame_view(part)).values();
    const auto expected = of_bytes.step(rvm::FrameView(rgb.data(), 32, 16)).values();
    CHECK(std::equal(found.begin(), found.end(), expected.begin(), expected.end()));
  }
}

TEST_CASE("floats of a cv::Mat are a frame in place if they are RGB, and in an image if not") {
  cv::Mat mat(6, 8, CV_32FC3);
  std::iota(mat.ptr<float>(), mat.ptr<float>() + 6 * 8 * 3, 0.0F);
  const cv::Mat part = mat(cv::Rect(2, 1, 5, 4));
  const rvm::FrameView rgb = rvm::frame_view(part, rvm::ChannelOrder::kRgb);
  CHECK(rgb.format() == rvm::PixelFormat::kRgbFloat);
  CHECK(rgb.float_row(3) == part.ptr<float>(3));

  rvm::Image scratch;
  const rvm::FrameView same = rvm::frame_view(part, scratch, rvm::ChannelOrder::kRgb);
  CHECK(same.row(0) == part.data);
  CHECK(scratch.empty());
  CHECK_THROWS_WITH(rvm::frame_view(part), ContainsSubstring("CV_32FC3 in the order BGR"));
  const rvm::FrameView bgr = rvm::frame_view(part, scratch);
  CHECK(bgr.float_row(0) == scratch.floats().data());
  const auto pixel = part.at<cv::Vec3f>(2, 3);
  CHECK(bgr.float_row(2)[3 * 3 + 0] == pixel[2]);
  CHECK(bgr.float_row(2)[3 * 3 + 1] == pixel[1]);
  CHECK(bgr.float_row(2)[3 * 3 + 2] == pixel[0]);

  const cv::Mat grey = (cv::Mat_<float>(2, 2) << 0.1F, 0.2F, 0.3F, 0.4F);
  CHECK_THROWS_WITH(rvm::frame_view(grey), ContainsSubstring("CV_32FC1"));
  const rvm::FrameView three = rvm::frame_view(grey, scratch);
  for (std::size_t c = 0; c < 3; ++c) CHECK(three.float_row(1)[3 + c] == 0.4F);
  const rvm::FrameView bytes = rvm::frame_view(numbered(2, 2, CV_8UC3), scratch);
  CHECK(bytes.format() == rvm::PixelFormat::kBgr);
}

TEST_CASE("what is no frame is refused by its name") {
  rvm::Image scratch;
  CHECK_THROWS_AS(rvm::frame_view(cv::Mat()), rvm::FrameError);
  CHECK_THROWS_AS(rvm::frame_view(cv::Mat(), scratch), rvm::FrameError);
  CHECK_THROWS_WITH(rvm::frame_view(cv::Mat(4, 4, CV_16UC3)), ContainsSubstring("CV_16UC3"));
  CHECK_THROWS_WITH(rvm::frame_view(cv::Mat(4, 4, CV_8UC2), scratch), ContainsSubstring("CV_8UC2"));
  const int sizes[] = {2, 3, 4};
  CHECK_THROWS_WITH(rvm::frame_view(cv::Mat(3, sizes, CV_8UC1)), ContainsSubstring("2 dimensions, found 3"));
}

TEST_CASE("features are matrices in place") {
  const std::size_t width = GENERATE(std::size_t{24}, std::size_t{512}, std::size_t{768});
  rvm::Tensor<float> values({2, 1 + 3 * 5, width});
  std::iota(values.begin(), values.end(), 0.0F);
  const rvm::Features features(values.view(), 3, 5);
  const cv::Mat tokens = rvm::mat_view(features.tokens(1));
  CHECK(tokens.ptr<float>() == features.tokens(1).data());
  if (width <= CV_CN_MAX) {
    CHECK(tokens.dims == 2);
    CHECK(tokens.rows == 3);
    CHECK(tokens.cols == 5);
    CHECK(tokens.channels() == static_cast<int>(width));
    CHECK(tokens.ptr<float>(2, 4)[7] == features.tokens(1)(2, 4, 7));
  } else {
    CHECK(tokens.dims == 3);
    CHECK(tokens.type() == CV_32FC1);
    CHECK(tokens.at<float>(2, 4, 7) == features.tokens(1)(2, 4, 7));
  }
  const cv::Mat cls = rvm::mat_view(features.cls(1));
  CHECK(cls.size() == cv::Size(static_cast<int>(width), 1));
  CHECK(cls.at<float>(0, 7) == features.cls(1)(7));
  const cv::Mat all = rvm::mat_view(rvm::TensorView<const float>(values.data(), {1, 2, 16, width}));
  CHECK(all.dims == 4);
  const rvm::TensorView<const float> back = rvm::tensor_view<const float>(tokens);
  CHECK(back.data() == tokens.ptr<float>());
  CHECK(back.shape() == rvm::Shape{3, 5, width});
}

TEST_CASE("other tensors as matrices, and matrices as tensors") {
  rvm::Tensor<std::int32_t> numbers({3, 4});
  CHECK(rvm::mat_view(numbers).type() == CV_32SC1);
  rvm::mat_view(numbers).at<std::int32_t>(2, 3) = 9;
  CHECK(numbers(2, 3) == 9);
  CHECK(rvm::mat_view(rvm::TensorView<const float>()).empty());
  CHECK(rvm::tensor_view<float>(cv::Mat()).empty());
  const rvm::Image image(2, 3);
  CHECK(rvm::mat_view(image.bytes()).type() == CV_8UC3);
  float one = 0;
  const std::size_t long_side = std::size_t{1} << 31;
  CHECK_THROWS_WITH(rvm::mat_view(rvm::TensorView<float>(&one, {long_side, 1})), ContainsSubstring("does not fit"));

  cv::Mat mat(4, 6, CV_64FC2);
  const rvm::TensorView<double> view = rvm::tensor_view<double>(mat);
  CHECK(view.shape() == rvm::Shape{4, 6, 2});
  view(3, 5, 1) = 4;
  CHECK(mat.at<cv::Vec2d>(3, 5)[1] == 4);
  CHECK_THROWS_WITH(rvm::tensor_view<float>(mat), ContainsSubstring("CV_64FC2"));
  CHECK_THROWS_WITH(rvm::tensor_view<double>(mat(cv::Rect(1, 0, 2, 4))), ContainsSubstring("clone"));
}

TEST_CASE("masks come from matrices and go to them") {
  const cv::Mat whole = numbered(9, 9, CV_8UC1);
  const cv::Mat part = whole(cv::Rect(2, 3, 4, 5));
  const rvm::LabelImage labels = rvm::label_image(part);
  CHECK(labels.shape() == rvm::Shape{5, 4});
  CHECK(labels(4, 3) == whole.at<std::uint8_t>(7, 5));
  const cv::Mat back = rvm::mat_view(labels);
  CHECK(back.data == labels.data());
  CHECK(back.type() == CV_8UC1);
  CHECK(cv::norm(back, part, cv::NORM_INF) == 0);
  CHECK_THROWS_WITH(rvm::label_image(cv::Mat(2, 2, CV_8UC3)), ContainsSubstring("CV_8UC3"));
  CHECK_THROWS_AS(rvm::label_image(cv::Mat()), rvm::ArgumentError);
}
