#!/usr/bin/env python3
"""Backbones from a hub on this machine that misbehaves.

    tests/network/run.py PROGRAM HELPER
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from case import COMMIT, Case, H5, KERAS, LATER, PROGRAM, ROOT, SHARED, setUpModule, tearDownModule  # noqa: E402, F401
import hub as mock  # noqa: E402
import material  # noqa: E402
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "formats"))
import small  # noqa: E402


class Misbehaviour(Case):
    """One file at an address for which no hash is known."""

    def test_there_and_kept(self):
        self.keras()
        self.pull(self.NAME)
        self.pull(self.NAME)
        self.assertEqual(len(self.gets()), 1)
        self.assertEqual(self.gets()[0]["Accept-Encoding"], "identity")
        self.ok("backbones", "verify", self.NAME)
        listed = json.loads(self.ok("backbones", "list", "--json").stdout)
        self.assertTrue(listed[self.NAME]["cached"])
        self.assertGreater(listed[self.NAME]["bytes"], len(SHARED["odd.pth"]))
        self.assertTrue(listed["mobilenet_v2_0.35_96"]["cached"])
        self.assertFalse(listed["mobilenet_v2"]["cached"])

    def test_not_there(self):
        self.refused(5, ("HTTP 404", H5), "backbones", "pull", self.NAME)
        self.assertEqual(len(self.gets()), 1)

    def test_who_asks(self):
        for code, words in ((401, "it wants to know who asks"), (403, "refused"), (451, "451")):
            self.keras().faults.append(mock.status(code))
            self.refused(5, words, "backbones", "pull", self.NAME)

    def test_too_many_requests(self):
        self.keras().faults.extend([mock.status(429, Retry_After="1"), mock.status(408)])
        begun = time.monotonic()
        r = self.pull(self.NAME)
        self.assertGreater(time.monotonic() - begun, 1)
        self.assertIn("HTTP 429; trying again in 1.0 s", r.stderr)
        self.assertEqual(len(self.gets()), 3)

    def test_retry_after_a_day(self):
        self.keras().faults.append(mock.status(429, Retry_After="86400"))
        self.refused(5, "too many requests", "backbones", "pull", self.NAME)

    def test_unavailable_then_there(self):
        self.keras().faults.extend([mock.status(503), mock.status(500), mock.status(502)])
        self.pull(self.NAME)
        self.assertEqual(len(self.gets()), 4)

    def test_unavailable_for_good(self):
        self.keras().faults.extend([mock.status(503)] * 99)
        self.refused(5, ("503", "try again later"), "backbones", "pull", self.NAME)
        self.assertEqual(len(self.gets()), 5)

    def test_broken_off_in_the_middle(self):
        body = os.urandom(300000)
        self.keras(body).faults.extend([mock.drop(100000), mock.drop(50000)])
        self.refused(4, H5, "backbones", "pull", self.NAME)  # it is no weight file, but it came
        self.assertEqual([h.get("Range") for h in self.gets()],
                         [None, "bytes=100000-", "bytes=150000-"])
        with open(self.kept(H5)[0], "rb") as f:
            self.assertEqual(f.read(), body)

    def test_gone_on_with_later(self):
        body = SHARED["odd.pth"]
        self.keras().faults.extend([mock.drop(100)] + [mock.status(503)] * 4)
        self.refused(5, "503", "backbones", "pull", self.NAME)
        self.assertEqual(os.path.getsize(self.kept(".part")[0]), 100)
        self.pull(self.NAME)
        self.assertEqual(self.gets()[-1]["Range"], "bytes=100-")
        self.assertEqual(self.kept(".part") + self.kept(".etag"), [])
        with open(self.kept(H5)[0], "rb") as f:
            self.assertEqual(f.read(), body)

    def test_no_ranges_there(self):
        resource = self.keras()
        resource.faults.append(mock.drop(100))
        resource.ranges = False
        self.pull(self.NAME)
        self.assertEqual(self.gets()[-1]["Range"], "bytes=100-")

    def test_changed_before_the_rest(self):
        resource = self.keras(b"old" * 1000)

        def change():
            self.keras()
        resource.faults.append(mock.then(change, mock.drop(100)))
        self.pull(self.NAME)
        self.assertEqual(self.gets()[-1]["If-Range"], resource.etag)
        with open(self.kept(H5)[0], "rb") as f:
            self.assertEqual(f.read(), SHARED["odd.pth"])

    def test_a_rest_of_something_else(self):
        """A server that gives a range in spite of If-Range."""
        old, body = self.keras(b"old" * 1000), SHARED["odd.pth"]

        def change():
            self.keras(body).faults.append(
                lambda handler, r: handler.answer(206, body[100:], {
                    "ETag": '"new"', "Content-Range": f"bytes 100-{len(body) - 1}/{len(body)}"}))
        old.faults.append(mock.then(change, mock.drop(100)))
        self.pull(self.NAME)
        with open(self.kept(H5)[0], "rb") as f:
            self.assertEqual(f.read(), body)

    def test_stall(self):
        self.keras().faults.append(mock.stall(100, 3))
        begun = time.monotonic()
        self.pull(self.NAME)
        self.assertLess(time.monotonic() - begun, 3)
        self.assertEqual(self.gets()[-1]["Range"], "bytes=100-")

    def test_a_page_instead(self):
        self.keras().faults.append(mock.page)
        self.refused(5, "a web page came instead", "backbones", "pull", self.NAME)
        self.assertEqual(self.kept(".part") + self.kept(".h5"), [])

    def test_redirects_without_end(self):
        where = KERAS + "mobilenet_v2/" + H5
        self.keras().faults.extend([mock.redirect(where)] * 99)
        self.refused(5, "redirects", "backbones", "pull", self.NAME)
        self.assertLess(len(self.gets()), 12)

    def test_redirects_that_are_not_followed(self):
        for to in ("http://example.com/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "",
                   "https://user:word@example.com/x", "http://127.0.0.1@example.com/x",
                   "http://127.0.0.1\\@example.com/x"):
            self.keras().faults.append(mock.redirect(to))
            self.refused(5, "redirect" if to else "without a place", "backbones", "pull",
                         self.NAME)

    def test_another_size(self):
        self.hub.put(KERAS + "mobilenet_v2/" + H5.replace("0.35_96", "1.0_224"), b"x" * 100)
        self.refused(5, ("100 bytes", "expected 9406464"), "backbones", "pull",
                     "keras:mobilenet_v2_1.0_224")

    def test_another_hash(self):
        self.hub.put("/download.pytorch.org/models/resnet18-f37072fd.pth", SHARED["odd.pth"])
        self.refused(5, ("SHA-256", "expected f37072fd"), "backbones", "pull",
                     "torchvision:resnet18")
        self.hub.put(KERAS + "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
                     SHARED["odd.pth"])
        self.refused(5, "expected d3e8ec802a04aa4fc771ee12a9a9b836", "backbones", "pull",
                     "keras:mobilenet_v3_small")
        self.assertEqual(self.kept(".part") + self.kept(".pth"), [])

    def test_the_hash_of_the_first_time(self):
        self.keras()
        self.pull(self.NAME)
        with open(self.kept(H5)[0], "r+b") as f:
            f.truncate(10)
        for path in self.kept(".safetensors"):
            os.unlink(path)
        self.keras(b"changed" * 100)
        r = self.refused(5, ("first time", "backbones remove"), "backbones", "pull", self.NAME)
        self.assertIn("damaged in the cache", r.stderr)
        self.ok("backbones", "remove", self.NAME)
        self.refused(4, H5, "backbones", "pull", self.NAME)  # taken now, though it is no network

    def test_every_damage_is_seen(self):
        self.keras()
        self.pull(self.NAME)
        for path in self.kept(".safetensors") + self.kept(H5):
            with open(path, "r+b") as f:
                f.seek(-1, os.SEEK_END)
                last = f.read(1)
                f.seek(-1, os.SEEK_END)
                f.write(bytes([last[0] ^ 1]))
            self.refused(5, os.path.basename(path)[:16], "backbones", "verify", self.NAME)
            r = self.run_program("backbones", "verify")
            self.assertEqual(r.returncode, 5, r.stderr)
            self.pull(self.NAME)
            if path.endswith(H5):
                break
            self.ok("backbones", "verify", self.NAME)

    def test_prune_and_remove(self):
        self.keras()
        self.pull(self.NAME)
        self.hub.put("/example.com/w.pth", b"x" * 500).faults.extend(
            [mock.drop(100)] + [mock.status(503)] * 5)
        self.run_program("backbones", "pull", "https://example.com/w.pth")
        self.assertEqual(len(self.kept(".part")), 1)
        self.ok("backbones", "prune")
        self.assertEqual(self.kept(".part") + self.kept(H5), [])
        self.assertEqual(len(self.kept(".safetensors")), 1)
        self.pull(self.NAME)
        self.assertEqual(len(self.gets()), 1)
        self.ok("backbones", "remove", self.NAME)
        self.assertEqual(self.kept(".safetensors") + self.kept(".json"), [])
        self.refused(6, "nothing is kept", "backbones", "remove", self.NAME)

    def test_offline(self):
        self.keras()
        for env in ({"HEADSTART_OFFLINE": "1"}, {"HF_HUB_OFFLINE": "1"}):
            self.refused(5, "switched off", "backbones", "pull", self.NAME, **env)
        self.refused(5, "switched off", "backbones", "pull", self.NAME, "--offline")
        self.assertEqual(self.hub.asked, [])
        self.pull(self.NAME)
        self.pull(self.NAME, HEADSTART_OFFLINE="1")

    def test_sixteen_at_once(self):
        body = os.urandom(1 << 20)
        self.hub.put("/example.com/w.safetensors", body).faults.append(mock.drop(1000))
        many = [subprocess.Popen([PROGRAM, "backbones", "pull", "https://example.com/w.safetensors"],
                                 env=self.env, stderr=subprocess.PIPE) for _ in range(16)]
        for p in many:
            _, err = p.communicate(timeout=material.patience(60))
            self.assertEqual(p.returncode, 0, err)
        self.assertEqual(len(self.gets("/example.com/w.safetensors")), 2)
        self.assertEqual(len(self.kept(".safetensors")), 1)

    def test_a_full_disk_and_a_cap_are_known_before(self):
        resource = self.keras()
        resource.faults.append(lambda handler, r: (
            handler.send_response(200), handler.send_header("Content-Length", str(3 << 30 << 20)),
            handler.end_headers()))
        self.refused(5, "more than", "backbones", "pull", self.NAME)


class HuggingFace(Case):
    def test_layout(self):
        self.model()
        self.pull("hf:org/net")
        repo = self.path(".cache/huggingface/hub/models--org--net")
        with open(repo + "/refs/main") as f:
            self.assertEqual(f.read(), COMMIT)
        for name, body in (("model.safetensors", SHARED["model.safetensors"]),
                           ("config.json", SHARED["config.json"])):
            link = f"{repo}/snapshots/{COMMIT}/{name}"
            etag = (mock.git_sha1 if name.endswith("json") else mock.sha256)(body)
            self.assertEqual(os.readlink(link), f"../../blobs/{etag}")
            with open(link, "rb") as f:
                self.assertEqual(f.read(), body)
        self.assertEqual(sorted(os.listdir(repo + "/blobs")), sorted(
            {mock.sha256(SHARED["model.safetensors"]), mock.git_sha1(SHARED["config.json"])}))
        asked = len(self.hub.asked)
        self.ok("backbones", "import", "hf:org/net", HF_HUB_OFFLINE="1")
        self.ok("backbones", "import", "hf:org/net")  # here already: nobody is asked
        self.ok("backbones", "verify", "hf:org/net")
        self.assertEqual(len(self.hub.asked), asked)

    def test_a_branch_that_moves(self):
        self.model()
        self.pull("hf:org/net")
        changed = SHARED["config.json"].replace(b"}", b" }", 1)
        self.model(LATER, **{"config.json": changed})
        self.pull("hf:org/net")
        repo = self.path(".cache/huggingface/hub/models--org--net")
        with open(repo + "/refs/main") as f:
            self.assertEqual(f.read(), LATER)
        self.assertEqual(len(self.far.asked), 1)  # the weights are the same
        self.pull(f"hf:org/net@{COMMIT}", HF_HUB_OFFLINE="1")

    def test_the_token_stays_here(self):
        self.model()
        self.pull("hf:org/net", HF_TOKEN="secret")
        self.assertTrue(all(h["Authorization"] == "Bearer secret" for _, _, h in self.hub.asked))
        self.assertTrue(self.far.asked)
        self.assertFalse([h for _, _, h in self.far.asked if "Authorization" in h])

    def test_a_token_in_its_file(self):
        self.model()
        os.makedirs(self.path("hf"))
        with open(self.path("hf/token"), "w") as f:
            f.write("filed\n")
        self.pull("hf:org/net", HF_HOME=self.path("hf"))
        self.assertEqual(self.hub.asked[0][2]["Authorization"], "Bearer filed")
        self.assertTrue(os.path.isdir(self.path("hf/hub/models--org--net")))

    def test_refusals(self):
        for error, words in (("RepoNotFound", "no such repository"), ("GatedRepo", "terms"),
                             ("RevisionNotFound", "no such revision")):
            for code in (401, 403, 404):
                self.hub.at["/org/net/resolve/main/model.safetensors"] = mock.Resource(
                    b"", status=code, headers={"X-Error-Code": error})
                self.refused(5, words, "backbones", "pull", "hf:org/net")
        self.hub.at.clear()
        self.hub.missing = {"X-Error-Code": "EntryNotFound"}
        self.refused(5, "name its file", "backbones", "pull", "hf:org/net")

    def test_a_renamed_repository(self):
        self.model()
        for path in list(self.hub.at):
            old = path.replace("/org/net/", "/org/old/")
            self.hub.put(old, b"", status=307, headers={"Location": path})
        self.pull("hf:org/old")
        self.ok("backbones", "import", "hf:org/old", HF_HUB_OFFLINE="1")

    def test_wrong_content(self):
        self.model()
        path = "/org/net/resolve/main/model.safetensors"
        for at in (path, path.replace("main", COMMIT)):
            self.hub.at[at].headers["Location"] = self.far.url + "/other"
        self.far.put("/other", os.urandom(len(SHARED["model.safetensors"])))
        self.refused(5, ("SHA-256", "expected"), "backbones", "pull", "hf:org/net")
        blobs = self.path(".cache/huggingface/hub/models--org--net/blobs")
        self.assertEqual(os.listdir(blobs), [])

    def test_a_damaged_blob_is_fetched_again(self):
        self.model()
        self.pull("hf:org/net")
        blob = self.path(".cache/huggingface/hub/models--org--net/blobs",
                         mock.sha256(SHARED["model.safetensors"]))
        with open(blob, "r+b") as f:
            f.seek(5000)
            f.write(b"XX")
        self.refused(5, "damaged", "backbones", "verify", "hf:org/net")
        self.refused(5, "switched off", "backbones", "import", "hf:org/net", HF_HUB_OFFLINE="1")
        self.ok("backbones", "import", "hf:org/net")
        self.ok("backbones", "verify", "hf:org/net")

    def test_a_network_in_two_files(self):
        body = SHARED["model.safetensors"]
        n = 8 + int.from_bytes(body[:8], "little")
        header = {k: v for k, v in json.loads(body[8:n]).items() if k != "__metadata__"}
        files, where = {"config.json": SHARED["config.json"]}, {}
        for i in range(2):
            part, data = {}, b""
            for k in sorted(header)[i::2]:
                begin, end = header[k]["data_offsets"]
                part[k] = {**header[k], "data_offsets": [len(data), len(data) + end - begin]}
                data += body[n + begin:n + end]
                where[k] = f"model-{i + 1}-of-2.safetensors"
            text = json.dumps(part).encode()
            files[f"model-{i + 1}-of-2.safetensors"] = len(text).to_bytes(8, "little") + text + data
        index = "model.safetensors.index.json"
        files[index] = json.dumps({"weight_map": where}).encode()
        self.hub.repo("org/net", COMMIT, files, self.far)
        self.ok("backbones", "import", "hf:org/net")
        folder = self.path("two")
        os.makedirs(folder)
        for name, content in files.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(content)
        pictures = material.photos(self.path("photos"), 1)
        rows = []
        for network in ("hf:org/net", folder, os.path.join(ROOT, "network")):
            self.ok("features", pictures, "--backbone", network, "-o", "f.npy")
            with open(self.path("f.npy"), "rb") as f:
                rows.append(f.read())
        self.assertTrue(rows[0] == rows[1] == rows[2])
        os.remove(os.path.join(folder, "model-2-of-2.safetensors"))
        self.refused(4, "beside it", "backbones", "import", folder)
        where["w"] = "../model-1-of-2.safetensors"
        with open(os.path.join(folder, index), "w") as f:
            json.dump({"weight_map": where}, f)
        self.refused(4, "beside it", "backbones", "import", folder)

    def test_weights_beside_an_onnx_file(self):
        place = [(13, small.pb((1, k), (2, v))) for k, v in (("location", "m.onnx_data"),
                                                             ("length", "864"))]
        w0 = small.tensor("w0", [8, 3, 3, 3], None, fields=place + [(14, 1)])
        body = small.onnx(tensors=small.onnx_tensors(w0=w0))
        self.hub.repo("org/net", COMMIT, {"onnx/m.onnx": body}, self.far)
        self.refused(4, "m.onnx_data", "backbones", "pull", "hf:org/net/onnx/m.onnx")
        self.hub.repo("org/net", LATER, {"onnx/m.onnx": body, "onnx/m.onnx_data": small.floats(216)},
                      self.far)
        self.pull("hf:org/net/onnx/m.onnx")
        repo = self.path(".cache/huggingface/hub/models--org--net/snapshots", LATER, "onnx")
        self.assertEqual(sorted(os.listdir(repo)), ["m.onnx", "m.onnx_data"])

    def test_what_another_program_has_is_used(self):
        folder = self.path("hub/models--org--net/snapshots", COMMIT)
        os.makedirs(folder)
        os.makedirs(self.path("hub/models--org--net/refs"))
        with open(self.path("hub/models--org--net/refs/main"), "w") as f:
            f.write(COMMIT)
        for name in ("model.safetensors", "config.json"):  # a file system without links
            with open(os.path.join(folder, name), "wb") as f:
                f.write(SHARED[name])
        self.ok("backbones", "import", "hf:org/net", HF_HUB_CACHE=self.path("hub"))
        self.assertEqual(self.hub.asked, [])

    def test_one_file_and_revisions(self):
        self.hub.repo("org/net", COMMIT, {"sub/odd.pth": SHARED["odd.pth"]}, self.far,
                      revisions=("v1.0", "refs%2Fpr%2F1"))
        self.pull("hf:org/net/sub/odd.pth@v1.0")
        self.pull("hf:org/net/sub/odd.pth@refs/pr/1")
        self.pull("https://huggingface.co/org/net/blob/v1.0/sub/odd.pth", HF_HUB_OFFLINE="1")
        link = self.path(".cache/huggingface/hub/models--org--net/snapshots", COMMIT, "sub/odd.pth")
        self.assertEqual(os.readlink(link), "../../../blobs/" + mock.sha256(SHARED["odd.pth"]))

    def test_the_signed_address_has_expired(self):
        self.model()
        far = self.far.at[f"/cdn/{mock.sha256(SHARED['model.safetensors'])}?signed=1"]
        far.faults.append(mock.drop(1000))
        self.pull("hf:org/net")
        gets = self.hub.requests("GET", f"/org/net/resolve/{COMMIT}/model.safetensors")
        self.assertEqual(len(gets), 2)  # a new address was asked for

    def test_sixteen_at_once(self):
        self.model()
        many = [subprocess.Popen([PROGRAM, "backbones", "pull", "hf:org/net"], env=self.env,
                                 stderr=subprocess.PIPE) for _ in range(16)]
        for p in many:
            _, err = p.communicate(timeout=material.patience(60))
            self.assertEqual(p.returncode, 0, err)
        self.assertEqual(len(self.far.asked), 1)


class OtherHubs(Case):
    def test_the_second_place_of_a_short_name(self):
        self.hub.repo("google/mobilenet_v2_0.35_96", COMMIT,
                      {n: SHARED[n] for n in ("model.safetensors", "config.json")}, self.far)
        r = self.ok("backbones", "import", "mobilenet_v2_0.35_96")
        self.assertIn("warning: keras:mobilenet_v2_0.35_96: ", r.stderr)
        self.assertIn("now trying hf:google/mobilenet_v2_0.35_96", r.stderr)
        r = self.ok("backbones", "import", "mobilenet_v2_0.35_96")
        self.assertEqual(r.stderr, "")

    def test_no_place_has_it(self):
        self.refused(5, "name its file", "backbones", "pull", "mobilenet_v2")
        self.refused(5, "404", "backbones", "pull", "mobilenet_v2_0.5_96")

    def test_kaggle(self):
        body = SHARED["odd.pth"]
        handle = "google/mobilenet-v2/tensorFlow2/100-224-feature-vector"
        self.hub.kaggle(handle, 2, body, self.far).faults.append(mock.drop(50))
        login = {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "key"}
        self.pull(handle + "/2", **login)
        self.assertTrue(all(h["Authorization"] == "Basic bWU6a2V5" for _, _, h in self.hub.asked))
        self.assertFalse([h for _, _, h in self.far.asked if "Authorization" in h])
        self.assertEqual(self.far.asked[-1][2]["Range"], "bytes=50-")
        self.pull("https://www.kaggle.com/models/" + handle + "/2", HEADSTART_OFFLINE="1")
        self.pull("https://www.kaggle.com/models/google/mobilenet-v2/frameworks/tensorFlow2/"
                  "variations/100-224-feature-vector/versions/2", HEADSTART_OFFLINE="1")
        self.pull("kaggle:" + handle)  # the newest
        self.far.at["/signed?X-Goog-Expires=1"].body = b"x" * len(body)
        self.ok("backbones", "remove", handle + "/2")
        self.refused(5, "MD5", "backbones", "pull", handle + "/2")

    def test_tfhub_leads_to_kaggle(self):
        body = SHARED["odd.pth"]
        handle = "google/imagenet/mobilenet_v2_100_224/feature_vector/5"
        self.hub.put(f"/tfhub.dev/{handle}?tf-hub-format=compressed", b"", status=301,
                     headers={"Location": "https://www.kaggle.com/api/v1/models/x/download"})
        self.hub.put("/www.kaggle.com/api/v1/models/x/download", b"", status=302,
                     headers={"Location": self.far.url + "/signed"})
        self.far.put("/signed", body)
        self.pull("https://tfhub.dev/" + handle)
        self.pull(handle, HEADSTART_OFFLINE="1")
        self.assertEqual(len(self.far.asked), 1)

    def test_tfhubs_own_cache(self):
        address = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/4"
        folder = self.path("tfhub", hashlib.sha1(address.encode()).hexdigest())
        shutil.copytree(os.path.join(ROOT, "network"), folder)  # any folder that is a network
        self.ok("backbones", "import", address)
        self.assertEqual(self.hub.asked, [])

    def test_keras_own_cache(self):
        os.makedirs(self.path("k/models"))
        with open(self.path("k/models", H5), "wb") as f:
            f.write(SHARED["odd.pth"])
        self.pull(self.NAME, KERAS_HOME=self.path("k"))
        self.assertEqual(self.hub.asked, [])
        self.pull(self.NAME, KERAS_HOME=self.path("k"), HEADSTART_OFFLINE="1")
        self.assertEqual(self.kept(H5), [])
        self.ok("backbones", "verify", self.NAME)

    def test_torchs_own_cache_is_not_trusted_blindly(self):
        os.makedirs(self.path("t/hub/checkpoints"))
        with open(self.path("t/hub/checkpoints/resnet18-f37072fd.pth"), "wb") as f:
            f.write(SHARED["odd.pth"])
        r = self.refused(5, "404", "backbones", "pull", "torchvision:resnet18",
                         TORCH_HOME=self.path("t"))
        self.assertIn("warning: not used: ", r.stderr)

    def test_names_that_are_none(self):
        for name in ("hf:", "hf:x", "hf:../x", "hf:a/../b", "hf:a/b@", "hf:a/b@../c", "keras:x",
                     "torchvision:x", "http://example.com/x", "https://", "https://a b/",
                     "https://user:word@example.com/x", "kaggle:a/b", "tfhub:x", "no_such_name",
                     "keras:mobilenet_v2_1.3_96", "hf:a/.b", "https://example.com/\n"):
            self.refused(2, "", "backbones", "pull", name)
        self.assertEqual(self.hub.asked, [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
