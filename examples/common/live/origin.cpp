#include "common/live/origin.hpp"

#include <algorithm>
#include <cctype>
#include <string>

#include <arpa/inet.h>

namespace rvm::examples {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

bool is_port(std::string_view text) {
  return text.empty() || (text.front() == ':' && text.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

}  // namespace

bool is_loopback(std::string_view host) {
  constexpr std::string_view kMapped = "::ffff:";
  if (host.starts_with(kMapped)) host.remove_prefix(kMapped.size());
  in_addr address{};
  if (inet_pton(AF_INET, std::string(host).c_str(), &address) == 1) return ntohl(address.s_addr) >> 24 == 127;
  return host == "::1" || lower(host) == "localhost";
}

bool names_loopback(std::string_view host_header) {
  if (host_header.starts_with('[')) {
    const std::size_t end = host_header.find(']');
    return end != std::string_view::npos && is_loopback(host_header.substr(1, end - 1)) &&
           is_port(host_header.substr(end + 1));
  }
  const std::string_view name = host_header.substr(0, host_header.find(':'));
  return is_loopback(name) && is_port(host_header.substr(name.size()));
}

bool same_origin(std::string_view host_header, std::string_view origin, std::string_view fetch_site) {
  if (!origin.empty() && lower(origin) != "http://" + lower(host_header)) return false;
  return fetch_site.empty() || fetch_site == "same-origin";
}

}  // namespace rvm::examples
