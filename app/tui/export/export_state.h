#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/tui/export/export_request.h"
#include "app/tui/home/home_state.h"

namespace tilewright {

struct ExportView;
struct ExportDraft;
struct ExportVerdict;

/// The parts of the Export screen, in the order of Tab.
enum ExportPane : int { kExportWinners, kExportChecks, kExportPreview };

struct ExportState {
  // Shared with the workers that made them; never changed.
  std::shared_ptr<const ExportView> view;
  std::shared_ptr<const ExportDraft> draft;  ///< of the selection, or of one before
  std::shared_ptr<const ExportVerdict> numerics;
  std::shared_ptr<const ExportVerdict> replay;

  int64_t wanted_run = 0;  ///< 0: the newest with winners
  std::string failure;     ///< why no run is shown

  std::vector<bool> selected;  ///< by winner
  ListCursor winner;
  int check_row = 0;    ///< first line that is shown
  int preview_row = 0;  ///< first line that is shown
  std::string format = "plan";
  std::string path = "plan.json";

  std::optional<ExportRequest> asked;  ///< by draft_job
  // At work while State knows them; 0: none.
  int64_t load_job = 0;
  int64_t draft_job = 0;
  int64_t numerics_job = 0;
  int64_t replay_job = 0;
  int64_t write_job = 0;
};

}  // namespace tilewright
