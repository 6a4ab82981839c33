#!/usr/bin/env python3
"""Every protocol with every failure: the file itself comes late, wrong, in parts or not at all.

    tests/network/matrix.py PROGRAM HELPER
"""
import os
import subprocess
import sys
import time
import unittest
from email.utils import formatdate

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from case import Case, PROGRAM, SHARED, setUpModule, tearDownModule  # noqa: E402, F401
import hub as mock  # noqa: E402
import material  # noqa: E402

BODY = "odd.pth"
KAGGLE = "google/mobilenet-v2/tensorFlow2/100-224-feature-vector"
TFHUB = "google/imagenet/mobilenet_v2_100_224/feature_vector/5"
TORCH = "/download.pytorch.org/models/resnet18-f37072fd.pth"


# Protocols: what to pull, and where its file lies.

def keras(t):
    return t.NAME, t.keras()


def torch(t):
    """No other file has that hash: one that came is refused for it, and only for it."""
    return "torchvision:resnet18", t.hub.put(TORCH, SHARED[BODY])


def hugging_face(t):
    t.model()
    return "hf:org/net", t.far.at[f"/cdn/{mock.sha256(SHARED['model.safetensors'])}?signed=1"]


def kaggle(t):
    return KAGGLE + "/2", t.hub.kaggle(KAGGLE, 2, SHARED[BODY], t.far)


def tfhub(t):
    t.hub.put(f"/tfhub.dev/{TFHUB}?tf-hub-format=compressed", b"", status=301,
              headers={"Location": "https://www.kaggle.com/api/v1/models/x/download"})
    t.hub.put("/www.kaggle.com/api/v1/models/x/download", b"", status=302,
              headers={"Location": t.far.url + "/signed"})
    return "https://tfhub.dev/" + TFHUB, t.far.put("/signed", SHARED[BODY])


def address(t):
    return "https://example.com/w.pth", t.hub.put("/example.com/w.pth", SHARED[BODY])


# Failures of that file.

def missing(t, name, file):
    file.faults.extend([mock.status(404)] * 9)
    t.refused(5, "404", "backbones", "pull", name, **LOGIN)


def forbidden(t, name, file):
    file.faults.extend([mock.status(401)] * 9)
    t.refused(5, "", "backbones", "pull", name, **LOGIN)


def too_many_requests(t, name, file):
    file.faults.append(mock.status(429, Retry_After="1"))
    begun = time.monotonic()
    r = t.arrives(name)
    t.assertGreater(time.monotonic() - begun, 1)
    t.assertIn("429", r.stderr)


def too_many_until_a_date(t, name, file):
    file.faults.append(mock.status(429, Retry_After=formatdate(time.time() + 2, usegmt=True)))
    begun = time.monotonic()
    r = t.arrives(name)
    t.assertGreater(time.monotonic() - begun, 1)
    t.assertIn("429", r.stderr)


def unavailable_then_there(t, name, file):
    file.faults.extend([mock.status(503), mock.status(502)])
    t.arrives(name)


def broken_off(t, name, file):
    file.faults.append(mock.drop(50))
    t.arrives(name)
    t.assertEqual(t.ranges(), {"bytes=50-"})


def stalled(t, name, file):
    file.faults.append(mock.stall(50, 3))
    begun = time.monotonic()
    t.arrives(name)
    t.assertLess(time.monotonic() - begun, 3)
    t.assertEqual(t.ranges(), {"bytes=50-"})


def a_page(t, name, file):
    file.faults.extend([mock.page] * 9)
    words = "expected 405488" if name.startswith("hf:") else "a web page came instead"
    t.refused(5, words, "backbones", "pull", name, **LOGIN)


def another_file(t, name, file):
    """Where a hash is known it is refused; where none is, it is pinned, and refused when it changes."""
    whole, file.body = file.body, b"\x80" + os.urandom(len(file.body) - 1)
    r = t.run_program("backbones", "pull", name, **LOGIN)
    if name.startswith("https") or name == t.NAME:  # no hash is published
        t.ok("backbones", "remove", name)
        file.body = whole
        file.etag = '"other"'
        t.arrives(name)
        for path in t.kept(".safetensors") + t.kept(".h5") + t.kept(".pth") + t.kept(".gz"):
            os.unlink(path)
        file.body = b"changed" * 99
        file.etag = '"changed"'
        r = t.run_program("backbones", "pull", name, **LOGIN)
    t.assertEqual(r.returncode, 5, r.stderr)
    t.assertTrue("SHA-256" in r.stderr or "MD5" in r.stderr, r.stderr)


def redirects_without_end(t, name, file):
    where = next(p for h in (t.hub, t.far) for p, at in h.at.items() if at is file)
    own = t.far if where in t.far.at else t.hub
    file.faults.extend([mock.redirect(own.url + where)] * 99)
    t.refused(5, "redirect", "backbones", "pull", name, **LOGIN)


def another_host(t, name, file):
    """A token does not follow a redirect to another host."""
    third = mock.Hub()
    try:
        third.put("/file", file.body, headers=file.headers)
        file.faults.append(mock.redirect(third.url + "/file"))
        t.arrives(name)
        t.assertEqual(len(third.asked), 1)
        t.assertFalse([h for _, _, h in third.asked if "Authorization" in h])
    finally:
        third.close()


def changed_before_the_rest(t, name, file):
    """The rest of another file is not joined to what came of the first."""
    whole, file.body, file.etag = file.body, os.urandom(len(file.body)), '"old"'

    def change():
        file.body, file.etag = whole, '"new"'
    file.faults.append(mock.then(change, mock.drop(50)))
    t.arrives(name)


def sixteen_at_once(t, name, file):
    many = [subprocess.Popen([PROGRAM, "backbones", "pull", name], env={**t.env, **LOGIN},
                             stderr=subprocess.PIPE, text=True) for _ in range(16)]
    for p in many:
        t.judge(name, p.communicate(timeout=material.patience(60))[1], p.returncode)
    asked = [p for h in (t.hub, t.far) for _, p, _ in h.asked if h.at.get(p) is file]
    t.assertEqual(len(asked), 16 if name.startswith("torch") else 1)  # none of those is kept


LOGIN = {"HF_TOKEN": "secret", "KAGGLE_USERNAME": "me", "KAGGLE_KEY": "key"}
PROTOCOLS = (keras, torch, hugging_face, kaggle, tfhub, address)
FAILURES = (missing, forbidden, too_many_requests, too_many_until_a_date,
            unavailable_then_there, broken_off, stalled, a_page, another_file,
            redirects_without_end, another_host, changed_before_the_rest, sixteen_at_once)


class Matrix(Case):
    def judge(self, name, stderr, code):
        if name.startswith("torch"):
            self.assertEqual(code, 5, stderr)
            self.assertIn("expected f37072fd", stderr)
        else:
            self.assertEqual(code, 0, stderr)

    def arrives(self, name):
        """The whole file came."""
        r = self.run_program("backbones", "pull", name, **LOGIN)
        self.judge(name, r.stderr, r.returncode)
        return r

    def ranges(self):
        """What was asked for again, from any host on the way to the file."""
        return {h["Range"] for hub in (self.hub, self.far) for _, _, h in hub.asked if "Range" in h}


def cell(protocol, failure):
    def test(self):
        failure(self, *protocol(self))
        self.assertEqual(self.kept(".part"), [])
    return test


for _protocol in PROTOCOLS:
    for _failure in FAILURES:
        setattr(Matrix, f"test_{_protocol.__name__}_{_failure.__name__}", cell(_protocol, _failure))

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
