#pragma once

// cpp-httplib. A system header as far as warnings go.
#pragma GCC system_header

#include <httplib.h>
