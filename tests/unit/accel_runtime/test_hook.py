"""What the module hook optimises, and what it leaves alone."""

from __future__ import annotations

import threading
from logging import WARNING
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")

from accel_runtime import api, extension, gpu, settings  # noqa: E402 - after the skip
from accel_runtime import hook as hooks  # noqa: E402
from accel_runtime.extension import Extension  # noqa: E402
from accel_runtime.settings import Engine, Precision  # noqa: E402
from tests.unit.accel_runtime.nets import WIDTH, Net, check, close, data, entry, expected, installed, net  # noqa: E402
from tests.unit.accel_runtime.test_gpu import TORCH, sample  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accel_runtime.hook import Hook

nn = torch.nn


@pytest.fixture
def hook() -> Iterator[Hook]:
    torch.manual_seed(0)
    with installed() as found, torch.no_grad():
        yield found


def test_a_model_in_eval_mode_is_optimised(hook: Hook) -> None:
    model = net()
    check(hook, model, data())
    assert (entry(hook).optimised, entry(hook).programs) == (2, 1)
    assert len(hook.report.entries) == 1  # its layers are no models


def test_bf16_gives_results_in_fp32() -> None:
    torch.manual_seed(0)
    model, x = net(), data(32)
    with torch.no_grad(), installed(Precision.BF16) as hook:
        want = expected(hook, model, x)
        assert close(model(x), want, 2e-2)
        assert not torch.equal(model(x), want)
        assert entry(hook).optimised == 2


