"""A hub on this machine that answers as the real ones do, and misbehaves as they sometimes do."""
import base64
import hashlib
import http.server
import json
import threading
import time
from collections import deque


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def git_sha1(body):
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


class Resource:
    """What lies at a path. faults: what the next requests get instead, one each."""

    def __init__(self, body, headers=None, etag=None, status=200):
        self.body, self.status = body, status
        self.etag = f'"{etag or sha256(body)[:16]}"'
        self.headers = dict(headers or {})
        self.faults = deque()
        self.ranges = True


# Faults ------------------------------------------------------------------------------------------

def status(code, **headers):
    def fault(handler, resource):
        handler.answer(code, b"busy", {k.replace("_", "-"): v for k, v in headers.items()})
    return fault


def redirect(to, code=302, **headers):
    def fault(handler, resource):
        handler.answer(code, b"<html>moved</html>",
                       {"Location": to, **{k.replace("_", "-"): v for k, v in headers.items()}})
    return fault


def drop(after):
    """Breaks the connection after so many bytes of what was asked for."""
    def fault(handler, resource):
        handler.serve(resource, after)
        handler.close_connection = True
        handler.wfile.flush()
        handler.connection.close()
    return fault


def stall(after, seconds):
    def fault(handler, resource):
        handler.serve(resource, after)
        handler.wfile.flush()
        time.sleep(seconds)
        handler.close_connection = True
    return fault


def page(handler, resource):
    handler.answer(200, b"\n<!DOCTYPE html><html><body>Please log in</body></html>",
                   {"Content-Type": "text/html"})


def then(change, fault):
    """A fault, after which the world is another."""
    def both(handler, resource):
        try:
            fault(handler, resource)
        finally:
            change()
    return both


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, code, body=b"", headers=None):
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self, resource, most=None):
        """The resource or the range of it that was asked for; most: bytes really sent."""
        body, first, code, headers = resource.body, 0, resource.status, dict(resource.headers)
        headers.setdefault("ETag", resource.etag)
        asked = self.headers.get("Range")
        same = self.headers.get("If-Range", headers["ETag"]) == headers["ETag"]
        if asked and resource.ranges and same:
            first = int(asked[len("bytes="):-1])
            if first >= len(body):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                return
            code = 206
            headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[first:][:most])

    def do_GET(self):
        hub = self.server.hub
        with hub.lock:
            hub.asked.append((self.command, self.path, dict(self.headers)))
            resource = hub.at.get((self.command, self.path)) or hub.at.get(self.path)
            fault = resource.faults.popleft() if resource and resource.faults else None
        try:
            if resource is None:
                self.answer(404, b"not here", hub.missing)
            elif fault:
                fault(self, resource)
            else:
                self.serve(resource)
        except (BrokenPipeError, ConnectionResetError, ValueError):
            self.close_connection = True

    do_HEAD = do_GET


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


class Hub:
    """at: path (with its query), or (method, path) -> Resource. asked: every request there was."""

    def __init__(self):
        self.at, self.asked, self.missing = {}, [], {}
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.hub = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def put(self, path, body, **more):
        self.at[path] = Resource(body, **more)
        return self.at[path]

    def requests(self, method, path):
        """The headers of every such request."""
        with self.lock:
            return [h for m, p, h in self.asked if m == method and p == path]

    # Hugging Face --------------------------------------------------------------------------------

    def repo(self, name, commit, files, cdn, revisions=("main",)):
        """files: path -> bytes. Large ones (not .json) are redirected to the hub cdn."""
        self.missing = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
        for path, body in files.items():
            for revision in (*revisions, commit):
                where = f"/{name}/resolve/{revision}/{path}"
                if path.endswith(".json"):
                    self.put(where, body, etag=git_sha1(body), headers={"X-Repo-Commit": commit})
                    continue
                far = f"/cdn/{sha256(body)}?signed=1"
                if far not in cdn.at:
                    cdn.put(far, body)
                self.put(where, b"", status=302, headers={
                    "Location": cdn.url + far, "X-Repo-Commit": commit,
                    "X-Linked-Etag": f'"{sha256(body)}"', "X-Linked-Size": str(len(body)),
                    "ETag": '"of the redirect"'})

    # Kaggle --------------------------------------------------------------------------------------

    def kaggle(self, handle, version, body, far):
        """The signed address far gives the file, with its MD5."""
        where = f"/api/v1/models/{handle}"
        self.put(where + "/get", json.dumps({"versionNumber": version}).encode())
        self.put(f"{where}/{version}/download", b"", status=302,
                 headers={"Location": far.url + "/signed?X-Goog-Expires=1"})
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        return far.put("/signed?X-Goog-Expires=1", body,
                       headers={"X-Goog-Hash": f"crc32c=AAAAAA==,md5={md5}"})
