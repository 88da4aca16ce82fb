/**
 * \file
 * The library for C, and for whatever calls C: link with rvm::c (CMake) or rvm-c (pkg-config). Needs no C++.
 *
 * Functions that can fail return an rvm_status; rvm_last_error() then says in a line what was expected and what was
 * found. A call that fails leaves the stream or tracker as it was; handles that it would have made become null. A null
 * pointer where something is needed is RVM_ERROR_ARGUMENT; freeing null does nothing.
 *
 * A model may be used from several threads at once; a stream or a tracker by one thread at a time. A stream keeps what
 * it needs of its model, so they may be freed in any order.
 *
 * Structs that may grow begin with their own size in bytes: set struct_size, or begin with the macro NAME_INIT. A
 * library takes the structs of older headers; of newer ones as long as what it does not know is zero.
 */
#ifndef RVM_C_RVM_H
#define RVM_C_RVM_H

#include <stddef.h>
#include <stdint.h>

#if defined(RVM_C_BUILDING) && defined(__GNUC__)
#define RVM_C_API __attribute__((visibility("default")))
#else
#define RVM_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** What became of a call. */
typedef enum rvm_status {
  RVM_OK = 0,
  RVM_ERROR_ARGUMENT = 1,  /**< an argument that the function cannot take: a null pointer, a size, an unknown name */
  RVM_ERROR_IO = 2,        /**< a file that cannot be opened or read */
  RVM_ERROR_WEIGHTS = 3,   /**< a weight file that is damaged or does not describe a model */
  RVM_ERROR_FRAME = 4,     /**< a frame of another size than the stream's, or not a frame at all */
  RVM_ERROR_STATE = 5,     /**< saved bytes that are damaged, or of another model or frame size */
  RVM_ERROR_MEMORY = 6,    /**< not enough memory */
  RVM_ERROR_OTHER = 7,     /**< anything else; rvm_last_error() says what */
  RVM_ERROR_NON_FINITE = 8 /**< a frame that would leave a NaN or an infinity in the state, which stays as it was */
} rvm_status;

/** Weights, ready to compute. */
typedef struct rvm_model rvm_model;
/** The state of one video, or of a batch of videos that step together. */
typedef struct rvm_stream rvm_stream;
/** Follows the objects of a mask through a video. */
typedef struct rvm_mask_tracker rvm_mask_tracker;
/** Follows points through a video. */
typedef struct rvm_point_tracker rvm_point_tracker;

/** The version of the library that runs: 10000 * major + 100 * minor + patch. */
RVM_C_API uint32_t rvm_version(void);
/** The same as text: "0.1.0". */
RVM_C_API const char* rvm_version_text(void);
/** Why the last call on this thread that failed did so; "" if none has. Valid until the next one fails. */
RVM_C_API const char* rvm_last_error(void);
/** A status in a few words: "a weight file cannot be used". */
RVM_C_API const char* rvm_status_text(rvm_status status);

/* ---- Models ---- */

/** How a model computes. Null and 0 are defaults. */
typedef struct rvm_model_options {
  size_t struct_size;
  const char* backend;   /**< "cpu" (the default) or "eigen", the portable reference */
  const char* precision; /**< "f32" (the default); "cpu" also "bf16" and "int8" */
  size_t threads;        /**< of one model, the caller's included; 0: as many as the process may use */
} rvm_model_options;
#define RVM_MODEL_OPTIONS_INIT \
  { sizeof(rvm_model_options), NULL, NULL, 0 }

/** What a model is. The texts live as long as the model. */
typedef struct rvm_model_info {
  size_t struct_size;
  size_t width;          /**< D: numbers in a token */
  size_t patch_size;     /**< side of a patch in pixels: 16 */
  uint64_t fingerprint;  /**< tells models with different weights apart */
  const char* backend;   /**< as in rvm_model_options */
  const char* precision; /**< as in rvm_model_options */
} rvm_model_info;
#define RVM_MODEL_INFO_INIT \
  { sizeof(rvm_model_info), 0, 0, 0, NULL, NULL }

