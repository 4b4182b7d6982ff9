"""Trained models: each class has the methods of its task."""

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
    """A trained model: read once, never changed, and shared by any number of streams and threads.

    `longhand.load` gives the class of the model's task.
    """

    _verb = ""

    def __init__(self, core: _core.Model) -> None:
        self._core = core

    @property
    def path(self) -> str:
        """The file that the model was read from; empty where it was read from memory."""
        return self._core.path

    @property
    def task(self) -> str:
        """"language model", "tagger", "classifier", "regressor" or "network"."""
        return self._core.task

    @property
    def parameters(self) -> int:
        """Number of weights; of an ensemble, of all its members."""
        return self._core.parameters

    @property
    def members(self) -> int:
        """Number of models whose mean prediction this is: 1 unless it is an ensemble."""
        return self._core.members

    @property
    def info(self) -> dict[str, Any]:
        """What the file says: `task`, `parameters`, `options`, `vocabulary`, `tensors` (shapes by name); of a network
        of layers `network` in the place of options and vocabulary.
        """
        return cast("dict[str, Any]", json.loads(self._core.info()))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The weights by their names in the file, float32, copied.

        Raises:
            InputError: for an ensemble and a quantised model.
        """
        return self._core.tensors()

    def to_bytes(self) -> bytes:
        """The contents of the model's file, which `longhand.load` takes, too."""
        return self._core.contents

    def save(self, path: Path) -> str:
        """Writes the model's file to `path`, which is returned."""
        with open(path, "wb") as file:
            file.write(self.to_bytes())
        return os.fspath(path)

    @property
    def can_stream(self) -> bool:
        """Whether it can be read step by step."""
        return not self._core.why_no_stream

    def stream(self) -> Stream:
        """A stream: one sequence, read as it comes.

        Raises:
            InputError: for a model that cannot be read step by step; the message says why.
        """
        return Stream(self._core)

    def streams(self, capacity: int, threads: int = 1) -> Streams:
        """Room for `capacity` sequences that are advanced together, on `threads` threads (0: one per processor).

        Raises:
            InputError: for a model that cannot be read step by step, and for a network of layers, whose sequences have a
                stream each.
        """
        return Streams(self._core, capacity, threads)

    def evaluate(self, data: Any, *, report: Path | None = None, **options: Any) -> dict[str, Any]:
        """The figures of the model's task on data, as `longhand eval --json` prints them.

        Args:
            data: as for `longhand.train`.
            report: page to write (HTML), with what the figures are made of.
            options: those of `longhand eval`, with underscores.

        Raises:
            TypeError: for an unknown option.
            InputError, OptionError: for data and options at fault.
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
        """Writes the model in the format of another program, and returns the paths written.

        Args:
            path: of the first file; others have the same stem.
            to: "onnx", "c", "pytorch", "keras", "nam", "rtneural", ...; None: as the ending of `path` shows.
            name: of the graph, of the class, or the prefix of the C functions.
            weights: "float", or "int8" with a scale per row (C only).
            steps: time steps of a call (C only); 0: one.

        Raises:
            InputError: for a part of the model that the format cannot hold, which is named.
            OptionError: for an unknown format.
        """
        if to is None:
            to = _format_of(os.fspath(path))
        return _core.export_model(self._core, os.fspath(path), to, name, weights, steps)[0]

    def to_onnx(self, path: Path, *, name: str = "model") -> str:
        """Writes the model as ONNX to `path`, which is returned."""
        return self.export(path, "onnx", name=name)[0]

    def to_torch(self) -> Any:
        """The model as a `torch.nn.Module` that computes the same. Needs PyTorch."""
        from ._convert import to_torch

        return to_torch(self)

    def microscope(self, text: Any, **options: Any) -> Microscope:
        """What the units do on a text (or table): see `longhand.lab.microscope`."""
        from . import lab

        return lab.microscope(self, text, **options)

    def activations(self, text: Any, quantities: str = "h", max_symbols: int = 200_000) -> Activations:
        """The values of all units on a text (or table): see `longhand.lab.activations`."""
        from . import lab

        return lab.activations(self, text, quantities, max_symbols)

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        where = f", {self.path!r}" if self.path else ""
        return f"<longhand.{type(self).__name__}: {self.parameters:,} parameters{where}>"


class Score(NamedTuple):
    """How surprising a language model finds a text."""

    nats: float  #: of all symbols together
    symbols: int  #: that were predicted: all but the first
    unknown: int  #: that the model does not know

    @property
    def perplexity(self) -> float:
        return float(np.exp(self.nats / self.symbols))

    @property
    def bits_per_symbol(self) -> float:
        return self.nats / self.symbols / float(np.log(2.0))


class LanguageModel(Model):
    """A model of texts: generates, and says how probable a text is."""

    _verb = "lm"

    @property
    def symbols(self) -> list[str]:
        """The vocabulary: characters, bytes or words, by number."""
        return self._core.output_names

    def encode(self, text: str, unknown: str = "error") -> NDArray[np.int32]:
        """A text as numbers of symbols, int32 [n].

        Args:
            unknown: what to do with a symbol that the model does not know: "error", "skip" or "unk".
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
        """Continues `prompt` by `length` symbols, and yields each piece of text as it is drawn (not the prompt).

        Args:
            temperature: logits are divided by it; above 0.
            top_k: only the k most probable symbols; 0: all.
            top_p: only the most probable symbols that together reach this probability.
            greedy: always the most probable symbol.
            seed: of the random numbers: the same one gives the same text as the command line does.
            context: text that is read before the prompt.
            count: number of lines, of a model trained with `lines`; 0: as many as fit in `length`.
            form, acrostic: of Chinese verse; see `longhand generate --help`.
            unknown: what to do with symbols of the prompt that the model does not know: "error", "skip" or "unk".

        Raises:
            InputError: for an unknown symbol.
            OptionError: for options that do not go with the model.
        """
        generation = _core.generate(
            self._core, prompt, length, temperature, top_k, top_p, greedy, seed, context, count, form, acrostic, unknown
        )
        return _pieces(generation)

    def text(self, prompt: str = "", length: int = 500, **options: Any) -> str:
        """The prompt and what `generate` yields, as one text."""
        return prompt + "".join(self.generate(prompt, length, **options))

    def score(self, text: str, threads: int = 1) -> Score:
        """How surprising the model finds a text, which it reads from its beginning.

        Raises:
            InputError: for a text of fewer than two symbols.
        """
        return Score(*_core.score(self._core, text, threads))


