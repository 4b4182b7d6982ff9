"""Models of texts: language models, taggers and classifiers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._data import words_of
from ._errors import InputError
from ._model import Model


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
