// WW_ASSERT: an invariant whose failure is a bug in Whitewater. It is on in every build, release included, because a
// replica that continues past a broken invariant can lose acknowledged data, and one that stops cannot.
// Refusals are Result<T>, environment failures are exceptions (base/error.hpp); neither is an assertion.
#pragma once

#include <source_location>

namespace whitewater::base {

// Prints the expression with its place to stderr and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* message,
                                   std::source_location where = std::source_location::current());

}  // namespace whitewater::base

#define WW_ASSERT(expression)                                   \
  (__builtin_expect(static_cast<bool>(expression), 1) ? (void)0 \
                                                      : ::whitewater::base::assertion_failed(#expression, nullptr))
#define WW_ASSERT_MSG(expression, message)                      \
  (__builtin_expect(static_cast<bool>(expression), 1) ? (void)0 \
                                                      : ::whitewater::base::assertion_failed(#expression, message))
