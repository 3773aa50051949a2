#include "db/formats/import.h"

#include "core/base/repeated_times.h"
#include "db/formats/csv_table.h"
#include "db/formats/t4.h"
#include "tests/db/store_fixture.h"

namespace tilewright {
namespace {

const std::string kTable =
    "a,mode,time_us,status,reason,times_us,compile_us,timestamp,power\n"
    "1,x,2.5,ok,,3 2 2.5,100,2026-01-01,7\n"
    "2,x,4,ok,,,100,2026-01-02,8\n"
    "2,y,,compile,CompilationFailedConfig,,50,2026-01-03,\n";

class ImportTest : public StoreTest {
 protected:
  ResultFile table(const std::string& text = kTable, const std::string& name = "conv__GPU.csv") {
    return read_results(folder_.file(name, text));
  }
  static ImportOrigin origin() {
    ImportOrigin origin;
    origin.command = "tilewright import";
    origin.tool = "tilewright 0.1.0";
    origin.date = "2026-02-03T04:05:06Z";
    return origin;
  }
  static ImportCounts import(Store& store, const ResultFile& file,
                             const ImportOrigin& from = origin()) {
    return import_results(store, file, from, [] { return false; });
  }
  static std::vector<ResultTable> tables(Store& store, int64_t run) {
    int64_t left_out = -1;
    std::vector<ResultTable> found = tables_of_run(store, store.load_run(run), left_out);
    EXPECT_EQ(left_out, 0);
    return found;
  }

  const TempFolder folder_;
};

TEST_F(ImportTest, RowsBecomeMeasurementsOfAnImportRun) {
  Store store = open();
  const ResultFile file = table();
  const ImportCounts counts = import(store, file);
  EXPECT_EQ(counts.measurements, 3);
  EXPECT_EQ(counts.failures, 1);
  EXPECT_EQ(counts.repetitions, 5);
  EXPECT_EQ(counts.known, 0);
  EXPECT_EQ(counts.device, "GPU");
  const tilewright::Run run = store.load_run(counts.run);
  EXPECT_EQ(run.kind, RunKind::kImport);
  EXPECT_EQ(run.status, RunStatus::kDone);
  const auto measured = store.find(
      {"conv", 0, "conv epilogue=none", "a=1,mode=x", counts.fingerprint, "table/" + file.hash});
  ASSERT_TRUE(measured.has_value());
  EXPECT_EQ(measured->time_us, 2.5);
  EXPECT_EQ(measured->times_us, (std::vector<double>{3, 2, 2.5}));
  EXPECT_GT(measured->spread_us, 0);
  EXPECT_EQ(measured->spread_us, time_estimate(measured->times_us).standard_error);
  EXPECT_TRUE(store.check().empty());
}

TEST_F(ImportTest, ImportingAgainAddsNothing) {
  Store store = open();
  import(store, table());
  const auto rows = store.info().rows;
  const ImportCounts again = import(store, table());
  EXPECT_EQ(again.run, 0);
  EXPECT_EQ(again.measurements, 0);
  EXPECT_EQ(again.known, 3);
  EXPECT_EQ(store.info().rows, rows);
}

TEST_F(ImportTest, InterruptedImportIsCompletedByTheNext) {
  std::string text = "a,time_us\n";
  for (int i = 0; i < 3000; ++i) text += std::to_string(i) + ",1\n";
  const ResultFile file = table(text);
  Store store = open();
  int asked = 0;
  const ImportCounts first = import_results(store, file, origin(), [&] { return ++asked > 2000; });
  EXPECT_EQ(first.measurements, 2000);
  EXPECT_EQ(store.load_run(first.run).status, RunStatus::kInterrupted);
  const ImportCounts second = import(store, file);
  EXPECT_EQ(second.known, 2000);
  EXPECT_EQ(second.measurements, 1000);
}

TEST_F(ImportTest, TableComesBackWithItsLabelsRepetitionsAndCosts) {
  Store store = open();
  const ResultFile file = table();
  const ImportCounts counts = import(store, file);
  const std::vector<ResultTable> back = tables(store, counts.run);
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].kernel, "conv");
  EXPECT_EQ(back[0].device, "GPU");
  EXPECT_TRUE(back[0].rows == file.tables[0].rows);
  EXPECT_EQ(write_csv_table(back[0]), write_csv_table(file.tables[0]));
}

TEST_F(ImportTest, AnEmptyTextIsAValue) {
  Store store = open();
  const ResultFile file = table("s,t,time_us\n,,3\nx,,4\n,y,5\n");
  const ImportCounts counts = import(store, file);
  EXPECT_TRUE(store.check().empty());
  EXPECT_EQ(store.trials(counts.run)[0].key.config, "s=,t=");
  const std::vector<ResultTable> back = tables(store, counts.run);
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].parameters[0].labels, (std::vector<std::string>{"", "x"}));
  const auto values = [](const ResultTable& of) {
    std::vector<std::vector<int64_t>> rows;
    for (const ResultRow& row : of.rows) rows.push_back(row.values);
    return rows;
  };
  EXPECT_EQ(values(back[0]), values(file.tables[0]));
  const ResultFile t4 = read_results(folder_.file("back.t4", write_t4(back[0])));
  EXPECT_EQ(values(t4.tables[0]), values(file.tables[0]));
  const ResultFile csv = read_results(folder_.file("back.csv", write_csv_table(back[0])));
  EXPECT_EQ(values(csv.tables[0]), values(file.tables[0]));
}

TEST_F(ImportTest, KernelTunerCacheKeepsItsTimesThroughDatabaseAndT4) {
  const ResultFile file = table(
      R"({"device_name": "D", "kernel_name": "K", "problem_size": 3, "tune_params_keys": ["a"],
          "tune_params": {"a": [1, 2]}, "cache": {
          "1": {"a": 1, "time": 0.1, "times": [0.3, 0.05], "compile_time": 12.3,
                "timestamp": "2026-01-01"},
          "2": {"a": 2, "time": "RuntimeFailedConfig", "compile_time": 1.1,
                "timestamp": "2026-01-02"}}})",
      "cache.json");
  Store store = open();
  const ImportCounts counts = import(store, file);
  const std::string t4 = write_t4(tables(store, counts.run).at(0));
  const ResultFile again = read_results(folder_.file("again.json", t4));
  EXPECT_TRUE(again.tables.at(0).rows == file.tables[0].rows);
}

TEST_F(ImportTest, NamesOfDeviceAndKernelCanBeGiven) {
  Store store = open();
  ImportOrigin named = origin();
  named.device = "My GPU";
  named.kernel = "Gemm-V2";
  const ImportCounts counts = import(store, table(), named);
  EXPECT_EQ(counts.device, "My GPU");
  EXPECT_EQ(tables(store, counts.run).at(0).problem.kernel, "gemm_v2");
  named.device = "a\nb";
  EXPECT_THROW(import(store, table(), named), Error);
}

TEST_F(ImportTest, TableWithoutTimesIsKeptWholeAndOnce) {
  Store store = open();
  const std::string name = "E=8,N=64,device_name=GPU.json";
  const ResultFile file = table(R"({"1": {"BLOCK_SIZE_M": 16}, "8": {"BLOCK_SIZE_M": 32}})", name);
  const ImportCounts counts = import(store, file);
  EXPECT_EQ(counts.measurements, 0);
  EXPECT_EQ(moe_table_of_run(store.load_run(counts.run)), file.moe);
  EXPECT_EQ(import(store, file).run, 0);
}

}  // namespace
}  // namespace tilewright
