#include <rvm/tracking/metrics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <rvm/image/label_image.hpp>

#include "support/catch.hpp"
#include "support/difference.hpp"
#include "support/fixtures.hpp"
#include "support/random.hpp"

namespace {

using rvm::LabelImage;
using rvm::Point;

/// [..., 2] of a fixture.
std::vector<Point> points(const rvm::Tensor<double>& numbers) {
  std::vector<Point> out;
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    out.push_back({static_cast<float>(numbers.data()[i]), static_cast<float>(numbers.data()[i + 1])});
  }
  return out;
}

/// A picture drawn in characters: '.' is 0, digits are labels.
LabelImage picture(const std::vector<std::string>& rows) {
  LabelImage out({rows.size(), rows[0].size()});
  for (std::size_t y = 0; y < rows.size(); ++y) {
    for (std::size_t x = 0; x < rows[y].size(); ++x) {
      out(y, x) = rows[y][x] == '.' ? std::uint8_t{0} : static_cast<std::uint8_t>(rows[y][x] - '0');
    }
  }
  return out;
}

/// Blobs of labels 0 to `labels`.
LabelImage blobs(test::Random& random, std::size_t height, std::size_t width, std::size_t labels) {
  LabelImage out({height, width});
  for (int i = 0; i < 6; ++i) {
    const auto label = static_cast<std::uint8_t>(random.between(0, labels));
    const std::size_t top = random.between(0, height - 1);
    const std::size_t left = random.between(0, width - 1);
    for (std::size_t y = top; y < std::min(height, top + random.between(1, 9)); ++y) {
      for (std::size_t x = left; x < std::min(width, left + 7); ++x) out(y, x) = label;
    }
  }
  return out;
}

/// The boundary measure once more: a map of boundary pixels, and every pair of them.
double plain_boundary_f(const LabelImage& truth, const LabelImage& pred, std::uint8_t label, double tolerance) {
  const auto height = static_cast<long>(truth.shape()[0]);
  const auto width = static_cast<long>(truth.shape()[1]);
  const double radius = std::ceil(tolerance * std::sqrt(static_cast<double>(height * height + width * width)));
  struct Pixel {
    long y, x;
  };
  const auto boundary = [&](const LabelImage& mask) {
    std::vector<Pixel> out;
    for (long y = 0; y < height; ++y) {
      for (long x = 0; x < width; ++x) {
        bool differs = false;
        for (const Pixel& p : {Pixel{y, x + 1}, Pixel{y + 1, x}, Pixel{y + 1, x + 1}}) {
          const bool last_row = y == height - 1;
          const bool last_column = x == width - 1;
          const long v = last_row ? y : p.y;
          const long u = last_column ? x : p.x;
          differs = differs || (mask(y, x) == label) != (mask(v, u) == label);
        }
        if (differs) out.push_back({y, x});
      }
    }
    return out;
  };
  const auto a = boundary(truth);
  const auto b = boundary(pred);
  if (a.empty() && b.empty()) return 1;
  if (a.empty() || b.empty()) return 0;
  const auto share = [&](const std::vector<Pixel>& of, const std::vector<Pixel>& in) {
    double near = 0;
    for (const Pixel& p : of) {
      near += std::any_of(in.begin(), in.end(), [&](const Pixel& q) {
        return static_cast<double>((p.y - q.y) * (p.y - q.y) + (p.x - q.x) * (p.x - q.x)) <= radius * radius;
      });
    }
    return near / static_cast<double>(of.size());
  };
  const double precision = share(b, a);
  const double recall = share(a, b);
  return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
}

}  // namespace

TEST_CASE("the fixtures' J, F, PCK and mean IoU") {
  const rvm::Weights file = rvm::load_npz(test::data("metrics.npz"));
  const auto truth = file.at("truth").as<std::uint8_t>();
  const auto pred = file.at("pred").as<std::uint8_t>();
  const rvm::DavisScore score = rvm::davis_j_and_f(truth, pred);
  CHECK(std::abs(score.j - file.at("j").as<double>().data()[0]) < 1e-9);
  CHECK(std::abs(score.f - file.at("f").as<double>().data()[0]) < 1e-9);
  CHECK(std::abs(score.mean() - (score.j + score.f) / 2) < 1e-12);

  const auto pose_truth = file.at("pose_truth").as<double>();  // [3, 6, 15, 2]
  const auto pose_pred = file.at("pose_pred").as<double>();
  const auto all_truth = points(pose_truth);
  const auto all_pred = points(pose_pred);
  rvm::Pck pck(15);
  for (std::size_t video = 0; video < 3; ++video) {
    pck.add_video(std::span(all_truth).subspan(video * 90, 90), std::span(all_pred).subspan(video * 90, 90));
  }
  CHECK(test::difference(pck.percent(), file.at("pck").as<double>()) < 1e-6);

  const auto class_truth = file.at("class_truth").as<std::uint8_t>();
  const auto class_pred = file.at("class_pred").as<std::uint8_t>();
  const double expected = file.at("mean_iou").as<double>().data()[0];
  CHECK(std::abs(rvm::mean_iou(class_truth, class_pred) - expected) < 1e-9);
}

