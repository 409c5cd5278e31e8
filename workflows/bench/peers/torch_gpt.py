"""PyTorch on the processor as a contestant: one JSON request a line on standard input, one reply a line on standard output.

The protocol is the one of protocol.ts, the step the one of contest.ts. Inputs come as raw float32 in a file that a task names, so that
all contestants compute on the same numbers. Threads are set by the environment and the first lines of main().
"""
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F

# As in truth.ts: a training step is run this often for its losses, everything else once.
COMPARED_STEPS = 3


def tensors(task, shapes):
    """The tensors that lie one after another in the task's file."""
    values = torch.from_file(task["inputs"], shared=False, size=sum(r * c for r, c in shapes))
    parts = values.split([r * c for r, c in shapes])
    return [part.clone().view(shape) for part, shape in zip(parts, shapes)]


class Wait:
    def __init__(self, task):
        self.x = torch.zeros(1024)

    def check(self):
        (self.x + 1).sum().item()
        return []

    def run(self, count):
        for _ in range(count):
            self.x + 1


class Matmul:
    """C = op(A) op(B); transposed operands are views, which BLAS reads as they lie."""

    def __init__(self, task):
        form, m, n, k = task["form"], task["m"], task["n"], task["k"]
        a, b = tensors(task, [(k, m) if form == "tn" else (m, k), (n, k) if form == "nt" else (k, n)])
        self.a = a.t() if form == "tn" else a
        self.b = b.t() if form == "nt" else b
        self.size = m * n

    def check(self):
        c = (self.a @ self.b).flatten()
        return [c[i * 7919 * 31 % self.size].item() for i in range(min(64, self.size))]

    def run(self, count):
        for _ in range(count):
            self.a @ self.b


class GptStep:
    """Forward, cross-entropy, backward and AdamW of a pre-LayerNorm GPT-2 with a tied head."""

    def __init__(self, task):
        self.config, self.rows, self.length = task["config"], task["rows"], task["length"]
        specs = task["parameters"]
        shapes = [tuple(s["shape"]) if len(s["shape"]) == 2 else (1, s["shape"][0]) for s in specs]
        self.theta = {}
        for spec, value in zip(specs, tensors(task, shapes)):
            self.theta[spec["name"]] = value.view(spec["shape"]).requires_grad_()
        adam = task["adam"]
        self.optimizer = torch.optim.AdamW(
            self.theta.values(),
            lr=adam["learningRate"],
            betas=(adam["beta1"], adam["beta2"]),
            eps=adam["eps"],
            weight_decay=0.0,
        )
        vocabulary, count = self.config["vocabSize"], self.rows * self.length
        self.ids = torch.arange(count) * 7919 % vocabulary
        self.targets = (self.ids + 1) % vocabulary
        self.future = torch.full((self.length, self.length), float("-inf")).triu(1)

    def loss(self):
        c, get = self.config, self.theta.__getitem__
        rows, length, width, heads = self.rows, self.length, c["width"], c["heads"]

        def norm(x, name):
            return F.layer_norm(x, (width,), get(name + ".weight"), get(name + ".bias"), c["normEps"])

        def linear(x, name):
            return F.linear(x, get(name + ".weight"), get(name + ".bias"))

        def attention(x, name):
            qkv = linear(x, name + ".qkv").view(rows, length, 3, heads, c["headDim"])
            q, k, v = qkv.permute(2, 0, 3, 1, 4)
            scores = q @ k.transpose(-1, -2) * c["headDim"] ** -0.5 + self.future
            mixed = scores.softmax(-1) @ v
            return linear(mixed.transpose(1, 2).reshape(rows * length, width), name + ".out")

        x = F.embedding(self.ids, get("embed.weight")).view(rows, length, width)
        x = (x + get("positions.weight")[:length]).view(rows * length, width)
        for i in range(c["layers"]):
            layer = "layers.%d" % i
            x = x + attention(norm(x, layer + ".norm1"), layer + ".attention")
            inner = F.gelu(linear(norm(x, layer + ".norm2"), layer + ".mlp.up"), approximate="tanh")
            x = x + linear(inner, layer + ".mlp.down")
        return F.cross_entropy(norm(x, "final_norm") @ get("embed.weight").t(), self.targets)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def check(self):
        return [self.step().item()]

    def run(self, count):
        for _ in range(count):
            self.step()


WORKLOADS = {"wait": Wait, "matmul": Matmul, "gpt step": GptStep}


def timed(work):
    """Runs it; wall clock and processor time in milliseconds, most resident memory in bytes."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    result = work()
    ms, after = (time.perf_counter() - start) * 1000, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"ms": ms, "cpuMs": cpu * 1000, "rss": after.ru_maxrss * 1024}, result


def answer(request, open_tasks):
    if request["do"] == "run":
        return timed(lambda: open_tasks[request["id"]].run(request["count"]))[0]
    if request["do"] == "close":
        del open_tasks[request["id"]]
        return {}
    task = request["task"]

    def first():
        workload = WORKLOADS[task["kind"]](task)
        return workload, workload.check()

    cold, (workload, answers) = timed(first)
    for _ in range(COMPARED_STEPS - 1 if task["kind"] == "gpt step" else 0):
        answers += workload.check()
    at = answer.opened = getattr(answer, "opened", -1) + 1
    open_tasks[at] = workload
    return {"id": at, "cold": cold, "answers": answers}


def fast_blas():
    """The BLAS that this process has loaded. Debian's torch also runs on the reference BLAS, at a twentieth of the speed: no fair peer."""
    torch.ones(64, 64) @ torch.ones(64, 64)
    with open("/proc/self/maps") as maps:
        text = maps.read().lower()
    found = [name for name in ("openblas", "mkl_", "blis", "accelerate") if name in text]
    if not found and not torch.backends.mkl.is_available():
        raise SystemExit("torch has no fast BLAS here: install libopenblas0-pthread")
    return found[0].strip("_") if found else "mkl"


def main():
    torch.set_num_threads(1)
    version = "%s with %s" % (torch.__version__, fast_blas() if sys.platform == "linux" else "BLAS")

    def write(reply):
        print(json.dumps(reply), flush=True)

    write({"name": "torch", "version": version, "adapter": "processor", "native": True})
    open_tasks = {}
    for line in sys.stdin:
        try:
            write(answer(json.loads(line), open_tasks))
        except Exception as error:
            write({"error": "%s: %s" % (type(error).__name__, error)})


if __name__ == "__main__":
    main()
