// Any file read as a table of measurements gives points or an Error; whatever the points say, each
// becomes a run or a reason.

#include "tests/fuzz/fuzz.h"
#include "tuner/calibrate/measured_points.h"
#include "tuner/calibrate/row_rules.h"

using namespace tilewright;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FuzzFile file("points.csv");
  static const Machine machine = load_machine("ascend-910b2");
  // Rows that fit a rule are rare among random bytes: half of the inputs are params and a note.
  const std::string_view text = text_of(data, size);
  const size_t half = text.size() / 2;
  std::vector<MeasuredPoint> points;
  file.write(text);
  accepted([&] { points = read_measured_points(file.path()); });
  MeasuredPoint gemm;
  gemm.hardware = "Ascend 910B2";
  gemm.kernel = "gemm";
  gemm.params = text.substr(0, half);
  gemm.metric = "time";
  gemm.unit = "us";
  gemm.note = text.substr(half);
  points.push_back(gemm);
  for (const MeasuredPoint& point : points) {
    accepted([&] {
      const MeasuredRun run = plan_row(point, row_rules(), machine);
      TW_CHECK(run.cores >= 1 && run.cores <= machine.cores.aic, "the machine has the cores");
    });
  }
  return 0;
}
