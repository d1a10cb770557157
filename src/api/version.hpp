// The versions that this server tells its clients, in one place. etcd's clients gate features on the emulated one and
// parse it as integers, so it holds digits and dots only; our own goes into a key of its own, which they ignore.
#pragma once

#include <string>
#include <string_view>

#include "api/http_answer.hpp"

namespace whitewater::api {

inline constexpr std::string_view emulated_etcd_version = "3.6.14";
inline constexpr std::string_view emulated_cluster_version = "3.6.0";
inline constexpr std::string_view emulated_storage_version = "3.6.0";

// {"etcdserver":"3.6.14","etcdcluster":"3.6.0","storage":"3.6.0","whitewater":"<whitewater_version>"}
[[nodiscard]] std::string encode_version(std::string_view whitewater_version);
[[nodiscard]] HttpAnswer answer_version(std::string_view method, std::string_view whitewater_version);

}  // namespace whitewater::api
