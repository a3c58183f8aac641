"""A real HTTP server on the loopback that takes models as the Hugging Face Hub does.

    with HubServer(large=(".safetensors",)) as hub:
        ...                      hub.url, hub.files, hub.commits, hub.private

It knows whoami, making a repository, and a commit: of small files within it, of large ones through
LFS. `failing` maps a part of a path to the status that requests to it get.
"""

import base64
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_of_the_test"

Reply = tuple[int, dict[str, Any]]


class HubServer:
    def __init__(
        self,
        *,
        large: tuple[str, ...] = (),  # endings of the names that go through LFS
        role: str = "write",
        failing: Mapping[str, int] | None = None,
    ) -> None:
        self.files: dict[str, bytes] = {}  # OWNER/NAME/PATH -> content
        self.commits: list[str] = []  # their messages
        self.private: dict[str, bool] = {}  # OWNER/NAME -> as it was made
        self._stored: dict[str, bytes] = {}  # sha256 -> content, through LFS
        self._large = large
        self._role = role
        self._failing = failing or {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                path = self.path.partition("?")[0]
                status, answer = server._answer(path, body, self.headers.get("authorization", ""))
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = _reply  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str, body: bytes, authorization: str) -> Reply:
        for part, status in self._failing.items():
            if part in path:
                return status, {"error": f"no {part} for {authorization}"}
        if path.startswith("/lfs/"):  # the storage beneath the Hub: its addresses are signed
            self._stored[path.removeprefix("/lfs/")] = body
            return 200, {}
        if authorization != f"Bearer {TOKEN}":
            return 401, {"error": f"Invalid credentials: {authorization}"}
        return self._hub(path, body)

    def _hub(self, path: str, body: bytes) -> Reply:
        match path.strip("/").split("/"):
            case ["api", "whoami-v2"]:
                return 200, {"name": "owner", "auth": {"accessToken": {"role": self._role}}}
            case ["api", "repos", "create"]:
                return self._create(json.loads(body))
            case ["api", "validate-yaml"]:
                return 200, {"errors": [], "warnings": []}
            case ["api", "models", owner, name, "preupload", "main"]:
                return self._preupload(f"{owner}/{name}", json.loads(body))
            case [_, _, "info", "lfs", "objects", "batch"]:
                return self._batch(json.loads(body))
            case ["api", "models", owner, name, "commit", "main"]:
                return self._commit(f"{owner}/{name}", body)
        return 404, {"error": "Repository not found"}

    def _create(self, asked: dict[str, Any]) -> Reply:
        repo = f"{asked['organization']}/{asked['name']}"
        answer = {"url": f"{self.url}/{repo}"}
        if repo in self.private:
            return 409, {**answer, "error": "You already created this model repo"}
        self.private[repo] = asked.get("private") is True or asked.get("visibility") == "private"
        return 200, answer

    def _preupload(self, repo: str, asked: dict[str, Any]) -> Reply:
        if repo not in self.private:
            return 404, {"error": "Repository not found"}
        paths = [file["path"] for file in asked["files"]]
        modes = ["lfs" if path.endswith(self._large) else "regular" for path in paths]
        return 200, {
            "files": [
                {"path": path, "uploadMode": mode, "shouldIgnore": False}
                for path, mode in zip(paths, modes, strict=True)
            ]
        }

    def _batch(self, asked: dict[str, Any]) -> Reply:
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.url}/lfs/{one['oid']}"}}}
            for one in asked["objects"]
        ]
        return 200, {"transfer": "basic", "objects": objects}

    def _commit(self, repo: str, body: bytes) -> Reply:
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                self.commits.append(value["summary"])
            elif entry["key"] == "file":
                self.files[f"{repo}/{value['path']}"] = base64.b64decode(value["content"])
            else:
                self.files[f"{repo}/{value['path']}"] = self._stored[value["oid"]]
        oid = f"{len(self.commits):040x}"
        return 200, {"commitOid": oid, "commitUrl": f"{self.url}/{repo}/commit/{oid}"}
