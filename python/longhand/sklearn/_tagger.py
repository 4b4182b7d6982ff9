"""Sequence tagging: a tag for each word of a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._base import TrainedEstimator

Sentence = Sequence[str]


class LSTMTagger(TrainedEstimator):
    """LSTM tagger: word and character embeddings, bidirectional LSTM layers, and a softmax or linear-chain CRF.

    Args:
        crf: use a linear-chain CRF, which learns transition scores between tags, instead of a softmax.
        hidden: number of hidden units per layer and direction. None: 200.
        layers: number of LSTM layers.
        bidirectional: use bidirectional layers. None: True.
        dropout: dropout probability at the input, between the layers, and at the output. None: 0.5.
        epochs: number of epochs. None: 20.
        batch: number of sentences per update. None: 16.
        lr: learning rate of Adam. None: 0.002.
        valid_fraction: fraction of the sentences, at the end of the data, for validation. If > 0, the model of the best
            epoch is kept; otherwise that of the last one.
        patience: number of epochs without improvement on the validation sentences before training stops. 0: no early
            stopping.
        random_state: seed of `longhand.train`.
        n_jobs: number of threads. None: 1; -1: one per processor.
        verbose: show training progress.
        options: additional options of `longhand.train("tagger")`, for example {"hidden_characters": 0, "vectors":
            "glove.txt"}.

    Attributes:
        classes_: sorted tags of the training data.
        model_: the trained `longhand.Tagger`.
        history_, metrics_: metrics of each evaluation, and final metrics.
        n_iter_: number of epochs trained.

    >>> X, y = [["the", "cat", "sees"], ["a", "dog", "runs"]] * 20, [["DET", "NOUN", "VERB"]] * 40
    >>> LSTMTagger(hidden=16, random_state=0).fit(X, y).predict([["the", "dog", "sees"]])
    [['DET', 'NOUN', 'VERB']]
    """

    def __init__(
        self,
        crf: bool = False,
        *,
        hidden: int | None = None,
        layers: int = 1,
        bidirectional: bool | None = None,
        dropout: float | None = None,
        epochs: int | None = None,
        batch: int | None = None,
        lr: float | None = None,
        valid_fraction: float = 0.0,
        patience: int = 0,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.crf = crf
        self.hidden = hidden
        self.layers = layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.epochs = epochs
        self.batch = batch
        self.lr = lr
        self.valid_fraction = valid_fraction
        self.patience = patience
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.options = options

    def fit(self, X: Sequence[Sentence], y: Sequence[Sequence[str]]) -> LSTMTagger:
        """Trains the tagger.

        Args:
            X: list of sentences, each a list of words. Empty sentences are skipped.
            y: list of tag sequences: one tag for each word of X.

        Raises:
            ValueError: invalid data or parameters.
        """
        self.check_held_out()
        sentences = _sentences(X)
        pairs = [list(zip(words, tags)) for words, tags in zip(sentences, _tags(y, sentences)) if words]
        if not pairs:
            raise ValueError("X: expected sentences, found none with words")
        self.classes_ = np.unique([tag for sentence in pairs for _, tag in sentence])
        options = {**self.common_options(), "crf": bool(self.crf), "valid_fraction": self.valid_fraction}
        self.train_model("tagger", pairs, options)
        return self

    def predict(self, X: Sequence[Sentence]) -> list[list[str]]:
        """Returns a list of tags for each sentence, one for each word."""
        check_is_fitted(self)
        found: list[list[str]] = self._of_filled(
            _sentences(X), lambda filled: self.model_.tag(filled, threads=self.threads()), list
        )
        return found

    def predict_best(self, X: Sequence[Sentence], n: int = 5) -> list[list[tuple[list[str], float]]]:
        """Returns the `n` most probable tag sequences of each sentence as (tags, probability), most probable first."""
        check_is_fitted(self)
        found: list[list[tuple[list[str], float]]] = self._of_filled(
            _sentences(X), lambda filled: self.model_.tag_best(filled, n, threads=self.threads()), lambda: [([], 1.0)]
        )
        return found

    def _of_filled(self, sentences: list[list[str]], call: Any, empty: Any) -> Any:
        found = iter(call([words for words in sentences if words]) if any(sentences) else [])
        return [next(found) if words else empty() for words in sentences]

    def score(self, X: Sequence[Sentence], y: Sequence[Sequence[str]]) -> float:
        """Returns the accuracy: the fraction of words with the correct tag. `model_.evaluate` also computes chunk F1.

        Raises:
            ValueError: invalid data, or no words.
        """
        sentences = _sentences(X)
        found, right = self.predict(sentences), _tags(y, sentences)
        words = sum(map(len, sentences))
        if words == 0:
            raise ValueError("X: expected sentences, found none with words")
        return sum(a == b for tags, wanted in zip(found, right) for a, b in zip(tags, wanted)) / words


def _sentences(X: Any) -> list[list[str]]:
    if isinstance(X, str) or not hasattr(X, "__iter__"):
        raise ValueError(f"X: expected a list of sentences, each a list of words, found {type(X).__name__}")
    out = []
    for i, sentence in enumerate(X):
        if isinstance(sentence, str) or not hasattr(sentence, "__iter__"):
            raise ValueError(f"X[{i}]: expected a list of words, found {type(sentence).__name__}\nsplit it into words")
        words = list(sentence)
        for j, word in enumerate(words):
            if not isinstance(word, str) or not word.strip():
                raise ValueError(f"X[{i}][{j}]: expected a word, found {word!r}")
        out.append([str(word) for word in words])
    if not out:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required: X has no sentences")
    return out


def _tags(y: Any, sentences: list[list[str]]) -> list[list[str]]:
    if y is None:
        raise ValueError("LSTMTagger requires y to be passed, but the target y is None")
    out = [list(tags) for tags in y]
    if len(out) != len(sentences):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[len(sentences), len(out)]}"
        )
    for i, (words, tags) in enumerate(zip(sentences, out)):
        if len(words) != len(tags):
            raise ValueError(f"y[{i}]: expected a tag for each of the {len(words)} words, found {len(tags)}")
        for j, tag in enumerate(tags):
            if not isinstance(tag, str) or not tag.strip():
                raise ValueError(f"y[{i}][{j}]: expected a tag, found {tag!r}")
    return [[str(tag) for tag in tags] for tags in out]
