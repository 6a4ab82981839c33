#!/usr/bin/env python3
"""One command by several processes, as mpirun starts them: the same bytes, one voice, one end.

    tests/cli/cluster.py PROGRAM [KILLS]

KILLS: at so many random moments one process is killed (3).
"""
import csv
import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

import material
from run import (BACKBONE, ENV, PHOTOS, PROGRAM, ROOT, Case, needs, read, run, setUpModule,  # noqa: F401
                 tearDownModule)

KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
MPIRUN = shutil.which("mpirun")
if MPIRUN and b"Open MPI" not in subprocess.run([MPIRUN, "--version"], capture_output=True,
                                                check=False).stdout:
    MPIRUN = None
# Open MPI's: more processes than processors, started by root in a container, each on any of them.
ENV.update({"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none",
            "HEADSTART_NO_STORE": "1"})
ENV.pop("HEADSTART_MPI", None)
# Open MPI takes parts of itself out of memory with what they hold, before leaks are looked for.
ENV["ASAN_OPTIONS"] = ENV.get("ASAN_OPTIONS", "") + ":detect_leaks=0"


def command(n, *args):
    """mpirun's words for n processes; args of several commands have ':' in between."""
    return [MPIRUN, "-n", str(n), PROGRAM, *args]


def mpirun(n, *args, env=None, **more):
    return subprocess.run(command(n, *args), cwd=ROOT, env={**ENV, **(env or {})},
                          capture_output=True, timeout=material.patience(120), **more)


def own_lines(r):
    """What headstart said on standard error; the launcher says more."""
    return [s for s in r.stderr.decode().splitlines() if s.startswith("headstart: ")]


