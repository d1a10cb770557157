// A fuzz target: `fuzz_one` takes any bytes and asserts what must hold of them (WW_ASSERT; the sanitizers see the
// rest), `fuzz_seeds` gives the inputs that libFuzzer begins with, made by today's encoders. Each *_fuzz.cpp is one
// target; fuzz_main.cpp joins it to libFuzzer. Pure; no state is kept between two inputs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.hpp"

namespace whitewater::fuzz {

void fuzz_one(std::string_view input);
[[nodiscard]] std::vector<std::string> fuzz_seeds();

// Takes decisions off the front of an input; at its end they are zero and bytes are missing.
class Choices {
 public:
  explicit Choices(std::string_view input) : rest_(input) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  std::uint8_t u8() { return scalar<std::uint8_t>(); }
  std::uint16_t u16() { return scalar<std::uint16_t>(); }
  std::uint64_t u64() { return scalar<std::uint64_t>(); }
  bool chance(unsigned one_in) { return u8() % one_in == 0; }
  // As many bytes as the input's next byte or two say.
  std::string_view short_bytes() { return take(u8()); }
  std::string_view long_bytes() { return take(u16()); }
  std::string_view take(std::size_t size_bytes) {
    const std::string_view taken = rest_.substr(0, size_bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  template <class T>
  T scalar() {
    T value{};
    const std::string_view bytes = take(sizeof value);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }
  std::string_view rest_;
};

}  // namespace whitewater::fuzz