/** Loads a weight file, .npz or .safetensors, told by its contents. `options` may be null. */
RVM_C_API rvm_status rvm_model_load(const char* path, const rvm_model_options* options, rvm_model** model);
/** Fills in `info`. */
RVM_C_API rvm_status rvm_model_get_info(const rvm_model* model, rvm_model_info* info);
/** Streams that were made of it go on. */
RVM_C_API void rvm_model_free(rvm_model* model);

/* ---- Frames and features ---- */

/** How the channels of a pixel lie in memory: bytes in [0, 255], or floats in [0, 1]. Alpha is ignored. */
typedef enum rvm_pixel_format {
  RVM_RGB = 0,
  RVM_BGR = 1,
  RVM_RGBA = 2,
  RVM_BGRA = 3,
  RVM_GREY = 4,
  RVM_RGB_FLOAT = 5
} rvm_pixel_format;

/** One image; a struct that will not change, so that arrays of it can be passed. */
typedef struct rvm_frame {
  const void* pixels;      /**< the upper left pixel */
  size_t height;           /**< in pixels */
  size_t width;            /**< in pixels */
  ptrdiff_t row_stride;    /**< bytes from a row to the next, negative for images stored bottom up; 0: no padding */
  rvm_pixel_format format; /**< of the pixels */
} rvm_frame;

/** The features of one frame of each video. Views of the stream's memory, valid until its next call or its end. */
typedef struct rvm_features {
  size_t struct_size;
  const float* values; /**< [batch, tokens, width]; of each video first the class token, then the grid, row by row */
  size_t batch;        /**< videos */
  size_t tokens;       /**< of a video: 1 + grid_height * grid_width */
  size_t width;        /**< numbers in a token */
  size_t grid_height;  /**< patches from top to bottom */
  size_t grid_width;   /**< patches from left to right */
} rvm_features;
#define RVM_FEATURES_INIT \
  { sizeof(rvm_features), NULL, 0, 0, 0, 0, 0 }

/* ---- Streams ---- */

/** What a stream does when a frame would leave a NaN or an infinity in its state, which would never get rid of it. */
typedef enum rvm_non_finite {
  RVM_NON_FINITE_ERROR = 0, /**< RVM_ERROR_NON_FINITE; the stream stays as it was, all videos of a batch */
  RVM_NON_FINITE_RESET = 1, /**< that video alone begins again: the zero state */
  RVM_NON_FINITE_ALLOW = 2  /**< goes on with such numbers, and does not look for them */
} rvm_non_finite;

/** What a stream of frames looks like. */
typedef struct rvm_stream_options {
  size_t struct_size;
  size_t height;             /**< pixels, a multiple of 16 */
  size_t width;              /**< pixels, a multiple of 16 */
  size_t batch;              /**< videos that step together; 0: 1 */
  size_t chunk;              /**< frames that rvm_stream_run encodes together; 0: 4 */
  rvm_non_finite non_finite; /**< what becomes of a state that is not finite */
} rvm_stream_options;
#define RVM_STREAM_OPTIONS_INIT \
  { sizeof(rvm_stream_options), 256, 256, 1, 4, RVM_NON_FINITE_ERROR }

/** Makes a stream in the zero state. Null options are those of RVM_STREAM_OPTIONS_INIT. */
RVM_C_API rvm_status rvm_stream_create(const rvm_model* model, const rvm_stream_options* options, rvm_stream** stream);
/** Makes a stream that goes on from this one's state on its own. */
RVM_C_API rvm_status rvm_stream_fork(const rvm_stream* stream, rvm_stream** fork);
/** Views of its memory that are DLPack tensors stay valid. */
RVM_C_API void rvm_stream_free(rvm_stream* stream);

/** Takes the next frame of each video of the batch: `count` is their number. `features` may be null. */
RVM_C_API rvm_status rvm_stream_step(rvm_stream* stream, const rvm_frame* frames, size_t count, rvm_features* features);
/** Takes a whole clip, [T, batch] frames in the order of time, and writes the features of each to `values`: [T, batch,
 * tokens, width], in all `value_count` numbers. After an error they hold anything. */
RVM_C_API rvm_status rvm_stream_run(rvm_stream* stream, const rvm_frame* frames, size_t count, float* values,
                                    size_t value_count);
