#pragma once

#include <memory>
#include <string>
#include <utility>

#include "core/machine/machine.h"
#include "core/space/problem.h"
#include "core/space/space.h"

namespace tilewright {

/// A machine as the user named it: a preset's name or the path of a file.
struct NamedMachine {
  std::string argument;
  Machine machine;

  // make_shared() cannot build an aggregate with every compiler that is supported.
  NamedMachine(std::string name, Machine values)
      : argument(std::move(name)), machine(std::move(values)) {}
};
using MachineRef = std::shared_ptr<const NamedMachine>;  // read by workers and the interface

/// One kernel to simulate: what the Lab edits, the timeline shows and history keeps. The config is
/// complete and legal.
struct KernelRequest {
  MachineRef machine;
  Problem problem;
  Config config;
};

}  // namespace tilewright
