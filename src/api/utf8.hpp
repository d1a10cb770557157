// The one rule of UTF-8 that the reader and the writer of JSON share. Pure, any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace whitewater::api {

// Length of the well-formed sequence (no overlong form, no surrogate, up to U+10FFFF: Unicode 15, table 3-7) at the
// start of `text`, which begins with a byte over 0x7f; 0 when it is malformed or cut.
[[nodiscard]] std::size_t utf8_sequence_length(std::string_view text);

}  // namespace whitewater::api
