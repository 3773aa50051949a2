#include "tuner/session/mpi_link.h"

#include <utility>

#include "core/base/error.h"

#ifdef TILEWRIGHT_MPI

#include <fmt/format.h>
#include <mpi.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <list>
#include <thread>
#include <vector>

namespace tilewright {

namespace {

constexpr int kTag = 1;

/// Whom a process is for kill(): processes with equal places see each other's numbers.
struct Place {
  char host[MPI_MAX_PROCESSOR_NAME] = {};
  ino_t pid_namespace = 0;
  pid_t process = 0;
};

Place own_place() {
  Place place;
  int length = 0;
  MPI_Get_processor_name(place.host, &length);
  struct stat status = {};
  if (::stat("/proc/self/ns/pid", &status) == 0) place.pid_namespace = status.st_ino;
  place.process = ::getpid();
  return place;
}

void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(ErrorKind::kFailed, fmt::format("MPI cannot {}: {}", what, text));
}

/// A message under way; its buffer stays where it is.
struct Transfer {
  std::string bytes;
  MPI_Request request = MPI_REQUEST_NULL;

  bool is_complete() {
    int complete = 0;
    return MPI_Test(&request, &complete, MPI_STATUS_IGNORE) == MPI_SUCCESS && complete != 0;
  }
};

}  // namespace

struct MpiLink::State {
  int rank = 0;
  int size = 1;
  std::vector<Place> places;
  std::vector<char> lost;
  std::vector<std::list<Transfer>> sent;      // to each rank, in order
  std::vector<std::list<Transfer>> received;  // from each rank, in order
  int idle = 0;                               // pauses since something arrived
  bool leaves_alone = false;
};

bool has_mpi() {
  return true;
}

MpiLink::MpiLink(std::unique_ptr<State> state) : state_(std::move(state)) {}

std::unique_ptr<MpiLink> MpiLink::join() {
  int level = 0;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level), "start");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  auto state = std::make_unique<State>();
  MPI_Comm_rank(MPI_COMM_WORLD, &state->rank);
  MPI_Comm_size(MPI_COMM_WORLD, &state->size);
  const auto count = static_cast<size_t>(state->size);
  state->places.resize(count);
  state->lost.resize(count);
  state->sent.resize(count);
  state->received.resize(count);
  // The only collective call: everybody has just been started.
  Place own = own_place();
  constexpr int kBytes = sizeof(Place);
  check(
      MPI_Allgather(&own, kBytes, MPI_BYTE, state->places.data(), kBytes, MPI_BYTE, MPI_COMM_WORLD),
      "gather the processes");
  return std::unique_ptr<MpiLink>(new MpiLink(std::move(state)));
}

MpiLink::~MpiLink() {
  if (!state_->leaves_alone) {
    MPI_Finalize();
    return;
  }
  // Gives what was sent last the time to arrive; whoever is dead does not take it.
  for (int i = 0; i < 100; ++i) {
    bool waits = false;
    for (auto& transfers : state_->sent) {
      std::erase_if(transfers, [](Transfer& transfer) { return transfer.is_complete(); });
      waits = waits || !transfers.empty();
    }
    if (!waits) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

int MpiLink::rank() const {
  return state_->rank;
}

int MpiLink::size() const {
  return state_->size;
}

void MpiLink::leave_alone() {
  state_->leaves_alone = true;
}

void MpiLink::send(int to, std::string bytes) {
  if (is_lost(to)) return;
  auto& transfers = state_->sent[static_cast<size_t>(to)];
  while (!transfers.empty() && transfers.front().is_complete()) transfers.pop_front();
  Transfer& transfer = transfers.emplace_back();
  transfer.bytes = std::move(bytes);
  const int code = MPI_Isend(transfer.bytes.data(), static_cast<int>(transfer.bytes.size()),
                             MPI_BYTE, to, kTag, MPI_COMM_WORLD, &transfer.request);
  if (code == MPI_SUCCESS) return;
  transfers.pop_back();
  state_->lost[static_cast<size_t>(to)] = 1;
}

std::optional<LinkMessage> MpiLink::receive() {
  for (;;) {
    int found = 0;
    MPI_Message handle = MPI_MESSAGE_NULL;
    MPI_Status status = {};
    const int code = MPI_Improbe(MPI_ANY_SOURCE, kTag, MPI_COMM_WORLD, &found, &handle, &status);
    if (code != MPI_SUCCESS || found == 0) break;
    int count = 0;
    MPI_Get_count(&status, MPI_BYTE, &count);
    Transfer& transfer = state_->received[static_cast<size_t>(status.MPI_SOURCE)].emplace_back();
    transfer.bytes.resize(static_cast<size_t>(count));
    check(MPI_Imrecv(transfer.bytes.data(), count, MPI_BYTE, &handle, &transfer.request),
          "receive a message");
  }
  for (size_t from = 0; from < state_->received.size(); ++from) {
    auto& transfers = state_->received[from];
    if (transfers.empty() || !transfers.front().is_complete()) continue;
    LinkMessage message{static_cast<int>(from), std::move(transfers.front().bytes)};
    transfers.pop_front();
    state_->idle = 0;
    return message;
  }
  return std::nullopt;
}

void MpiLink::pause() {
  constexpr int kMostDoublings = 6;  // up to 1.3 ms
  const int microseconds = 20 << std::min(state_->idle++, kMostDoublings);
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

bool MpiLink::is_lost(int rank) {
  char& lost = state_->lost[static_cast<size_t>(rank)];
  const Place& mine = state_->places[static_cast<size_t>(state_->rank)];
  const Place& its = state_->places[static_cast<size_t>(rank)];
  const bool is_near = mine.pid_namespace != 0 && mine.pid_namespace == its.pid_namespace &&
                       std::strcmp(mine.host, its.host) == 0;
  if (is_near && ::kill(its.process, 0) != 0 && errno == ESRCH) lost = 1;
  return lost != 0;
}

}  // namespace tilewright

#else

namespace tilewright {

struct MpiLink::State {};

bool has_mpi() {
  return false;
}

std::unique_ptr<MpiLink> MpiLink::join() {
  throw Error(ErrorKind::kFailed,
              "this tilewright was built without MPI: install libopenmpi-dev and build it again, "
              "or give each process a part of the work (--shard I/N)");
}

MpiLink::MpiLink(std::unique_ptr<State> state) : state_(std::move(state)) {}
MpiLink::~MpiLink() = default;
int MpiLink::rank() const {
  return 0;
}
int MpiLink::size() const {
  return 1;
}
void MpiLink::send(int, std::string) {}
std::optional<LinkMessage> MpiLink::receive() {
  return std::nullopt;
}
void MpiLink::pause() {}
bool MpiLink::is_lost(int) {
  return false;
}
void MpiLink::leave_alone() {}

}  // namespace tilewright

#endif
