#!/usr/bin/env python3
"""Fine-tuning by several processes, as mpirun starts them: the bytes of one, also after a kill.

    tests/cli/cluster_train.py PROGRAM [KILLS]

KILLS: at so many random moments one process is killed, and another number of them goes on (3).
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

import cluster
import material
from cluster import ENV, KILLS, MPIRUN, PHOTOS, PROGRAM, ROOT, command, mpirun, own_lines
from run import BACKBONE, Case, needs, read, run, setUpModule, tearDownModule  # noqa: F401

SAME = ("model.safetensors", "results.csv")
WAYS = {"plain": [],
        "batch": ["--batch-norm", "batch", "--optimizer", "sgd", "--lr", "0.01", "--cutmix", "1"]}


def words(out, *more):
    return ("train", PHOTOS, "-b", BACKBONE, "--fine-tune", "--split", "keras", "--val-split", "0.17",
            "--batch", "10", "--epochs", "4", "-o", out, *more)


@needs("MPI")
@unittest.skipIf(MPIRUN is None, "there is no mpirun of Open MPI here")
class ClusterTrain(Case):
    def alone(self, way):
        """The files of one process."""
        out = f"{ROOT}/alone {way}"
        if not os.path.exists(out):
            self.ok(run(*words(out, *WAYS[way])))
        return {name: read(f"{out}/{name}") for name in SAME}

    def same(self, out, way, said=""):
        for name, content in self.alone(way).items():
            self.assertEqual(read(f"{out}/{name}"), content, f"{name}: {said}")
        self.assertFalse(os.path.exists(f"{out}/checkpoint.safetensors"))

    def test_the_bytes_of_one_process(self):
        for way, n, threads in (("plain", 2, 1), ("plain", 3, 2), ("batch", 4, 1), ("batch", 2, 2)):
            out = f"{ROOT}/shared"
            shutil.rmtree(out, ignore_errors=True)
            r = mpirun(n, *words(out, *WAYS[way], "--threads", str(threads)))
            self.ok(r)
            self.same(out, way)
            steps = [s for s in r.stderr.decode().splitlines() if f"a step of {n} processes" in s]
            self.assertEqual(len(steps), 1, r.stderr)

    def begin(self, out):
        shutil.rmtree(out, ignore_errors=True)
        job = subprocess.Popen(command(2, *words(out, *WAYS["batch"], "--threads", "1")), cwd=ROOT,
                               env={**ENV, "HEADSTART_PATIENCE_S": "2"}, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        until = time.monotonic() + material.patience(60)
        while not os.path.exists(f"{out}/command.json") and job.poll() is None:
            self.assertLess(time.monotonic(), until)
            time.sleep(0.002)
        return job, cluster.processes(out)

    def go_on(self, out, n):
        """To the end, from wherever it stands."""
        if os.path.exists(f"{out}/command.json"):
            self.ok(mpirun(n, "train", "--resume", out))
        elif not os.path.exists(f"{out}/model.safetensors"):
            self.ok(mpirun(n, *words(out, *WAYS["batch"])))

    def test_killed_and_gone_on_with(self):
        self.alone("batch")
        rng = random.Random(os.environ.get("HEADSTART_SEED", "1"))
        out = f"{ROOT}/killed run"
        for i in range(KILLS):
            job, ranks = self.begin(out)
            time.sleep(rng.uniform(0, 1.5))
            try:
                os.kill(ranks[i % 2], signal.SIGKILL)
            except (ProcessLookupError, IndexError):
                pass
            said = job.communicate(timeout=material.patience(30))[1].decode()
            until = time.monotonic() + material.patience(5)
            while cluster.processes(out) and time.monotonic() < until:
                time.sleep(0.05)
            self.assertEqual(cluster.processes(out), [])
            self.go_on(out, 1 + i % 4)
            self.same(out, "batch", said)

    def test_stopped_and_gone_on_with(self):
        out = f"{ROOT}/stopped run"
        job, _ = self.begin(out)
        time.sleep(0.5)
        job.send_signal(signal.SIGTERM)
        said = job.communicate(timeout=material.patience(30))[1].decode()
        self.assertLessEqual(len([s for s in said.splitlines() if s == "headstart: interrupted"]), 1)
        self.go_on(out, 3)
        self.same(out, "batch", said)

    def test_options_that_differ(self):
        out = f"{ROOT}/not"
        r = mpirun(1, *words(out), ":", "-n", "1", PROGRAM, *words(out, "--seed", "3"))
        self.assertEqual((r.returncode, len(own_lines(r))), (2, 1), r.stderr)
        self.assertIn("has another list of options than rank 0", own_lines(r)[0])

    def test_a_run_that_one_process_does_not_see(self):
        r = mpirun(1, *words(f"{ROOT}/not"), ":", "-n", "1", PROGRAM, "train", "--resume", "nowhere")
        self.assertEqual((r.returncode, len(own_lines(r))), (3, 1), r.stderr)
        self.assertIn("run folder nowhere cannot be used", own_lines(r)[0])


if __name__ == "__main__":
    unittest.main(argv=["cluster_train.py"] + sys.argv[3:])
