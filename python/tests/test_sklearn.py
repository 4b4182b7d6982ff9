"""The estimators among scikit-learn's tools, and with data as users have them."""

from __future__ import annotations

import pathlib
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from conftest import make_pairs, make_sentences

import longhand

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from longhand.sklearn import LSTMClassifier, LSTMRegressor, LSTMTagger

QUICK: dict[str, Any] = {"hidden": 16, "epochs": 15, "lr": 0.01, "random_state": 0}


@pytest.fixture
def make_data() -> tuple[np.ndarray, np.ndarray]:
    """Sequences of two features whose class is the sign of the first step of the first one."""
    X = np.random.default_rng(1).normal(size=(120, 6, 2))
    return X, (X[:, 0, 0] > 0).astype(int)


def ragged(seed: int = 2) -> tuple[list[np.ndarray], np.ndarray]:
    """Sequences of different lengths, whose target is the mean of the first feature."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(int(n), 2)) for n in rng.integers(1, 9, size=90)]
    return X, np.array([each[:, 0].mean() for each in X])


# With the defaults. No check is expected to fail.
@parametrize_with_checks([LSTMClassifier(), LSTMRegressor()], expected_failed_checks=lambda estimator: {})
def test_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


@pytest.mark.parametrize("kind", ["int", "text", "bool"])
def test_classifier_learns_and_keeps_the_labels(make_data: tuple[np.ndarray, np.ndarray], kind: str) -> None:
    X, numbers = make_data
    y = {"int": numbers * 7 - 3, "text": np.array(["no", "yes"])[numbers], "bool": numbers == 1}[kind]
    model = LSTMClassifier(**{**QUICK, "epochs": 40}).fit(X, y)
    assert model.score(X, y) > 0.9
    found = model.predict(X)
    assert found.dtype == y.dtype and set(found) <= set(model.classes_)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (120, 2) and probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], found)
    assert model.n_features_in_ == 2 and model.features_per_step_ == 2
    assert model.n_iter_ == 40 and len(model.history_["train_loss"]) == 40
    assert model.history_["train_loss"][-1] < model.history_["train_loss"][0]


def test_same_seed_same_bits_as_train(make_data: tuple[np.ndarray, np.ndarray], tmp_path: pathlib.Path) -> None:
    X, y = make_data
    first, second = (LSTMClassifier(**{**QUICK, "n_jobs": n}).fit(X, y) for n in (1, 2))
    weights = first.model_.tensors()
    assert all(np.array_equal(w, second.model_.tensors()[name]) for name, w in weights.items())
    other = LSTMClassifier(**{**QUICK, "random_state": 1}).fit(X, y).model_.tensors()
    assert not all(np.array_equal(w, other[name]) for name, w in weights.items())
    network = tmp_path / "network.toml"
    network.write_text(first._description)
    result = longhand.train(
        "network", {"x": X, "y": y}, input="x", target="y", network=network, loss="cross-entropy", valid_fraction=0,
        epochs=15, lr=0.01, batch=32, seed=0, out=tmp_path / "run", progress=False,
    )  # fmt: skip
    assert all(np.array_equal(w, result.model.tensors()[name]) for name, w in weights.items())


def test_random_state_may_be_a_generator_or_none(make_data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = make_data
    options = {**QUICK, "epochs": 1}
    a, b = (LSTMClassifier(**{**options, "random_state": np.random.RandomState(3)}).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    a, b = (LSTMClassifier(**{**options, "random_state": None}).fit(X, y) for _ in range(2))
    assert not np.array_equal(a.predict_proba(X), b.predict_proba(X))


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_sequences_of_different_lengths(pooling: str) -> None:
    X, y = ragged()
    model = LSTMRegressor(**{**QUICK, "epochs": 40}, pooling=pooling, layers=2, bidirectional=True).fit(X, y)
    found = model.predict(X)
    assert model.score(X, y) > 0.6
    one_by_one = np.concatenate([model.predict([each]) for each in X])
    np.testing.assert_allclose(found, one_by_one, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.predict(X[::-1])[::-1], found)


def test_nested_lists_and_arrays_are_the_same(make_data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = make_data
    model = LSTMRegressor(**QUICK).fit(X, y)
    np.testing.assert_array_equal(model.predict(X.tolist()), model.predict(X))
    np.testing.assert_array_equal(model.predict(list(X)), model.predict(X))
    np.testing.assert_array_equal(model.predict(np.asfortranarray(X)), model.predict(X))
    np.testing.assert_array_equal(LSTMRegressor(**QUICK).fit(X.tolist(), y.tolist()).predict(X), model.predict(X))


def test_columns_as_steps(make_data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = make_data
    table = X.reshape(len(X), -1)
    as_array = LSTMClassifier(**QUICK).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(LSTMClassifier(**QUICK, steps=6).fit(table, y).predict_proba(table), as_array)
    scalars = LSTMClassifier(**QUICK, steps=-1).fit(table, y)
    assert scalars.features_per_step_ == 1 and scalars.n_features_in_ == 12
    np.testing.assert_array_equal(scalars.predict_proba(table), scalars.predict_proba(table[:, :, None]))
    uneven = LSTMRegressor(**QUICK, steps=-1).fit([[1.0, 2.0], [3.0], [4.0, 5.0, 6.0]], [1.0, 2.0, 3.0])
    assert uneven.predict([[1.0], [2.0, 3.0]]).shape == (2,)
    with pytest.raises(ValueError, match="5 steps divide"):
        LSTMClassifier(steps=5).fit(table, y)


def test_regressor_of_several_outputs_and_large_units() -> None:
    X = np.random.default_rng(4).normal(size=(150, 3, 2)) * 1000 + 5000
    y = np.stack([X[:, -1, 0] * 3, -X[:, :, 1].sum(axis=1)], axis=1)
    model = LSTMRegressor(**{**QUICK, "epochs": 60}).fit(X, y)
    assert model.predict(X).shape == (150, 2) and model.score(X, y) > 0.9
    assert LSTMRegressor(**QUICK).fit(X, y[:, :1]).predict(X).shape == (150, 1)
    assert np.ptp(LSTMRegressor(**QUICK).fit(X, np.full(150, 7.0)).predict(X)) < 0.1
    assert LSTMRegressor(**QUICK, loss="mae").fit(X, y).predict(X).shape == (150, 2)


def test_pipeline_search_and_clone() -> None:
    X, y = load_digits(return_X_y=True)
    X, y = X[:200], y[:200]
    model = make_pipeline(StandardScaler(), LSTMClassifier(steps=8, epochs=8, lr=0.01, random_state=0))
    search = GridSearchCV(model, {"lstmclassifier__hidden": [8, 32]}, cv=2, n_jobs=2).fit(X, y)
    assert search.best_params_ == {"lstmclassifier__hidden": 32} and search.best_score_ > 0.6
    assert clone(model).get_params()["lstmclassifier__steps"] == 8
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict_proba(X), search.predict_proba(X))
    assert len(cross_val_score(LSTMClassifier(**QUICK), *load_iris(return_X_y=True), cv=3)) == 3


def test_ragged_lists_in_cross_validation() -> None:
    X, y = ragged()
    assert cross_val_score(LSTMRegressor(**{**QUICK, "epochs": 40}), X, y, cv=3).mean() > 0.3


def test_held_out_samples_choose_the_epoch(make_data: tuple[np.ndarray, np.ndarray]) -> None:
    X, _ = make_data
    y = np.arange(len(X)) // 60  # sorted by class: what is held out has to be drawn at random
    model = LSTMClassifier(**{**QUICK, "epochs": 60, "lr": 0.05}, valid_fraction=0.2, patience=3).fit(X, y)
    assert model.n_iter_ < 60 and "valid_loss" in model.history_ and "valid_accuracy" in model.metrics_
    best = int(model.history_["valid_loss"].argmin())
    assert model.metrics_["valid_loss"] == pytest.approx(model.history_["valid_loss"][best], rel=1e-6)
    with pytest.raises(ValueError, match="held-out"):
        LSTMClassifier(patience=3).fit(X, y)
    with pytest.raises(ValueError, match="valid_fraction"):
        LSTMClassifier(valid_fraction=1.0).fit(X, y)


def test_warm_start_goes_on(make_data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = make_data
    model = LSTMClassifier(**{**QUICK, "epochs": 5}, warm_start=True)
    losses = [float(model.fit(X, y).history_["train_loss"][-1]) for _ in range(3)]
    assert losses[0] > losses[1] > losses[2]
    with pytest.raises(ValueError, match="warm_start"):
        model.fit(X[:, :, :1], y)
    with pytest.raises(ValueError, match="warm_start"):
        model.fit(X, y + 1)


def test_frames(make_data: tuple[np.ndarray, np.ndarray]) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True, as_frame=True)
    species = y.map({0: "setosa", 1: "versicolor", 2: "virginica"})
    model = LSTMClassifier(**{**QUICK, "epochs": 40}).fit(X, species)
    assert list(model.feature_names_in_) == list(X.columns) and model.score(X, species) > 0.9
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X.rename(columns={X.columns[0]: "other"}))
    sequences = [pandas.DataFrame(each, columns=["a", "b"]) for each in make_data[0]]
    assert len(LSTMClassifier(**QUICK).fit(sequences, make_data[1]).predict(sequences)) == 120


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (np.where(X > 2, np.nan, X), y), "contains NaN"),
        (lambda X, y: (np.where(X > 2, np.inf, X), y), "infinity"),
        (lambda X, y: (X * 1e200, y), "too large"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: (X[:, :0], y), "without numbers|0 feature"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X, None), "target y is None"),
        (lambda X, y: (X[:, 0, 0], y), "Reshape your data"),
        (lambda X, y: (X[:, :, :, None], y), "dim 4|numbers|expected"),
        (lambda X, y: ([X[0], X[1][:, :1]], y[:2]), r"X\[1\]"),
        (lambda X, y: (X, np.zeros(len(X), dtype=int)), "one class"),
        (lambda X, y: (X[:1], y[:1]), "one class"),
        (lambda X, y: (X, np.linspace(0, 1, len(X))), "Unknown label type"),
    ],
)
def test_classifier_refuses(make_data: tuple[np.ndarray, np.ndarray], change: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LSTMClassifier(**QUICK).fit(*change(*make_data))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden": 0}, "hidden"),
        ({"layers": 0}, "layers"),
        ({"dropout": 1.5}, "dropout"),
        ({"pooling": "middle"}, "pooling"),
        ({"steps": 0}, "steps"),
        ({"epochs": 0}, "epochs"),
        ({"lr": -1}, "lr"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"random_state": "dice"}, "seed"),
    ],
)
def test_parameters_are_checked_in_fit(
    make_data: tuple[np.ndarray, np.ndarray], parameters: dict[str, Any], message: str
) -> None:
    X, y = make_data
    model = LSTMClassifier(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(X.reshape(len(X), -1), y)
    with pytest.raises(ValueError, match="loss"):
        LSTMRegressor(loss="hinge").fit(X, y)
    with pytest.raises(TypeError, match="did you mean 'optimizer'"):
        LSTMClassifier(options={"optimiser": "sgd"}).fit(X, y)
    with pytest.raises(ValueError, match="targets for each step|array"):
        LSTMRegressor().fit(X, X)


def test_sample_weights_are_refused(make_data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = make_data
    with pytest.raises(TypeError, match="sample_weight"):
        LSTMClassifier().fit(X, y, sample_weight=np.ones(len(y)))
    assert 0 <= LSTMClassifier(**QUICK).fit(X, y).score(X, y, sample_weight=np.ones(len(y))) <= 1


def test_predict_refuses_other_data(make_data: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.exceptions import NotFittedError

    X, y = make_data
    with pytest.raises(NotFittedError):
        LSTMClassifier().predict(X)
    model = LSTMClassifier(**QUICK).fit(X, y)
    with pytest.raises(ValueError, match="1 features"):
        model.predict(X[:, :, :1])
    with pytest.raises(ValueError, match="texts"):
        model.predict(["a text"])
    assert model.predict(X[:, :2]).shape == (120,)  # other numbers of steps are read


def test_texts() -> None:
    texts, labels = map(list, zip(*make_pairs(100)))
    options: dict[str, Any] = {"hidden": 16, "epochs": 12, "lr": 0.01, "random_state": 0}
    model = LSTMClassifier(**options, options={"embed": 16}).fit(texts, labels)
    assert isinstance(model.model_, longhand.Classifier) and list(model.classes_) == ["neg", "pos"]
    assert model.score(texts, labels) > 0.9
    np.testing.assert_array_equal(model.predict(np.array(texts)), model.predict(texts))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(texts), model.predict_proba(texts))
    assert not hasattr(model, "n_features_in_")
    assert cross_val_score(LSTMClassifier(**options), texts, labels, cv=2, n_jobs=2).mean() > 0.7
    numbers = LSTMClassifier(**options).fit(texts, [10 if label == "pos" else 9 for label in labels])
    assert set(numbers.predict(texts)) == {9, 10}
    for bad in ([*texts[:5], ""], [*texts[:5], 3]):
        with pytest.raises(ValueError, match=r"X\[5\]"):
            model.predict(bad)
    with pytest.raises(ValueError, match="list of texts"):
        model.predict(np.zeros((3, 2)))


@pytest.mark.parametrize("crf", [False, True])
def test_tagger(crf: bool) -> None:
    pairs = make_sentences(60)
    X, y = [[word for word, _ in each] for each in pairs], [[tag for _, tag in each] for each in pairs]
    train, held_out, train_y, held_out_y = train_test_split(X, y, random_state=0)
    model = LSTMTagger(crf=crf, hidden=16, epochs=8, lr=0.01, random_state=0, options={"hidden_characters": 0})
    model.fit(train, train_y)
    assert model.score(held_out, held_out_y) > 0.95
    assert list(model.classes_) == ["DET", "NOUN", "VERB"]
    found = model.predict([[], *held_out])
    assert found[0] == [] and list(map(len, found[1:])) == list(map(len, held_out))
    best = model.predict_best(held_out[:1], 3)[0]
    assert best[0][0] == found[1] and len(best) == 3 and best[0][1] >= best[1][1] >= best[2][1]
    assert pickle.loads(pickle.dumps(model)).predict(held_out) == found[1:]
    assert cross_val_score(clone(model), X, y, cv=2).mean() > 0.9
    for bad_X, bad_y, message in (
        ([["a", "b"]], [["T"]], r"y\[0\]"),
        (["a b"], [["T", "T"]], r"X\[0\]"),
        ([["a", ""]], [["T", "T"]], r"X\[0\]\[1\]"),
        ([["a"]], [[3]], r"y\[0\]\[0\]"),
        ([["a"]], [["T"], ["T"]], "inconsistent"),
        ([], [], "0 sample"),
        ([[]], [[]], "none with words"),
        ([["a"]], None, "y is None"),
    ):
        with pytest.raises(ValueError, match=message):
            clone(model).fit(bad_X, bad_y)
