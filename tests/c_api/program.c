/* The interface as C99 sees it: a video, by way of every function but the one for DLPack, whose header is another's.
 * Prints what went wrong and returns 1, or 0. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rvm/c/rvm.h>

enum { kSide = 64, kFrames = 3 };

static unsigned char video[kFrames][kSide * kSide * 3];
static rvm_frame frames[kFrames];
static int failures = 0;

static void check(int ok, const char* what, int line) {
  if (ok) return;
  ++failures;
  fprintf(stderr, "line %d: %s (%s)\n", line, what, rvm_last_error());
}
#define CHECK(x) check((x), #x, __LINE__)
#define OK(x) check((x) == RVM_OK, #x, __LINE__)

static void make_video(void) {
  size_t t, i;
  for (t = 0; t < kFrames; ++t) {
    for (i = 0; i < sizeof video[t]; ++i) video[t][i] = (unsigned char)(i * 7 + t * 31 + i / (kSide * 3) * 5);
    frames[t].pixels = video[t];
    frames[t].height = frames[t].width = kSide;
    frames[t].row_stride = 0;
    frames[t].format = RVM_RGB;
  }
}

/* Steps, a fork, a saved state and a whole clip say the same. */
static void check_streams(const rvm_model* model) {
  rvm_stream_options options = RVM_STREAM_OPTIONS_INIT;
  rvm_stream *stream = NULL, *fork = NULL, *again = NULL;
  rvm_features a = RVM_FEATURES_INIT, b = RVM_FEATURES_INIT;
  size_t size = 0, n;
  uint64_t seen = 9;
  void* saved;
  float* clip;

  options.height = options.width = kSide;
  options.non_finite = RVM_NON_FINITE_RESET;
  OK(rvm_stream_create(model, &options, &stream));
  OK(rvm_stream_step(stream, &frames[0], 1, NULL));
  OK(rvm_stream_step(stream, &frames[1], 1, &a));
  CHECK(a.batch == 1 && a.grid_height == 4 && a.grid_width == 4 && a.tokens == 17);
  OK(rvm_stream_frames(stream, 0, &seen));
  CHECK(seen == 2);

  OK(rvm_stream_fork(stream, &fork));
  OK(rvm_stream_save(stream, NULL, 0, &size));
  saved = malloc(size);
  OK(rvm_stream_save(stream, saved, size, &size));
  OK(rvm_stream_create(model, &options, &again));
  OK(rvm_stream_restore(again, saved, size));
  free(saved);

  n = a.tokens * a.width;
  OK(rvm_stream_step(stream, &frames[2], 1, &a));
  OK(rvm_stream_step(fork, &frames[2], 1, &b));
  CHECK(memcmp(a.values, b.values, n * sizeof(float)) == 0);
  OK(rvm_stream_step(again, &frames[2], 1, &b));
  CHECK(memcmp(a.values, b.values, n * sizeof(float)) == 0);

  clip = malloc(kFrames * n * sizeof(float));
  OK(rvm_stream_reset(again));
  OK(rvm_stream_frames(again, 0, &seen));
  CHECK(seen == 0);
  OK(rvm_stream_run(again, frames, kFrames, clip, kFrames * n));
  CHECK(clip[2 * n + n / 2] - a.values[n / 2] < 1e-4F && a.values[n / 2] - clip[2 * n + n / 2] < 1e-4F);
  OK(rvm_stream_reset_video(again, 0));
  OK(rvm_stream_features(again, &b));
  CHECK(b.values[0] == 0);
  free(clip);
  rvm_stream_free(again);
  rvm_stream_free(fork);
  rvm_stream_free(stream);
}

static void check_trackers(const rvm_model* model) {
  rvm_stream_options options = RVM_STREAM_OPTIONS_INIT;
  rvm_stream* stream = NULL;
  rvm_features features = RVM_FEATURES_INIT;
  rvm_mask_tracker* masks = NULL;
  rvm_point_tracker* points = NULL;
  static unsigned char mask[kSide * kSide];
  const uint8_t* found = NULL;
  rvm_point place = {20, 30};

  memset(mask, 3, sizeof mask / 2);
  options.height = options.width = kSide;
  OK(rvm_stream_create(model, &options, &stream));
  OK(rvm_stream_step(stream, &frames[0], 1, &features));
  OK(rvm_mask_tracker_create(&features, 0, mask, kSide, kSide, 0, NULL, &masks));
  OK(rvm_point_tracker_create(&features, 0, &place, 1, kSide, kSide, NULL, &points));
  OK(rvm_stream_step(stream, &frames[1], 1, &features));
  OK(rvm_mask_tracker_step(masks, &features, 0, &found));
  CHECK(found != NULL && (found[0] == 0 || found[0] == 3));
  OK(rvm_point_tracker_step(points, &features, 0, &place, 1));
  CHECK(place.x >= -1 && place.x < kSide && place.y >= -1 && place.y < kSide);
  rvm_point_tracker_free(points);
  rvm_mask_tracker_free(masks);
  rvm_stream_free(stream);
}

int main(int argc, char** argv) {
  rvm_model* model = NULL;
  rvm_model_info info = RVM_MODEL_INFO_INIT;
  make_video();
  CHECK(argc == 2);
  CHECK(rvm_version() >= 100 && strchr(rvm_version_text(), '.') != NULL);
  CHECK(strcmp(rvm_status_text(RVM_OK), "success") == 0);
  CHECK(rvm_model_load("absent.npz", NULL, &model) == RVM_ERROR_IO && model == NULL);
  CHECK(strstr(rvm_last_error(), "absent.npz") != NULL);
  OK(rvm_model_load(argv[1], NULL, &model));
  OK(rvm_model_get_info(model, &info));
  CHECK(info.patch_size == 16 && info.width > 0 && strcmp(info.backend, "cpu") == 0);
  if (failures == 0) {
    check_streams(model);
    check_trackers(model);
  }
  rvm_model_free(model);
  return failures == 0 ? 0 : 1;
}
