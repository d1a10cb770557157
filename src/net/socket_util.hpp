// What every connection does to its socket: options, a hard end, a polite end. No state.
#pragma once

#include <cstddef>

#include "net/reactor.hpp"

namespace whitewater::net {

// TCP_NODELAY, keepalive probes, TCP_USER_TIMEOUT: a vanished peer is noticed within `user_timeout` even while nothing
// is read.
void set_stream_options(TcpSocket& socket, base::Duration user_timeout = base::seconds(10));

// Ends whatever waits on the socket: pending reads see the end, pending writes an error. The socket stays open, so that
// its number cannot be reused under an operation that has not completed yet; its owner closes it.
void abort_connection(TcpSocket& socket);

// Of what somebody still sends who was refused.
inline constexpr std::size_t refusal_discard_bytes_max = 64UL << 10;

// After a last answer: says that no more comes, then reads and throws away what the other side still sends, so that the
// answer arrives instead of a reset. Bounded in bytes and time.
Awaitable<void> close_politely(TcpSocket* socket, std::size_t discard_bytes_max, base::Duration timeout);

}  // namespace whitewater::net
