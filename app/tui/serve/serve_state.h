#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/tui/home/home_state.h"
#include "app/tui/serve/serve_form.h"

namespace tilewright {

struct ServeView;
struct StepKernels;

/// The parts of the Serve screen, in the order of Tab.
enum ServePane : int { kServeLoad, kServeLatency, kServeStep, kServeConfig, kServeRequests };

/// By what the requests are ordered, the most first but for kAge (newest first) and kPhase.
enum class RequestSort : uint8_t { kAge, kTtft, kTpot, kE2el, kStall, kPhase };
constexpr int kRequestSorts = 6;

struct ServeState {
  ServeForm form = ServeForm::standard();
  int field = 0;  ///< of the form, that the cursor is on

  // Shared with the workers that made them; never changed.
  std::shared_ptr<const ServeView> view;
  std::shared_ptr<const ServeView> baseline;
  std::shared_ptr<const StepKernels> kernels;  ///< of a step that was looked into

  /// Why the run that was started last came to no end; empty: it did, or another one is shown.
  std::string failure;

  // At work while State knows them; 0: none.
  int64_t job = 0;           ///< that serves
  int64_t load_job = 0;      ///< that reads a run to be shown
  int64_t baseline_job = 0;  ///< that reads the baseline
  int64_t kernels_job = 0;
  /// The step that the kernels were asked for last, so that a failure is not asked for again.
  std::optional<int64_t> asked_step;
  std::string kernels_failure;  ///< why there are none for that step
  bool opens_kernel = false;    ///< the Timeline waits for them

  double pace = 0;  ///< simulated seconds a second; 0: as fast as possible

  std::optional<int64_t> step;  ///< the chosen one, by its number; none: the last
  int op = 0;                   ///< of the cursor, by time
  int histogram = -1;           ///< the latency whose histogram is shown; -1: those that fit

  ListCursor requests;
  RequestSort sort = RequestSort::kAge;
  bool is_reversed = false;
  std::string filter;             ///< of the requests, in lower case
  std::vector<size_t> rows;       ///< of the table, as places of view->requests; by settle_serve()
  const void* rows_of = nullptr;  ///< the view that they are of; it is not read
  std::string rows_filter;        ///< and how they were chosen and ordered
  RequestSort rows_sort = RequestSort::kAge;
  bool rows_reversed = false;
  std::optional<int64_t> opened;  ///< the request whose steps are listed
  ListCursor steps;               ///< in that list
  int side = kServeStep;          ///< the pane that shares its place with others, where they do
};

}  // namespace tilewright
