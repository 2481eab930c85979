"""Helpers of the cases. Usage of each case: NODE=… python3 CASE.py PROJECT_FOLDER; exit status 0: right, 1: wrong, 2: could not run."""
import atexit, glob, http.server, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time, urllib.error, urllib.request
PROJECT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else sys.exit('usage: CASE.py PROJECT_FOLDER')
NODE = os.environ.get('NODE') or shutil.which('node')
TMP = tempfile.mkdtemp(prefix='case-'); atexit.register(lambda: shutil.rmtree(TMP, ignore_errors=True))
_procs = []
def _end():
    for p in _procs:
        if p.poll() is None:
            try: os.killpg(p.pid, signal.SIGKILL)
            except OSError: pass
atexit.register(_end)
def port():
    s = socket.socket(); s.bind(('127.0.0.1', 0)); n = s.getsockname()[1]; s.close(); return n
def spillway(*args, env=None, wait=None, seconds=40, name='spillway'):
    """Starts a command; wait: text that its output must have. Returns the process, with .text()."""
    out = open(f'{TMP}/{name}-{len(_procs)}.out', 'w+')
    p = subprocess.Popen([NODE, PROJECT + '/bin/spillway.mjs', *map(str, args)], stdout=out, stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ, **(env or {})}, cwd=TMP)
    _procs.append(p); p.text = lambda: open(out.name, errors='replace').read()
    end = time.time() + seconds
    while wait and not re.search(wait, p.text()):
        if p.poll() is not None or time.time() > end: break
        time.sleep(.2)
    return p
def run(*args, env=None, seconds=90):
    r = subprocess.run([NODE, PROJECT + '/bin/spillway.mjs', *map(str, args)], capture_output=True, text=True, timeout=seconds, env={**os.environ, **(env or {})}, cwd=TMP)
    return r.returncode, r.stdout + r.stderr
def router(*args, engines=1, env=None):
    n = port(); p = spillway('router', '--port', n, *args, env=env, wait=None)
    end = time.time() + 45
    while time.time() < end and p.poll() is None and p.text().count(' is live') < engines: time.sleep(.2)
    p.url = f'http://127.0.0.1:{n}'; p.port = n; return p
def call(url, body=None, headers=None, method=None, seconds=30):
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    req = urllib.request.Request(url, data=data, method=method, headers={'content-type': 'application/json', **(headers or {})})
    class No(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *a): return None
    try:
        with urllib.request.build_opener(No, urllib.request.ProxyHandler({})).open(req, timeout=seconds) as r: return r.status, dict((k.lower(), v) for k, v in r.headers.items()), r.read()
    except urllib.error.HTTPError as e: return e.code, dict((k.lower(), v) for k, v in e.headers.items()), e.read()
def raw(n, data, seconds=6, until=None, host='127.0.0.1'):
    s = socket.create_connection((host, n)); s.settimeout(seconds); s.sendall(data); out = b''
    try:
        while until is None or not re.search(until, out, re.S):
            x = s.recv(65536)
            if not x: break
            out += x
    except socket.timeout: pass
    s.close(); return out
def chat(model='m', **more): return {'model': model, 'messages': [{'role': 'user', 'content': 'hi'}], **more}
def event(text): return b'data: ' + json.dumps({'id': 'c', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm', 'choices': [{'index': 0, 'delta': {'content': text}, 'finish_reason': None}]}).encode()
class Fake:
    """An engine that reports its models; answer(handler, path, body) writes the response to a POST; all POSTs are in .seen."""
    def __init__(self, models=('m',), answer=None, vllm=True, host='127.0.0.1', prefix=''):
        fake = self; self.seen = []
        class H(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            def log_message(self, *a): pass
            def json(self, status, obj, headers=()):
                b = json.dumps(obj).encode(); self.send_response(status); self.send_header('content-type', 'application/json'); self.send_header('content-length', str(len(b)))
                for k, v in headers: self.send_header(k, v)
                self.end_headers(); self.wfile.write(b)
            def events(self, parts, pause=.02, end=b'data: [DONE]\n\n'):
                self.send_response(200); self.send_header('content-type', 'text/event-stream'); self.send_header('connection', 'close'); self.end_headers(); self.close_connection = True
                for x in [*parts, end]: self.wfile.write(x); self.wfile.flush(); time.sleep(pause)
            def do_GET(self):
                path = self.path.split('?')[0]
                if not path.startswith(prefix): return self.json(404, {})
                path = path[len(prefix):].rstrip('/')
                if path == '/health': return self.json(200, {})
                if path == '/v1/models': return self.json(200, {'object': 'list', 'data': [{'id': m, 'object': 'model', 'created': 1, 'owned_by': 'vllm' if vllm else 'someone', 'root': m, 'max_model_len': 4096} for m in models]})
                if path == '/metrics' and vllm:
                    b = f'# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{{engine="0",model_name="{models[0]}"}} 0\n'.encode(); self.send_response(200); self.send_header('content-type', 'text/plain'); self.send_header('content-length', str(len(b))); self.end_headers(); self.wfile.write(b); return
                self.json(404, {'detail': 'Not Found'})
            def do_POST(self):
                n = int(self.headers.get('content-length') or 0); body = self.rfile.read(n)
                fake.seen.append({'path': self.path, 'headers': self.headers, 'body': body})
                if answer: return answer(self, self.path, body)
                self.json(200, {'id': 'x', 'object': 'chat.completion', 'model': models[0], 'choices': [{'index': 0, 'message': {'role': 'assistant', 'content': 'ok'}, 'finish_reason': 'stop'}], 'usage': {'prompt_tokens': 1, 'completion_tokens': 1, 'total_tokens': 2}})
        cls = http.server.ThreadingHTTPServer
        if ':' in host:
            class cls(http.server.ThreadingHTTPServer): address_family = socket.AF_INET6
        cls.daemon_threads = True
        self.server = cls((host, 0), H); self.port = self.server.server_address[1]
        self.url = f'http://[{host}]:{self.port}' if ':' in host else f'http://{host}:{self.port}'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
def helm():
    h = os.environ.get('HELM') or shutil.which('helm')
    if not h: print('no helm: set HELM'); sys.exit(2)
    return h
def chart():
    """A copy of the chart without its subcharts, which would have to be fetched."""
    to = TMP + '/chart'
    if not os.path.exists(to):
        shutil.copytree(PROJECT + '/charts/spillway', to); text = open(to + '/Chart.yaml').read()
        open(to + '/Chart.yaml', 'w').write(re.split(r'(?m)^(?:#.*\n)*dependencies:', text)[0])
    return to
def template(values, release='vllm', folder=None):
    open(TMP + '/values.yaml', 'w').write(values)
    r = subprocess.run([helm(), 'template', release, folder or chart(), '-f', TMP + '/values.yaml'], capture_output=True, text=True); return r.returncode, r.stdout + r.stderr
ENTRY = """servingEngineSpec:
  modelSpec:
    - name: qwen
      repository: vllm/vllm-openai
      tag: v0.9.2
      modelURL: Qwen/Qwen3-8B
      replicaCount: 1
      requestCPU: 1
      requestMemory: 1Gi
      requestGPU: 1
"""
def check(ok, why=''):
    why = ' '.join(str(why).split())
    print(('right' if ok else 'WRONG') + (f': {why}' if why else '')); sys.exit(0 if ok else 1)
