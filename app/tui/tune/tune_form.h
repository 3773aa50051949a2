#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/space/problem.h"

namespace tilewright {

/// A tuning as it is asked for: the words of a `tilewright tune` command line, part by part.
struct TuneForm {
  std::string target = "gemm";  ///< a kernel, a model, a config.json, or a file of another tool
  std::string shape = "m=1000,n=4096,k=4096";  ///< of a kernel; one size may be a range
  std::string workload = "chat";               ///< of a model
  std::string machine;                         ///< a preset or a file
  std::string budget;                          ///< as --budget; empty: the usual one
  std::string strategy;                        ///< empty: the usual one
  std::string evaluator = "sim";
  std::string options;  ///< any other options, as a shell would take them

  friend bool operator==(const TuneForm&, const TuneForm&) = default;
};

/// One line of the form.
struct TuneField {
  std::string name;
  std::string value;
  std::string meaning;
  std::vector<std::string> choices = {};  ///< what it steps through; any other text can be typed
};

/// The lines that the target has, from top to bottom.
std::vector<TuneField> fields_of(const TuneForm& form);

/// Sets one line of the form by its name. Error (usage) for an unknown name.
void set_field(TuneForm& form, std::string_view name, std::string_view value);

/// The form of a kernel's problem; the rest is as in `before`.
TuneForm form_for(const Problem& problem, const TuneForm& before);

/// Target and options, as `tilewright tune` gets them. Error (usage) for options that no shell
/// would take.
std::vector<std::string> tokens_of(const TuneForm& form);
/// Why the words make no command line; empty when they do. What they name is not looked at.
std::string wrong_with(const TuneForm& form);
/// "tilewright tune ...".
std::string command_line_of(const TuneForm& form);

}  // namespace tilewright
