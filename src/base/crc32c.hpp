// CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the CPU's instruction where it has one and by table elsewhere.
// Neither Debian 12 nor Boost packages a hardware implementation (see docs/decisions).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace whitewater::base {

// Continues `crc` (0 to start) over `bytes`. crc32c("123456789") == 0xe3069283.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0) noexcept;

// The table version, for a machine without the instruction and for the test that holds both to the same answers.
[[nodiscard]] std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t crc = 0) noexcept;

}  // namespace whitewater::base
