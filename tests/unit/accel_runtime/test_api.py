"""The public functions, on GPUs that behave as the tests say."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")

from accel_runtime import api, gpu, settings  # noqa: E402 - after the skip
from tests.unit.accel_runtime.test_gpu import sample  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("ACCEL_DEVICE", "LOCAL_RANK", "WORLD_SIZE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu, "read", lambda: sample("no-driver"))
    settings.warn.cache_clear()
    api.device.cache_clear()
    yield
    api.device.cache_clear()


def gpu_that(monkeypatch: pytest.MonkeyPatch, problem: str | None) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(api, "try_gpu", lambda chosen: problem)


def test_no_gpu(caplog: pytest.LogCaptureFixture) -> None:
    assert api.device() == torch.device("cpu")
    assert api.backend() == "gloo"
    assert caplog.records == []


def test_a_gpu_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_that(monkeypatch, None)
    assert (str(api.device()), api.backend()) == ("cuda", "nccl")


def test_each_rank_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_that(monkeypatch, None)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert str(api.device()) == "cuda:3"


@pytest.mark.parametrize(
    "problem", ["cuda:0 failed at first use: CUDA out of memory", "cuda:0 failed at first use: CUDA error: GPU is lost"]
)
def test_a_gpu_that_fails_at_first_use(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, problem: str
) -> None:
    gpu_that(monkeypatch, problem)
    assert str(api.device()) == str(api.device()) == "cpu"
    (record,) = caplog.records
    assert (record.levelno, problem in record.message) == (logging.WARNING, True)


class FailingAtFirstUse:
    """`torch.ones` on a GPU that raises; elsewhere it is torch's own."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self._own = torch.ones

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if torch.device(kwargs.get("device", "cpu")).type == "cuda":
            raise self._error
        return self._own(*args, **kwargs)


FAILURES = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB. GPU 0 has a total capacity of 79.18 GiB"),
    RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronously reported"),
    RuntimeError("CUDA error: uncorrectable ECC error encountered"),
)


@pytest.mark.parametrize("error", FAILURES)
def test_torchs_own_words_are_told_once_and_the_cpu_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", FailingAtFirstUse(error))
    assert str(api.device()) == str(api.device()) == "cpu"
    words = str(error).partition("\n")[0]
    assert [record.message for record in caplog.records] == [
        f"the GPU is not used, the CPU is: cuda:0 failed at first use: {words}"
    ]
    assert float(torch.ones(2, device=api.device()).sum()) == 2


def test_a_gpu_that_the_user_hid_is_no_reason_to_warn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gpu, "read", lambda: sample("two-gpus"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert str(api.device()) == "cpu"
    assert caplog.records == []
    api.device.cache_clear()
    monkeypatch.setenv("ACCEL_DEVICE", "cuda")
    with pytest.raises(api.AccelError, match="ACCEL_DEVICE=cuda, but CUDA_VISIBLE_DEVICES='' hides it"):
        api.device()


def test_where_others_count_on_it_or_it_is_demanded_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_that(monkeypatch, "CUDA error: GPU is lost")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(api.AccelError, match="GPU is lost"):
        api.device()
    monkeypatch.delenv("WORLD_SIZE")
    monkeypatch.setenv("ACCEL_DEVICE", "cuda")
    with pytest.raises(api.AccelError, match="ACCEL_DEVICE=cuda, but CUDA error: GPU is lost"):
        api.device()


@pytest.mark.parametrize("name", ["old-driver", "broken-driver", "card-without-driver"])
def test_a_driver_that_will_not_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    monkeypatch.setattr(gpu, "read", lambda: sample(name))
    monkeypatch.setattr(api, "torch_build", lambda: gpu.Build(cuda=(12, 8)))
    assert str(api.device()) == "cpu"
    assert len(caplog.records) == 1


def test_nonsense_is_told_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("ACCEL_DEVICE", "nonsense")
    for _ in range(2):
        api.device.cache_clear()
        assert str(api.device()) == "cpu"
    assert [record.message for record in caplog.records] == [
        "ACCEL_DEVICE='nonsense' is ignored: expected one of auto, cuda, cpu, off"
    ]


def test_the_cpu_is_demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_that(monkeypatch, None)
    monkeypatch.setenv("ACCEL_DEVICE", "cpu")
    assert str(api.device()) == "cpu"


def network() -> Any:
    return torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))


def test_optimize_for_inference() -> None:
    model, x = network().eval(), torch.randn(8, 256)
    with torch.no_grad():
        want = model(x)
        assert api.optimize(model, dtype=torch.float32) is model
        for _ in range(2):
            got = model(x)
            assert (got - want).norm() <= 1e-5 * want.norm()
        assert model._compiled_call_impl._plan._entry.optimised == 2
        twin = copy.deepcopy(model)
        assert twin._compiled_call_impl is None
        assert torch.equal(twin(x), want)
    assert model(x).grad_fn is not None


def test_optimize_for_training() -> None:
    torch.manual_seed(0)
    model, plain = network(), None
    plain = copy.deepcopy(model)
    x, y = torch.randn(32, 256), torch.randint(0, 10, (32,))
    losses = []
    for candidate in (plain, model):
        optimizer = torch.optim.SGD(candidate.parameters(), lr=0.1)
        trained = candidate
        if candidate is model:
            trained, optimizer = api.optimize(candidate, optimizer, torch.bfloat16)
        for _ in range(5):
            optimizer.zero_grad()
            result = trained(x)
            assert result.dtype is torch.float32
            loss = torch.nn.functional.cross_entropy(result, y)
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert all(parameter.dtype is torch.float32 for parameter in model.parameters())


def test_optimize_refuses_other_types() -> None:
    with pytest.raises(ValueError, match="float16"):
        api.optimize(network().eval(), dtype=torch.float16)


def test_optimize_does_nothing_when_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCEL_DEVICE", "off")
    assert api.optimize(network().eval())._compiled_call_impl is None
