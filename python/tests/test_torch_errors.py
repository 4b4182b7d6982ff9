"""What `longhand.torch.LSTM` refuses, and how it says so."""

import pytest

torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import PackedSequence, pack_sequence  # noqa: E402

from longhand.torch import LSTM, TensorError, TensorTypeError  # noqa: E402

X = torch.randn(6, 3, 5)
H = torch.zeros(1, 3, 8)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda m: m(X.double()), TypeError, "expected float32.* found float64"),
        (lambda m: m(X.half()), TypeError, "expected float32 or float64, found float16"),
        (lambda m: m(X.long()), TypeError, "found int64"),
        (lambda m: m(X.to("meta")), TypeError, "on the CPU.* found one on meta"),
        (lambda m: m(X.numpy()), TypeError, "expected a torch.Tensor, found ndarray"),
        (lambda m: m(None), TypeError, "found NoneType"),
        (lambda m: m(X.to_sparse()), TypeError, "expected a dense tensor"),
        (lambda m: m(X[..., :4]), ValueError, "expected input_size 5, found 4"),
        (lambda m: m(X[..., :4]), RuntimeError, "expected input_size 5, found 4"),
        (lambda m: m(X[0, 0]), ValueError, "expected 2 dimensions"),
        (lambda m: m(X[None]), ValueError, "expected 2 dimensions"),
        (lambda m: m(X, H), TypeError, "expected a pair"),
        (lambda m: m(X, (H, H[:, :2])), ValueError, r"c_0: expected shape \(1, 3, 8\).*found \(1, 2, 8\)"),
        (lambda m: m(X, (H[0], H)), ValueError, "h_0: expected shape"),
        (lambda m: m(X[:, 0], (H, H)), ValueError, "h_0: expected shape"),
        (lambda m: m(X, (H.double(), H)), TypeError, "h_0: expected float32"),
        (lambda m: m(X, lengths=[1, 2]), ValueError, r"expected shape \(3,\).*found \(2,\)"),
        (lambda m: m(X, lengths=[1, 2, 7]), ValueError, r"lengths\[2\]: expected 0 to 6.*found 7"),
        (lambda m: m(X, lengths=[1, -2, 3]), ValueError, r"lengths\[1\].*found -2"),
        (lambda m: m(X, lengths=[1.0, 2.0, 3.0]), TypeError, "expected integers, found float32"),
        (lambda m: m(X, lengths="abc"), TypeError, "expected a tensor or list of integers"),
        (lambda m: m(X[:, 0], lengths=[3]), ValueError, "unbatched"),
        (lambda m: m(pack_sequence([X[:, 0]]), lengths=[3]), ValueError, "PackedSequence"),
        (lambda m: m(PackedSequence(X[:, 0], torch.tensor([2, 3, 1]))), ValueError, "descending"),
        (lambda m: m(PackedSequence(X[:, 0], torch.tensor([2, 2]))), ValueError, "sum is 6"),
        (lambda m: m(PackedSequence(X[:, 0, :4], torch.tensor([3, 3]))), ValueError, "input.data"),
        (lambda m: m.half()(X.half()), TypeError, "found float16"),
        (lambda m: m.to("meta")(X), TypeError, "on the CPU"),
        (lambda m: LSTM(5, 8, dtype=torch.float16), TypeError, "found float16"),
        (lambda m: LSTM(5, 8, zoneout=1.0), ValueError, "less than 1"),
        (lambda m: LSTM(5, 8, weight_drop=-0.1), ValueError, "found -0.1"),
        (lambda m: LSTM(5, 8, dropout_recurrent="a"), TypeError, "found str"),
        (lambda m: LSTM(5, 8, proj_size=8), ValueError, "proj_size"),
        (lambda m: LSTM(0, 8), ValueError, "input_size"),
    ],
)
def test_what_it_cannot_do_it_says(call, error, match):
    with pytest.raises(error, match=match):
        call(LSTM(5, 8))


def test_errors_are_of_the_types_of_pytorch_and_python():
    assert issubclass(TensorError, ValueError) and issubclass(TensorError, RuntimeError)
    assert issubclass(TensorTypeError, TypeError) and issubclass(TensorTypeError, RuntimeError)
