"""Under the module hook a model does whatever it would do without: the results are those of plain torch."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import weakref
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")

from tests.unit.accel_runtime.nets import WIDTH, Net, check, close, data, entry, expected, installed, net, unhooked  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accel_runtime.hook import Hook

nn = torch.nn


@pytest.fixture
def hook() -> Iterator[Hook]:
    torch.manual_seed(0)
    with installed() as found, torch.no_grad():
        yield found


def _load(model: Any) -> None:
    model.load_state_dict({name: torch.ones_like(value) / 8 for name, value in model.state_dict().items()})


def _step(model: Any) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    with torch.enable_grad():
        model.last(model.first(data())).sum().backward()
    optimizer.step()


def _average(model: Any) -> None:
    for parameter in model.parameters():
        parameter.data.mul_(0.9).add_(0.1)


def _one_element(model: Any) -> None:
    model.last.weight.data[3, 5] = 100.0


def _replace(model: Any) -> None:
    model.last.weight = nn.Parameter(torch.randn(WIDTH, 512))


def _replace_layer(model: Any) -> None:
    model.last = nn.Linear(512, WIDTH).eval()


def _buffer(model: Any) -> None:
    model.norm.running_mean += 1


def _numpy(model: Any) -> None:
    model.first.weight.detach().numpy()[:] *= 2


def _attribute(model: Any) -> None:
    model.scale = 3.0


def _swap_storage(model: Any) -> None:
    model.last.weight.data = torch.randn(WIDTH, 512)


@pytest.mark.parametrize(
    "change",
    [_load, _step, _average, _one_element, _replace, _replace_layer, _buffer, _numpy, _attribute, _swap_storage],
    ids=lambda f: f.__name__.strip("_"),
)
def test_a_change_of_the_model_counts_at_once(hook: Hook, change: Callable[[Any], None]) -> None:
    model, x = net(), data()
    check(hook, model, x)
    before = model(x)
    change(model)
    want = expected(hook, model, x)
    assert not torch.allclose(before, want)
    for _ in range(3):
        assert close(model(x), want)
    assert entry(hook).optimised >= 4


def _share(model: Any) -> None:
    model.share_memory()


def _hook_it(model: Any) -> None:
    model.last.register_forward_hook(lambda _module, _args, result: result + 1)


def _mix(model: Any) -> None:
    model.last.double()
    model.first.register_forward_hook(lambda _module, _args, result: result.float())
    model.last.register_forward_pre_hook(lambda _module, args: (args[0].double(),))


def _another_layer(model: Any) -> None:
    model.last = nn.Sequential(nn.Linear(512, WIDTH).double()).eval()
    model.last.forward = lambda x: model.last[0](x.double())


@pytest.mark.parametrize("change", [_share, _hook_it, _mix, _another_layer], ids=lambda f: f.__name__.strip("_"))
def test_a_model_that_became_unfit_is_left_alone(hook: Hook, change: Callable[[Any], None]) -> None:
    model, x = net(), data()
    check(hook, model, x)
    served = entry(hook).optimised
    change(model)
    for _ in range(3):
        assert close(model(x), expected(hook, model, x))
    assert entry(hook).optimised == served


def test_weights_that_keep_changing_stop_it(hook: Hook) -> None:
    model, x = net(), data()
    for _ in range(12):
        want = expected(hook, model, x)
        assert close(model(x), want)
        model.last.bias.add_(1)
    assert entry(hook).programs <= 4
    assert "its weights keep changing" in entry(hook).untouched


def test_an_attribute_that_always_changes_stops_it(hook: Hook) -> None:
    def count(model: Net, hidden: Any) -> Any:
        model.scale += 1
        return hidden

    model, x = net(count), data()
    twin = copy.deepcopy(model)
    for _ in range(12):
        with unhooked(hook):
            want = twin(x)
        assert close(model(x), want)
    assert model.scale == twin.scale == 14
    assert entry(hook).programs <= 6


def test_data_of_other_models_does_not_matter(hook: Hook) -> None:
    model, other, x = net(), net(), data()
    check(hook, model, x)
    for _ in range(3):
        other.first.weight.data.mul_(0.9)
        model(x)
    assert (entry(hook).optimised, entry(hook).programs) == (5, 1)


def _branch(model: Net, hidden: Any) -> Any:
    return hidden if hidden.sum() > 0 else -hidden


def _remember(model: Net, hidden: Any) -> Any:
    model.latest = hidden + 1
    return hidden


def _append(model: Net, hidden: Any) -> Any:
    model.seen.append(len(model.seen))
    return hidden


def _count(model: Net, hidden: Any) -> Any:
    model.calls += 1
    return hidden * model.calls


def _noise(model: Net, hidden: Any) -> Any:
    return hidden + torch.rand_like(hidden)


def _number(model: Net, hidden: Any) -> Any:
    return hidden * float(hidden.mean())


@pytest.mark.parametrize(
    "extra", [_branch, _remember, _append, _count, _noise, _number], ids=lambda f: f.__name__.strip("_")
)
def test_what_a_model_does_besides_computing_happens(hook: Hook, extra: Callable[[Net, Any], Any]) -> None:
    model = net(extra)
    twin = copy.deepcopy(model)
    inputs = [data(), -data(), data(), data()]
    for x in inputs:
        torch.manual_seed(1)
        with unhooked(hook):
            want, after = twin(x), torch.get_rng_state()
        torch.manual_seed(1)
        assert close(model(x), want)
        assert torch.equal(torch.get_rng_state(), after)
    assert torch.equal(model.calls, twin.calls)
    assert model.seen == twin.seen
    assert (model.latest is None) == (twin.latest is None)
    assert model.latest is None or close(model.latest, twin.latest)


def test_a_number_taken_out_of_a_tensor_is_no_constant(hook: Hook) -> None:
    """Newer torch captures these by default, as 2.8 does when told to."""
    with torch._dynamo.config.patch(capture_scalar_outputs=True):
        model = net(lambda _, y: y * y.sum().item())
        for _ in range(3):
            x = data()
            assert close(model(x), expected(hook, model, x), 1e-4)
    assert entry(hook).optimised == 0


def test_results_are_the_callers_own(hook: Hook) -> None:
    model, x = net(), data()
    first, second = model(x), model(x)
    kept = second.clone()
    first.zero_()
    assert torch.equal(second, kept)
    assert torch.equal(model(x), kept)


def test_a_result_that_is_an_input_or_a_weight_stays_one(hook: Hook) -> None:
    model, x = net(lambda self, hidden: (hidden, self.last.weight)), data()
    for _ in range(3):
        assert model(x)[1] is model.last.weight
    through = net()
    through.forward = lambda x: x
    for _ in range(3):
        through(x).add_(1)
    assert float(x.mean()) > 2


def test_results_in_containers(hook: Hook) -> None:
    model = net(lambda _, hidden: {"hidden": hidden, "pair": (hidden.argmax(1), None), "n": 3})
    x = data()
    for _ in range(3):
        got, want = model(x), expected(hook, model, x)
        assert close(got["hidden"], want["hidden"])
        assert torch.equal(got["pair"][0], want["pair"][0])
        assert got["pair"][1] is None
        assert got["n"] == 3
    assert entry(hook).optimised == 3


def test_errors_are_the_models_own(hook: Hook) -> None:
    model = net()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied") as caught:
            model(torch.randn(4, 7))
        assert caught.value.__context__ is None
    check(hook, model, data())


def test_copies_and_pickles_know_nothing(hook: Hook) -> None:
    model, x = net(), data()
    want = model(x)
    assert not [name for name in vars(model) if "accel" in name]
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
    assert close(again(x), want)
    twin = copy.deepcopy(model)
    twin.last.weight.zero_()
    assert close(model(x), want)
    saved = io.BytesIO()
    torch.save(model.state_dict(), saved)
    saved.seek(0)
    assert torch.load(saved).keys() == model.state_dict().keys()


def test_a_model_can_go(hook: Hook) -> None:
    model = net()
    model(data())
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert not hook._plans
