"""Trained models: one class for each task."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Union, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._data import as_source, is_frame, options_text, words_of
from ._errors import InputError, OptionError
from ._streams import Stream, Streams

if TYPE_CHECKING:
    from .lab import Activations, Microscope

Path = Union[str, "os.PathLike[str]"]


class Model:
    """A trained model: immutable and thread-safe.

    `longhand.load` and `TrainingResult.model` return the subclass for the model's task.
    """

    _verb = ""

    def __init__(self, core: _core.Model) -> None:
        self._core = core

    @property
    def path(self) -> str:
        """Path of the model file; empty if the model was read from bytes."""
        return self._core.path

    @property
    def task(self) -> str:
        """"language model", "tagger", "classifier", "regressor" or "network"."""
        return self._core.task

    @property
    def parameters(self) -> int:
        """Number of parameters; for an ensemble, the sum over its members."""
        return self._core.parameters

    @property
    def members(self) -> int:
        """Number of models in the ensemble; 1 for a single model."""
        return self._core.members

    @property
    def info(self) -> dict[str, Any]:
        """Metadata of the model file: `task`, `parameters`, `options`, `vocabulary`, `tensors` (shapes by name). A
        Network has `network` (description of the layers) instead of `options` and `vocabulary`.
        """
        return cast("dict[str, Any]", json.loads(self._core.info()))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Copies of all weights as float32 arrays, by their names in the model file.

        Raises:
            InputError: the model is an ensemble or quantised.
        """
        return self._core.tensors()

    def to_bytes(self) -> bytes:
        """Contents of the model file. `longhand.load` accepts them."""
        return self._core.contents

    def save(self, path: Path) -> str:
        """Writes the model file to `path`. Returns `path`."""
        with open(path, "wb") as file:
            file.write(self.to_bytes())
        return os.fspath(path)

    @property
    def can_stream(self) -> bool:
        """Whether the model can run step by step with `stream`. Bidirectional models, for example, cannot."""
        return not self._core.why_no_stream

    def stream(self) -> Stream:
        """Returns a new Stream, which runs the model on one sequence step by step.

        Raises:
            InputError: the model cannot run step by step (`can_stream` is False). The message says why.
        """
        return Stream(self._core)

    def streams(self, capacity: int, threads: int = 1) -> Streams:
        """Returns new Streams, which run the model on up to `capacity` sequences in batched steps.

        Args:
            capacity: maximum number of open sequences.
            threads: number of threads; 0: one per processor.

        Raises:
            InputError: the model cannot run step by step, or is a Network (use one `stream` per sequence).
        """
        return Streams(self._core, capacity, threads)

    def evaluate(self, data: Any, *, report: Path | None = None, **options: Any) -> dict[str, Any]:
        """Evaluates the model on `data`. Returns the metrics by name, as `longhand eval --json` prints them.

        Args:
            data: test data in a form that `longhand.train` accepts.
            report: path of an HTML report to write. None: no report.
            options: options of `longhand eval`, with underscores.

        Raises:
            TypeError: unknown option.
            InputError: invalid data.
            OptionError: invalid option value.
        """
        from ._training import check_names

        memory: dict[str, bytes] = {}
        table = json.loads(_core.evaluation_options())
        names = check_names("evaluate", options, [option["name"] for option in table])
        given = {dashed: options_text(name, options[name]) for name, dashed in names.items()}
        given["data"] = as_source(self._verb, "data", data, memory)
        found = _core.evaluate(self._core, given, memory, os.fspath(report) if report else "", lambda *_: None)
        return cast("dict[str, Any]", json.loads(found))

    def export(
        self, path: Path, to: str | None = None, *, name: str = "model", weights: str = "float", steps: int = 0
    ) -> list[str]:
        """Exports the model to the format of another program. Returns the paths of the files written.

        Args:
            path: path of the main file. Additional files have the same stem.
            to: "onnx", "c", "pytorch", "keras", "nam", "rtneural", ... None: inferred from the extension of `path`.
            name: name of the graph or class, or prefix of the C functions.
            weights: "float", or "int8" with one scale per row (C only).
            steps: time steps per call (C only); 0: one.

        Raises:
            InputError: the format does not support a part of the model. The message names the part.
            OptionError: unknown format.
        """
        if to is None:
            to = _format_of(os.fspath(path))
        return _core.export_model(self._core, os.fspath(path), to, name, weights, steps)[0]

    def to_onnx(self, path: Path, *, name: str = "model") -> str:
        """Exports the model to ONNX. Returns `path`."""
        return self.export(path, "onnx", name=name)[0]

    def to_torch(self) -> Any:
        """Converts the model to a `torch.nn.Module` in evaluation mode. Requires PyTorch."""
        from ._convert import to_torch

        return to_torch(self)

    def microscope(self, text: Any, **options: Any) -> Microscope:
        """Analyses the units on a text or table: see `longhand.lab.microscope`."""
        from . import lab

        return lab.microscope(self, text, **options)

    def activations(self, text: Any, quantities: str = "h", max_symbols: int = 200_000) -> Activations:
        """Returns the activations of all units on a text or table: see `longhand.lab.activations`."""
        from . import lab

        return lab.activations(self, text, quantities, max_symbols)

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        where = f", {self.path!r}" if self.path else ""
        return f"<longhand.{type(self).__name__}: {self.parameters:,} parameters{where}>"


