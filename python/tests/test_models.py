"""Loading, predicting, and what a model says of itself."""

from __future__ import annotations

import pathlib
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from conftest import make_pairs, make_sentences, make_table, make_text

import longhand


def test_version_has_three_numbers() -> None:
    assert len([int(part) for part in longhand.__version__.split(".")]) == 3


def test_load_gives_the_class_of_the_task(
    folder: pathlib.Path,
    language_model: longhand.LanguageModel,
    tagger: longhand.Tagger,
    classifier: longhand.Classifier,
    regressor: longhand.Regressor,
    network: longhand.Network,
) -> None:
    for name, kind in (
        ("lm", longhand.LanguageModel),
        ("tagger", longhand.Tagger),
        ("classifier", longhand.Classifier),
        ("regressor", longhand.Regressor),
    ):
        model = longhand.load(folder / name)
        assert type(model) is kind
        assert type(longhand.load(folder / name / "model.safetensors")) is kind
        assert model.parameters > 0 and model.members == 1
    assert network.task == "network"


def test_generate_is_the_command_lines_text(
    folder: pathlib.Path, language_model: longhand.LanguageModel, command: Callable[..., str]
) -> None:
    pieces = list(language_model.generate("the ", 60, seed=3, temperature=0.8))
    assert len(pieces) == 60
    told = command("generate", folder / "lm", "--prompt", "the ", "--length", 60, "--seed", 3, "--temperature", 0.8)
    assert ("the " + "".join(pieces)).rstrip("\n") == told.rstrip("\n")


def test_generate_can_be_left_early(language_model: longhand.LanguageModel) -> None:
    text = language_model.generate("the ", 100_000)
    assert len([next(text) for _ in range(5)]) == 5
    text.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(text)


def test_generate_names_an_unknown_symbol(language_model: longhand.LanguageModel) -> None:
    with pytest.raises(longhand.InputError, match="§"):
        next(language_model.generate("the §", 5))
    with pytest.raises(longhand.OptionError, match="temperature"):
        next(language_model.generate("the ", 5, temperature=0.0))
    with pytest.raises(longhand.OptionError, match="unknown"):
        next(language_model.generate("the ", 5, unknown="perhaps"))


def test_score_is_that_of_the_stream(language_model: longhand.LanguageModel) -> None:
    text = "the cat sat on a mat."
    score = language_model.score(text)
    assert score.symbols == len(text) - 1 and score.unknown == 0
    assert score.perplexity == pytest.approx(np.exp(score.nats / score.symbols))
    symbols = language_model.encode(text)
    logits = language_model.stream().process(symbols).astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    nats = -sum(log_p[t, symbols[t + 1]] for t in range(len(text) - 1))
    assert nats == pytest.approx(score.nats, rel=1e-4)


def test_score_of_too_short_a_text(language_model: longhand.LanguageModel) -> None:
    with pytest.raises(longhand.InputError):
        language_model.score("")


def test_tagger_learned_its_words(tagger: longhand.Tagger) -> None:
    sentences = [["the", "cat", "sees", "a", "dog"], "the dog runs"]
    tags = tagger.tag(sentences)
    assert tags[1] == ["DET", "NOUN", "VERB"]
    best = tagger.tag_best(sentences, 2)
    assert best[0][0][0] == tags[0] and best[0][0][1] >= best[0][1][1]
    tokens = tagger.tag_text("the cat runs")
    assert [token.word for sentence in tokens for token in sentence] == ["the", "cat", "runs"]
    assert longhand.Tagger.spans(["B-PER", "I-PER", "O"]) == [(0, 2, "PER")]


@pytest.mark.parametrize("bad", [[[]], [""], "the cat", [[3]]])
def test_tagger_refuses_what_is_no_sentence(tagger: longhand.Tagger, bad: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        tagger.tag(bad)  # type: ignore[arg-type]


def test_classifier_learned_its_labels(classifier: longhand.Classifier) -> None:
    texts = [text for text, _ in make_pairs(40)]
    labels = [label for _, label in make_pairs(40)]
    assert np.mean([a == b for a, b in zip(classifier.predict(texts), labels)]) > 0.9
    probabilities = classifier.predict_proba(texts)
    assert probabilities.shape == (40, 2) and probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-9)
    np.testing.assert_array_equal(probabilities, classifier.predict_proba(texts, threads=2))
    ((best, p), (other, q)) = classifier.classify(texts[:1], top=2)[0]
    assert {best, other} == set(classifier.classes) and p >= q


def test_classifier_refuses_empty_texts_and_other_types(classifier: longhand.Classifier) -> None:
    with pytest.raises(longhand.InputError, match="text 1"):
        classifier.predict_proba(["good", ""])
    with pytest.raises(TypeError, match=r"texts\[0\]"):
        classifier.predict_proba([3])  # type: ignore[list-item]
    with pytest.raises(longhand.InputError):
        classifier.predict_proba("good")