TEST_CASE("counts that were stored and added up give the same as one run") {
  const rvm::Weights file = rvm::load_npz(test::data("metrics.npz"));
  const auto truth = points(file.at("pose_truth").as<double>());
  const auto pred = points(file.at("pose_pred").as<double>());
  rvm::Pck sum(15);
  for (std::size_t video = 0; video < 3; ++video) {
    rvm::Pck one(15);
    one.add_video(std::span(truth).subspan(video * 90, 90), std::span(pred).subspan(video * 90, 90));
    sum.add_counts(std::vector(one.counts().begin(), one.counts().end()));
  }
  CHECK(test::difference(sum.percent(), file.at("pck").as<double>()) < 1e-6);
  CHECK(rvm::pck(std::span(truth).first(90), std::span(pred).first(90), 15).size() == 5);

  const auto class_truth = file.at("class_truth").as<std::uint8_t>();
  const auto class_pred = file.at("class_pred").as<std::uint8_t>();
  rvm::ConfusionMatrix matrix;
  for (std::size_t t = 0; t < class_truth.shape()[0]; ++t) {
    rvm::ConfusionMatrix frame;
    frame.add(class_truth[t], class_pred[t]);
    matrix.add_counts(frame.counts());
  }
  CHECK(std::abs(matrix.mean_iou() - file.at("mean_iou").as<double>().data()[0]) < 1e-9);
}

TEST_CASE("regions of known size") {
  const LabelImage truth = picture({"11..", "11..", "....", "2..."});
  const LabelImage pred = picture({".11.", ".11.", "....", "2..."});
  CHECK(rvm::jaccard(truth, pred) == 2.0 / 6.0);
  CHECK(rvm::jaccard(truth, pred, 2) == 1.0);
  CHECK(rvm::jaccard(truth, pred, 3) == 1.0);  // nowhere in both
  CHECK(rvm::jaccard(truth, picture({"....", "....", "....", "...."})) == 0.0);
}

TEST_CASE("boundaries against every pair of boundary pixels") {
  test::Random random(1);
  for (int i = 0; i < 200; ++i) {
    const std::size_t height = random.between(1, 20);
    const std::size_t width = random.between(1, 30);
    const LabelImage truth = blobs(random, height, width, 2);
    const LabelImage pred = i % 5 == 0 ? truth : blobs(random, height, width, 2);
    const double tolerance = i % 3 == 0 ? 0.008 : 0.1;
    CAPTURE(height, width, tolerance);
    CHECK(std::abs(rvm::boundary_f(truth, pred, 1, tolerance) - plain_boundary_f(truth, pred, 1, tolerance)) < 1e-12);
  }
  const LabelImage empty = picture({"...", "..."});
  const LabelImage object = picture({"1..", "..."});
  CHECK(rvm::boundary_f(empty, empty) == 1.0);
  CHECK(rvm::boundary_f(empty, object) == 0.0);
  CHECK(rvm::boundary_f(object, empty) == 0.0);
  CHECK(rvm::boundary_f(object, object) == 1.0);
}

TEST_CASE("a video's scores are the mean over objects and all frames but the first and last") {
  test::Random random(2);
  for (int i = 0; i < 30; ++i) {
    const std::size_t frames = random.between(3, 7);
    std::vector<LabelImage> truth;
    std::vector<LabelImage> pred;
    rvm::DavisScores scores;
    std::size_t objects = 0;
    for (std::size_t t = 0; t < frames; ++t) {
      truth.push_back(blobs(random, 12, 17, std::min<std::size_t>(t + 1, 3)));  // objects that come later
      pred.push_back(blobs(random, 12, 17, 5));                                 // and some that are none
      scores.add(truth.back(), pred.back());
      objects = std::max<std::size_t>(objects, *std::max_element(truth.back().begin(), truth.back().end()));
    }
    CHECK(scores.frames() == frames);
    if (objects == 0) continue;
    double j = 0;
    double f = 0;
    for (std::size_t k = 1; k <= objects; ++k) {
      for (std::size_t t = 1; t + 1 < frames; ++t) {
        j += rvm::jaccard(truth[t], pred[t], static_cast<std::uint8_t>(k));
        f += rvm::boundary_f(truth[t], pred[t], static_cast<std::uint8_t>(k));
      }
    }
    const auto count = static_cast<double>(objects * (frames - 2));
    CHECK(scores.objects().size() == objects);
    CHECK(std::abs(scores.mean().j - j / count) < 1e-12);
    CHECK(std::abs(scores.mean().f - f / count) < 1e-12);
  }
}