class Score(NamedTuple):
    """Likelihood of a text under a language model."""

    nats: float  #: negative log-likelihood, summed over the predicted symbols
    symbols: int  #: number of predicted symbols: all but the first
    unknown: int  #: number of symbols outside the vocabulary

    @property
    def perplexity(self) -> float:
        return float(np.exp(self.nats / self.symbols))

    @property
    def bits_per_symbol(self) -> float:
        return self.nats / self.symbols / float(np.log(2.0))


class LanguageModel(Model):
    """A language model: generates text and computes the likelihood of texts."""

    _verb = "lm"

    @property
    def symbols(self) -> list[str]:
        """The vocabulary (characters, bytes or words): entry i is the symbol with index i."""
        return self._core.output_names

    def encode(self, text: str, unknown: str = "error") -> NDArray[np.int32]:
        """Converts a text to symbol indices, int32 [n].

        Args:
            unknown: handling of symbols outside the vocabulary: "error" (raise InputError), "skip", or "unk" (replace
                by the unknown symbol).
        """
        return self._core.encode(text, unknown)

    def generate(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        greedy: bool = False,
        seed: int = 0,
        context: str = "",
        count: int = 0,
        form: str = "",
        acrostic: str = "",
        unknown: str = "error",
    ) -> Iterator[str]:
        """Samples `length` symbols after `prompt`. Yields the generated text piece by piece, without the prompt.

        Args:
            temperature: divisor of the logits, > 0.
            top_k: sample from the k most probable symbols only; 0: from all.
            top_p: sample from the smallest set of most probable symbols with total probability >= top_p.
            greedy: take the most probable symbol instead of sampling.
            seed: random seed. The text is the same as that of `longhand generate` with the same seed.
            context: text that the model reads before the prompt.
            count: number of lines to generate (models trained with `lines`); 0: as many as fit in `length`.
            form, acrostic: options for Chinese verse; see `longhand generate --help`.
            unknown: handling of prompt symbols outside the vocabulary, as for `encode`.

        Raises:
            InputError: the prompt contains a symbol outside the vocabulary and `unknown` is "error".
            OptionError: invalid option value, or option that the model does not support.
        """
        generation = _core.generate(
            self._core, prompt, length, temperature, top_k, top_p, greedy, seed, context, count, form, acrostic, unknown
        )
        return _pieces(generation)

    def text(self, prompt: str = "", length: int = 500, **options: Any) -> str:
        """Returns the prompt followed by the text that `generate` yields. `options` as for `generate`."""
        return prompt + "".join(self.generate(prompt, length, **options))

    def score(self, text: str, threads: int = 1) -> Score:
        """Computes the negative log-likelihood of a text, starting from the model's initial state.

        Raises:
            InputError: the text has fewer than two symbols.
        """
        return Score(*_core.score(self._core, text, threads))


def _pieces(generation: _core.Generation) -> Iterator[str]:
    try:
        while (piece := generation.next()) is not None:
            yield piece
    finally:
        generation.close()


class Span(NamedTuple):
    """A chunk of a sentence: words `begin` to `end` - 1."""

    begin: int
    end: int
    type: str


class Token(NamedTuple):
    """A word of a text with its tag. The word occupies code points `begin` to `end` - 1 of the text."""

    word: str
    tag: str
    begin: int
    end: int


