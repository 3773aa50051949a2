#include "tests/app/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace tilewright {

namespace {

constexpr unsigned kLimitSeconds = 60;

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void redirect(int descriptor, const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags, 0666);
  if (file < 0 || ::dup2(file, descriptor) < 0) ::_exit(99);
  ::close(file);
}

void erase_wall_times(nlohmann::ordered_json& json) {
  if (json.is_object()) {
    nlohmann::ordered_json kept = nlohmann::ordered_json::object();
    for (auto& [key, value] : json.items()) {
      if (!key.starts_with("wall_")) kept[key] = std::move(value);
    }
    json = std::move(kept);
  }
  if (json.is_structured()) {
    for (auto& item : json) erase_wall_times(item);
  }
}

}  // namespace

const char* const kSmallModel = R"({
  "architectures": ["LlamaForCausalLM"], "hidden_size": 512, "intermediate_size": 1024,
  "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 4,
  "vocab_size": 2048, "max_position_embeddings": 8192, "torch_dtype": "bfloat16"
})";

Sandbox::Sandbox() {
  environment = {{"HOME", folder_.path()},
                 {"XDG_CONFIG_HOME", ""},
                 {"XDG_DATA_HOME", ""},
                 {"XDG_STATE_HOME", ""},
                 {"TILEWRIGHT_DB", path("results.db")},
                 {"TILEWRIGHT_MACHINE", ""},
                 {"TILEWRIGHT_COLOR", ""},
                 {"TILEWRIGHT_SEED", ""},
                 {"TILEWRIGHT_JOBS", "2"},
                 {"FORCE_COLOR", ""},
                 {"CLICOLOR_FORCE", ""},
                 {"NO_COLOR", ""}};
}

std::string Sandbox::read(const std::string& name) const {
  return text_of(path(name));
}

pid_t Sandbox::start(const std::vector<std::string>& arguments) {
  const pid_t process = ::fork();
  if (process != 0) return process;
  redirect(0, "/dev/null", O_RDONLY);
  redirect(1, stdout_path.empty() ? path(".out") : stdout_path, O_WRONLY | O_CREAT | O_TRUNC);
  redirect(2, path(".err"), O_WRONLY | O_CREAT | O_TRUNC);
  become_program(arguments);
}

void Sandbox::become_program(const std::vector<std::string>& arguments) const {
  for (const auto& [name, value] : environment) {
    value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
  }
  if (::chdir(folder_.path().c_str()) != 0) ::_exit(99);
  ::alarm(kLimitSeconds);
  std::vector<std::string> copies = launcher;
  copies.emplace_back(TILEWRIGHT_BINARY);
  copies.insert(copies.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& copy : copies) pointers.push_back(copy.data());
  pointers.push_back(nullptr);
  ::execvp(pointers.front(), pointers.data());
  ::_exit(99);
}

Outcome Sandbox::wait(pid_t process) {
  int status = 0;
  EXPECT_EQ(::waitpid(process, &status, 0), process);
  Outcome outcome;
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (stdout_path.empty()) outcome.out = text_of(path(".out"));
  outcome.err = text_of(path(".err"));
  return outcome;
}

Outcome Sandbox::run(const std::vector<std::string>& arguments) {
  return wait(start(arguments));
}

std::string without_wall_times(const std::string& json) {
  nlohmann::ordered_json document = nlohmann::ordered_json::parse(json);
  erase_wall_times(document);
  return document.dump(2);
}

}  // namespace tilewright
