#!/usr/bin/env python3
"""Stops and kills fine-tuning, goes on, and compares with the run that nothing happened to.

    tests/faults/resume.py PROGRAM HELPER SHIM [--stops N] [--kills N] [--seed S] [--quick]

stops: Ctrl-C at each of the 60 steps of a run, and as often at a random photo that is being read.
kills: SIGKILL at random moments, by the clock or in front of (a write: in the middle of) a random
call. After each kill every file is the old one, the new one or absent; at the end model and
results.csv are the same bytes. --quick: a few of each.
"""
import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
import material  # noqa: E402

STEPS, EPOCHS = 60, 10  # 36 photos, of which 6 are kept aside; batches of 5
COMMON = ["--split", "keras", "--val-split", "0.17", "--fine-tune", "--batch", "5", "--epochs",
          str(EPOCHS)]
SETTINGS = {
    "plain": [],
    "rich": ["--optimizer", "nesterov", "--lr", "0.01", "--batch-norm", "batch", "--augment",
             "tutorial", "--schedule", "cosine", "--layer-decay", "0.9", "--class-weight",
             "balanced", "--patience", "9", "--thaw", "from:block_3"],
}
SAME = ("model.safetensors", "results.csv")
TEMPORARY = re.compile(r"(.+)\.[A-Za-z0-9]{6}\.tmp$|(command\.json)\.tmp$")


# What report.html says of one run alone: date, command, seconds.
JOB = re.compile(rb'<section id="job".*?</section>', re.DOTALL)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(JOB.sub(b"", f.read())).hexdigest()


def listing(folder):
    return {n: digest(os.path.join(folder, n)) for n in sorted(os.listdir(folder))}


def tensors(path):
    """Header of a safetensors file and its data; fails where it is torn."""
    with open(path, "rb") as f:
        body = f.read()
    (n,) = struct.unpack("<Q", body[:8])
    header = json.loads(body[8:8 + n])
    ends = [t["data_offsets"][1] for name, t in header.items() if name != "__metadata__"]
    assert max(ends) == len(body) - 8 - n, "torn"
    return header, body[8 + n:]


def step_of(checkpoint):
    header, data = tensors(checkpoint)
    begin, end = header["progress"]["data_offsets"]
    return int(struct.unpack(f"<{(end - begin) // 8}d", data[begin:end])[0])