class Tagger(Model):
    """A sequence tagger: predicts one tag for each word of a sentence."""

    _verb = "tagger"

    def __init__(self, core: _core.Model) -> None:
        super().__init__(core)
        self._taggers: dict[int, _core.Tagger] = {}

    def _tagger(self, threads: int) -> _core.Tagger:
        if threads not in self._taggers:
            self._taggers[threads] = _core.Tagger(self._core, threads)
        return self._taggers[threads]

    @property
    def tags(self) -> list[str]:
        """The tag set, in the tagging scheme of the model."""
        return self._core.output_names

    def tag(self, sentences: Iterable[Sequence[str] | str], threads: int = 1) -> list[list[str]]:
        """Predicts one tag for each word of each sentence.

        Args:
            sentences: list of sentences, each a list of words or a string that is split at white space.
            threads: number of threads; 0: one per processor.

        Returns:
            A list of tags for each sentence.
        """
        found = self._tagger(threads).tag(words_of(sentences, "sentences"), 1)
        return [taggings[0][0] for taggings in found]

    def tag_best(
        self, sentences: Iterable[Sequence[str] | str], n: int, threads: int = 1
    ) -> list[list[tuple[list[str], float]]]:
        """Returns the `n` most probable tag sequences of each sentence as (tags, probability), most probable first."""
        return self._tagger(threads).tag(words_of(sentences, "sentences"), n)

    def tag_text(self, text: str, ends: str = "marks_and_lines", threads: int = 1) -> list[list[Token]]:
        """Splits raw text into sentences and words with the model's tokenizer, and tags them.

        Args:
            ends: where sentences may end: "marks_and_lines", "lines" or "marks_and_blanks".
            threads: number of threads; 0: one per processor.

        Returns:
            A list of Tokens for each sentence.
        """
        tagger = self._tagger(threads)
        sentences = tagger.sentences(text, ends)
        found = tagger.tag([[token[0] for token in sentence] for sentence in sentences], 1)
        return [
            [Token(word, tag, begin, end) for (word, begin, end), tag in zip(sentence, taggings[0][0])]
            for sentence, taggings in zip(sentences, found)
        ]

    @staticmethod
    def spans(tags: Sequence[str]) -> list[Span]:
        """Decodes the tags of a sentence into chunks."""
        return [Span(*span) for span in _core.spans(list(tags))]


class Classifier(Model):
    """A text classifier."""

    _verb = "classifier"

    def __init__(self, core: _core.Model) -> None:
        super().__init__(core)
        self._classifiers: dict[int, _core.Classifier] = {}

    @property
    def classes(self) -> list[str]:
        """The class names, in the column order of `predict_proba`."""
        return self._core.output_names

    def predict_proba(self, texts: Iterable[str], threads: int = 1) -> NDArray[np.float64]:
        """Returns class probabilities, float64 [texts, classes].

        Raises:
            InputError: a text has no words, or `texts` is a string.
            TypeError: an element of `texts` is not a string.
        """
        if isinstance(texts, str):
            raise InputError("texts: expected a list of texts, found a text", "give a list")
        if threads not in self._classifiers:
            self._classifiers[threads] = _core.Classifier(self._core, threads)
        given = list(texts)
        for i, text in enumerate(given):
            if not isinstance(text, str):
                raise TypeError(f"texts[{i}]: expected a text, found {type(text).__name__}")
        return self._classifiers[threads].probabilities(given)

    def predict(self, texts: Iterable[str], threads: int = 1) -> list[str]:
        """Returns the most probable class of each text."""
        names = self.classes
        return [names[i] for i in self.predict_proba(texts, threads).argmax(axis=1)]

    def classify(self, texts: Iterable[str], top: int = 1, threads: int = 1) -> list[list[tuple[str, float]]]:
        """Returns the `top` most probable classes of each text as (class, probability), most probable first."""
        names = self.classes
        probabilities = self.predict_proba(texts, threads)
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, : max(top, 0)]
        return [[(names[i], float(row[i])) for i in best] for row, best in zip(probabilities, order)]


class Forecast(NamedTuple):
    """A forecast: `values` [ahead, targets] in the units of the training data, and `quantiles` {level: array of the
    same shape}.
    """

    values: NDArray[np.float64]
    quantiles: dict[float, NDArray[np.float64]]