def processes(mark):
    """Those whose command line has that word, and that have not ended."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            words = read(path).split(b"\0")
            with open(path.replace("cmdline", "stat"), encoding="utf-8", errors="replace") as f:
                state = f.read().rsplit(")", 1)[1].split()[0]
        except (OSError, IndexError):
            continue
        if words[0] == PROGRAM.encode() and mark.encode() in words and state != "Z":
            found.append(int(path.split("/")[2]))
    return sorted(found)


@needs("MPI")
@unittest.skipIf(MPIRUN is None, "there is no mpirun of Open MPI here")
class Cluster(Case):
    @classmethod
    def setUpClass(cls):
        with open(f"{PHOTOS}/red/broken.jpg", "wb") as f:
            f.write(b"no picture")

    @classmethod
    def tearDownClass(cls):
        os.unlink(f"{PHOTOS}/red/broken.jpg")

    def features(self, out, *more):
        return ("features", PHOTOS, "-b", BACKBONE, "-o", out, *more)

    def test_features_are_the_same_bytes(self):
        alone = run(*self.features("alone.npy"))
        self.ok(alone)
        for n, threads in ((2, 2), (3, 1), (4, 1)):
            r = mpirun(n, *self.features("shared.npy", "--threads", str(threads)))
            self.assertEqual(self.ok(r), alone.stdout.decode().replace("alone", "shared"))
            self.assertEqual(own_lines(r), own_lines(alone))
            self.assertEqual(sum("broken.jpg" in s for s in own_lines(r)), 1)
            for end in ("npy", "csv"):
                self.assertEqual(read(f"{ROOT}/shared.{end}"), read(f"{ROOT}/alone.{end}"))

    def test_predictions_are_the_same_bytes(self):
        words = ("predict", self.model(), PHOTOS, "--format", "csv")
        alone, shared = run(*words), mpirun(2, *words)
        self.assertEqual((alone.returncode, shared.returncode), (3, 3), shared.stderr)
        self.assertEqual(shared.stdout, alone.stdout)
        self.assertEqual(own_lines(shared), own_lines(alone))
        names = [row["path"] for row in csv.DictReader(alone.stdout.decode().splitlines())]
        listed = mpirun(3, "predict", self.model(), "-", "--format", "csv",
                        input="\n".join(names).encode())
        self.assertEqual(listed.stdout, alone.stdout)
        photo = mpirun(2, "predict", self.model(), "-", input=read(names[0]))
        self.assertEqual((photo.returncode, photo.stdout), (2, b""))
        self.assertEqual(len(own_lines(photo)), 1, photo.stderr)

    def test_a_shard_is_shared(self):
        words = ("predict", self.model(), self.fresh(), "--format", "csv", "--shard", "2/3")
        alone, shared = run(*words), mpirun(2, *words)
        self.assertEqual((shared.returncode, shared.stdout), (alone.returncode, alone.stdout), shared.stderr)
        self.assertIn(b"headstart_shard", alone.stdout)

    def test_what_the_first_process_alone_refuses(self):
        r = mpirun(2, *self.features("no/such/folder.npy"))
        self.assertEqual((r.returncode, len(own_lines(r))), (6, 1), r.stderr)
        self.assertIn("there is no folder", own_lines(r)[0])

    def test_evaluation_is_the_same(self):
        words = ("eval", self.model(), self.fresh())
        alone, shared = run(*words, "-o", "evaluated"), mpirun(2, *words, "-o", "evaluated 2")
        self.assertEqual(self.ok(shared).replace("evaluated 2", "evaluated"), self.ok(alone))
        self.assertEqual(read(f"{ROOT}/evaluated 2/predictions.csv"),
                         read(f"{ROOT}/evaluated/predictions.csv"))
        self.assertTrue(os.path.exists(f"{ROOT}/evaluated 2/report.html"))

    def test_a_store_for_all(self):
        """What others found the first process keeps too."""
        env = {"HEADSTART_CACHE": f"{ROOT}/cache of all"}
        stored = {**ENV, **env}
        stored.pop("HEADSTART_NO_STORE")
        for n, known in ((3, 0), (1, 36)):
            r = subprocess.run(command(n, *self.features("kept.npy", "--json")), cwd=ROOT,
                               env=stored, capture_output=True, timeout=material.patience(120))
            self.assertIn(f'"stored": {known},', self.ok(r))

    def test_processes_that_differ(self):
        others = f"{ROOT}/others"
        material.photos(others, 2)
        fine, elsewhere = self.features("not.npy"), self.features("not.npy")
        for more, words, status, what in (
                (("-x", "HEADSTART_CPU=portable"), fine, 2, "instruction set"),
                ((), ("features", others, *elsewhere[2:]), 2, "list of photos"),
                ((), ("features", "nowhere", *elsewhere[2:]), 3, "no such folder")):
            r = mpirun(1, *fine, ":", "-n", "1", *more, PROGRAM, *words)
            lines = own_lines(r)
            self.assertEqual((r.returncode, len(lines)), (status, 1), r.stderr)
            self.assertIn(what, lines[0])
            self.assertIn(f"rank 1 on {os.uname().nodename}", lines[0])
            self.assertFalse(os.path.exists(f"{ROOT}/not.npy"))

    def test_without_the_part(self):
        r = mpirun(2, *self.features("not.npy"), env={"HEADSTART_MPI": f"{ROOT}/none.so"})
        self.assertEqual(r.returncode, 1)
        self.assertEqual(len(own_lines(r)), 1, r.stderr)
        self.assertIn("install headstart-mpi and Open MPI", own_lines(r)[0])

    def test_commands_for_one_process(self):
        r = mpirun(2, "store", "info")
        self.assertEqual((r.returncode, len(own_lines(r))), (2, 1), r.stderr)
        self.assertIn("processes 3, on", self.ok(mpirun(3, "info", "--devices")))

    # ---- ends ----

    def begin(self, out):
        """A job of two processes that takes seconds, once they have met and begun to work: of one
        that dies while MPI starts, mpirun (Open MPI 4.1.4) may itself hang, with no process left.
        What was started; the processes."""
        many = f"{ROOT}/many"
        if not os.path.exists(many):
            for k in range(300):
                for photo in glob.glob(f"{PHOTOS}/*/0*.png"):
                    label, name = photo.split("/")[-2:]
                    os.makedirs(f"{many}/{label}", exist_ok=True)
                    os.link(photo, f"{many}/{label}/{k:03}{name}")
        shutil.rmtree(f"{ROOT}/{out}", ignore_errors=True)
        os.mkdir(f"{ROOT}/{out}")
        job = subprocess.Popen(
            command(2, "features", many, "-b", BACKBONE, "-o", f"{out}/x.npy", "--threads", "1"),
            cwd=ROOT, env={**ENV, "HEADSTART_PATIENCE_S": "2"}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        until = time.monotonic() + material.patience(60)
        while not os.listdir(f"{ROOT}/{out}") and job.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        return job, processes(f"{out}/x.npy")

    def end(self, job, out):
        """What the job said; it left no process, and a result that is whole or not there."""
        try:
            said = job.communicate(timeout=material.patience(30))[1].decode()
        except subprocess.TimeoutExpired:
            job.kill()
            raise
        until = time.monotonic() + material.patience(5)
        while processes(f"{out}/x.npy") and time.monotonic() < until:
            time.sleep(0.05)
        self.assertEqual(processes(f"{out}/x.npy"), [])
        if job.returncode:
            self.assertFalse(os.path.exists(f"{ROOT}/{out}/x.npy"), said)
        return said

    def test_a_process_that_is_killed(self):
        rng = random.Random(os.environ.get("HEADSTART_SEED", "1"))
        for i in range(KILLS):
            job, ranks = self.begin("killed")
            time.sleep(rng.uniform(0, 1.5))
            try:
                os.kill(ranks[i % 2], signal.SIGKILL)
            except ProcessLookupError:
                pass
            said = self.end(job, "killed")
            self.assertTrue(job.returncode == 0 or f"on node {os.uname().nodename}" in said
                            or f"on {os.uname().nodename}:" in said, said)

    def test_a_process_that_stands_still(self):
        for i in range(2):
            job, ranks = self.begin("still")
            time.sleep(0.3)
            os.kill(ranks[i], signal.SIGSTOP)
            said = self.end(job, "still")
            self.assertNotEqual(job.returncode, 0)
            lines = [s for s in said.splitlines() if "no sign of life" in s]
            self.assertEqual(len(lines), 1, said)
            self.assertRegex(lines[0], f"^headstart: rank [01] on {os.uname().nodename}: ")

    def test_a_job_that_is_stopped(self):
        job, _ = self.begin("stopped")
        time.sleep(0.3)
        job.send_signal(signal.SIGTERM)
        said = self.end(job, "stopped")
        self.assertNotEqual(job.returncode, 0)
        self.assertEqual([s for s in said.splitlines() if s.startswith("headstart: ")],
                         ["headstart: interrupted"])
        self.assertEqual(os.listdir(f"{ROOT}/stopped"), [])


if __name__ == "__main__":
    unittest.main(argv=["cluster.py"] + sys.argv[3:])
