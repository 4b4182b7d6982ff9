"""Models that `longhand export --to keras` wrote, loaded by Keras and run beside longhand: the largest differences.

    KERAS_BACKEND=jax python3 bench/export_keras.py MODEL ... [--longhand build/release/bin/longhand]

Keras 3, a backend and NumPy come from PyPI, into an environment of your own. It fails where a difference is above 1e-5,
relative to outputs above 1.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import keras
import numpy

TOLERANCE = 1e-5


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def outputs(program, model, folder, x):
    numpy.save(folder / "in.npy", x)
    run(program, "run", model, "--input", folder / "in.npy", "--output", folder / "out.npy")
    return numpy.load(folder / "out.npy")


def check(program, path, folder):
    run(program, "export", path, "--to", "keras", "--out", folder / "model.keras")
    run(program, "import", folder / "model.keras", "--out", folder / "back.lh")
    model = keras.models.load_model(folder / "model.keras")
    generator = numpy.random.default_rng(1)
    shape = (2, 21, *model.input_shape[2:])
    if len(shape) == 2:
        x = generator.integers(0, model.layers[0].input_dim, shape)
    else:
        x = generator.uniform(-1, 1, shape).astype(numpy.float32)
    theirs = numpy.asarray(model(x))
    worst = []
    for ours in (outputs(program, path, folder, x), outputs(program, folder / "back.lh", folder, x)):
        ours = ours.reshape(theirs.shape)
        worst.append(float(numpy.max(numpy.abs(ours - theirs) / numpy.maximum(1.0, numpy.abs(theirs)))))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--longhand", default="build/release/bin/longhand")
    arguments = parser.parse_args()
    print(f"{'model':30} {'Keras':>9} {'and back':>9}")
    worst = 0.0
    for path in arguments.models:
        with tempfile.TemporaryDirectory() as temporary:
            there, back = check(arguments.longhand, path, pathlib.Path(temporary))
        print(f"{pathlib.Path(path).stem:30} {there:9.1e} {back:9.1e}", flush=True)
        worst = max(worst, there, back)
    if not worst <= TOLERANCE:
        sys.exit(f"expected differences of {TOLERANCE} or less, found {worst}")


if __name__ == "__main__":
    main()
