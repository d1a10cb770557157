// Asio's own sources for TLS on OpenSSL, compiled once.
#include <boost/asio/ssl/impl/src.hpp>
