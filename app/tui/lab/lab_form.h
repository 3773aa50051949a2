#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/tui/kernel_request.h"
#include "core/space/problem.h"
#include "core/space/space.h"
#include "kernels/kernel.h"

namespace tilewright {

/// What the form of the Lab says: a document of plain values, which need not make a problem or a
/// legal config. The config follows from the rest: it is the kernel's default for the problem, with
/// the chosen values, each at its nearest legal one. So it does not depend on how the form came to
/// be what it is.
struct LabForm {
  MachineRef machine;
  std::string kernel;
  std::vector<std::pair<std::string, int64_t>> sizes;  ///< in the order of the kernel
  std::string dtype;
  std::string layout;     ///< of the weights; empty where the kernel has none to choose
  std::string epilogue;   ///< empty where the kernel has none to choose
  std::string mask;       ///< the same
  std::string out_dtype;  ///< empty: the kernel's
  std::vector<std::pair<std::string, int64_t>> chosen;  ///< parameters that the user set
  Config config;                                        ///< empty while there is no problem

  /// What it asks of its kernel, without the sizes that mean nothing.
  ProblemRequest request() const;

  friend bool operator==(const LabForm&, const LabForm&) = default;
};

/// What a form means, worked out without a run.
struct LabCheck {
  std::string wrong;   ///< why there is no problem or no legal config; empty when it can be run
  std::string broken;  ///< name of the constraint that is broken, of a listed config
  Problem problem;
  bool has_problem = false;
  std::vector<Parameter> parameters;
  Config fallback;  ///< the kernel's default config, empty where it has none that fits
  std::vector<ResourceUse> uses;
  /// Of the launch; 0 where it cannot be built, or not at once.
  int64_t tasks = 0;
  int64_t cores = 0;            ///< that get tasks
  int64_t available_cores = 0;  ///< of their kind
  int64_t most_tasks = 0;       ///< of a core: waves
  int64_t full_cores = 0;       ///< cores with so many: busy in the last wave

  bool can_run() const { return wrong.empty(); }
};

/// Takes less than a frame for every kernel, mostly below 1 ms: the tasks of launches that might
/// take longer to build are not counted.
LabCheck check_form(const LabForm& form);

/// Works the config of a form out anew. Needed after every change of anything else.
void settle_config(LabForm& form);

/// A preset or the machine of a file, under the name that it was asked for. Error as load_machine.
MachineRef named_machine(std::string_view name_or_path);

/// A kernel with sizes to begin with and its default config.
LabForm first_form(const MachineRef& machine, std::string_view kernel = "gemm");

/// The form of a problem and config that are known, which need not be legal; all of its values
/// count as chosen. Error (not found) for an unknown kernel, (failed) for sizes and parameters that
/// it has not.
LabForm form_of(const MachineRef& machine, const Problem& problem, const Config& config);

/// The request that runs a form; the check must say that it can be run.
KernelRequest request_of(const LabForm& form, const LabCheck& check);

/// One line of the form that can be changed.
struct LabField {
  enum class Kind : uint8_t {
    kKernel,
    kMachine,
    kSize,
    kDtype,
    kLayout,
    kEpilogue,
    kMask,
    kOutDtype,
    kParameter
  };
  Kind kind = Kind::kKernel;
  std::string name;
  std::string value;
  std::string meaning;
  std::vector<std::string> choices = {};  ///< what it steps through, in order
  bool is_chosen = false;                 ///< a parameter that the user set

  bool is_number() const { return kind == Kind::kSize || kind == Kind::kParameter; }
};

/// The lines of a form from top to bottom: what its kernel lets a request say, and has a choice in.
std::vector<LabField> fields_of(const LabForm& form, const LabCheck& check);

/// The form with one field changed by its text. Another kernel forgets the parameters that were
/// chosen. Error (usage or not found) for texts that the field cannot take.
LabForm with_value(const LabForm& form, const LabField& field, std::string_view text);

/// The choice `step` places from the field's value; for values between two choices the nearest in
/// that direction. The value itself at the end of the list.
std::string stepped(const LabField& field, int step);

}  // namespace tilewright
