#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace test {

/// What a program has left: its exit code, or -1 if a signal ended it, and what it printed.
struct ProgramResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// Runs a command line of the shell.
inline ProgramResult run_program(const std::string& command) {
  const std::string err_path = "/tmp/rvm-test-" + std::to_string(::getpid()) + ".err";
  ProgramResult result;
  std::FILE* const pipe = ::popen((command + " 2>" + err_path).c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::array<char, 4096> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) result.out.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (std::FILE* const file = std::fopen(err_path.c_str(), "r")) {
    while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), file)) result.err.append(buffer.data(), n);
    std::fclose(file);
    std::remove(err_path.c_str());
  }
  return result;
}

}  // namespace test