def _pieces(generation: _core.Generation) -> Iterator[str]:
    try:
        while (piece := generation.next()) is not None:
            yield piece
    finally:
        generation.close()


class Span(NamedTuple):
    """Words `begin` to `end` - 1 of a sentence."""

    begin: int
    end: int
    type: str


class Token(NamedTuple):
    """A word of a text, in code points `begin` to `end` - 1, and its tag."""

    word: str
    tag: str
    begin: int
    end: int


class Tagger(Model):
    """A model that gives each word of a sentence a tag."""

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
        """The labels that the model tells apart, in the scheme that it learned."""
        return self._core.output_names

    def tag(self, sentences: Iterable[Sequence[str] | str], threads: int = 1) -> list[list[str]]:
        """The most probable tags of each sentence, one for each word.

        Args:
            sentences: lists of words; a text is taken as words between blanks.
            threads: of this call; 0: one per processor.
        """
        found = self._tagger(threads).tag(words_of(sentences, "sentences"), 1)
        return [taggings[0][0] for taggings in found]

    def tag_best(
        self, sentences: Iterable[Sequence[str] | str], n: int, threads: int = 1
    ) -> list[list[tuple[list[str], float]]]:
        """The `n` most probable taggings of each sentence with their probabilities, best first."""
        return self._tagger(threads).tag(words_of(sentences, "sentences"), n)

    def tag_text(self, text: str, ends: str = "marks_and_lines", threads: int = 1) -> list[list[Token]]:
        """The sentences of a text as people write it, with the tokenizer that is stored in the model.

        Args:
            ends: where sentences may end: "marks_and_lines", "lines" or "marks_and_blanks".
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
        """The chunks of a sentence's tags."""
        return [Span(*span) for span in _core.spans(list(tags))]


