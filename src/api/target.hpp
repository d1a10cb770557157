// The request line's target taken apart as Go's server and router do it (etcd-v3-api §2.4): decoded path, query, and
// the clean path that an unclean one is redirected to. Pure, any thread. Knows no path by name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace whitewater::api {

struct Target {
  std::string path;        // decoded; begins with "/"
  std::string raw_path;    // as sent, without scheme, authority and query
  std::string_view query;  // without "?"; a part of the text that was parsed
  bool has_query = false;
};
// Nothing: a broken escape, or a target that is neither origin nor absolute form.
[[nodiscard]] std::optional<Target> parse_target(std::string_view target);

// "//a/./b/../c/" becomes "/a/c/".
[[nodiscard]] std::string clean_path(std::string_view path);

// Names and values, decoded; a pair whose escapes are broken is left out, as in Go.
using QueryItems = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] QueryItems parse_query(std::string_view query);

}  // namespace whitewater::api
