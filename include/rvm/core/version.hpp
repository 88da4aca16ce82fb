#pragma once

/// Version of the library, for feature tests by the host. Semantic versioning.
#define RVM_VERSION_MAJOR 0
#define RVM_VERSION_MINOR 1
#define RVM_VERSION_PATCH 0

/// One comparable number: 10000 * major + 100 * minor + patch.
#define RVM_VERSION (RVM_VERSION_MAJOR * 10000 + RVM_VERSION_MINOR * 100 + RVM_VERSION_PATCH)
