#include "db/run_process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/json.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Changes whenever the machine starts.
std::string boot() {
  return std::string(trim(contents("/proc/sys/kernel/random/boot_id")));
}

std::string host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

/// Process numbers mean something only within one of these: containers have their own.
std::string number_space() {
  std::array<char, 64> text{};
  const auto size = ::readlink("/proc/self/ns/pid", text.data(), text.size());
  return size > 0 ? std::string(text.data(), static_cast<size_t>(size)) : "";
}

}  // namespace

std::string this_process() {
  const int64_t pid = ::getpid();
  const Json process = {{"host", host()},
                        {"boot", boot()},
                        {"numbers", number_space()},
                        {"pid", pid},
                        {"start", start_ticks(pid).value_or(0)}};
  return Json{{"process", process}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

ProcessState state_of_process(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("process")) return {};
  const Json& process = json["process"];
  const auto word = [&](const char* key) {
    const bool is_there = process.is_object() && process.contains(key) && process[key].is_string();
    return is_there ? process[key].get<std::string>() : std::string();
  };
  const auto number = [&](const char* key) {
    const bool is_there =
        process.is_object() && process.contains(key) && process[key].is_number_integer();
    return is_there ? process[key].get<int64_t>() : int64_t{0};
  };
  ProcessState state;
  state.pid = number("pid");
  const std::string boot_now = boot();
  if (state.pid <= 0 || word("host") != host() || word("boot").empty() || boot_now.empty()) {
    return state;
  }
  if (word("boot") != boot_now) {
    state.is_gone = true;
  } else if (word("numbers") == number_space()) {
    state.is_alive = start_ticks(state.pid) == number("start");
    state.is_gone = !state.is_alive;
  }
  return state;
}

std::optional<int64_t> start_ticks(int64_t pid) {
  const std::string text = contents(fmt::format("/proc/{}/stat", pid));
  // The name in parentheses may hold anything; behind it stand the state and, 19 fields on, the
  // start.
  std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::string state;
  fields >> state;
  std::string skipped;
  for (int i = 0; i < 18; ++i) fields >> skipped;
  int64_t start = 0;
  const bool is_dead = state == "Z" || state == "X";
  if (!(fields >> start) || is_dead) return std::nullopt;
  return start;
}

std::string command_of_process(int64_t pid) {
  std::string command = contents(fmt::format("/proc/{}/cmdline", pid));
  while (!command.empty() && command.back() == '\0') command.pop_back();
  std::ranges::replace(command, '\0', ' ');
  return printable(command, 200);
}

}  // namespace tilewright
