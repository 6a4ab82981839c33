#!/usr/bin/env python3
"""Runs the program with the k-th call of one kind failing, for every k until none is reached.

    tests/faults/run.py PROGRAM HELPER SHIM [--quick] [--kind KIND] [--job NAME] [--seconds N]

--quick takes some k only, within N seconds (45). Each run must end with a documented exit status
and, unless it is 0, a line that says why; leave no temporary file; and leave the result that was
there before, or the whole new one. Under AddressSanitizer (gcc) a leak counts as a failure too;
leaks.txt names the libraries whose own leaks do not.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
import material  # noqa: E402

DOCUMENTED = {0, 1, 2, 3, 4, 5, 6, 7}
OLD = b"what was here before"
KINDS = ("memory", "open", "read", "write", "fsync", "rename", "thread")
ALL_THREADS = ("memory", "thread")  # the others are the same for two threads
NOT_OURS = (("cam", "memory"),)  # fontconfig, which finds the font for its text, crashes


class Bench:
    """The folders the program works on, and how it is called."""

    def __init__(self, args):
        self.program, self.helper, self.shim = map(os.path.abspath,
                                                   (args.program, args.helper, args.shim))
        self.root = tempfile.mkdtemp(prefix="headstart-faults-")
        self.photos = material.photos(self.at("photos"), 4, ("blue", "red"))
        self.backbone = material.backbone(self.at("backbone"), 0.1, 32)
        libs = subprocess.run(["ldd", self.program], capture_output=True, text=True).stdout
        asan = [line.split()[2] for line in libs.splitlines() if "libasan" in line]
        self.sanitized = bool(asan)
        self.preload = ":".join([self.shim, *asan])
        shutil.copy(os.path.join(HERE, "..", "golden", "formats", "odd.pth"), self.at("odd.pth"))
        done = self.run(self.training("kept"))
        if done.returncode != 0:
            sys.exit("without any fault: " + done.stderr)
        self.model = self.at("kept", "model.safetensors")
        with open(self.model, "rb") as f:
            self.good = f.read()

    def at(self, *parts):
        return os.path.join(self.root, *parts)

    def run(self, words, fault=None, fd=-1):
        env = {**os.environ, "HEADSTART_CACHE": self.at("cache"), "HEADSTART_HELPER": self.helper,
               "HEADSTART_OFFLINE": "1", "LC_ALL": "C",
               "ASAN_OPTIONS": "verify_asan_link_order=0:allocator_may_return_null=1:"
               "fast_unwind_on_malloc=0",  # else a leak inside a library has no name
               "LSAN_OPTIONS": "print_suppressions=0:suppressions=" + os.path.join(HERE,
                                                                                   "leaks.txt")}
        if fault:
            env.update(LD_PRELOAD=self.preload, FAULT_FD=str(fd), **fault)
        return subprocess.run([self.program, *words], env=env, capture_output=True, text=True,
                              timeout=material.patience(120), errors="replace",
                              pass_fds=[fd] if fd >= 0 else [])

    def fresh(self):
        """An empty cache, and an output folder with an older result in it."""
        for name in ("cache", "out"):
            shutil.rmtree(self.at(name), ignore_errors=True)
        os.makedirs(self.at("out"))
        with open(self.at("out", "model.safetensors"), "wb") as f:
            f.write(OLD)
        shutil.rmtree(self.at("new"), ignore_errors=True)
        shutil.copytree(self.photos, self.at("new"))

    def training(self, output):
        return ["train", self.photos, "--backbone", self.backbone, "-o", self.at(output),
                "--split", "keras", "--val-split", "0.4"]

    def jobs(self):
        train = self.training("out")
        photo = os.path.join(self.photos, "red", "00.png")
        return {"train": [*train, "--threads", "1"], "train2": [*train, "--threads", "2"],
                "predict": ["predict", self.model, photo, "--threads", "1"],
                "sort": ["sort", self.model, self.at("new"), "--into", self.at("out"), "--move",
                         "--threads", "1"],
                "review": ["review", self.photos, "--backbone", self.backbone, "-o",
                           self.at("out"), "--threads", "1"],
                "doctor": ["doctor", self.photos, "--threads", "1"],
                "eval": ["eval", self.model, self.photos, "-o", self.at("out"), "--threads", "1"],
                "cam": ["predict", self.model, photo, "--threads", "1", "--cam", self.at("out")],
                "import": ["backbones", "import", self.at("odd.pth")]}


def leftovers(bench):
    found = []
    for top in ("cache", "out"):
        for folder, folders, files in os.walk(bench.at(top)):
            found += [os.path.join(folder, n) for n in files if n.endswith(".tmp")]
            found += [os.path.join(folder, n) for n in folders if ".safetensors." in n]
    return found


def contents(*folders):
    """The photos below folders, as sorted bytes."""
    found = []
    for top in folders:
        for folder, _, files in os.walk(top):
            for name in files:
                if name.endswith(".png"):
                    with open(os.path.join(folder, name), "rb") as f:
                        found.append(f.read())
    return sorted(found)


def complaints(bench, job, done):
    """What is wrong with how it ended; nothing when all is well."""
    wrong = []
    lines = done.stderr.splitlines()
    errors = [line for line in lines if line.startswith("headstart: ")]
    if done.returncode not in DOCUMENTED:
        wrong.append(f"exit status {done.returncode}")
    if done.returncode and not errors:
        wrong.append("no reason given")
    with open(bench.at("out", "model.safetensors"), "rb") as f:
        model = f.read()
    whole = model == bench.good
    if model != OLD and not whole:  # photos that could not be read make another model
        whole = bench.run(["info", bench.at("out", "model.safetensors")]).returncode == 0
        if not whole:
            wrong.append("a model that does not load")
    if job.startswith("train") and done.returncode == 0 and not whole:
        wrong.append("status 0 without a model")
    if job in ("predict", "cam") and done.returncode == 0 and not done.stdout:
        wrong.append("status 0 without an answer")
    if job == "sort" and contents(bench.at("new"), bench.at("out")) != contents(bench.photos):
        wrong.append("a photo is lost, or there twice")
    if job == "cam" and done.returncode == 0 and not os.path.exists(bench.at("out", "00.cam.png")):
        wrong.append("status 0 without a picture")
    return wrong + [f"left behind: {path}" for path in leftovers(bench)]


def attempt(bench, job, kind, k, forever):
    """(reached, complaints, what it said)"""
    bench.fresh()
    fault = {"FAULT_KIND": kind, "FAULT_AT": str(k)}
    if forever:
        fault["FAULT_FOREVER"] = "1"
    told, tell = os.pipe()
    try:
        done = bench.run(bench.jobs()[job], fault, tell)
    except subprocess.TimeoutExpired:
        return True, ["it hangs"], ""
    finally:
        os.close(tell)
        with os.fdopen(told, "rb") as pipe:
            reached = bool(pipe.read())
    return reached, complaints(bench, job, done), done.stderr


def steps(quick):
    """k = 1, 2, 3, ...; quick: further and further apart."""
    k = 1
    while True:
        yield k
        k += 1 if not quick else max(1, k // 3)


def loop(bench, job, kind, args, end):
    """(runs, faults, failures) of one job and kind, once and for ever."""
    runs = faults = failures = 0
    for forever in (False, True):
        if forever and bench.sanitized and (job, kind) == ("train2", "memory"):
            continue  # AddressSanitizer itself ends a thread that starts without memory
        for k in steps(args.quick):
            if time.monotonic() > end:
                return runs, faults, failures
            reached, wrong, said = attempt(bench, job, kind, k, forever)
            runs, faults = runs + 1, faults + reached
            if wrong:
                failures += 1
                print(f"{job}, {kind} {k}{' and later' if forever else ''}: {'; '.join(wrong)}")
                print("".join(f"    {line}\n" for line in said.splitlines()[:args.lines]), end="",
                      flush=True)
            if not reached:
                break
    return runs, faults, failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("helper")
    parser.add_argument("shim")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--job", choices=("train", "train2", "predict", "sort", "review", "doctor",
                                          "eval", "cam", "import"))
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--lines", type=int, default=3, help="of what a failed run said")
    args = parser.parse_args()
    bench = Bench(args)
    runs = faults = failures = 0
    begun = time.monotonic()
    limit = args.seconds or (45 if args.quick else 1e9)
    plan = [(job, kind) for kind in KINDS for job in bench.jobs()
            if args.kind in (None, kind) and args.job in (None, job)
            and (job != "train2" or kind in ALL_THREADS)
            and (job, kind) not in NOT_OURS]
    for i, (job, kind) in enumerate(plan):  # what is left is shared among what is left
        now = time.monotonic()
        end = now + max(0, begun + limit - now) / (len(plan) - i)
        some, hit, bad = loop(bench, job, kind, args, end)
        print(f"{job}, {kind}: {some} runs, {bad} failed"
              f"{', stopped by the clock' if time.monotonic() > end else ''}", flush=True)
        runs, faults, failures = runs + some, faults + hit, failures + bad
    shutil.rmtree(bench.root)
    print(f"{runs} runs, {faults} of them with a fault, {failures} failed")
    return 1 if failures or not faults else 0


if __name__ == "__main__":
    sys.exit(main())
