#pragma once

#include <string_view>

namespace rvm::examples {

/// Whether `host`, an address or a name to listen on, is of this machine alone: localhost, ::1 or 127.x.x.x.
bool is_loopback(std::string_view host);

/// Whether a request's Host header names this very machine, with or without a port. A page of another name that has had
/// its name point here (DNS rebinding) cannot claim so.
bool names_loopback(std::string_view host_header);

/// Whether a request that changes something comes from the page itself, by what browsers say of where it comes from:
/// Origin and Sec-Fetch-Site, each empty if absent. Programs that are no browsers send neither, and may ask.
bool same_origin(std::string_view host_header, std::string_view origin, std::string_view fetch_site);

}  // namespace rvm::examples
