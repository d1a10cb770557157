// What clients send: a request in JSON, and the command in the log that becomes of it. The first byte chooses.
#include "api/request_reader.hpp"
#include "base/error.hpp"
#include "fuzz/fuzz.hpp"
#include "kv/check.hpp"
#include "kv/command_codec.hpp"

namespace whitewater::fuzz {
namespace {

template <class Request>
void check_json(std::string_view json) {
  const auto read = api::read_request<Request>(json);
  if (const auto* error = std::get_if<api::JsonError>(&read)) {
    WW_ASSERT(!error->message.empty());
    return;
  }
  const auto& request = std::get<Request>(read);
  if constexpr (std::is_same_v<Request, kv::RangeRequest>) {
    (void)kv::check_request(request);
  } else {
    // Whatever passes the check goes into the log, where every member must read the same.
    const kv::Command command(request);
    if (kv::check_request(command)) return;
    const std::string encoded = kv::encode_command(command);
    const auto decoded = kv::decode_command(encoded);
    WW_ASSERT(decoded.has_value());
    WW_ASSERT_MSG(kv::encode_command(*decoded) == encoded, "a command changes on its way through the log");
  }
}

void check_command(std::string_view bytes) {
  const auto command = kv::decode_command(bytes);
  if (!command) return;
  (void)kv::check_request(*command);
  // Not always to the same bytes: an empty field may be written out or left away.
  const std::string encoded = kv::encode_command(*command);
  const auto again = kv::decode_command(encoded);
  WW_ASSERT_MSG(again.has_value(), "what decodes does not decode once it was encoded");
  WW_ASSERT_MSG(kv::encode_command(*again) == encoded, "a command changes on its way through the log");
}

}  // namespace

void fuzz_one(std::string_view input) {
  Choices choices(input);
  const std::uint8_t kind = choices.u8() % 6;
  const std::string_view text = choices.rest();
  if (kind == 0) check_json<kv::RangeRequest>(text);
  if (kind == 1) check_json<kv::PutRequest>(text);
  if (kind == 2) check_json<kv::DeleteRangeRequest>(text);
  if (kind == 3) check_json<kv::TxnRequest>(text);
  if (kind == 4) check_json<kv::CompactionRequest>(text);
  if (kind == 5) check_command(text);
}

std::vector<std::string> fuzz_seeds() {
  const std::string range =
      R"({"key":"Zm9v","range_end":"Zm9w","limit":"5","sort_order":"DESCEND","sort_target":2,"serializable":true})";
  const std::string put = R"({"key":"Zm9v","value":"YmFy","lease":7,"prevKv":true,"x":[1,-2.5e3,{"y":null}]})";
  const std::string txn =
      R"({"compare":[{"key":"YQ==","target":"MOD","mod_revision":"3"}],"success":[{"requestPut":{"key":"YQ"}}],)"
      R"("failure":[{"request_txn":{"success":[{"request_range":{"key":"YQ"}}]}}]})";
  std::vector<std::string> seeds = {std::string(1, '\0') + range, "\1" + put, "\2" + range, "\3" + txn,
                                    "\4" + std::string(R"({"revision":1e2,"physical":false})")};
  kv::TxnRequest request;
  request.compare.emplace_back().key = "a";
  kv::PutRequest put_request;
  put_request.key = "k";
  put_request.value = "v";
  request.success.push_back({put_request});
  request.failure.push_back({kv::DeleteRangeRequest{"k", "l", true}});
  seeds.push_back("\5" + kv::encode_command(request));
  seeds.push_back("\5" + kv::encode_command(kv::CompactionRequest{7, true}));
  return seeds;
}

}  // namespace whitewater::fuzz
