// Base64 (RFC 4648 §4, padded) for keys and values in the JSON API. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace whitewater::server {

[[nodiscard]] std::string encode_base64(std::string_view bytes);
// nullopt for a character outside the alphabet, a wrong length or bits left over. Padding may be missing.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace whitewater::server
