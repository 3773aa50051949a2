#include <fmt/format.h>

#include "app/cli/command.h"
#include "app/cli/commands/commands.h"
#include "app/cli/engine_arguments.h"
#include "app/cli/evaluator_arguments.h"
#include "app/cli/tune_arguments.h"
#include "app/cli/workload_arguments.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

namespace {

/// What makes a problem of a kernel.
std::vector<Option> problem_options() {
  return {
      {"shape", 0, "m=N,n=N,k=N", "", "sizes of the problem (`tilewright kernel show`)", true},
      {"dtype", 0, "TYPE", "", "f16, bf16, f32 or i8 (default: the kernel's)"},
      {"layout", 0, "NAME", "", "layout of the weights, nd or nz (default: the kernel's)"},
      {"epilogue", 0, "NAME", "", "what the kernel does to its result (default: none)"},
      {"out-dtype", 0, "TYPE", "", "type of the result, where a kernel can store another one"},
      {"mask", 0, "NAME", "", "of attention: none, causal or tree (default: causal)"},
  };
}

/// Published measurements to compare with or to fit to.
Option points_option() {
  return {
      "points", 0, "FILE", "",
      "table of measurements (default: measured/ascend/ascend_measured.csv in TILEWRIGHT_DATA)"};
}

std::vector<Option> operator+(std::vector<Option> a, const std::vector<Option>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// What makes a serving run, with vLLM's names.
std::vector<Option> serving_options() {
  return std::vector<Option>{{"workload", 0, "NAME|FILE", "",
                              "a preset (chat, code, long-context, ...) or a trace, see "
                              "`tilewright workload list`"}} +
         workload_options() +
         std::vector<Option>{
             {"max-num-batched-tokens", 0, "N", "2048", "token budget of a step"},
             {"max-num-seqs", 0, "N", "256", "most running requests"},
             {"block-size", 0, "N", "128", "tokens in a KV block"},
             {"kv-blocks", 0, "N", "", "KV blocks of the device (default: what its memory leaves)"},
             {"max-model-len", 0, "N", "", "longest prompt and output (default: the model's)"},
             {"host-us", 0, "X", "", "host work before each step in us (default: the machine's)"},
             {"tp", 0, "N", "1", "chips that share each layer (tensor parallelism)"},
             {"pp", 0, "N", "1",
              "stages of layers, each on chips of its own (pipeline parallelism)"},
             {"quantization", 0, "NAME", "none", "none, or w8a8: i8 weights and activations"},
             {"lowering", 0, "NAME", "xyserve",
              "xyserve: mixed steps, meta-attention, SmoothGEMM; library: a vendor's kernels by "
              "stage"},
             {"enforce-eager", 0, "", "",
              "send every op by itself instead of replaying captured graphs"},
             {"cudagraph-capture-sizes", 0, "N,N,...", "",
              "tokens of captured graphs (default: 1, 2, 4 and multiples of 8 up to 512)"},
             {"all-reduce-parts", 0, "N", "1",
              "parts in which all-reduces overlap the GEMM before them"},
             {"expert-skew", 0, "N", "0", "uneven experts: shares 1 / rank^(N/100); 0: even"},
         } +
         engine_options();
}

Command run_entry() {
  Command command;
  command.name = "run";
  command.summary = "simulate one kernel: time, breakdown, counters";
  command.positionals = {{"KERNEL", "a kernel, see `tilewright kernel list`"}};
  command.options =
      problem_options() +
      std::vector<Option>{
          {"config", 0, "a=1,b=2", "", "tile sizes and so on; the rest is the default", true},
          {"check", 0, "", "", "compute real numbers and compare them with a reference"},
          {"values", 0, "PATTERN", "uniform",
           "inputs of --check: uniform, large, tiny, equal, or minus_inf (rows of -inf)"},
          {"yes", 0, "", "",
           "begin also what is estimated to take over 20 minutes, or over half of the memory"},
          {"hazards", 0, "", "", "look for races between pipes, missing flags, buffers outgrown"},
          {"trace", 0, "FILE", "",
           "write the timeline: Chrome trace JSON for Perfetto, or CSV when FILE ends with .csv"},
          {"counters", 0, "FILE", "", "write the counters of each core as CSV"},
          {"fidelity", 0, "NAME", "auto",
           "detailed (every instruction), composed (work merged), or auto: what fits"},
      };
  command.examples = {
      {"tilewright run gemm --shape m=512,n=4096,k=4096", "time of the untuned default"},
      {"tilewright run gemm --shape m=100,n=1000,k=777 --check", "and are its numbers right?"},
      {"tilewright run gemm --shape m=64,n=512,k=512 --epilogue bias+gelu --check --hazards",
       "with an epilogue; numbers and flags checked"},
      {"tilewright run gemm --shape m=512,n=4096,k=4096 --config tile_m=256 --trace t.json",
       "another tile, and its timeline"},
  };
  command.run = run_run;
  return command;
}

Command tune_entry() {
  Command command;
  command.name = "tune";
  command.summary = "search the best configs of a kernel, or of a model for a workload";
  command.details =
      "A model is served once with untuned kernels to learn which numbers of rows its traffic\n"
      "makes; then each GEMM is tuned at every multiple of 16 rows that occurs. All results are\n"
      "kept in the database and never measured again.\n"
      "A file is a problem in the T1 format, which needs --evaluator, or a table of results,\n"
      "which replays itself (docs/tuner.md).\n"
      "A batch file lists many such tunings, which run one after another. Under mpirun the\n"
      "evaluations run on its processes (docs/cluster.md).\n";
  command.positionals = {{"TARGET",
                          "a kernel, a model (see `tilewright model list`), the path of a "
                          "config.json, a file of another tool, or a batch file"}};
  command.options =
      tune_options_list() +
      std::vector<Option>{
          {"dry-run", 0, "", "", "count problems, configs and evaluations, and do nothing"},
          {"shard", 0, "I/N", "",
           "tune only the I-th of N parts of the problems, into a database of its own beside --db"},
      } +
      evaluator_options() + problem_options() + serving_options();
  command.examples = {
      {"tilewright tune qwen2-7b --workload chat", "tune a model for its traffic"},
      {"tilewright tune gemm --shape m=512,n=4096,k=4096", "tune one problem"},
      {"tilewright tune gemm --shape m=1..4096,n=4096,k=4096", "tune all numbers of rows"},
      {"tilewright tune conv.json --evaluator './conv {MWG}'", "tune a T1 problem"},
      {"tilewright tune batch.json --dry-run", "count the work of a batch"},
  };
  command.has_csv = true;
  command.run = run_tune;
  return command;
}

/// How `replay --reference` runs a checkpoint.
std::vector<Option> reference_options() {
  return {
      {"reference", 0, "FILE", "",
       "run the checkpoint folder MODEL on the prompts of FILE and compare its tokens and logits"},
      {"prompts", 0, "FILE", "",
       "run the checkpoint folder MODEL on prompts of token ids and print what it says"},
      {"temperature", 0, "X", "0", "with --prompts: of sampling; 0 takes the likeliest token"},
      {"top-k", 0, "N", "0", "with --prompts: sample among the N likeliest; 0: among all"},
      {"top-p", 0, "X", "1", "with --prompts: sample among the likeliest that reach X together"},
      {"stop-token-ids", 0, "N,N,...", "", "with --prompts: tokens that end an output"},
      {"executor", 0, "NAME", "native",
       "native (f32 on the CPU), or simulated (our kernels on the machine, in "
       "f32)"},
      {"chunk", 0, "N", "", "with --reference or --prompts: token budget of a step"},
  };
}

Command replay_entry() {
  Command command;
  command.name = "replay";
  command.summary = "serve a workload in virtual time, with a plan and without";
  command.details =
      "With --reference, real numbers instead of times: MODEL is a checkpoint folder, whose "
      "weights\n"
      "are served by the same engine to the prompts of a numeric reference (docs/formats.md). "
      "Status\n"
      "4 when a token differs or a logit is more than 0.001 off, whatever the options. With "
      "--prompts\n"
      "it prints the tokens that the checkpoint says, greedy or sampled by --seed.\n";
  command.positionals = {{"MODEL", "a model, the path of a config.json, or a checkpoint folder"}};
  command.options =
      std::vector<Option>{
          {"plan", 0, "FILE", "", "a plan from `tilewright export`; without: untuned kernels"},
          {"compare", 0, "FILE|none", "", "replay with another plan, or none, too"},
          {"force", 0, "", "", "use a plan although it is of another machine or out of date"},
          {"slo", 0, "ttft=500ms,tpot=50ms", "",
           "limits of ttft, tpot and e2el in us, ms or s (a plain number: ms), for the goodput",
           true},
          {"audit", 0, "N", "",
           "simulate N steps of the run launch by launch and print how far their times are off"},
          {"metrics", 0, "FILE", "",
           "write what a scrape of vLLM's metrics would give at the end, for Prometheus"},
          {"detailed", 0, "", "",
           "with --json: lists with one element a request, as vLLM has them"},
          {"percentiles", 0, "P,P,...", "", "of the latencies (default: 50,90,95,99)"},
      } +
      reference_options() + serving_options();
  command.examples = {
      {"tilewright replay tiny-llama --reference tiny-llama/reference.json --speculate ngram:3",
       "does a checkpoint make the tokens it should?"},
      {"tilewright replay tiny-llama --prompts prompts.jsonl --temperature 0.8 --seed 3",
       "what does it say?"},
      {"tilewright replay qwen2-7b --workload chat --plan plan.json --compare none",
       "what is the plan worth?"},
      {"tilewright replay qwen2-7b --workload trace.csv --limit 1000 --slo ttft=500ms,tpot=50ms",
       "the first 1000 requests of a recorded trace"},
  };
  command.run = run_replay;
  return command;
}

Command export_entry() {
  Command command;
  command.name = "export";
  command.summary = "write a plan, or what a run measured, for other tools";
  command.details =
      "A plan is made of a tuning run. The other formats hold what a tuning or import run "
      "measured\n"
      "(docs/formats.md): t4 and csv of one problem, catlass of every problem with m, n and k;\n"
      "vllm-moe gives back a table that was imported.\n"
      "A file that is replaced is kept as FILE.bak. --check computes the configs at a small size\n"
      "and serves the run's workload with the plan and without; status 4 when a check fails, and\n"
      "nothing is written then.\n";
  command.positionals = {{"RUN", "number of a run (default: the latest tuning run)", false}};
  command.options = {
      {"output", 'o', "FILE", "", "where to write it; - prints it"},
      {"format", 0, "NAME", "plan", "plan, t4, csv, catlass or vllm-moe"},
      {"problem", 0, "N", "", "of t4 and csv: which problem of the run, from 1"},
      {"winners", 0, "1-4,6", "", "of a plan: only these winners, by their numbers in --list"},
      {"list", 0, "", "", "list the winners of the run and whether they are current"},
      {"check", 0, "", "", "check the plan: fit, ranges, tables, engine, numerics, replay"},
      {"force", 0, "", "", "export although results are out of date"},
  };
  command.examples = {
      {"tilewright export -o plan.json", "the plan of the latest tuning run"},
      {"tilewright export 3 --list", "its winners: gain, where each comes from, its state"},
      {"tilewright export 3 --winners 1-4,6 --check -o plan.json", "some of them, checked"},
      {"tilewright export 3 --format t4 -o results.json", "all trials of a run, for other tuners"}};
  command.has_csv = true;
  command.run = run_export;
  return command;
}

Command import_entry() {
  Command command;
  command.name = "import";
  command.summary = "keep measurements of other tools in the results database";
  command.details =
      "Formats (docs/formats.md): kernel-tuner, t4, ktt, csv, op-summary, vllm-moe; plain or "
      "gzip,\n"
      "told from the content. Importing a file again adds nothing.\n";
  command.positionals = {{"FILE", "a file of results"}};
  command.options = {
      {"format", 0, "NAME", "", "what the file is (default: told from its content)"},
      {"device", 0, "NAME", "", "what it was measured on (default: as the file says)"},
      {"kernel", 0, "NAME", "", "what was measured (default: as the file says)"},
  };
  command.examples = {
      {"tilewright import gemm__A100.json.gz", "a cache of Kernel Tuner"},
      {"tilewright import op_summary.csv --device 910b2", "times of ops that msprof took"}};
  command.run = run_import;
  return command;
}

Command bench_tuner_entry() {
  Command command;
  command.name = "bench-tuner";
  command.summary = "compare search strategies on measured spaces";
  command.details =
      "Every strategy runs from nothing on every table, once for each seed. Prints the median of\n"
      "optimum / best so far, the share of runs within 5 %, and the performance score, where 0 is\n"
      "random search and 1 the optimum at once (docs/methodology.md).\n";
  command.options = {
      {"spaces", 0, "DIR|FILE", "", "measured tables, in any format that import reads", true},
      {"strategy", 0, "NAME,...", "", "which strategies (default: all but exhaustive)", true},
      {"seeds", 0, "N", "20", "runs of each strategy on each space, seeds from 1000 on"},
      {"evaluations", 0, "N", "400", "configs tried in a run, failures among them"},
      {"batch", 0, "N", "1", "configs asked for at once"},
  };
  command.examples = {
      {"tilewright bench-tuner --spaces tables --strategy random", "how good is guessing?"}};
  command.has_csv = true;
  command.run = run_bench_tuner;
  return command;
}

Command report_entry() {
  Command command;
  command.name = "report";
  command.summary = "where the time of a run went, and why";
  command.details =
      "A kernel run is simulated again in detail: time by cause, pipe and op, what each pipe "
      "waited\n"
      "for, and the verdict of the component roofline. Of tuning runs it shows what was kept,\n"
      "of serving runs their steps and events, too. A run that kernels, timing model or machine\n"
      "have changed since is refused (status 4).\n"
      "Advice on a kernel run says what to change and what that is estimated to save; --apply "
      "runs\n"
      "the change and shows what it really saves.\n"
      "`report xyserve` needs no run: it computes the gains that the paper of XY-Serve states, "
      "each\n"
      "over its baseline, with the baselines beside measurements (docs/xyserve.md). `report\n"
      "xyserve-e2e` does so end to end: traffic at several rates, and the ablation.\n";
  command.positionals = {
      {"RUN",
       "number or label of a run, see `tilewright query runs`, or latest; or xyserve, "
       "xyserve-e2e"}};
  command.options = {
      {"apply", 0, "N", "", "follow the N-th advice: run the change in detail and keep the run"},
      {"steps", 0, "N", "10", "of a serving run: how many of its slowest steps are shown"},
      {"quick", 0, "", "", "of xyserve and xyserve-e2e: a few points of each experiment only"}};
  command.examples = {{"tilewright report 1", "the first run of the database"},
                      {"tilewright report 1 --apply 1", "do what would save most"},
                      {"tilewright report 2 --csv", "all steps of a serving run as CSV"},
                      {"tilewright report xyserve --quick", "the gains of XY-Serve's kernels"},
                      {"tilewright report xyserve-e2e --quick", "and of its serving"}};
  command.has_csv = true;
  command.run = run_report;
  return command;
}

Command diff_entry() {
  Command command;
  command.name = "diff";
  command.summary = "what changed between two runs, by cause, pipe and op";
  command.details =
      "Kernel runs are simulated again in detail and compared in cycles; serving and tuning runs "
      "by\n"
      "what was kept.\n";
  command.positionals = {{"A", "number or label of a run, see `tilewright query runs`"},
                         {"B", "the run to compare it with"}};
  command.examples = {{"tilewright diff 1 2", "what did the second run change?"}};
  command.run = run_diff;
  return command;
}

Command query_entry() {
  Command command;
  command.name = "query";
  command.summary = "ask the results database, by a saved name or in SQL";
  command.positionals = {
      {"QUERY", "a saved query or SQL that only reads; without: the list of saved ones", false}};
  command.examples = {
      {"tilewright query winners", "which tile won for each shape"},
      {"tilewright query \"SELECT problem, min(time_us) FROM measurements GROUP BY problem\"",
       "views: runs, trials, measurements, winners and more (docs/database.md)"},
  };
  command.has_csv = true;
  command.run = run_query;
  return command;
}

Command db_entry() {
  Command command;
  command.name = "db";
  command.summary = "care for the results database";
  command.positionals = {{"ACTION", "check, vacuum, merge or info"},
                         {"FILE", "the database to merge into this one", false}};
  command.examples = {
      {"tilewright db info", "where it is and what is in it"},
      {"tilewright db merge other.db", "add the results of another one"},
  };
  command.run = run_db;
  return command;
}

Command machine_entry() {
  Command command;
  command.name = "machine";
  command.summary = "what machines there are and what their parameters mean";
  command.positionals = {
      {"ACTION", "list, show, diff or check"},
      {"A", "a machine or the path of a machine file (default: --machine)", false},
      {"B", "the other one of diff", false}};
  command.options = {
      points_option(),
      {"markdown", 0, "FILE", "", "of check: write the document of accuracy"},
  };
  command.details =
      "A preset is calibrated where measurements exist; NAME:datasheet is the uncalibrated one.\n"
      "`machine show NAME --json` prints a complete machine file. `machine check` simulates the "
      "rows\n"
      "of a table of measurements that are of this hardware and compares.\n";
  command.examples = {
      {"tilewright machine show ascend-910b2", "every parameter with unit and meaning"},
      {"tilewright machine diff ascend-910b2 ascend-910b2:datasheet", "what calibration changed"},
      {"tilewright machine check ascend-910b2 --points measured.csv",
       "how far is it from measured hardware?"},
  };
  command.has_csv = true;
  command.run = run_machine;
  return command;
}

Command calibrate_entry() {
  Command command;
  command.name = "calibrate";
  command.summary = "fit a machine's parameters to measurements";
  command.positionals = {{"MACHINE", "a machine or the path of a machine file"}};
  command.options = {
      points_option(),
      {"fit", 0, "NAME[=LOW:HIGH],...", "",
       "parameters to fit, with bounds where the default ones are not wanted", true},
      {"validate", 0, "SHARE", "0", "share of the rows that is only looked at, 0 to 0.9"},
      {"iterations", 0, "N", "12", "most steps of each part of the search"},
      {"output", 'o', "FILE", "", "where to write the machine file; - prints it"},
  };
  command.details =
      "Rows of the same kernel and params stay together, and whether they are fitted or looked at\n"
      "follows from a hash of the two. `measured_as.N.boundary_us` fits what the times of the "
      "N-th\n"
      "hardware name hold beyond the kernel. Prints the errors before and after, and which\n"
      "parameters the rows do not determine.\n";
  command.examples = {
      {"tilewright calibrate ascend-910b2 --points measured.csv -o mine.json",
       "fit the usual parameters"},
      {"tilewright calibrate mine.json --fit mte2.fixed_cycles,hbm.gb_per_s=1000:1760",
       "fit two, one of them within bounds"},
  };
  command.has_csv = true;
  command.run = run_calibrate;
  return command;
}

Command model_entry() {
  Command command;
  command.name = "model";
  command.summary = "what models there are, their sizes and ops";
  command.positionals = {{"ACTION", "list or show"},
                         {"MODEL", "a model, or the path of a config.json or its folder", false}};
  command.options = {{"tokens", 0, "N", "256", "tokens of the step whose ops are shown"}};
  command.examples = {{"tilewright model show qwen2-7b --tokens 64", "dimensions and ops"}};
  command.has_csv = true;
  command.run = run_model;
  return command;
}

Command kernel_entry() {
  Command command;
  command.name = "kernel";
  command.summary = "what kernels there are, their sizes and parameters";
  command.positionals = {{"ACTION", "list or show"}, {"KERNEL", "a kernel", false}};
  command.options = problem_options();
  command.details = "The legal values depend on the problem: give --shape for those of yours.\n";
  command.examples = {{"tilewright kernel show gemm --shape m=64,n=4096,k=4096",
                       "sizes, parameters and their values"}};
  command.has_csv = true;
  command.run = run_kernel;
  return command;
}

Command workload_entry() {
  Command command;
  command.name = "workload";
  command.summary = "what traffic there is to replay, and what a trace looks like";
  command.positionals = {{"ACTION", "list or show"},
                         {"WORKLOAD", "a preset, or the path of a trace", false}};
  command.options =
      workload_options() +
      std::vector<Option>{{"prefix-blocks", 0, "N,N,...", "",
                           "of show: hit rate of a prefix cache of N blocks, prompts in order"}};
  command.details =
      "The format of a trace is told from its first line (docs/formats.md). `show` counts "
      "requests,\n"
      "arrivals, lengths, sessions, and what their prompts share.\n";
  command.examples = {
      {"tilewright workload list", "presets, and formats of traces"},
      {"tilewright workload show chat --limit 100", "what these requests look like"},
      {"tilewright workload show trace.csv --arrivals poisson:rate=4",
       "a recorded trace with other arrivals"},
  };
  command.has_csv = true;
  command.run = run_workload;
  return command;
}

Command fuse_entry() {
  Command command;
  command.name = "fuse";
  command.summary = "which ops of a graph share a kernel, by several planners";
  command.details =
      "Reads an XLA HLO text module, or takes a layer of a model, plans every region of it\n"
      "(loop bodies by themselves) and compares the plans on the simulated machine\n"
      "(docs/fusion.md). Compute ops cost the same in all of them. --csv prints one table: the\n"
      "costs, or what --sweep or --slowest asks for.\n";
  command.positionals = {{"GRAPH", "an XLA HLO text module; or a model, or its config.json"}};
  command.options = {
      {"planner", 0, "NAME", "",
       "none, xla, fs2018, fs2019, fs2020, astitch, exact or tilewright (default: all)", true},
      {"launch-cost", 0, "2us", "2us", "what the host needs to start a kernel"},
      {"gemm-fusion", 0, "on|off", "off",
       "let the planner tilewright join GEMMs with other kernels"},
      {"budget", 0, "LIMITS", "",
       "kernels=N, simulations=N, seconds=S of the planner tilewright; simulations=0: no "
       "simulator"},
      {"cache", 0, "on|off", "on", "take plans from the results database, and keep new ones there"},
      {"sweep", 0, "launch=1,5,10us", "", "plan again with other costs of a launch"},
      {"explain", 0, "A,B", "", "why these two ops share a kernel, or do not", true},
      {"pin", 0, "A,B", "", "plan with these two ops in one kernel", true},
      {"veto", 0, "A,B", "", "plan with these two ops in different kernels", true},
      {"check-operations", 0, "N", "1e8",
       "compare kernels with the interpreter at their own shapes that take it at most so many "
       "operations; the others at smaller ones"},
      {"slowest", 0, "N", "", "list the N launches of each plan that take most of a run's time"},
      {"tokens", 0, "N", "256", "tokens of a model's layer"},
      {"tp", 0, "N", "1", "chips that share a model's layer (tensor parallelism)"},
      {"quantization", 0, "NAME", "none", "of a model's layer: none or w8a8"},
  };
  command.examples = {
      {"tilewright fuse model.hlo", "kernels, bytes and time of every planner"},
      {"tilewright fuse model.hlo --planner xla,astitch --sweep launch=1,5,10us",
       "does the cost of a launch decide?"},
      {"tilewright fuse model.hlo --planner tilewright --slowest 10", "where does the time go?"},
      {"tilewright fuse qwen2-7b --tokens 64 --gemm-fusion on", "what a layer of a model becomes"},
      {"tilewright fuse model.hlo --planner tilewright --explain exp.1,sum.2",
       "why are these two ops not fused?"},
  };
  command.has_csv = true;
  command.run = run_fuse;
  return command;
}

Command tui_entry() {
  Command command;
  command.name = "tui";
  command.summary = "the workbench: run kernels, see where their time goes and why";
  command.details =
      "`tilewright` without a command opens it too, on a terminal. 1 2 3 choose a screen, ? shows\n"
      "the keys, q leaves.\n";
  command.options = {
      {"glyphs", 0, "NAME", "", "unicode, blocks or ascii (default: what the locale can show)"},
      {"session", 0, "NAME", "main", "what was left under this name comes back"},
      {"fresh", 0, "", "", "begin the session anew"},
      {"theme", 0, "NAME", "", "dark, light or colorblind (default: the session's, then dark)"},
      {"colors", 0, "N", "256", "at most so many: 256, 16, 8 or mono"},
      {"no-mouse", 0, "", "", "leave clicks and wheel to the terminal"},
      {"fps", 0, "N", "10", "most frames a second that show the progress of jobs"},
  };
  command.examples = {
      {"tilewright tui", "open the workbench"},
      {"tilewright tui --glyphs ascii --colors mono", "on a plain terminal"},
  };
  command.run = run_tui;
  return command;
}

Command help_entry() {
  Command command;
  command.name = "help";
  command.summary = "help on the program or a command";
  command.positionals = {{"COMMAND", "the command", false}};
  command.examples = {{"tilewright help tune", "everything about tune"}};
  command.run = run_help;
  return command;
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> kCommands = {
      tui_entry(),         run_entry(),       tune_entry(),   export_entry(), import_entry(),
      bench_tuner_entry(), replay_entry(),    report_entry(), diff_entry(),   query_entry(),
      machine_entry(),     calibrate_entry(), model_entry(),  kernel_entry(), workload_entry(),
      fuse_entry(),        db_entry(),        help_entry(),
  };
  return kCommands;
}

const Command& find_command(std::string_view name) {
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (command.name == name) return command;
    names.push_back(command.name);
  }
  throw Error(ErrorKind::kUsage,
              fmt::format("unknown command '{}'{} (commands: {})", printable(name),
                          did_you_mean(name, names), join(names, ", ")));
}

}  // namespace tilewright
