/* Prints the time of one step of an exported header: the minimum of kRounds rounds, in microseconds on one core, with
   random inputs.
   cc -DNAME=amp -DHEADER='"amp.h"' export_c.c; bench/export_c.sh runs it. */
#include HEADER
#include <stdio.h>
#include <time.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

enum { kFrames = 64, kRounds = 15, kInputs = JOIN(NAME, _inputs), kOutputs = JOIN(NAME, _outputs) };

static JOIN(NAME, _state) state;
static float x[kFrames * kInputs], y[kOutputs];

static double seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

int main(void) {
  unsigned drawn = 1;
  double shortest = 1e9;
  volatile float kept = 0.0f;
  for (int i = 0; i < kFrames * kInputs; ++i) {
    drawn = drawn * 1664525u + 1013904223u;
    x[i] = (float)(drawn >> 8) / 16777216.0f - 0.5f;
  }
  JOIN(NAME, _reset)(&state);
  for (int round = 0; round < kRounds; ++round) {
    const double begin = seconds();
    double taken = 0.0;
    long steps = 0;
    for (; taken < 0.05; taken = seconds() - begin) {
      for (int t = 0; t < kFrames; ++t) {
        JOIN(NAME, _step)(&state, x + t * kInputs, y);
        kept += y[0];
      }
      steps += kFrames;
    }
    if (1e6 * taken / (double)steps < shortest) shortest = 1e6 * taken / (double)steps;
  }
  printf("%.4f\n", shortest);
  return 0;
}
