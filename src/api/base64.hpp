// Base64 as etcd's gateway reads and writes it (etcd-v3-api §2.3): output is the standard alphabet, padded; input may
// be standard or URL-safe and padded or not. No packaged library reads exactly this mixture. Pure, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace whitewater::api {

[[nodiscard]] constexpr std::size_t base64_size_bytes(std::size_t decoded_bytes) { return (decoded_bytes + 2) / 3 * 4; }
void append_base64(std::string& out, std::string_view bytes);

// Replaces `out`. False, with `out` unspecified, when the text is refused. The rules are those of Go's decoder as
// protobuf's JSON uses it: one "-" or "_" selects the URL-safe alphabet for the whole text, padding is demanded exactly
// when the length is a multiple of four, line ends are skipped (but counted in that length), unused bits of the last
// character are ignored.
[[nodiscard]] bool decode_base64(std::string_view text, std::string& out);

}  // namespace whitewater::api
