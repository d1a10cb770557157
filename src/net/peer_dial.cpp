#include "net/peer_dial.hpp"

#include <utility>

#include "net/timeout.hpp"

namespace whitewater::net {
namespace {

Awaitable<base::Result<DialOutcome>> connect_and_shake_hands(Endpoint endpoint, Hello hello) {
  const auto executor = co_await asio::this_coro::executor;
  TcpSocket socket(executor);
  const auto [error] = co_await socket.async_connect(endpoint, as_result);
  if (error) co_return error;
  auto stream = std::make_unique<FrameStream>(std::move(socket), std::string_view(), handshake_payload_bytes_max);
  const auto sent = co_await stream->write(encode_frame(FrameType::hello, encode(hello)));
  if (sent.has_error()) co_return sent.error();
  const auto frame = co_await stream->read_frame();
  if (frame.has_error()) co_return frame.error();
  auto decision = decide_reply(*frame, hello);
  if (decision.has_error()) co_return decision.error();
  if (auto* refusal = std::get_if<Refusal>(&*decision)) co_return DialOutcome(std::move(*refusal));
  co_return DialOutcome(DialedPeer{.peer = std::move(std::get<PeerInfo>(*decision)), .stream = std::move(stream)});
}

Awaitable<base::Result<std::string>> ask(Endpoint endpoint, Hello hello, std::string payload) {
  auto outcome = co_await connect_and_shake_hands(endpoint, std::move(hello));
  if (outcome.has_error()) co_return outcome.error();
  if (const auto* refusal = std::get_if<Refusal>(&*outcome)) co_return to_errc(refusal->reason);
  auto& stream = *std::get<DialedPeer>(*outcome).stream;
  stream.decoder().set_payload_bytes_max(bootstrap_payload_bytes_max);
  const auto sent = co_await stream.write(encode_frame(FrameType::bootstrap, payload));
  if (sent.has_error()) co_return sent.error();
  const auto frame = co_await stream.read_frame();
  if (frame.has_error()) co_return frame.error();
  if (frame->type != FrameType::bootstrap) co_return base::Errc::malformed;
  co_return std::string(frame->payload);
}

}  // namespace

Awaitable<base::Result<DialOutcome>> dial_peer(Endpoint endpoint, Hello hello, base::Duration timeout) {
  co_return co_await with_timeout(connect_and_shake_hands(endpoint, std::move(hello)), timeout);
}

Awaitable<base::Result<std::string>> exchange(Endpoint endpoint, Hello hello, std::string payload,
                                              base::Duration timeout) {
  if (payload.size() > bootstrap_payload_bytes_max) co_return base::Errc::limit_exceeded;
  hello.channel = Channel::discovery;
  co_return co_await with_timeout(ask(endpoint, std::move(hello), std::move(payload)), timeout);
}

}  // namespace whitewater::net
