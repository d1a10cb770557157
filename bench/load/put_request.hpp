// PutRequest: the text of a put over HTTP/JSON, and what can be read from its answer without a JSON parser. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "load/record.hpp"

namespace whitewater::bench {

class PutRequest {
 public:
  PutRequest(const Writes& writes, bool asks_timing);

  // The whole request that writes value `number` under `key`.
  [[nodiscard]] std::string text(std::string_view host, std::string_view key, std::uint64_t number) const;

 private:
  Writes writes_;
  std::string tail_base64_;  // the head's 12 bytes take no padding, so the two are written one behind the other
  std::string extra_fields_;
};

// Of the answer's header; 0 when there is none.
[[nodiscard]] std::int64_t revision_in(std::string_view body);

}  // namespace whitewater::bench