class Regressor(Model):
    """A regressor or forecaster: predicts target columns from a window of rows of a table."""

    _verb = "regressor"

    def __init__(self, core: _core.Model) -> None:
        super().__init__(core)
        self._forecasters: dict[int, _core.Forecaster] = {}

    def _forecaster(self, threads: int = 1) -> _core.Forecaster:
        if threads not in self._forecasters:
            self._forecasters[threads] = _core.Forecaster(self._core, threads)
        return self._forecasters[threads]

    @property
    def input_names(self) -> list[str]:
        """Names of the input columns."""
        return self._core.input_names

    @property
    def target_names(self) -> list[str]:
        """Names of the target columns."""
        return self._core.output_names[: self._forecaster().targets]

    @property
    def ahead(self) -> int:
        """Number of rows in a forecast; 1 for a model that predicts the targets in the last row of the window."""
        return self._forecaster().ahead

    @property
    def window(self) -> int:
        """Number of rows in a training window; 0: whole sequences."""
        return self._forecaster().window

    @property
    def known_names(self) -> list[str]:
        """Names of the columns with known future values."""
        return self._forecaster().known_names

    @property
    def static_names(self) -> list[str]:
        """Names of the static columns: one value per series."""
        return self._forecaster().static_names

    @property
    def has_quantiles(self) -> bool:
        """Whether the model forecasts a distribution, so that `predict` can return quantiles."""
        return self._forecaster().has_quantiles

    def _rows(self, data: Any, names: Sequence[str], name: str) -> NDArray[np.float64]:
        if is_frame(data):
            missing = [column for column in names if column not in data.columns]
            if missing:
                raise InputError(
                    f"{name}: expected the columns {', '.join(names)}, found none called {missing[0]!r}",
                    "give a DataFrame with these columns",
                )
            data = data[list(names)]
        array = np.asarray(data)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name}: expected an array of numbers, found {array.dtype}")
        if array.ndim == 1 and len(names) == 1:
            array = array[:, None]
        return np.ascontiguousarray(array, dtype=np.float64)

    def forecast(self, window: Any, threads: int = 1) -> NDArray[np.float64]:
        """Forecasts the targets from one or several windows.

        Args:
            window: one window, an array [rows, inputs] or DataFrame, oldest row first; or several windows: an array
                [windows, rows, inputs], or a list of arrays or DataFrames, which may differ in length. DataFrames must
                have the columns `input_names`. For a single input column the last axis may be omitted.
            threads: number of threads; 0: one per processor.

        Returns:
            float64 [ahead, targets] for one window, [windows, ahead, targets] for several.

        Raises:
            TypeError: the data are not numeric.
            ValueError: wrong number of columns, too few rows, NaN or infinity.
        """
        forecaster = self._forecaster(threads)
        names = self.input_names
        if self._is_one_window(window):
            one: NDArray[np.float64] = forecaster.forecast([self._rows(window, names, "window")])[0]
            return one
        return forecaster.forecast([self._rows(each, names, f"window[{i}]") for i, each in enumerate(window)])

    def _is_one_window(self, window: Any) -> bool:
        if is_frame(window) or not isinstance(window, (list, tuple)):
            return is_frame(window) or np.ndim(window) < 3
        first = window[0] if window else 0.0
        if is_frame(first):
            return False
        return np.ndim(first) < (1 if len(self.input_names) == 1 else 2)

    def predict(
        self,
        rows: Sequence[Any],
        *,
        known: Sequence[Any] | None = None,
        series: Sequence[str] | None = None,
        statics: Sequence[Sequence[object]] | None = None,
        levels: Sequence[float] = (),
        threads: int = 1,
    ) -> list[Forecast]:
        """Forecasts from n windows, with quantiles. Supports models with known and static columns.

        Args:
            rows: n windows, arrays [rows, inputs] or DataFrames, oldest row first.
            known: n arrays [rows + ahead, known columns]: the known columns for the window and the forecast rows.
            series: n names of series.
            statics: n lists with the values of the static columns.
            levels: quantile levels, each between 0 and 1.
            threads: number of threads; 0: one per processor.

        Returns:
            n Forecasts.

        Raises:
            TypeError: the data are not numeric.
            ValueError: wrong shape or number of windows, NaN or infinity, or an unsupported quantile level.
        """
        n = len(rows)
        for name, values in (("known", known), ("series", series), ("statics", statics)):
            if values is not None and len(values) != n:
                raise InputError(f"{name}: expected {n} values, one for each input, found {len(values)}", "give as many")
        arrays = [self._rows(each, self.input_names, f"rows[{i}]") for i, each in enumerate(rows)]
        ahead = [None if known is None else self._rows(known[i], self.known_names, f"known[{i}]") for i in range(n)]
        found = self._forecaster(threads).predict(
            arrays,
            ahead,
            [""] * n if series is None else [str(each) for each in series],
            [[]] * n if statics is None else [[str(value) for value in each] for each in statics],
            [float(level) for level in levels],
        )
        return [Forecast(values, dict(zip(map(float, levels), quantiles))) for values, quantiles in found]