class Attention(nn.Module):  # type: ignore[name-defined]  # see Net
    """Attends to itself, without the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 4, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.attention(x, x, x, need_weights=False)[0]


def encoder(**options: Any) -> Any:
    layer = nn.TransformerEncoderLayer(WIDTH, 4, dim_feedforward=512, batch_first=True, **options)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize(
    "make",
    [
        encoder,
        lambda: encoder(norm_first=True, activation="gelu"),
        Attention,
        lambda: nn.LSTM(WIDTH, 128, num_layers=2, batch_first=True),
        lambda: nn.GRU(WIDTH, 128, bidirectional=True, batch_first=True),
    ],
    ids=["encoder", "norm first, gelu", "attention", "lstm", "gru"],
)
def test_models_of_sequences(precision: Precision, make: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    model, x = make().eval(), torch.randn(2, 9, WIDTH)
    with torch.no_grad(), installed(precision) as hook:
        for _ in range(2):
            got, want = model(x), expected(hook, model, x)
            pairs = zip(torch.utils._pytree.tree_leaves(got), torch.utils._pytree.tree_leaves(want), strict=True)
            assert all(close(one, other, 1e-5 if precision is Precision.FP32 else 3e-2) for one, other in pairs)
        assert hook.report.entries[0].optimised == 2


def test_a_mask_is_kept(hook: Hook) -> None:
    model, x = encoder().eval(), torch.randn(2, 9, WIDTH)
    mask = torch.zeros(2, 9, dtype=torch.bool)
    mask[:, 7:] = True
    for _ in range(3):
        want = expected(hook, model, x, src_key_padding_mask=mask)
        assert close(model(x, src_key_padding_mask=mask), want)


def test_images_keep_the_layout_of_their_results(hook: Hook) -> None:
    model = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 256, 3, padding=1)).eval()
    for image in (torch.randn(2, 3, 16, 16), torch.randn(2, 3, 16, 16).to(memory_format=torch.channels_last)):
        for _ in range(3):
            want = expected(hook, model, image)
            assert close(model(image), want)
    assert entry(hook, "Sequential").optimised >= 4


def test_counts_of_threads_are_prepared_as_shapes_are(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    """What was compiled stays in use however many other counts come; that they run uncompiled is said once."""
    settings.warn.cache_clear()
    model, before = net(), torch.get_num_threads()
    try:
        with caplog.at_level(WARNING, logger="accel_runtime"):
            for threads in (*range(1, 13), 1):
                torch.set_num_threads(threads)
                for _call in range(3):
                    model(data())
    finally:
        torch.set_num_threads(before)
    found = entry(hook)
    assert found.programs == 8
    assert found.untouched["more than 8 sets of shapes or counts of threads"] == 4 * 2
    assert found.optimised == 3 + 7 * 2 + 3
    assert [
        record.message.startswith("calls of Net without a program run uncompiled") for record in caplog.records
    ] == [True]


def test_shapes_are_prepared_when_they_come_again(hook: Hook) -> None:
    model = net()
    for batch in (4, 3, 3, 4, 1, 3):
        x = data(batch)
        want = expected(hook, model, x)
        assert close(model(x), want)
    assert (entry(hook).optimised, entry(hook).programs) == (4, 2)
    assert entry(hook).untouched == {"shapes that came for the first time": 2}


def test_gradients_and_training_are_left_alone(hook: Hook) -> None:
    model, x = net(), data()
    model(x)
    with torch.enable_grad():
        assert model(x).grad_fn is not None
    model.train()
    before = model.norm.running_mean.clone()
    model(x)
    assert not torch.equal(before, model.norm.running_mean)
    model.eval()
    model.norm.train()  # one layer is enough
    want = expected(hook, model, x)
    assert close(model(x), want)
    assert entry(hook).optimised == 1
    assert sorted(reason.split(" (")[0] for reason in entry(hook).untouched) == [
        "gradients were recorded",
        "training mode",
    ]


def test_inference_mode_and_autocast_of_the_script(hook: Hook) -> None:
    model, x = net(), data(64)
    with torch.inference_mode():
        check(hook, model, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for _ in range(3):
            want = expected(hook, model, x)
            got = model(x)
            assert got.dtype == want.dtype
            assert (got - want).norm() <= 2e-2 * want.norm()
    check(hook, model, x)


def test_hooks_of_the_script_are_called(hook: Hook) -> None:
    model, x = net(), data()
    model(x)
    seen: list[str] = []
    handle = model.first.register_forward_hook(lambda *_: seen.append("layer"))
    model(x)
    handle.remove()
    other = model.register_forward_pre_hook(lambda *_: seen.append("model"))
    model(x)
    other.remove()
    every = nn.modules.module.register_module_forward_hook(lambda *_: seen.append("global"))
    model(x)
    every.remove()
    assert seen == ["layer", "model", *["global"] * 4]
    check(hook, model, x)


def test_several_models_of_one_class_have_their_own_weights(hook: Hook) -> None:
    models, x = [net() for _ in range(3)], data()
    for _ in range(2):
        for model in models:
            want = expected(hook, model, x)
            assert close(model(x), want)
    assert [e.optimised for e in hook.report.entries] == [2, 2, 2]


def test_threads(hook: Hook) -> None:
    models, inputs = [net() for _ in range(2)], [data(n) for n in (2, 3)]
    wanted = {(i, j): expected(hook, model, x) for i, model in enumerate(models) for j, x in enumerate(inputs)}
    wrong: list[Any] = []

    def work() -> None:
        with torch.no_grad():
            for _ in range(6):
                wrong.extend(key for key, want in wanted.items() if not close(models[key[0]](inputs[key[1]]), want))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sum(e.optimised for e in hook.report.entries) > 0


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: nn.Linear(8, 8), "fewer than"),
        (lambda: Net().double(), "float64"),
        (lambda: torch.jit.trace(Net().eval(), data()), "compiled already"),
        (lambda: torch.compile(Net().eval(), backend="eager"), "compiled already"),
        (lambda: Net().share_memory(), "shared"),
    ],
    ids=["small", "double", "script", "compiled", "shared"],
)
def test_models_that_are_left_alone(hook: Hook, make: Callable[[], Any], reason: str) -> None:
    model = make().eval()
    parameter = next(iter(model.parameters()))
    x = torch.randn(4, parameter.shape[1], dtype=parameter.dtype)
    for _ in range(2):
        model(x)
    found = hook.report.entries[-1]
    assert found.optimised == 0
    assert [reason in words for words in found.untouched] == [True]


def test_tracers_see_the_model(hook: Hook) -> None:
    model, x = net(), data()
    want = model(x)
    assert close(torch.jit.trace(model, x)(x), want)
    assert close(torch.fx.symbolic_trace(nn.Sequential(model.first, model.last))(x), model.last(model.first(x)))
    assert close(torch.compile(model, backend="eager")(x), want)
    exported = torch.export.export(model, (x,))
    assert close(exported.module()(x), want)
    stacked = torch.vmap(lambda row: model.last(model.first(row)))(x)
    assert close(stacked, model.last(model.first(x)))


def test_bf16_models_and_whole_number_inputs(hook: Hook) -> None:
    words = nn.Sequential(nn.Embedding(1000, WIDTH), nn.Linear(WIDTH, 512)).eval()
    check(hook, words, torch.randint(0, 1000, (2, 9)))
    half, x = net().to(torch.bfloat16), data().to(torch.bfloat16)
    for _ in range(3):
        want = expected(hook, half, x)
        got = half(x)
        assert got.dtype is torch.bfloat16
        assert (got - want).norm() <= 2e-2 * want.norm()


@pytest.fixture
def plain_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all `ACCEL_*` variables, and reset what was said."""
    for name in ("ACCEL_DEVICE", "ACCEL_ENGINE", "ACCEL_REPORT", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ACCEL_AUTO", "fp32")
    monkeypatch.setattr(hooks, "gpu_is_there", lambda: False)
    settings.warn.cache_clear()


@pytest.mark.usefixtures("plain_settings")
@pytest.mark.parametrize(
    ("drivers", "device", "told"),
    [("old-driver", "auto", 1), ("broken-driver", "auto", 1), ("no-driver", "auto", 0), ("old-driver", "cpu", 0)],
)
def test_a_gpu_that_cannot_be_used_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, drivers: str, device: str, told: int
) -> None:
    monkeypatch.setattr(gpu, "read", lambda: sample(drivers))
    monkeypatch.setattr(api, "torch_build", lambda: TORCH)
    monkeypatch.setenv("ACCEL_DEVICE", device)
    for _ in range(2):
        found = hooks.install_from_environment()
        assert found is not None
        found.remove()
    assert ["the GPU is not used, the CPU is: the driver" in record.message for record in caplog.records] == [
        True
    ] * told


def test_an_ipex_that_cannot_be_imported_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Extension(version="2.8.0", problem="it cannot be imported: OSError: undefined symbol")
    monkeypatch.setattr(extension, "load", lambda _: broken)
    settings.warn.cache_clear()
    with torch.no_grad(), installed(engine=Engine.IPEX) as hook:
        for _ in range(2):
            check(hook, net(), data())
        assert entry(hook).optimised == 2
    ours = [record.message for record in caplog.records if record.name == "accel_runtime" and record.levelno >= WARNING]
    assert ours == [f"IPEX is not used: {broken.problem}"]


def test_without_the_hook_torch_is_as_it_was() -> None:
    before = (nn.Module.__call__, vars(nn.Parameter).get("data"))
    with installed():
        assert nn.Module.__call__ is not before[0]
    assert (nn.Module.__call__, vars(nn.Parameter).get("data")) == before
