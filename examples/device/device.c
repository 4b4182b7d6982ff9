/* Runs an exported network as firmware would: reads 16-bit samples one at a time, and writes one output sample each.

     longhand export amp.lh --to c --name model --out model.h
     cc -O3 -std=c99 -I. device.c -o device
     sox in.wav -t s16 -c 1 - | ./device | sox -t s16 -r 48000 -c 1 - out.wav

   It needs nothing else of Longhand. `read_sample` and `write_sample` stand in for the converters of a board. */
#include "model.h"

#include <stdio.h>

/* Reads a sample of the analogue-to-digital converter, -32768 to 32767. Returns 0 at the end of the input. */
static int read_sample(int *sample) {
  unsigned char bytes[2];
  if (fread(bytes, 1, sizeof bytes, stdin) != sizeof bytes) return 0;
  *sample = bytes[0] | bytes[1] << 8;
  if (*sample > 32767) *sample -= 65536;
  return 1;
}

static void write_sample(int sample) {
  const unsigned word = (unsigned)sample & 0xffffu;
  putchar((int)(word & 0xffu));
  putchar((int)(word >> 8));
}

static int to_16_bits(float value) {
  const float scaled = value * 32768.0f;
  if (scaled >= 32767.0f) return 32767;
  if (scaled <= -32768.0f) return -32768;
  return (int)(scaled < 0.0f ? scaled - 0.5f : scaled + 0.5f);
}

/* All memory that the network writes. The weights are constants and stay in flash. */
static model_state state;

int main(void) {
  int sample;
  model_reset(&state);
  while (read_sample(&sample)) {
    float in[model_inputs], out[model_outputs];
    in[0] = (float)sample / 32768.0f;
    model_step(&state, in, out);
    write_sample(to_16_bits(out[0]));
  }
  return 0;
}
