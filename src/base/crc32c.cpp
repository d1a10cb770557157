#include "base/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace whitewater::base {
namespace {

constexpr std::uint32_t polynomial_reflected = 0x82f63b78U;

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial_reflected : 0);
    table[i] = crc;
  }
  return table;
}
constexpr auto table = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view bytes, std::uint32_t crc) noexcept {
  std::uint64_t state = ~crc;
  const char* p = bytes.data();
  std::size_t n = bytes.size();
  for (; n >= 8; n -= 8, p += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    state = _mm_crc32_u64(state, word);
  }
  auto tail = static_cast<std::uint32_t>(state);
  for (; n > 0; --n, ++p) tail = _mm_crc32_u8(tail, static_cast<std::uint8_t>(*p));
  return ~tail;
}
bool has_instruction() noexcept { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
__attribute__((target("+crc"))) std::uint32_t by_instruction(std::string_view bytes, std::uint32_t crc) noexcept {
  std::uint32_t state = ~crc;
  const char* p = bytes.data();
  std::size_t n = bytes.size();
  for (; n >= 8; n -= 8, p += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    state = __crc32cd(state, word);
  }
  for (; n > 0; --n, ++p) state = __crc32cb(state, static_cast<std::uint8_t>(*p));
  return ~state;
}
bool has_instruction() noexcept { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#else
std::uint32_t by_instruction(std::string_view bytes, std::uint32_t crc) noexcept { return crc32c_by_table(bytes, crc); }
bool has_instruction() noexcept { return false; }
#endif

}  // namespace

std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t crc) noexcept {
  std::uint32_t state = ~crc;
  for (const char c : bytes) state = table[(state ^ static_cast<std::uint8_t>(c)) & 0xff] ^ (state >> 8);
  return ~state;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc) noexcept {
  static const bool fast = has_instruction();
  return fast ? by_instruction(bytes, crc) : crc32c_by_table(bytes, crc);
}

}  // namespace whitewater::base
