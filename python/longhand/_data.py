"""Converts Python data (lists, arrays, DataFrames, open files) to the file formats of the tasks, in memory."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ._errors import InputError

_ADVICE = {
    "lm": "give a path, the name of a data set, or a list of texts",
    "classifier": "give a path, a list of (text, label) pairs, a pair of lists (texts, labels), or a DataFrame",
    "tagger": "give a path, or a list of sentences, each a list of (word, tag) pairs",
    "regressor": "give a path, a DataFrame, or an array [rows, columns]",
    "network": "give a path, a DataFrame, a dict of arrays, or a pair of arrays (inputs, targets)",
}


def _wrong(name: str, expected: str, found: object, task: str) -> InputError:
    shown = found if isinstance(found, str) else type(found).__name__
    return InputError(f"{name}: expected {expected}, found {shown}", _ADVICE[task])


def is_frame(data: object) -> bool:
    """Whether `data` is a pandas DataFrame. Does not import pandas."""
    return type(data).__name__ == "DataFrame" and hasattr(data, "to_csv")


def _is_list(data: object) -> bool:
    return isinstance(data, (list, tuple)) or type(data).__name__ == "Series" or isinstance(data, np.ndarray)


def _texts(data: Any, name: str, task: str) -> list[str]:
    out = list(data)
    for i, text in enumerate(out):
        if not isinstance(text, str):
            raise _wrong(f"{name}[{i}]", "a text", text, task)
    if not out:
        raise _wrong(name, "texts", "an empty list", task)
    return out


def _language_model(data: Any, name: str) -> tuple[str, bytes]:
    if not _is_list(data):
        raise _wrong(name, "texts", data, "lm")
    return "txt", ("\n".join(_texts(data, name, "lm")) + "\n").encode()


def _pairs(data: Any, name: str) -> list[tuple[str, Any]]:
    if isinstance(data, tuple) and len(data) == 2 and all(_is_list(part) for part in data):
        texts, labels = _texts(data[0], name, "classifier"), list(data[1])
        if len(texts) != len(labels):
            raise InputError(
                f"{name}: expected as many labels as texts, found {len(texts)} texts and {len(labels)} labels",
                "give a label for each text",
            )
        return list(zip(texts, labels))
    if not isinstance(data, (list, tuple)):
        raise _wrong(name, "pairs of text and label", data, "classifier")
    if not data:
        raise _wrong(name, "pairs of text and label", "an empty list", "classifier")
    out = []
    for i, pair in enumerate(data):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise _wrong(f"{name}[{i}]", "a pair of text and label", pair, "classifier")
        out.append((pair[0], pair[1]))
    return out


def _classifier(data: Any, name: str) -> tuple[str, bytes]:
    if is_frame(data):
        return "csv", _frame_csv(data)
    lines = []
    for i, (text, label) in enumerate(_pairs(data, name)):
        if not isinstance(label, (str, int, np.integer)) or str(label) == "":
            raise _wrong(f"{name}[{i}]", "a label that is a text or a whole number", label, "classifier")
        lines.append(json.dumps({"label": str(label), "text": text}, ensure_ascii=False))
    return "jsonl", ("\n".join(lines) + "\n").encode()


def _tagger(data: Any, name: str) -> tuple[str, bytes]:
    if not isinstance(data, (list, tuple)):
        raise _wrong(name, "sentences", data, "tagger")
    if not data:
        raise _wrong(name, "sentences", "an empty list", "tagger")
    out = []
    for s, sentence in enumerate(data):
        for i, pair in enumerate(sentence):
            where = f"{name}[{s}][{i}]"
            if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(isinstance(p, str) for p in pair):
                raise _wrong(where, "a pair of word and tag", pair, "tagger")
            for part in pair:
                if part.strip() == "" or any(c in part for c in "\t\n\r"):
                    raise _wrong(where, "a word and a tag without tabs and line ends", repr(part), "tagger")
            out.append(f"{pair[0]}\t{pair[1]}\n")
        out.append("\n")
    return "tsv", "".join(out).encode()


def _frame_csv(frame: Any) -> bytes:
    names = [str(column) for column in frame.columns]
    if len(set(names)) < len(names):
        raise InputError("data: expected columns with different names, found some twice", "rename the columns")
    text = frame.to_csv(index=False)
    return str(text).encode()


def _array_csv(array: np.ndarray[Any, Any], name: str, task: str) -> bytes:
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise _wrong(name, "an array of numbers [rows, columns]", f"{array.dtype} {list(array.shape)}", task)
    if array.size == 0:
        raise _wrong(name, "rows of numbers", f"{array.dtype} {list(array.shape)}", task)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise _wrong(name, "finite numbers", f"{array[row, column]} in row {row}, column {column}", task)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(f"x{i + 1}" for i in range(array.shape[1]))
    if array.dtype.kind in "fb":
        array = array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
    writer.writerows(array.tolist())
    return out.getvalue().encode()


def _regressor(data: Any, name: str) -> tuple[str, bytes]:
    if is_frame(data):
        return "csv", _frame_csv(data)
    if type(data).__name__ == "Series" and hasattr(data, "to_frame"):
        return "csv", _frame_csv(data.to_frame(str(data.name or "value")))
    if not isinstance(data, (list, tuple, np.ndarray)):
        raise _wrong(name, "a table of numbers", data, "regressor")
    return "csv", _array_csv(np.asarray(data), name, "regressor")


def _network(data: Any, name: str) -> tuple[str, bytes]:
    if is_frame(data):
        return "csv", _frame_csv(data)
    if isinstance(data, tuple) and len(data) == 2:
        data = {"x": data[0], "y": data[1]}
    if not isinstance(data, Mapping):
        raise _wrong(name, "arrays", data, "network")
    arrays = {str(key): np.asarray(value) for key, value in data.items()}
    for key, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise _wrong(f"{name}[{key!r}]", "an array of numbers", str(array.dtype), "network")
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return "npz", out.getvalue()


_WRITERS = {
    "lm": _language_model,
    "classifier": _classifier,
    "tagger": _tagger,
    "regressor": _regressor,
    "network": _network,
}

MEMORY = "memory:"


_ENDINGS = {"lm": "txt", "classifier": "txt", "tagger": "txt", "regressor": "csv", "network": "csv"}


def _file_contents(file: Any, name: str, task: str) -> tuple[str, bytes]:
    if getattr(file, "closed", False):
        raise _wrong(name, "an open file", "a closed one", task)
    contents = file.read()
    if isinstance(contents, str):
        contents = contents.encode()
    if not isinstance(contents, bytes):
        raise _wrong(name, "a file of text or bytes", f"one of {type(contents).__name__}", task)
    if not contents:
        raise _wrong(name, "data", "an empty file", task)
    path = getattr(file, "name", "")
    ending = os.path.splitext(path)[1][1:] if isinstance(path, str) else ""
    return ending or _ENDINGS[task], contents


def as_source(task: str, name: str, data: Any, memory: dict[str, bytes]) -> str:
    """Returns the value of the option `name`: a path or data set name unchanged; for other data a key, after storing
    the converted data in `memory` under this key.
    """
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    if isinstance(data, bytes):
        raise _wrong(name, "a path or data", data, task)
    ending, contents = _file_contents(data, name, task) if hasattr(data, "read") else _WRITERS[task](data, name)
    source = f"{MEMORY}{name}.{ending}"
    memory[source] = contents
    return source


def words_of(data: Iterable[Sequence[str] | str], name: str) -> list[list[str]]:
    """Sentences as lists of words. A sentence given as a string is split at white space."""
    if isinstance(data, str):
        raise InputError(f"{name}: expected a list of sentences, found a text", "give a list, or call tag_text")
    out = []
    for i, sentence in enumerate(data):
        words = sentence.split() if isinstance(sentence, str) else list(sentence)
        if not all(isinstance(word, str) and word for word in words):
            raise InputError(f"{name}[{i}]: expected words, found something else", "give texts that are not empty")
        if not words:
            raise InputError(f"{name}[{i}]: expected words, found an empty sentence", "leave it out")
        out.append(words)
    return out


def options_text(name: str, value: object) -> str:
    """The value of an option as a command-line argument. Raises TypeError for unsupported types."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return ",".join(options_text(name, each) for each in value)
    raise TypeError(f"{name}: expected a number, a text, True or False, found {type(value).__name__}")
