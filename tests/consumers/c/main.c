/* A host in C, in a project of its own: the features of one frame. */

#include <stdio.h>
#include <string.h>

#include <rvm/c/rvm.h>

static unsigned char pixels[64 * 64 * 3];

int main(int argc, char** argv) {
  rvm_model* model = NULL;
  rvm_stream* stream = NULL;
  rvm_stream_options options = RVM_STREAM_OPTIONS_INIT;
  rvm_features features = RVM_FEATURES_INIT;
  rvm_frame frame = {pixels, 64, 64, 0, RVM_RGB};
  int ok;

  memset(pixels, 100, sizeof pixels);
  options.height = options.width = 64;
  ok = rvm_model_load(argc > 1 ? argv[1] : "weights.npz", NULL, &model) == RVM_OK &&
       rvm_stream_create(model, &options, &stream) == RVM_OK && rvm_stream_step(stream, &frame, 1, &features) == RVM_OK;
  if (ok) {
    printf("rvm %s: [%zu, %zu, %zu]\n", rvm_version_text(), features.grid_height, features.grid_width, features.width);
    ok = features.grid_height == 4 && features.grid_width == 4 && features.values[features.width] != 0;
  } else {
    fprintf(stderr, "%s\n", rvm_last_error());
  }
  rvm_stream_free(stream);
  rvm_model_free(model);
  return ok ? 0 : 1;
}