class Network(Model):
    """A network of layers: imported from another program, or trained from a description in TOML."""

    _verb = "network"

    #: What `import_model` recognised, one line each.
    notes: list[str] = []

    @property
    def inputs(self) -> dict[str, list[int]]:
        """Shape of each input by name; -1 stands for any size."""
        return {name: dims for name, _, dims in _core.network_ports(self._core)[0]}

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs."""
        return _core.network_ports(self._core)[1]

    def run(
        self,
        inputs: Any,
        *,
        lengths: ArrayLike | None = None,
        state: NDArray[np.float32] | None = None,
        return_state: bool = False,
        threads: int = 1,
    ) -> Any:
        """Runs the network on one sequence or a batch of sequences.

        Args:
            inputs: an array, or a dict of arrays by input name. One sequence: [steps, features...]; a batch:
                [sequences, steps, features...]. float32, float64 or integers.
            lengths: [sequences] number of time steps of each sequence in a padded batch. None: all steps.
            state: initial state, float32 [sequences, state_size]. None: the network's initial state.
            return_state: also return the final state.
            threads: number of threads; 0: one per processor.

        Returns:
            The output array, or a dict of arrays by name if there are several outputs. A single sequence has no batch
            axis. With `return_state`, a pair (outputs, state [sequences, state_size]).

        Raises:
            TypeError: wrong element type.
            ValueError: wrong shape, unknown input name, NaN or infinity.
        """
        given = dict(inputs) if isinstance(inputs, Mapping) else {next(iter(self.inputs)): inputs}
        arrays: dict[str, NDArray[Any]] = {}
        ports = self.inputs
        for name, value in given.items():
            if name not in ports:
                raise InputError(
                    f"inputs: expected arrays for {', '.join(ports)}, found one for {name!r}", "name the network's inputs"
                )
            array = np.asarray(value)
            if array.dtype.kind not in "fiub":
                raise TypeError(f"{name}: expected an array of numbers, found {array.dtype}")
            arrays[str(name)] = np.ascontiguousarray(array)
        if lengths is not None:
            arrays["lengths"] = np.ascontiguousarray(lengths, dtype=np.int64)
        outputs, last = _core.run_network(self._core, arrays, state, threads)
        answer = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        return (answer, last) if return_state else answer


_CLASSES: dict[str, type[Model]] = {
    "language model": LanguageModel,
    "tagger": Tagger,
    "classifier": Classifier,
    "regressor": Regressor,
    "network": Network,
}


def _wrap(core: _core.Model) -> Model:
    return _CLASSES[core.task](core)


def _load_bytes(contents: bytes) -> Model:
    return _wrap(_core.load_bytes(contents))


def load(path: Path | bytes) -> Model:
    """Reads a model.

    Args:
        path: a model file, the folder of a training run, or the contents of a model file (bytes).

    Returns:
        A LanguageModel, Tagger, Classifier, Regressor or Network.

    Raises:
        FileNotFoundError: the file or folder does not exist.
        InputError: the file is damaged or not a model file.
        TypeError: `path` is neither a path nor bytes.
    """
    if isinstance(path, bytes):
        return _load_bytes(path)
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path: expected a path or bytes, found {type(path).__name__}")
    name = os.fspath(path)
    if not os.path.exists(name):
        raise FileNotFoundError(2, "expected a model file or the folder of a run, found none", name)
    return _wrap(_core.load(name))


def _format_of(path: str) -> str:
    ending = os.path.splitext(path)[1].lower()
    formats = _core.export_formats()
    found = [name for name, of_format, _ in formats if of_format == ending]
    if len(found) == 1:
        return found[0]
    names = ", ".join(name for name, _, _ in formats)
    raise OptionError(f"to: expected one of {names}, found none for '{ending}'", "name the format with `to`")
