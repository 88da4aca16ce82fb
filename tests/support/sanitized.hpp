#pragma once

/// RVM_TEST_SANITIZED: 1 where a sanitizer has taken over memory, so that counting it means nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RVM_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RVM_TEST_SANITIZED 1
#endif
#endif
#ifndef RVM_TEST_SANITIZED
#define RVM_TEST_SANITIZED 0
#endif
