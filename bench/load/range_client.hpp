// RangeClient: linearizable reads of a range over HTTP/JSON, one after the other, for `check`. Blocking; tries the next
// address after any error until `patience` is over.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "discovery/candidate.hpp"
#include "load/addresses.hpp"

namespace whitewater::bench {

struct KeyValue {
  std::string key;
  std::string value;
  std::int64_t mod_revision = 0;
};
struct Page {
  std::vector<KeyValue> pairs;  // in the order of the keys
  bool has_more = false;
};

class CannotRead : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class RangeClient {
 public:
  RangeClient(std::vector<discovery::HostPort> endpoints, base::Duration timeout, base::Duration patience);
  ~RangeClient();
  RangeClient(const RangeClient&) = delete;
  RangeClient& operator=(const RangeClient&) = delete;

  // Keys in [from, to), at most `limit` of them. Throws CannotRead.
  [[nodiscard]] Page read(const std::string& from, const std::string& to, std::size_t limit);

 private:
  [[nodiscard]] std::optional<Page> attempt(const std::string& body);
  bool connect();
  void close();

  std::vector<discovery::HostPort> endpoints_;
  base::Duration timeout_;
  base::Duration patience_;
  int fd_ = -1;
  std::size_t turn_ = 0;
  std::string host_;
  std::string error_;
};

}  // namespace whitewater::bench
