// The answer of operational endpoints to methods that they do not have: 405 with "Allow", as etcd's. Pure.
#pragma once

#include <string>
#include <utility>

#include "api/http_answer.hpp"

namespace whitewater::api {

[[nodiscard]] inline HttpAnswer method_not_allowed(std::string allowed = "GET") {
  HttpAnswer answer;
  answer.status = 405;
  answer.body = "Method Not Allowed\n";
  answer.headers.push_back({"Allow", std::move(allowed)});
  answer.headers.push_back({"X-Content-Type-Options", "nosniff"});
  return answer;
}

}  // namespace whitewater::api
