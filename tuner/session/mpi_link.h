#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tuner/session/message_link.h"

namespace tilewright {

/// Whether this build can join processes by MPI.
bool has_mpi();

/// The processes that mpirun or srun started together, joined by MPI. One object for each process
/// and not more than one; used by the thread that made it. A process of this machine that died is
/// noticed within a moment, one of another machine only by its silence.
class MpiLink : public MessageLink {
 public:
  /// Calls MPI_Init. Error (failed) in a build without MPI.
  static std::unique_ptr<MpiLink> join();
  /// Leaves the job: together with all others, which waits for them, unless leave_alone() was said.
  ~MpiLink() override;

  int rank() const override;
  int size() const override;
  void send(int to, std::string bytes) override;
  std::optional<LinkMessage> receive() override;
  void pause() override;
  bool is_lost(int rank) override;

  /// Not all processes are there any more: MPI_Finalize, which waits for every one, would hang.
  void leave_alone();

 private:
  struct State;
  explicit MpiLink(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace tilewright
