// Dialling a peer: connect, send the hello, read the answer. Used by PeerLink for its lasting connections and by
// discovery for its one-question exchanges. Every wait is bounded by `timeout`.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "net/frame_stream.hpp"
#include "net/handshake.hpp"

namespace whitewater::net {

struct DialedPeer {
  PeerInfo peer;
  std::unique_ptr<FrameStream> stream;
};
// Connected, or refused by the peer with a reason. Failures of the network are the Result's error.
using DialOutcome = std::variant<DialedPeer, Refusal>;

Awaitable<base::Result<DialOutcome>> dial_peer(Endpoint endpoint, Hello hello, base::Duration timeout);

// Discovery's question: dial, send `payload` in one bootstrap frame, await the answering frame, close. `hello.channel`
// is set to discovery. A refusal comes back as its Errc (wrong_cluster, wrong_receiver, self_connection, ...).
Awaitable<base::Result<std::string>> exchange(Endpoint endpoint, Hello hello, std::string payload,
                                              base::Duration timeout);

}  // namespace whitewater::net
