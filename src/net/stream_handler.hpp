// StreamHandler: who serves a connection once the listener has told its protocol by the first bytes. Implemented by
// PeerAcceptor, HttpServer and whatever speaks HTTP/2.
#pragma once

#include <string>

#include "net/reactor.hpp"

namespace whitewater::net {

class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  // Serves the connection to its end. `head` are the bytes that the listener read to tell the protocol. Errors of the
  // connection are the handler's own business; an exception other than cancellation is a failure of the whole listener.
  virtual Awaitable<void> serve(TcpSocket socket, std::string head) = 0;
};

}  // namespace whitewater::net