def test_regressor_shapes_and_frames(regressor: longhand.Regressor) -> None:
    table = make_table()
    assert regressor.input_names == ["x1", "x2"] and regressor.target_names == ["x1"]
    assert regressor.ahead == 3 and regressor.window == 12
    one = regressor.forecast(table[:12])
    assert one.shape == (3, 1) and one.dtype == np.float64
    many = regressor.forecast(np.stack([table[i : i + 12] for i in range(5)]))
    assert many.shape == (5, 3, 1)
    np.testing.assert_array_equal(many[0], one)
    np.testing.assert_array_equal(regressor.forecast([table[:12], table[:20]])[0], one)
    (forecast,) = regressor.predict([table[:12]])
    np.testing.assert_array_equal(forecast.values, one)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table[:12, ::-1], columns=["x2", "x1"])
    np.testing.assert_array_equal(regressor.forecast(frame), one)
    with pytest.raises(longhand.InputError, match="'x1'"):
        regressor.forecast(pandas.DataFrame({"x2": [1.0]}))


@pytest.mark.parametrize(
    ("window", "error"),
    [
        (np.zeros((12, 3)), ValueError),
        (np.full((12, 2), np.nan), ValueError),
        (np.zeros((0, 2)), ValueError),
        (np.array([["a", "b"]]), TypeError),
    ],
)
def test_regressor_refuses(regressor: longhand.Regressor, window: np.ndarray, error: type[Exception]) -> None:
    with pytest.raises(error):
        regressor.forecast(window)


def test_network_runs_sequences(network: longhand.Network) -> None:
    x = np.random.default_rng(1).normal(size=(3, 7, 2)).astype(np.float32)
    y = network.run(x)
    assert y.shape == (3, 7, 1)
    np.testing.assert_allclose(network.run(x[1]), y[1], atol=1e-6)
    first, state = network.run(x[:, :4], return_state=True)
    rest = network.run(x[:, 4:], state=state)
    np.testing.assert_allclose(np.concatenate([first, rest], axis=1), y, atol=1e-6)
    shorter = network.run(x, lengths=[7, 3, 1])
    np.testing.assert_allclose(shorter[1, :3], y[1, :3], atol=1e-6)
    assert (shorter[1, 3:] == 0).all()
    stream = network.stream()
    np.testing.assert_allclose(stream.process(x[0]), y[0], atol=1e-6)


def test_network_refuses(network: longhand.Network) -> None:
    with pytest.raises(ValueError):
        network.run(np.zeros((4, 3), np.float32))
    with pytest.raises(ValueError):
        network.run(np.full((4, 2), np.inf, np.float32))
    with pytest.raises(ValueError):
        network.run({"z": np.zeros((4, 2), np.float32), "w": np.zeros((4, 2), np.float32)})
    with pytest.raises(TypeError):
        network.run(np.array([["a"]]))
    with pytest.raises(ValueError):
        network.run(np.zeros((4, 2), np.float32), state=np.zeros((1, 3), np.float32))


def test_info_and_tensors(language_model: longhand.LanguageModel) -> None:
    info = language_model.info
    assert info["task"] == "language_model" and info["parameters"] == language_model.parameters
    tensors = language_model.tensors()
    assert {name: list(array.shape) for name, array in tensors.items()} == info["tensors"]
    assert any(name.endswith("weight_hh_l0") for name in tensors)
    assert len(language_model.symbols) == language_model.stream().outputs


def test_models_are_pickled_with_their_bytes(classifier: longhand.Classifier, tmp_path: pathlib.Path) -> None:
    again = pickle.loads(pickle.dumps(classifier))
    texts = ["good film", "bad plot"]
    np.testing.assert_array_equal(again.predict_proba(texts), classifier.predict_proba(texts))
    path = again.save(tmp_path / "copy.safetensors")
    np.testing.assert_array_equal(longhand.load(path).predict_proba(texts), classifier.predict_proba(texts))  # type: ignore[attr-defined]


def test_evaluate(classifier: longhand.Classifier, tagger: longhand.Tagger, regressor: longhand.Regressor,
                  language_model: longhand.LanguageModel, tmp_path: pathlib.Path) -> None:  # fmt: skip
    page = tmp_path / "page.html"
    assert classifier.evaluate(make_pairs(50), report=page)["accuracy"] > 90
    assert page.read_text().startswith("<!doctype html>")
    assert tagger.evaluate(make_sentences(20))["accuracy"] > 90
    assert regressor.evaluate(make_table())["mse"] >= 0
    assert language_model.evaluate([make_text(20)])["perplexity"] > 1
    with pytest.raises(TypeError, match="did you mean 'threads'"):
        classifier.evaluate(make_pairs(50), thread=2)


def test_missing_and_damaged_files(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        longhand.load(tmp_path / "none")
    with pytest.raises(TypeError):
        longhand.load(3)  # type: ignore[arg-type]
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"\x00" * 100)
    for what in (damaged, damaged.read_bytes(), b""):
        with pytest.raises(longhand.InputError) as caught:
            longhand.load(what)
        assert caught.value.advice and "\n" in str(caught.value)
    with pytest.raises(longhand.InputError):
        longhand.load(tmp_path)  # a folder without a run