TEST_CASE("keypoints by hand") {
  // The box around the found joints is 30 x 40: 0.6 of its diagonal is 30 pixels.
  const std::vector<Point> truth{{0, 0}, {30, 40}, {15, 20}, {500, 500}};
  const std::vector<Point> pred{{0, 3}, {30, 52}, {15, 35.5F}, {}};
  const std::vector<double> thresholds{0.1, 0.4, 0.5};
  rvm::Pck pck(4, thresholds);
  pck.add(truth, pred);
  const std::vector<double> expected{100.0 / 3, 200.0 / 3, 200.0 / 3};  // errors 0.1, 0.4, 0.517, and one not found
  CHECK(test::difference(pck.percent(), expected) < 1e-12);
  CHECK(pck.counts()[0] == 1);
  CHECK(pck.counts()[3 * 4] == 0);

  rvm::Pck one(4, thresholds);  // a box without a size has no correct joint
  one.add(truth, std::vector<Point>{{0, 0}, {}, {}, {}});
  CHECK(one.percent() == std::vector<double>{0, 0, 0});
  CHECK(std::isnan(rvm::Pck(4, thresholds).percent()[0]));
}

TEST_CASE("mean IoU by hand") {
  rvm::ConfusionMatrix matrix(3);
  rvm::Tensor<std::uint8_t> truth({6});
  rvm::Tensor<std::uint8_t> pred({6});
  const std::vector<std::uint8_t> true_labels{0, 0, 1, 1, 255, 0};
  const std::vector<std::uint8_t> predicted{0, 1, 1, 1, 2, 0};
  std::copy(true_labels.begin(), true_labels.end(), truth.begin());
  std::copy(predicted.begin(), predicted.end(), pred.begin());
  matrix.add(truth, pred);
  CHECK(std::abs(matrix.mean_iou() - (2.0 / 3 + 2.0 / 3) / 2) < 1e-12);
  CHECK(std::isnan(matrix.iou()[2]));
  CHECK(std::isnan(rvm::ConfusionMatrix(3).mean_iou()));
}

TEST_CASE("what cannot be compared is refused") {
  const LabelImage mask({4, 5});
  CHECK_THROWS_WITH(rvm::jaccard(mask, LabelImage({5, 4})), ContainsSubstring("(4, 5) and (5, 4)"));
  CHECK_THROWS_AS(rvm::jaccard(LabelImage({4}), LabelImage({4})), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::boundary_f(mask, LabelImage({4, 6})), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::boundary_f(mask, mask, 1, -0.1), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::davis_j_and_f(mask, mask), rvm::ArgumentError);
  CHECK_THROWS_WITH(rvm::davis_j_and_f(LabelImage({2, 4, 5}), LabelImage({2, 4, 5})), ContainsSubstring("3 frames"));
  CHECK_THROWS_WITH(rvm::davis_j_and_f(LabelImage({3, 4, 5}), LabelImage({3, 4, 5})), ContainsSubstring("an object"));
  rvm::DavisScores scores;
  scores.add(mask, mask);
  CHECK_THROWS_AS(scores.add(mask, LabelImage({5, 5})), rvm::ArgumentError);
  CHECK(scores.frames() == 1);

  CHECK_THROWS_AS(rvm::Pck(0), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::Pck(3, std::span<const double>()), rvm::ArgumentError);
  rvm::Pck pck(3);
  const std::vector<Point> points(4);
  CHECK_THROWS_WITH(pck.add(points, points), ContainsSubstring("expected 3 joints, found 4"));
  CHECK_THROWS_AS(pck.add_video(points, points), rvm::ArgumentError);
  CHECK_THROWS_AS(pck.add_counts(std::vector<std::uint64_t>(7)), rvm::ArgumentError);

  CHECK_THROWS_AS(rvm::ConfusionMatrix(0), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::ConfusionMatrix(257), rvm::ArgumentError);
  CHECK_THROWS_AS(rvm::ConfusionMatrix(std::size_t{1} << 32), rvm::ArgumentError);
  rvm::ConfusionMatrix matrix(3);
  rvm::Tensor<std::uint8_t> truth({2});
  rvm::Tensor<std::uint8_t> pred({2});
  pred(1) = 3;
  CHECK_THROWS_WITH(matrix.add(truth, pred), ContainsSubstring("label 3 was predicted"));
  CHECK(matrix.counts()[0] == 0);
  CHECK_THROWS_AS(matrix.add(truth, rvm::Tensor<std::uint8_t>({3})), rvm::ArgumentError);
  CHECK_THROWS_AS(matrix.add_counts(std::vector<std::uint64_t>(4)), rvm::ArgumentError);
}
