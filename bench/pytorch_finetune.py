"""One step of fine-tuning in PyTorch and here, alternated.

    python bench/pytorch_finetune.py BUILD/bench/bench_learn [ROUNDS [THREADS [frozen|batch [fp32|bf16 [NETWORK]]]]]

NETWORK: an architecture of timm with made-up weights; without one, MobileNetV2 1.0 at 224 pixels. bf16 is
autocast in PyTorch, which is tried in fp32 as well; its best counts. All layers learn, batches of 32, plain SGD; batch norm is frozen (the default: gamma and beta learn,
statistics do not) or has the statistics of the batch. PyTorch runs channels-last, the batch in
micro-batches of 4, 8 and 32 (statistics of the batch: 32 alone), each with glibc's usual allocator and
with one that never gives memory back; every round runs all of them and bench_learn once.
One thread is timed by its processor time, more by the clock on the wall. Prints images/s: every round,
medians, and the ratio of ours to PyTorch's best variant of each round.
"""
import os
import re
import statistics
import subprocess
import sys
import tempfile

BATCH = 32
# glibc: no mmap for large blocks, never trim.
KEEP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(1 << 26)}


def network(torch):
    """MobileNetV2 (Sandler et al. 2018) and a layer of 5 classes."""
    from torch import nn

    def unit(i, o, kernel=1, stride=1, groups=1, act=True):
        conv = nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [conv, nn.BatchNorm2d(o, eps=1e-3)] + ([nn.ReLU6()] if act else [])

    class Block(nn.Module):
        def __init__(self, i, o, stride, times):
            super().__init__()
            hidden = i * times
            first = unit(i, hidden) if times > 1 else []
            self.path = nn.Sequential(*first, *unit(hidden, hidden, 3, stride, hidden), *unit(hidden, o, act=False))
            self.residual = stride == 1 and i == o

        def forward(self, x):
            return x + self.path(x) if self.residual else self.path(x)

    layers, i = unit(3, 32, 3, 2), 32
    for times, o, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                    (6, 160, 3, 2), (6, 320, 1, 1)):
        for k in range(count):
            layers.append(Block(i, o, stride if k == 0 else 1, times))
            i = o
    return nn.Sequential(*layers, *unit(320, 1280), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 5))


def child(threads, micro, norm, precision, architecture):
    """One variant as a process of its own: a warm-up step, then a timed one; prints images/s."""
    import time

    import torch

    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    torch.manual_seed(1)
    if architecture:
        import made_up  # makes timm's import possible everywhere
        model = made_up.timm.create_model(architecture, num_classes=5)
    else:
        model = network(torch)
    model = model.to(memory_format=torch.channels_last).train(norm == "batch")
    x = torch.randn(BATCH, 3, 224, 224).to(memory_format=torch.channels_last)
    y = torch.arange(BATCH) % 5
    sgd = torch.optim.SGD(model.parameters(), lr=1e-6)
    times = []
    for _ in range(3):
        begin = clock()
        sgd.zero_grad(set_to_none=False)
        for k in range(0, BATCH, micro):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                loss = torch.nn.functional.cross_entropy(model(x[k:k + micro]), y[k:k + micro], reduction="sum")
            (loss / BATCH).backward()
        sgd.step()
        times.append(clock() - begin)
    print(BATCH / min(times[1:]))


def ours(program, threads, norm, precision, folder):
    out = subprocess.run([program, "2", str(threads), "best", norm, precision] + ([folder] if folder else []), check=True,
                         capture_output=True, text=True).stdout
    return float(re.search(r"([0-9.]+) images/s", out).group(1))


def theirs(threads, micro, keep, norm, precision, architecture):
    env = dict(os.environ, **(KEEP if keep else {}))
    args = [sys.executable, __file__, "--child", str(threads), str(micro), norm, precision, architecture]
    return float(subprocess.run(args, check=True, capture_output=True, text=True, env=env).stdout)


def written(architecture, folder):
    """The network as bench_learn reads it."""
    args = [sys.executable, "-c", "import sys, made_up; made_up.network(*sys.argv[1:])", architecture, folder]
    subprocess.run(args, check=True, cwd=os.path.dirname(os.path.abspath(__file__)))
    return folder


def compare(args, rounds, folder):
    program, threads, norm, precision, architecture = args
    micros = (32,) if norm == "batch" else (8, 32) if architecture else (4, 8, 32)
    precisions = ("fp32", "bf16") if precision == "bf16" else ("fp32",)
    variants = [(micro, keep, p) for p in precisions for micro in micros for keep in (0, 1)]
    mine, best, all_of = [], [], {v: [] for v in variants}
    for r in range(rounds):
        mine.append(ours(program, threads, norm, precision, folder))
        for micro, keep, p in variants:
            all_of[micro, keep, p].append(theirs(threads, micro, keep, norm, p, architecture))
        best.append(max(a[-1] for a in all_of.values()))
        print(f"round {r + 1}: here {mine[-1]:.2f}, PyTorch's best {best[-1]:.2f} images/s", flush=True)
    for (micro, keep, p), a in all_of.items():
        print(f"PyTorch {p}, micro-batch {micro}, allocator {'keeps' if keep else 'usual'}: "
              f"median {statistics.median(a):.2f}")
    ratio = statistics.median(m / b for m, b in zip(mine, best))
    print(f"{threads} threads, {precision}: here {statistics.median(mine):.2f}, PyTorch {statistics.median(best):.2f}, "
          f"median ratio {ratio:.2f}")


def main():
    given = dict(enumerate(sys.argv))
    rounds, threads = int(given.get(2, 3)), int(given.get(3, 1))
    args = sys.argv[1], threads, given.get(4, "frozen"), given.get(5, "fp32"), given.get(6, "")
    with tempfile.TemporaryDirectory() as folder:
        compare(args, rounds, written(args[-1], os.path.join(folder, "network")) if args[-1] else "")


if len(sys.argv) > 3 and sys.argv[1] == "--child":
    child(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
else:
    main()
