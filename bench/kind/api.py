"""The API server over one `kubectl proxy`, which costs a request and not a process each time; and through it the members' own HTTP."""
import base64
import http.client
import json
import subprocess
import threading

from kube import Failure

ANSWER_BYTES_MAX = 32 << 20


class Api:
    def __init__(self, kube):
        self.namespace = kube.namespace
        self.process = subprocess.Popen(["kubectl", "--context", kube.context, "proxy", "--port=0"], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        line = self.process.stdout.readline()
        port = line.rpartition(":")[2].strip()
        if not port.isdigit():
            self.close()
            raise Failure(f"kubectl proxy does not start: {line.strip()!r}")
        self.port = int(port)
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def close(self):
        self.process.terminate()
        self.process.wait()

    def call(self, method, path, message=None, seconds=3):
        """Status and body; Failure without an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, None if message is None else json.dumps(message))
            reply = connection.getresponse()
            return reply.status, reply.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{method} {path}: {error}") from None
        finally:
            connection.close()

    def json(self, method, path, message=None, seconds=3):
        status, body = self.call(method, path, message, seconds)
        if status != 200:
            raise Failure(f"{method} {path}: {status} {body[:300].decode(errors='replace')}")
        try:
            return json.loads(body)
        except ValueError:
            raise Failure(f"{method} {path}: no JSON: {body[:100]!r}") from None

    def pods(self, selector):
        """By name, of the namespace."""
        path = f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={selector}"
        return {pod["metadata"]["name"]: pod for pod in self.json("GET", path, seconds=10)["items"]}

    def member(self, pod, path, message=None, seconds=3):
        """What the member in a pod answers on its client port; a message makes it a POST."""
        return self.json("GET" if message is None else "POST", self.member_path(pod, path), message, seconds)

    def put(self, pod, key, value, seconds=3):
        """(status, body): 200 is an acknowledged write."""
        return self.call("POST", self.member_path(pod, "/v3/kv/put"), {"key": b64(key), "value": b64(value)}, seconds)

    def get(self, pod, key, seconds=3):
        return self.call("POST", self.member_path(pod, "/v3/kv/range"), {"key": b64(key)}, seconds)

    def member_path(self, pod, path):
        return f"/api/v1/namespaces/{self.namespace}/pods/{pod}:2379/proxy{path}"


def b64(text):
    return base64.b64encode(text.encode()).decode()
