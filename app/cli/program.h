#pragma once

namespace tilewright {

/// The whole program: parses the command line, runs the command, turns errors into a message and an
/// exit status.
int run_program(int argc, char** argv);

}  // namespace tilewright
