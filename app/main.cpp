#include "app/cli/program.h"

int main(int argc, char** argv) {
  return tilewright::run_program(argc, argv);
}