class Classifier(Model):
    """A model that gives a text one of some classes."""

    _verb = "classifier"

    def __init__(self, core: _core.Model) -> None:
        super().__init__(core)
        self._classifiers: dict[int, _core.Classifier] = {}

    @property
    def classes(self) -> list[str]:
        """The classes, in the order of the columns of `predict_proba`."""
        return self._core.output_names

    def predict_proba(self, texts: Iterable[str], threads: int = 1) -> NDArray[np.float64]:
        """The probability of each class for each text, float64 [texts, classes].

        Raises:
            InputError: for a text without words.
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
        """The most probable class of each text."""
        names = self.classes
        return [names[i] for i in self.predict_proba(texts, threads).argmax(axis=1)]

    def classify(self, texts: Iterable[str], top: int = 1, threads: int = 1) -> list[list[tuple[str, float]]]:
        """The `top` most probable classes of each text with their probabilities, best first."""
        names = self.classes
        probabilities = self.predict_proba(texts, threads)
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, : max(top, 0)]
        return [[(names[i], float(row[i])) for i in best] for row, best in zip(probabilities, order)]


class Forecast(NamedTuple):
    """A forecast [ahead, targets] in the units of the training data, and its quantiles, each of that shape."""

    values: NDArray[np.float64]
    quantiles: dict[float, NDArray[np.float64]]


class Regressor(Model):
    """A model that predicts numbers from the rows of a table."""

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
        """The columns of a window."""
        return self._core.input_names

    @property
    def target_names(self) -> list[str]:
        """The columns that are predicted."""
        return self._core.output_names[: self._forecaster().targets]

    @property
    def ahead(self) -> int:
        """Rows that are forecast; 1 for a model that predicts the window's last row."""
        return self._forecaster().ahead

    @property
    def window(self) -> int:
        """Rows that the model was trained to read; 0: whole sequences."""
        return self._forecaster().window

    @property
    def known_names(self) -> list[str]:
        """The columns whose values are known ahead."""
        return self._forecaster().known_names

    @property
    def static_names(self) -> list[str]:
        """The columns with one value for each series."""
        return self._forecaster().static_names

    @property
    def has_quantiles(self) -> bool:
        """Whether the model forecasts a distribution."""
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
        """The forecasts from a window of rows, the latest row last.

        Args:
            window: [rows, inputs], or several windows: [windows, rows, inputs], or a list of arrays or DataFrames of any
                numbers of rows. Columns of a DataFrame are found by their names, see `input_names`. (A single column
                needs no second axis.)

        Returns:
            float64 [ahead, targets]; of several windows [windows, ahead, targets].

        Raises:
            TypeError: for what is no array of numbers.
            ValueError: for another number of columns, too few rows, and numbers that are not finite.
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
        """A forecast for each of several inputs, with quantiles; for models with known and static columns, too.

        Args:
            rows: for each input an array or DataFrame [rows, inputs], oldest row first.
            known: for each the columns known ahead [rows + ahead, known columns].
            series: for each the name of its series.
            statics: for each the values of the static columns.
            levels: of the quantiles, between 0 and 1.
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
    """A network of layers: imported from another program, or trained from a description of its layers."""

    _verb = "network"

    #: What an import recognised, a line each.
    notes: list[str] = []

    @property
    def inputs(self) -> dict[str, list[int]]:
        """The extents of each input, -1 where any will do."""
        return {name: dims for name, _, dims in _core.network_ports(self._core)[0]}

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs."""
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
        """Runs whole sequences.

        Args:
            inputs: an array, or one for each input by name: one sequence [steps, numbers...], or several
                [sequences, steps, numbers...]; float32, float64 or whole numbers.
            lengths: [sequences] steps of each, where shorter ones are padded.
            state: float32 [sequences, state_size] with which they begin; None: the network's initial state.
            return_state: return the state at the end, too.

        Returns:
            The output, or a dict of several by name, without the axis of the sequences for one; with `return_state` a
            pair of that and the state.

        Raises:
            TypeError, ValueError: for arrays that do not fit the network, and numbers that are not finite.
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
    """Reads a model file, or the one in the folder of a run; of bytes, the contents of such a file.

    Returns:
        A LanguageModel, Tagger, Classifier, Regressor or Network.

    Raises:
        FileNotFoundError: where there is no such file or folder.
        InputError: for a file that is damaged, or no model's.
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
