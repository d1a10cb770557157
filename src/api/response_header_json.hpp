// The header field of every response, for the writers of this layer.
#pragma once

#include "api/json_writer.hpp"
#include "api/response_header.hpp"

namespace whitewater::api {

// "header":{…}, always present; its zero fields are left out.
void write_header(JsonWriter& json, const ResponseHeader& header);

}  // namespace whitewater::api
