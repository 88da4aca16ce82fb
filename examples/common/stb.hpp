#pragma once

// stb_image and stb_image_write; stb.cpp holds their code. A system header as far as warnings go.
#pragma GCC system_header

#include <stb/stb_image.h>
#include <stb/stb_image_write.h>
