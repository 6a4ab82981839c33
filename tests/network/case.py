"""What the tests against a hub on this machine share; the program and the import helper are the first
two words of the command line."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "cli")]
import hub as mock  # noqa: E402
import material  # noqa: E402

PROGRAM, HELPER = (os.path.abspath(p) for p in sys.argv[1:3])
ROOT = tempfile.mkdtemp(prefix="headstart-network-")
SHARED = {}  # made once: the files of a network
KERAS = "/storage.googleapis.com/tensorflow/keras-applications/"
H5 = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"
COMMIT, LATER = "1" * 40, "2" * 40


def setUpModule():
    folder = material.backbone(os.path.join(ROOT, "network"), 0.1, 32)
    for name in ("model.safetensors", "config.json"):
        with open(os.path.join(folder, name), "rb") as f:
            SHARED[name] = f.read()
    with open(os.path.join(HERE, "..", "golden", "formats", "odd.pth"), "rb") as f:
        SHARED["odd.pth"] = f.read()


def tearDownModule():
    shutil.rmtree(ROOT)


class Case(unittest.TestCase):
    def setUp(self):
        self.hub, self.far = mock.Hub(), mock.Hub()
        self.work = tempfile.mkdtemp(dir=ROOT)
        self.env = {"PATH": os.environ["PATH"], "HOME": self.work, "LC_ALL": "C",
                    "HEADSTART_HELPER": HELPER, "HEADSTART_CACHE": self.path("cache"),
                    "HEADSTART_MIRROR": self.hub.url, "HF_ENDPOINT": self.hub.url,
                    "KAGGLE_API_ENDPOINT": self.hub.url, "TFHUB_CACHE_DIR": self.path("tfhub"),
                    "HEADSTART_RETRY_MS": "10", "HEADSTART_STALL_S": "1"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH", "QEMU_LD_PREFIX"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def tearDown(self):
        self.hub.close()
        self.far.close()

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def run_program(self, *args, **env):
        return subprocess.run([PROGRAM, *args], cwd=self.work, env={**self.env, **env},
                              capture_output=True, text=True, timeout=material.patience(60))

    def ok(self, *args, **env):
        r = self.run_program(*args, **env)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r

    def refused(self, code, words, *args, **env):
        r = self.run_program(*args, **env)
        self.assertEqual(r.returncode, code, r.stderr)
        errors = [s for s in r.stderr.splitlines()
                  if s.startswith("headstart: ") and "warning: " not in s]
        self.assertEqual(len(errors), 1, r.stderr)
        for word in words if isinstance(words, tuple) else (words,):
            self.assertIn(word, errors[0])
        return r

    def pull(self, name, **env):
        return self.ok("backbones", "pull", name, **env)

    def kept(self, ending):
        """Files in our own store that end so."""
        return [os.path.join(d, n) for d, _, names in os.walk(self.path("cache")) for n in names
                if n.endswith(ending)]

    def keras(self, body=None):
        return self.hub.put(KERAS + "mobilenet_v2/" + H5, body or SHARED["odd.pth"])

    def model(self, commit=COMMIT, **files):
        """The repository org/net with a network that works."""
        self.hub.repo("org/net", commit, {n: SHARED[n] for n in ("model.safetensors",
                                                                 "config.json")} | files, self.far)

    def gets(self, path=KERAS + "mobilenet_v2/" + H5):
        return self.hub.requests("GET", path)

    NAME = "keras:mobilenet_v2_0.35_96"
