#pragma once

#include <span>
#include <string>
#include <vector>

namespace tilewright {

/// Refuses global options that a form of the workbench has no use for, as its jobs get them from
/// the workbench or print nothing: --db, --jobs, --json, ... Error (usage) that says where each is
/// set. --machine and --seed are taken.
void refuse_workbench_options(std::span<const std::string> words);

/// A command line without them and their values: one of the shell, to be put into a form.
std::vector<std::string> without_workbench_options(std::span<const std::string> words);

}  // namespace tilewright
