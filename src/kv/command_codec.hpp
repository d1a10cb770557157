// The bytes of a Command in the Raft log. Pure; called by the API layer (encode) and by Store::apply (decode). Decoding
// takes any bytes without crashing, allocates in proportion to its input and accepts only what encode_command produces
// in layout; it does not repeat check_request.
//
// Layout: u8 version (1), u8 kind (1 put, 2 delete range, 3 txn, 4 compaction), body. Bodies are flags, length-prefixed
// byte strings and the optional fields that the flags name (command_codec.cpp). Integers are little-endian.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "kv/types.hpp"

namespace whitewater::kv {

// Largest encoded command; the log's entry_payload_bytes_max is the same.
inline constexpr std::size_t command_bytes_max = 2UL << 20;
// Levels of transactions in transactions. The nested budget of 128 operations allows 129 (check.hpp).
inline constexpr std::size_t txn_depth_max = 129;

// `command` has passed check_request: no empty operation, no list over 65535, no deeper than txn_depth_max.
[[nodiscard]] std::string encode_command(const Command& command);
// malformed, limit_exceeded (size, depth), unsupported_version (first byte).
[[nodiscard]] base::Result<Command> decode_command(std::string_view bytes);

}  // namespace whitewater::kv
