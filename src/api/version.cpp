#include "api/version.hpp"

#include "api/json_writer.hpp"
#include "api/method.hpp"

namespace whitewater::api {

std::string encode_version(std::string_view whitewater_version) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("etcdserver").string(emulated_etcd_version);
  json.key("etcdcluster").string(emulated_cluster_version);
  json.key("storage").string(emulated_storage_version);
  json.key("whitewater").string(whitewater_version);
  json.end_object();
  return out;
}

HttpAnswer answer_version(std::string_view method, std::string_view whitewater_version) {
  if (method != "GET") return method_not_allowed();
  HttpAnswer answer;
  answer.content_type = content_type_json;
  answer.body = encode_version(whitewater_version);
  return answer;
}

}  // namespace whitewater::api
