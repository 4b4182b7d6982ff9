"""`longhand.torch.LSTM` beside `torch.nn.LSTM`: outputs, gradients, state_dicts, and use."""

import copy
import gc
import io
import itertools
import pickle
import threading

import pytest

torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence  # noqa: E402

from longhand.torch import LSTM  # noqa: E402

LENGTHS = [4, 9, 1, 6, 9]


def pair(*args, dtype=torch.float32, **options):
    """The same layers of both kinds."""
    torch.manual_seed(7)
    theirs = torch.nn.LSTM(*args, dtype=dtype, **options)
    ours = LSTM(*args, dtype=dtype, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def leaves(module, steps=9, batch=5, dtype=torch.float32, batched=True):
    """Input and states that want gradients; the batch is the second axis, or the first with batch_first."""
    torch.manual_seed(3)
    shape = (batch, steps) if module.batch_first else (steps, batch)
    directions = 2 if module.bidirectional else 1
    states = module.num_layers * directions
    x = torch.randn(*(shape if batched else (steps,)), module.input_size, dtype=dtype)
    rows = (batch,) if batched else ()
    h = torch.randn(states, *rows, module.proj_size or module.hidden_size, dtype=dtype)
    c = torch.randn(states, *rows, module.hidden_size, dtype=dtype)
    return [t.requires_grad_() for t in (x, h, c)]


def results(module, run, tensors):
    """Outputs of a run, and the gradients of a random function of all of them."""
    module.zero_grad()
    for tensor in tensors:
        tensor.grad = None
    outputs = run(module, *tensors)
    torch.manual_seed(11)
    sum((y * torch.randn(y.shape, dtype=y.dtype)).sum() for y in outputs).backward()
    gradients = [t.grad for t in tensors] + [p.grad for p in module.parameters()]
    return [y.detach() for y in outputs], gradients


def assert_same(theirs, ours, tolerance=1e-5):
    for a, b in zip(itertools.chain(*theirs), itertools.chain(*ours)):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.shape == b.shape
            scale = max(1.0, a.abs().max().item()) if a.numel() else 1.0
            assert torch.allclose(a, b, rtol=0, atol=tolerance * scale), (a - b).abs().max()


def plain(module, x, h, c):
    y, (h_n, c_n) = module(x, (h, c))
    return y, h_n, c_n


def packed(module, x, h, c, enforce_sorted=False):
    lengths = sorted(LENGTHS, reverse=True) if enforce_sorted else LENGTHS
    y, (h_n, c_n) = module(pack_padded_sequence(x, lengths, module.batch_first, enforce_sorted), (h, c))
    return y.data, h_n, c_n


OPTIONS = [
    {},
    {"bias": False},
    {"batch_first": True},
    {"num_layers": 3},
    {"bidirectional": True},
    {"proj_size": 3},
    {"num_layers": 2, "bidirectional": True, "proj_size": 16, "batch_first": True},
    {"num_layers": 2, "bidirectional": True, "bias": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("sizes", [(5, 17), (16, 32), (1, 19)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_outputs_and_gradients_are_those_of_pytorch(sizes, options, dtype):
    theirs, ours = pair(*sizes, dtype=dtype, **options)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for run in (plain, packed, lambda *a: packed(*a, enforce_sorted=True)):
        tensors = leaves(theirs, dtype=dtype)
        expected = results(theirs, run, tensors)
        assert_same(expected, results(ours, run, tensors), tolerance)


def test_an_unbatched_input_has_no_batch_axis():
    for batch_first in (False, True):
        theirs, ours = pair(5, 8, bidirectional=True, batch_first=batch_first)
        tensors = leaves(theirs, batched=False)
        assert_same(results(theirs, plain, tensors), results(ours, plain, tensors))


def test_states_default_to_zeros():
    theirs, ours = pair(5, 8)
    (x, _, _) = leaves(theirs)
    assert_same([theirs(x)[0]], [ours(x)[0]])
    assert_same(results(theirs, lambda m, x: m(x)[1], [x]), results(ours, lambda m, x: m(x)[1], [x]))


def test_only_some_outputs_and_inputs_have_gradients():
    theirs, ours = pair(5, 8, 2)
    x, h, c = leaves(theirs)
    for run, tensors in [
        (lambda m, x: (m(x, (h.detach(), c.detach()))[0][-1],), [x]),
        (lambda m, h: (m(x.detach(), (h, c.detach()))[1][1],), [h]),
        (lambda m, c: (m(x.detach(), (h.detach(), c))[1][0],), [c]),
        (lambda m: (m(x.detach())[0],), []),
    ]:
        assert_same(results(theirs, run, tensors), results(ours, run, tensors))


def test_frozen_parameters_get_no_gradient():
    theirs, ours = pair(5, 8)
    for module in (theirs, ours):
        module.weight_hh_l0.requires_grad_(False)
        module.bias_hh_l0.requires_grad_(False)
    tensors = leaves(theirs)
    assert_same(results(theirs, plain, tensors), results(ours, plain, tensors))
    assert ours.weight_hh_l0.grad is None
    for parameter in ours.parameters():
        parameter.requires_grad_(False)
    y, _ = ours(tensors[0].detach())
    assert not y.requires_grad


def test_inference_has_the_bits_of_training_passes():
    _, ours = pair(5, 40, 2, bidirectional=True)
    x, h, c = leaves(ours)
    y, (h_n, c_n) = ours(x, (h, c))
    with torch.no_grad():
        again, (h_again, c_again) = ours(x, (h, c))
    assert torch.equal(y, again) and torch.equal(h_n, h_again) and torch.equal(c_n, c_again)
    assert not again.requires_grad


def test_any_number_of_threads_gives_the_same_bits():
    before = torch.get_num_threads()
    _, ours = pair(33, 70, 2)
    tensors = leaves(ours, steps=20, batch=7)
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append([t.clone() for t in itertools.chain(*results(ours, plain, tensors))])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other))


@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_are_those_of_a_packed_sequence(batch_first):
    theirs, ours = pair(5, 20, 2, bidirectional=True, batch_first=batch_first)

    def padded_by_pytorch(module, x, h, c):
        y, (h_n, c_n) = module(pack_padded_sequence(x, LENGTHS, batch_first, enforce_sorted=False), (h, c))
        return pad_packed_sequence(y, batch_first)[0], h_n, c_n

    def with_lengths(module, x, h, c):
        y, (h_n, c_n) = module(x, (h, c), lengths=torch.tensor(LENGTHS))
        return y, h_n, c_n

    tensors = leaves(theirs)
    assert_same(results(theirs, padded_by_pytorch, tensors), results(ours, with_lengths, tensors))


def test_padding_is_neither_read_nor_differentiated():
    for options in ({}, {"num_layers": 2, "bidirectional": True}, {"proj_size": 16}, {"layer_norm": True}):
        ours = LSTM(16, 32, **options)
        x = torch.randn(9, 5, 16)
        mask = torch.arange(9)[:, None] >= torch.tensor(LENGTHS)
        poisoned = x.masked_fill(mask[:, :, None], float("nan")).requires_grad_()
        y, (h_n, c_n) = ours(poisoned, lengths=LENGTHS)
        assert torch.equal(y[mask], torch.zeros_like(y[mask]))
        y.backward(torch.ones_like(y).masked_fill(mask[:, :, None], float("nan")))
        assert torch.equal(poisoned.grad[mask], torch.zeros_like(x[mask]))
        for value in (y, h_n, c_n, poisoned.grad, *(p.grad for p in ours.parameters())):
            assert torch.isfinite(value).all()


def test_a_sequence_of_length_zero_keeps_its_state():
    ours = LSTM(3, 4)
    h, c = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    y, (h_n, c_n) = ours(torch.randn(5, 2, 3), (h, c), lengths=[0, 5])
    assert torch.equal(h_n[0, 0], h[0, 0]) and torch.equal(c_n[0, 0], c[0, 0])
    assert not y[:, 0].any() and y[:, 1].all()


def test_rows_with_any_strides():
    theirs, ours = pair(5, 8)
    base = torch.randn(5, 9, 11)
    for x in (base.permute(1, 0, 2)[:, :, 3:8], base[:, :, ::2][:, :, :5].transpose(0, 1),
              torch.randn(1, 1, 5).expand(9, 5, 5), torch.randn(46)[1:].view(9, 1, 5).expand(9, 3, 5)):
        x = x.detach()
        assert_same([theirs(x)[0]], [ours(x)[0]])
    negated = torch.imag(torch.conj(torch.complex(base, base)))  # whose memory has the other sign
    assert negated.is_neg()
    assert_same([theirs(negated[:, :, :5])[0]], [ours(negated[:, :, :5])[0]])
    for gradient in (torch.ones(()).expand(9, 5, 8), torch.randn(8, 5, 9).permute(2, 1, 0)):
        found = []
        for module in (theirs, ours):
            module.zero_grad()
            module(base.transpose(0, 1)[:, :, :5])[0].backward(gradient)
            found.append([p.grad for p in module.parameters()])
        assert_same([found[0]], [found[1]])
    h, c = torch.randn(8, 5, 1).permute(2, 1, 0), torch.randn(8, 5, 1).permute(2, 1, 0)
    assert_same([theirs(base.transpose(0, 1)[:, :, :5], (h, c))[0]], [ours(base.transpose(0, 1)[:, :, :5], (h, c))[0]])


GRADCHECKED = [
    {},
    {"num_layers": 2, "bidirectional": True, "proj_size": 2},
    {"layer_norm": True},
    {"peepholes": True, "bias": False},
    {"zoneout": 0.3, "zoneout_cell": 0.2},
    {"dropout_recurrent": 0.4, "weight_drop": 0.3},
    {"num_layers": 2, "dropout": 0.5, "variational": True, "batch_first": True},
]


@pytest.mark.parametrize("options", GRADCHECKED, ids=str)
def test_gradients_in_double_are_central_differences(options):
    torch.manual_seed(5)
    ours = LSTM(2, 3, dtype=torch.float64, **options)
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    tensors = leaves(ours, steps=3, batch=2, dtype=torch.float64)

    def function(x, h, c, *parameters):
        torch.manual_seed(2)  # the same masks each time
        y, (h_n, c_n) = torch.func.functional_call(ours, dict(zip(names, parameters)), (x, (h, c)), {"lengths": [1, 3]})
        return y, h_n, c_n

    names = [name for name, _ in ours.named_parameters()]
    assert torch.autograd.gradcheck(function, (*tensors, *ours.parameters()))


@pytest.mark.parametrize("options", GRADCHECKED, ids=str)
def test_the_fused_engine_is_the_reference(options):
    torch.manual_seed(5)
    single = LSTM(5, 20, **options)
    double = LSTM(5, 20, dtype=torch.float64, **options)
    double.load_state_dict(single.state_dict())

    def run(module, *tensors):
        torch.manual_seed(2)
        return plain(module, *tensors)

    tensors = leaves(single)
    found = results(single, run, tensors)
    wide = [t.detach().double().requires_grad_() for t in tensors]
    torch.manual_seed(11)
    weights = [torch.randn(y.shape) for y in found[0]]

    def weighted(module, *tensors):
        return [y * w for y, w in zip(run(module, *tensors), weights)]

    single.zero_grad()
    double.zero_grad()
    for module, inputs in ((single, tensors), (double, wide)):
        for t in inputs:
            t.grad = None
        sum(y.sum() for y in weighted(module, *inputs)).backward()
    for a, b in zip([*tensors, *single.parameters()], [*wide, *double.parameters()]):
        # Layer normalisation divides by deviations that may be small.
        assert (a.grad - b.grad).abs().max() <= 1e-4 * b.grad.abs().max(), (a.grad - b.grad).abs().max()


def test_masks_are_those_of_the_seed():
    ours = LSTM(5, 30, 2, dropout=0.5)
    x = torch.randn(6, 3, 5)
    torch.manual_seed(1)
    first, second = ours(x)[0], ours(x)[0]
    torch.manual_seed(1)
    assert torch.equal(first, ours(x)[0])
    assert not torch.equal(first, second)
    ours.eval()
    assert torch.equal(ours(x)[0], ours(x)[0])


def test_dropout_drops_and_scales():
    ours = LSTM(4, 64, 2, dropout=0.25)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.zero_()
        ours.bias_ih_l0[:] = 3.0  # the first layer's output is a constant a
        ours.weight_ih_l1[:64] = torch.eye(64) * 1e-3  # the second layer's input gate sees it, one unit each
        ours.bias_ih_l1[128:192] = 1e-3
        ours.eval()
        whole = ours(torch.zeros(1, 500, 4))[0]
        ours.train()
        y = ours(torch.zeros(1, 500, 4))[0]
    dropped = (y < whole).float().mean().item()
    assert abs(dropped - 0.25) < 0.01
    everything = LSTM(4, 64, 2, dropout=1.0)
    reference = torch.nn.LSTM(4, 64, 2, dropout=1.0)
    reference.load_state_dict(everything.state_dict())
    x = torch.randn(5, 3, 4)
    assert torch.allclose(everything(x)[0], reference(x)[0], atol=1e-6)


def test_state_dicts_are_interchangeable():
    for options in OPTIONS:
        torch.manual_seed(4)
        theirs = torch.nn.LSTM(5, 20, **options)
        torch.manual_seed(4)
        ours = LSTM(5, 20, **options)
        assert list(theirs.state_dict()) == list(ours.state_dict())
        assert all(torch.equal(a, b) for a, b in zip(theirs.state_dict().values(), ours.state_dict().values()))
        theirs.reset_parameters()
        assert str(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
        theirs.load_state_dict(ours.state_dict())


def test_copies_and_pickles():
    ours = LSTM(5, 8, 2, layer_norm=True, zoneout=0.1)
    x = torch.randn(6, 3, 5)
    ours.eval()
    expected = ours(x)[0]
    file = io.BytesIO()
    torch.save(ours, file)
    file.seek(0)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), torch.load(file, weights_only=False)):
        assert torch.equal(expected, other(x)[0])
        with torch.no_grad():
            other.weight_hh_l1.zero_()
        assert not torch.equal(expected, other(x)[0])
    assert torch.equal(expected, ours(x)[0])
    assert "layer_norm=True" in repr(ours) and "zoneout=0.1" in repr(ours)


def test_any_change_of_the_weights_is_seen():
    theirs, ours = pair(5, 8)
    x = torch.randn(6, 3, 5)

    def agree():
        with torch.no_grad():
            assert torch.allclose(theirs(x)[0], ours(x)[0], atol=1e-6)
        assert torch.allclose(theirs(x)[0], ours(x)[0], atol=1e-6)

    agree()
    for module in (theirs, ours):
        module.weight_hh_l0.data.mul_(0.5)  # which does not count as a change for autograd
    agree()
    for module in (theirs, ours):
        module.bias_hh_l0.data = torch.full((32,), 0.25)
    agree()
    for module in (theirs, ours):
        with torch.no_grad():
            module.weight_ih_l0[3, 2] += 1.0
    agree()
    for module in (theirs, ours):
        module.double().float()
    agree()


def test_several_forward_passes_before_a_backward_pass():
    theirs, ours = pair(5, 20)
    x = torch.randn(4, 6, 3, 5)
    found = []
    for module in (theirs, ours):
        state, losses = None, []
        for part in x:  # the gradient flows through all parts
            y, state = module(part, state)
            losses.append(y.square().sum())
        sum(losses).backward()
        found.append([p.grad for p in module.parameters()])
    assert_same([found[0]], [found[1]])


def test_a_retained_graph_gives_the_same_gradients_again():
    ours = LSTM(5, 20, 2, dropout=0.5)
    x = torch.randn(6, 3, 5, requires_grad=True)
    y, _ = ours(x)
    first = torch.autograd.grad(y.sum(), [x, *ours.parameters()], retain_graph=True)
    again = torch.autograd.grad(y.sum(), [x, *ours.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(y.sum(), [x])


def test_second_derivatives_are_refused():
    ours = LSTM(3, 4)
    x = torch.randn(6, 3, 3, requires_grad=True)
    (dx,) = torch.autograd.grad(ours(x)[0].sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        dx.sum().backward()


def test_a_weight_changed_before_the_backward_pass_is_noticed():
    ours = LSTM(3, 4)
    y, _ = ours(torch.randn(6, 3, 3))
    with torch.no_grad():
        ours.weight_hh_l0.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_saved_tensors_may_be_moved_by_hooks():
    theirs, ours = pair(5, 8)
    x = torch.randn(9, 5, 5)
    found = []
    for module in (theirs, ours):
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t.clone()):
            y = module((x * 1.0).requires_grad_())[0]
        gc.collect()
        y.sum().backward()
        found.append([p.grad for p in module.parameters()])
    assert_same([found[0]], [found[1]])


def test_checkpointing_and_weight_normalisation():
    from torch.nn.utils.parametrizations import weight_norm
    from torch.utils.checkpoint import checkpoint

    theirs, ours = pair(5, 8)
    theirs, ours = weight_norm(theirs, "weight_hh_l0"), weight_norm(ours, "weight_hh_l0")
    tensors = leaves(theirs)
    for reentrant in (False, True):
        def run(module, *tensors, reentrant=reentrant):
            return checkpoint(plain, module, *tensors, use_reentrant=reentrant)

        assert_same(results(theirs, plain, tensors), results(ours, run, tensors))


def test_threads_may_use_one_module():
    ours = LSTM(8, 24)
    inputs = [torch.randn(12, 3, 8) for _ in range(8)]
    expected = [ours(x)[0].detach() for x in inputs]
    found = [None] * len(inputs)

    def work(i):
        for _ in range(20):
            x = inputs[i].clone().requires_grad_()
            found[i] = ours(x)[0]
            found[i].sum().backward()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(a, b) for a, b in zip(expected, found))


def test_a_forked_process_makes_its_own_threads():
    import os

    ours = LSTM(64, 128)
    x = torch.randn(30, 16, 64)
    expected = ours(x)[0].detach().numpy().tobytes()
    child = os.fork()
    if child == 0:  # PyTorch's own threads are not there, so that no function of its may need them
        with torch.no_grad():
            os._exit(0 if ours(x)[0].numpy().tobytes() == expected else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_memory_and_threads_stay_flat():
    import os
    import resource

    def use():
        ours = LSTM(32, 64, 2)
        x = torch.randn(20, 8, 32, requires_grad=True)
        ours(x)[0].sum().backward()
        ours(x)  # its graph is dropped

    for _ in range(20):
        use()
    gc.collect()
    before, threads = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(os.listdir("/proc/self/task"))
    for _ in range(100):
        use()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024
    assert len(os.listdir("/proc/self/task")) == threads


def test_empty_batches():
    theirs, ours = pair(5, 8, 2, bidirectional=True)
    x = torch.randn(4, 0, 5, requires_grad=True)
    y, (h_n, c_n) = ours(x)
    reference, (h_reference, c_reference) = theirs(x)
    assert (y.shape, h_n.shape, c_n.shape) == (reference.shape, h_reference.shape, c_reference.shape)
    y.sum().backward()
    assert x.grad.shape == x.shape and not ours.weight_ih_l0.grad.any()
    with pytest.raises(RuntimeError, match="at least one time step"):
        ours(torch.randn(0, 3, 5))


def test_not_a_number_goes_where_it_goes_in_pytorch():
    theirs, ours = pair(5, 8)
    x = torch.randn(6, 3, 5)
    x[2, 1, 0] = float("nan")
    assert torch.equal(torch.isnan(theirs(x)[0]), torch.isnan(ours(x)[0]))
    with torch.no_grad():
        ours.bias_ih_l0[0] = float("nan")
    assert torch.isnan(ours(x)[0]).any()
    assert torch.isnan(ours(x)[0]).any()


def test_the_example_has_the_losses_of_pytorch(tmp_path, monkeypatch, capsys):
    import importlib.util
    import pathlib

    (tmp_path / "rt-polarity.pos").write_text("".join(f"a good film of {i % 7} days\n" for i in range(60)))
    (tmp_path / "rt-polarity.neg").write_text("".join(f"so dull {i % 5} and much too long\n" for i in range(60)))
    path = pathlib.Path(__file__).parent.parent / "examples" / "film_reviews_torch.py"
    lines = []
    for lstm in ("longhand", "pytorch"):
        spec = importlib.util.spec_from_file_location("film_reviews_torch", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr("sys.argv", ["film_reviews_torch.py", "--data", str(tmp_path), "--lstm", lstm])
        module.main()
        lines.append([line.split()[3] for line in capsys.readouterr().out.splitlines()])
    assert len(lines[0]) == 3
    assert [float(x) for x in lines[0]] == pytest.approx([float(x) for x in lines[1]], abs=2e-5)


def test_compiled_models_may_contain_it():
    theirs, ours = pair(5, 8)
    x = torch.randn(6, 3, 5)
    compiled = torch.compile(torch.nn.Sequential(torch.nn.Identity(), ours), backend="eager")
    assert torch.allclose(compiled(x)[0], theirs(x)[0], atol=1e-6)