/** The features of the frame before; zero at first. */
RVM_C_API rvm_status rvm_stream_features(rvm_stream* stream, rvm_features* features);
/** Forgets everything: the zero state for all videos. */
RVM_C_API rvm_status rvm_stream_reset(rvm_stream* stream);
/** The zero state for one video of the batch; the others go on. */
RVM_C_API rvm_status rvm_stream_reset_video(rvm_stream* stream, size_t video);
/** Frames seen by one video of the batch since its last reset. */
RVM_C_API rvm_status rvm_stream_frames(const rvm_stream* stream, size_t video, uint64_t* frames);

/** Writes the state as bytes that survive a restart. `size` becomes the number of bytes; if it is above `capacity`,
 * nothing is written, and with a null `bytes` that is no error: so one asks for the size. */
RVM_C_API rvm_status rvm_stream_save(const rvm_stream* stream, void* bytes, size_t capacity, size_t* size);
/** Goes on from what rvm_stream_save wrote, of the same weights, frame size and batch, bit for bit. */
RVM_C_API rvm_status rvm_stream_restore(rvm_stream* stream, const void* bytes, size_t size);

struct DLManagedTensor;
/** The features of the frame before as a DLPack tensor [batch, tokens, width], float32 on the host, for PyTorch, NumPy
 * and others in the same process. Whoever gets it calls its deleter once. If `copy` is 0, it is the stream's own
 * memory: it stays valid after the stream is freed, holds that frame's numbers until the stream's next call, and must
 * not be written to. Otherwise it is a copy that is the caller's own. */
RVM_C_API rvm_status rvm_stream_features_dlpack(rvm_stream* stream, int copy, struct DLManagedTensor** tensor);

/* ---- Tracking ---- */

/** How labels are carried from frame to frame; RVM_TRACKER_OPTIONS_INIT is the published protocol. */
typedef struct rvm_tracker_options {
  size_t struct_size;
  size_t context;    /**< frames before the present one that labels are taken from, beside the first */
  size_t top_k;      /**< tokens that a token's label is the mean of */
  size_t threads;    /**< 0: as many as the process may use */
  float temperature; /**< what similarities are divided by before the softmax */
  float radius;      /**< tokens; in all frames but the first, only tokens nearer than this count */
} rvm_tracker_options;
#define RVM_TRACKER_OPTIONS_INIT \
  { sizeof(rvm_tracker_options), 20, 7, 0, 0.7F, 20.0F }

/** Begins with the features of the first frame of one video and its mask: height x width labels, 0 for the background,
 * rows `row_stride` bytes apart (0: no padding). Null options are the protocol's. */
RVM_C_API rvm_status rvm_mask_tracker_create(const rvm_features* features, size_t video, const uint8_t* mask,
                                             size_t height, size_t width, ptrdiff_t row_stride,
                                             const rvm_tracker_options* options, rvm_mask_tracker** tracker);
/** Takes the next frame's features. `mask` becomes its mask, of the first mask's size, without padding: valid until the
 * tracker's next call or its end. */
RVM_C_API rvm_status rvm_mask_tracker_step(rvm_mask_tracker* tracker, const rvm_features* features, size_t video,
                                           const uint8_t** mask);
RVM_C_API void rvm_mask_tracker_free(rvm_mask_tracker* tracker);

/** A place in an image, in pixels from its upper left corner; (-1, -1) for a point that is not seen. */
typedef struct rvm_point {
  float x;
  float y;
} rvm_point;

/** Begins with the features of the first frame of one video and points in it, in pixels of a height x width image. */
RVM_C_API rvm_status rvm_point_tracker_create(const rvm_features* features, size_t video, const rvm_point* points,
                                              size_t count, size_t height, size_t width,
                                              const rvm_tracker_options* options, rvm_point_tracker** tracker);
/** Takes the next frame's features and writes where the points are now; `count` is the number it began with. */
RVM_C_API rvm_status rvm_point_tracker_step(rvm_point_tracker* tracker, const rvm_features* features, size_t video,
                                            rvm_point* points, size_t count);
RVM_C_API void rvm_point_tracker_free(rvm_point_tracker* tracker);

#ifdef __cplusplus
}
#endif

#endif
