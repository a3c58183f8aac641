"""A real HTTP server on the loopback interface that stores and serves models like the Hub.

    with HubServer(large=(".safetensors",)) as hub:
        ...                      hub.url, hub.files, hub.commits, hub.private

It implements whoami, creating a repository, and commits with small files inline and large ones
through LFS. Committed files can be downloaded from main, a commit or one of `tags`.

`failing` maps a part of a path to an HTTP status. Requests whose path contains the part fail with
that status, except downloads and requests for information about a repository.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

TOKEN = "hf_of_the_test"

Reply = tuple[int, dict[str, Any]]
Given = tuple[int, dict[str, str], bytes]  # status, headers, body


class HubServer:
    def __init__(
        self,
        *,
        large: tuple[str, ...] = (),  # suffixes of files that are stored in LFS
        role: str = "write",
        failing: Mapping[str, int] | None = None,
    ) -> None:
        self.files: dict[str, bytes] = {}  # OWNER/NAME/PATH -> content
        self.commits: list[str] = []  # commit messages
        self.private: dict[str, bool] = {}  # OWNER/NAME -> visibility at creation
        self.tags: dict[str, str] = {}  # tag -> commit
        self.downloads: list[str] = []  # paths of the downloaded files
        self._at: dict[str, dict[str, bytes]] = {}  # commit -> files
        self._stored: dict[str, bytes] = {}  # sha256 -> content, through LFS
        self._large = large
        self._role = role
        self._failing = failing or {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                path = unquote(self.path.partition("?")[0])
                given = server._given(path, self.headers.get("authorization", ""))
                if given is not None:
                    return self._send(*given)
                status, answer = server._answer(path, body, self.headers.get("authorization", ""))
                return self._send(status, {}, json.dumps(answer).encode())

            def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
                self.send_response(status)
                headers_sent = {
                    "content-type": "application/json",
                    "content-length": str(len(content)),
                }
                for name, value in {**headers_sent, **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = _reply  # noqa: N815

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

    def _given(self, path: str, authorization: str) -> Given | None:
        """Return a file or the information about a repository; None for other requests."""
        match path.strip("/").split("/"):
            case [owner, name, "resolve", revision, *rest]:
                kind = "file"
            case ["api", "models", owner, name, "tree", revision]:
                kind, rest = "tree", []
            case ["api", "models", owner, name, "revision", revision]:
                kind, rest = "info", []
            case ["api", "models", owner, name]:
                kind, revision, rest = "info", "main", []
            case _:
                return None
        repo = f"{owner}/{name}"
        if repo not in self.private or authorization != f"Bearer {TOKEN}":
            return _missing("RepoNotFound")
        commit = f"{len(self.commits):040x}" if revision == "main" else revision
        commit = self.tags.get(commit, commit)
        if commit not in self._at:
            return _missing("RevisionNotFound")
        prefix = f"{repo}/"
        files = {
            file.removeprefix(prefix): content
            for file, content in self._at[commit].items()
            if file.startswith(prefix)
        }
        if kind == "info":
            siblings = [{"rfilename": file} for file in files]
            return 200, {}, json.dumps({"id": repo, "sha": commit, "siblings": siblings}).encode()
        if kind == "tree":
            listed = [
                {"type": "file", "path": file, "size": len(own), "oid": _etag(own)}
                for file, own in files.items()
            ]
            return 200, {}, json.dumps(listed).encode()
        file = "/".join(rest)
        if file not in files:
            return _missing("EntryNotFound")
        self.downloads.append(file)
        return 200, {"etag": f'"{_etag(files[file])}"', "x-repo-commit": commit}, files[file]

    def _answer(self, path: str, body: bytes, authorization: str) -> Reply:
        for part, status in self._failing.items():
            if part in path:
                return status, {"error": f"no {part} for {authorization}"}
        if path.startswith("/lfs/"):  # LFS storage, whose URLs are signed
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
            {**entry, "actions": {"upload": {"href": f"{self.url}/lfs/{entry['oid']}"}}}
            for entry in asked["objects"]
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
        self._at[oid] = dict(self.files)
        return 200, {"commitOid": oid, "commitUrl": f"{self.url}/{repo}/commit/{oid}"}


def _missing(code: str) -> Given:
    return 404, {"x-error-code": code}, b'{"error": "not found"}'


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
