// What an answer to a put says about it. The question is never "was it an error" but "may the write have taken effect".
// Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace whitewater::bench {

enum class Outcome : std::uint8_t {
  acknowledged,
  failed,   // it certainly did not take effect: nothing was sent, or the server refused it before proposing it
  unknown,  // it may have: no answer, or an error that does not exclude it
};

[[nodiscard]] Outcome outcome_of(unsigned http_status, std::string_view body);

}  // namespace whitewater::bench
