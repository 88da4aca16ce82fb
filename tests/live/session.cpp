#include "common/live/session.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <rvm/rvm.hpp>

#include "support/catch.hpp"
#include "support/fixtures.hpp"

namespace {

using Backend = rvm::EigenCpu<float>;
using Session = rvm::examples::LiveSession;

struct Studio {
  test::Clip clip{"features_96x160.npz"};  // 3 frames
  rvm::Model<Backend> model{test::small_weights()};
  Session session{model, {clip.height(), clip.width()}, 1};

  void steps(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) session.step(clip.frames[session.moment().step % clip.frames.size()]);
  }
};

double norm_of(rvm::TensorView<const float> values) {
  double squares = 0;
  for (const float v : values) squares += double{v} * double{v};
  return std::sqrt(squares);
}

bool same(const rvm::examples::TrackedPoint& a, const rvm::examples::TrackedPoint& b) {
  return a.id == b.id && a.seen == b.seen && a.place == b.place && a.trail == b.trail;
}

}  // namespace

TEST_CASE("a session shows the frame, the colours and the norm of the state") {
  Studio studio;
  CHECK(studio.session.moment().frame.empty());
  CHECK(studio.session.moment().colours.empty());
  CHECK(studio.session.moment().norm == 0);
  for (std::size_t t = 0; t < 3; ++t) {
    studio.steps(1);
    const rvm::examples::Moment moment = studio.session.moment();
    CHECK(moment.step == t + 1);
    CHECK(moment.frames == t + 1);
    CHECK(moment.milliseconds > 0);
    CHECK(moment.norm == Approx(norm_of(studio.clip.features[t])).epsilon(1e-5));  // the authors' own
    CHECK(std::equal(moment.frame.bytes().begin(), moment.frame.bytes().end(), studio.clip.video[t].begin()));
    CHECK(moment.colours.height() == 6);
    CHECK(moment.colours.width() == 10);
    CHECK(moment.points.empty());
  }
}

TEST_CASE("a frame of another size changes nothing") {
  Studio studio;
  studio.steps(2);
  const std::vector<std::byte> state = studio.session.save();
  const auto pixels = test::Random(1).bytes({32, 32, 3});
  CHECK_THROWS_AS(studio.session.step(rvm::FrameView(pixels.data(), 32, 32)), rvm::FrameError);
  CHECK(studio.session.save() == state);
  CHECK(studio.session.moment().step == 2);
}

TEST_CASE("reset is the zero state") {
  Studio studio;
  studio.steps(2);
  studio.session.track({50, 50}, 2);
  studio.session.reset();
  CHECK(studio.session.moment().frames == 0);
  CHECK(studio.session.moment().norm == 0);
  CHECK(studio.session.moment().points.empty());
  CHECK_THROWS_WITH(studio.session.track({50, 50}, 2), ContainsSubstring("no frame yet"));
  studio.session.step(studio.clip.frames[0]);
  CHECK(studio.session.moment().norm == Approx(norm_of(studio.clip.features[0])).epsilon(1e-5));
  CHECK(studio.session.moment().step == 3);  // which tells pictures apart, whatever the state has seen
}

TEST_CASE("a saved state is restored bit for bit") {
  Studio studio;
  studio.steps(1);
  const std::vector<std::byte> saved = studio.session.save();
  studio.steps(1);
  const double then = studio.session.moment().norm;
  studio.session.track({50, 50}, 2);
  studio.session.restore(saved);
  CHECK(studio.session.save() == saved);
  CHECK(studio.session.moment().frames == 1);
  CHECK(studio.session.moment().points.empty());
  CHECK_THROWS_WITH(studio.session.track({50, 50}, 2), ContainsSubstring("no frame yet"));
  studio.session.step(studio.clip.frames[1]);
  CHECK(studio.session.moment().norm == then);

  std::vector<std::byte> bad = saved;
  bad[bad.size() / 2] ^= std::byte{1};
  studio.session.track({50, 50}, 3);
  const std::vector<std::byte> before = studio.session.save();
  CHECK_THROWS_AS(studio.session.restore(bad), rvm::StateError);
  CHECK(studio.session.save() == before);
  CHECK(studio.session.moment().points.size() == 1);
}

TEST_CASE("a point begins where it was clicked, and stays where nothing moves") {
  Studio studio;
  for (int i = 0; i < 30; ++i) studio.session.step(studio.clip.frames[0]);  // until the state has come to rest
  const std::vector<rvm::Point> places{{0, 0}, {159.5F, 95.5F}, {24, 40}, {77.3F, 51.8F}};
  for (const rvm::Point& place : places) studio.session.track(place, 30);
  for (int i = 0; i < 5; ++i) studio.session.step(studio.clip.frames[0]);
  const rvm::examples::Moment moment = studio.session.moment();
  REQUIRE(moment.points.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    const rvm::examples::TrackedPoint& point = moment.points[i];
    CAPTURE(i, point.place.x, point.place.y);
    CHECK(point.id == i);
    CHECK(point.seen);
    REQUIRE(point.trail.size() == 6);
    CHECK(point.trail.front() == places[i]);
    CHECK(point.trail.back() == point.place);
    CHECK(std::hypot(point.place.x - places[i].x, point.place.y - places[i].y) < 1);
  }
  studio.session.forget_points();
  CHECK(studio.session.moment().points.empty());
}

TEST_CASE("a click belongs to the frame that was shown") {
  // Clicked in time, or three frames later on the picture of that time: the same point.
  Studio prompt;
  Studio late;
  for (int i = 0; i < 30; ++i) prompt.session.step(prompt.clip.frames[0]);
  for (int i = 0; i < 30; ++i) late.session.step(late.clip.frames[0]);
  prompt.session.track({100, 60}, 30);
  prompt.steps(4);
  late.steps(3);
  late.session.track({100, 60}, 30);
  late.steps(1);
  CHECK(same(late.session.moment().points[0], prompt.session.moment().points[0]));
  CHECK(late.session.moment().points[0].trail.size() > 1);
  // Of long ago or of no time that was: the newest frame's.
  late.steps(9);
  for (const std::uint64_t step : {std::uint64_t{30}, std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max()}) {
    late.session.track({100, 60}, step);
    CHECK(late.session.moment().points.back().trail.size() == 1);
  }
}

TEST_CASE("a trail is as long as it may be") {
  Studio studio;
  for (int i = 0; i < 30; ++i) studio.session.step(studio.clip.frames[0]);
  studio.session.track({100, 60}, 30);
  for (std::size_t i = 0; i < Session::kTrail + 5; ++i) studio.session.step(studio.clip.frames[0]);
  CHECK(studio.session.moment().points[0].trail.size() == Session::kTrail);
}

TEST_CASE("points that cannot be tracked are refused") {
  Studio studio;
  CHECK_THROWS_WITH(studio.session.track({1, 1}, 0), ContainsSubstring("no frame yet"));
  studio.steps(1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const rvm::Point& point : std::vector<rvm::Point>{{-0.1F, 5}, {5, -1}, {160, 5}, {5, 96}, {nan, 5}, {1e9F, 5}}) {
    CHECK_THROWS_WITH(studio.session.track(point, 1), ContainsSubstring("outside of the frame of 96x160"));
  }
  for (std::size_t i = 0; i < Session::kMostPoints; ++i) studio.session.track({5, 5}, 1);
  CHECK_THROWS_WITH(studio.session.track({5, 5}, 1), ContainsSubstring("at most 8 points"));
  CHECK(studio.session.moment().points.size() == Session::kMostPoints);
}
