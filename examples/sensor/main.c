/* A sensor loop in C: reads a line of numbers at a time, and writes what the model predicts after each.
 *
 *   sensor MODEL <readings >predictions
 *
 * A line has the model's inputs, separated by blanks. Where SENSOR_STATE names a file, the state is kept in it
 * when the readings end, and read from it at the start. */
#include <longhand/c.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(void) {
  fprintf(stderr, "error: %s\n", longhand_error());
  return 1;
}

int main(int argc, char** argv) {
  longhand_model* model = NULL;
  longhand_stream* stream = NULL;
  int64_t inputs, outputs, i;
  float *x, *y, *state;
  size_t state_size;
  const char* state_path = getenv("SENSOR_STATE");
  static char line[1 << 16];
  long number = 0;
  FILE* file;

  if (argc != 2) {
    fprintf(stderr, "usage: sensor MODEL <readings >predictions\n");
    return 2;
  }
  if (longhand_model_load(argv[1], &model) != LONGHAND_OK) return failed();
  if (longhand_stream_new(model, -1, -1, &stream) != LONGHAND_OK) return failed();
  inputs = longhand_model_inputs(model);
  outputs = longhand_model_outputs(model);
  if (inputs == 0) {
    fprintf(stderr, "error: expected a regressor, found a model of symbols\n");
    return 1;
  }
  state_size = (size_t)longhand_stream_state_size(stream);
  x = malloc((size_t)inputs * sizeof(float));
  y = malloc((size_t)outputs * sizeof(float));
  state = malloc(state_size * sizeof(float));
  if (x == NULL || y == NULL || state == NULL) return 1;
  if (state_path != NULL && (file = fopen(state_path, "rb")) != NULL) {
    if (fread(state, sizeof(float), state_size, file) == state_size) longhand_stream_set_state(stream, state);
    fclose(file);
  }

  while (fgets(line, sizeof line, stdin) != NULL) {
    const char* at = line;
    char* end = line;
    ++number;
    for (i = 0; i < inputs; ++i, at = end) {
      x[i] = strtof(at, &end);
      if (end == at) break;
    }
    while (*end == ' ' || *end == '\t' || *end == '\r' || *end == '\n') ++end;
    if (i < inputs || *end != '\0') {
      fprintf(stderr, "error: line %ld: expected %ld numbers\n  correct the line\n", number, (long)inputs);
      return 1;
    }
    longhand_stream_step(stream, x, y);
    for (i = 0; i < outputs; ++i) printf(i + 1 < outputs ? "%g " : "%g\n", (double)y[i]);
    fflush(stdout);
  }

  if (state_path != NULL && (file = fopen(state_path, "wb")) != NULL) {
    longhand_stream_get_state(stream, state);
    fwrite(state, sizeof(float), state_size, file);
    fclose(file);
  }
  free(state);
  free(y);
  free(x);
  longhand_stream_free(stream);
  longhand_model_free(model);
  return 0;
}