class Bench:
    def __init__(self, args):
        self.program, self.helper, self.shim = map(os.path.abspath,
                                                   (args.program, args.helper, args.shim))
        libs = subprocess.run(["ldd", self.program], capture_output=True, text=True).stdout
        asan = [line.split()[2] for line in libs.splitlines() if "libasan" in line]
        self.preload = ":".join([self.shim, *asan])
        self.root = tempfile.mkdtemp(prefix="headstart-resume-")
        self.photos = material.photos(self.at("photos"), 12)
        self.backbone = material.backbone(self.at("backbone"), 0.1, 32)
        self.random = random.Random(args.seed)
        self.failures = 0

    def at(self, *parts):
        return os.path.join(self.root, *parts)

    def words(self, output, *more):
        return ["train", self.photos, "--backbone", self.backbone, "-o", self.at(output), *COMMON,
                *more]

    def env(self, fault=None, cache="cache"):
        env = {**os.environ, "HEADSTART_CACHE": self.at(cache), "HEADSTART_HELPER": self.helper,
               "HEADSTART_OFFLINE": "1", "LC_ALL": "C",
               "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
        if fault:
            env.update(LD_PRELOAD=self.preload, **fault)
        return env

    def run(self, words, fault=None, **more):
        return subprocess.run([self.program, *words], env=self.env(fault, **more),
                              capture_output=True, text=True, errors="replace",
                              timeout=material.patience(300))

    def wrong(self, what):
        self.failures += 1
        print(what, flush=True)

    def reference(self, name, *more):
        """The files of a run that nothing happened to."""
        done = self.run(self.words(name, *more))
        if done.returncode:
            sys.exit("nothing happened to it, and yet: " + done.stderr)
        return listing(self.at(name))

    def compare(self, folder, want, what):
        have = listing(self.at(folder))
        for name in sorted(set(have) | set(want)):
            if name != "timing.csv" and have.get(name) != want.get(name):
                self.wrong(f"{what}: {name} differs" if name in have and name in want else
                           f"{what}: {name} is {'missing' if name in want else 'left behind'}")

    def calls(self, kind, words):
        """How many calls of a kind a command makes."""
        told, tell = os.pipe()
        subprocess.run([self.program, *words], capture_output=True, pass_fds=[tell],
                       timeout=material.patience(300),
                       env=self.env({"FAULT_KIND": kind, "FAULT_AT": "0", "FAULT_COUNT": "1",
                                     "FAULT_FD": str(tell)}))
        os.close(tell)
        with os.fdopen(told) as pipe:
            return int(pipe.read())


# ---- Ctrl-C --------------------------------------------------------------------------------------


def pasted(bench, err):
    """Runs what the program says to type to go on."""
    said = re.search(r"^headstart: to go on: (.*)$", err, re.M)
    if not said:
        return None
    return subprocess.run(["bash", "-c", said.group(1)], env=bench.env(), capture_output=True,
                          text=True, timeout=material.patience(300))


def stop(bench, name, words, fault):
    """Stops a run and goes on to its end. The step it stopped behind; None: it was not stopped."""
    halted = bench.run(words, {**fault, "FAULT_SIGNAL": str(int(signal.SIGINT))})
    if halted.returncode == 0:
        return None
    checkpoint = bench.at("out", "checkpoint.safetensors")
    if halted.returncode != 130 or not os.path.exists(checkpoint):
        bench.wrong(f"{name} {fault}: status {halted.returncode}: {halted.stderr}")
        return -1
    step = step_of(checkpoint)
    done = pasted(bench, halted.stderr)
    if not done or done.returncode:
        bench.wrong(f"{name}, step {step}: does not go on: {done.stderr if done else halted.stderr}")
    return step


def stops(bench, name, count):
    more = SETTINGS[name]
    want = bench.reference("whole-" + name, *more)
    opens = bench.calls("open", bench.words("out", *more))
    seen = set()
    every = max(1, STEPS // count)
    # the first rename is command.json's, the others the checkpoint's, after a step or an epoch
    for k in range(2, 2 + STEPS + EPOCHS, every):
        shutil.rmtree(bench.at("out"))
        step = stop(bench, name, bench.words("out", *more, "--checkpoint-steps", "1"),
                    {"FAULT_KIND": "rename", "FAULT_AT": str(k)})
        if step is None or step >= 0:
            bench.compare("out", want, f"{name}, rename {k}, step {step}")
        seen.add(step)
    for _ in range(count):
        shutil.rmtree(bench.at("out"))
        k = bench.random.randrange(opens // 4, opens)  # behind the first phase
        step = stop(bench, name, bench.words("out", *more),
                    {"FAULT_KIND": "open", "FAULT_AT": str(k)})
        bench.compare("out", want, f"{name}, open {k}, step {step}")
    seen &= set(range(1, STEPS + 1))
    print(f"stops, {name}: {len(seen)} of {STEPS} steps, {count} photos, {bench.failures} failed",
          flush=True)
    if every == 1 and len(seen) != STEPS:
        bench.wrong(f"{name}: not every step was stopped at: {sorted(seen)}")


# ---- kill -9 -------------------------------------------------------------------------------------


def kill_by_clock(bench, words, cache, after):
    p = subprocess.Popen([bench.program, *words], env=bench.env(cache=cache),
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    p.kill()
    return p.wait() == -signal.SIGKILL


def kill_in_call(bench, words, cache, kind, k):
    done = bench.run(words, {"FAULT_KIND": kind, "FAULT_AT": str(k),
                             "FAULT_SIGNAL": str(int(signal.SIGKILL))}, cache=cache)
    return done.returncode == -signal.SIGKILL


def check_files(bench, old, new, cache, what):
    """Each is whole: the old one, the new one, or one that only an unfinished run has."""
    out = bench.at("out")
    for name in os.listdir(out) if os.path.isdir(out) else ():
        path = os.path.join(out, name)
        try:
            if TEMPORARY.match(name) or name == "timing.csv":
                continue
            if name == "checkpoint.safetensors":
                tensors(path)
            elif name == "command.json":
                with open(path) as f:
                    json.load(f)
            elif digest(path) not in (old.get(name), new.get(name)):
                bench.wrong(f"{what}: {name} is neither the old nor the new one")
        except (ValueError, AssertionError, struct.error) as e:
            bench.wrong(f"{what}: {name}: {e}")
    copy = bench.at("cache-copy")
    shutil.rmtree(copy, ignore_errors=True)
    if os.path.isdir(bench.at(cache)):
        shutil.copytree(bench.at(cache), copy)
        for folder, _, files in os.walk(copy):
            for name in files:
                if name.endswith((".sqlite", ".db")):
                    db = sqlite3.connect(os.path.join(folder, name))
                    if db.execute("pragma integrity_check").fetchone() != ("ok",):
                        bench.wrong(f"{what}: {name} is damaged")
                    db.close()


def going_on(bench, words):
    """The command that goes on after a kill: the whole one again where nothing was begun."""
    if os.path.exists(bench.at("out", "command.json")):
        return ["train", "--resume", bench.at("out")]
    if os.path.exists(bench.at("out", "checkpoint.safetensors")):
        bench.wrong("a checkpoint without command.json")
    return words


def kills(bench, count):
    name = "plain"
    wants = {n: bench.reference("killed-" + n, *SETTINGS[n]) for n in SETTINGS}
    old = bench.reference("older", "--seed", "7")
    limit = {}
    for every in (False, True):
        more = ["--checkpoint-steps", "1"] if every else []
        begun = time.monotonic()
        bench.run(bench.words("out", *more))
        limit[every] = time.monotonic() - begun
        for kind in ("write", "fsync", "rename", "open"):
            limit[every, kind] = bench.calls(kind, bench.words("out", *more))
    killed = 0
    while killed < count:
        name = bench.random.choice(sorted(SETTINGS))
        every, fresh = bench.random.random() < 0.7, bench.random.random() < 0.5
        cache = bench.random.choice(("cache", "cache-new"))
        words = bench.words("out", *SETTINGS[name], *(["--checkpoint-steps", "1"] * every),
                            "--threads", str(bench.random.randrange(1, 4)))
        for folder in ("out", "cache-new"):
            shutil.rmtree(bench.at(folder), ignore_errors=True)
        if not fresh:
            shutil.copytree(bench.at("older"), bench.at("out"))
        command, what = words, f"{name}{', every step' * every}{', over an older run' * (not fresh)}"
        for _ in range(bench.random.randrange(1, 4)):
            kind = bench.random.choice(("clock", "clock", "write", "fsync", "rename", "open"))
            if kind == "clock":
                moment = bench.random.uniform(0, limit[every])
                hit = kill_by_clock(bench, command, cache, moment)
            else:
                moment = bench.random.randrange(1, limit[every, kind] + 1)
                hit = kill_in_call(bench, command, cache, kind, moment)
            if not hit:
                break
            killed += 1
            what += f", {kind} {moment}"
            check_files(bench, {} if fresh else old, wants[name], cache, what)
            command = going_on(bench, words)
        done = bench.run(going_on(bench, words), cache=cache)
        if done.returncode:
            bench.wrong(f"{what}: does not go on: {done.stderr}")
        bench.compare("out", wants[name], what)
    print(f"kills: {killed}, {bench.failures} failures", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("helper")
    parser.add_argument("shim")
    parser.add_argument("--stops", type=int, default=STEPS)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    bench = Bench(args)
    begun = time.monotonic()
    if args.stops:
        for name in SETTINGS:
            stops(bench, name, 3 if args.quick else args.stops)
    if args.kills:
        kills(bench, 6 if args.quick else args.kills)
    shutil.rmtree(bench.root)
    print(f"{bench.failures} failed, {time.monotonic() - begun:.0f} s")
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
