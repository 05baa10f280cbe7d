'use strict';
// From a request to an answer: the table of routes, and what every answer has in common.

const { performance } = require('node:perf_hooks');
const features = require('./features');
const { ready } = require('./health');
const { release } = require('./release');
const metrics = require('./metrics');
const { complain, sleep } = require('./settings');

const MAX_BODY = 64 * 1024;
// What a quick request costs from end to end on a small machine that is busy; slowness is felt by the client, not only in the handler.
const LEAST_MS = 25;
const UNIQUE_VIOLATION = '23505';
const INVALID_TEXT = '22P02';

const ROUTES = [
  ['GET', /^\/v1\/features$/, features.list],
  ['GET', /^\/v1\/features\/([^/]+)$/, features.one],
  ['POST', /^\/v1\/features$/, features.create],
  ['POST', /^\/v1\/jobs$/, features.enqueue],
];

async function readJson(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY) throw new features.BadRequest('body too large');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new features.BadRequest('body is not JSON');
  }
}

function failure(error) {
  if (error instanceof features.BadRequest || error.code === INVALID_TEXT) {
    return [400, { status: 'error', error: error.message }];
  }
  if (error.code === UNIQUE_VIOLATION) return [409, { status: 'error', error: 'already exists' }];
  complain('request failed', { err: { message: error.message }, code: error.code });
  return [500, { status: 'error', error: 'internal error' }];
}

// Evenly spread and counted, not random: any hundred requests in a row hold the same number of failures.
function mustFail(state) {
  state.requests += 1;
  return (state.requests * release.failPercent) % 100 < release.failPercent;
}

async function dispatch(request, url, state) {
  if (url.pathname === '/v1/health/live') return [200, { status: 'ok' }];
  if (url.pathname === '/v1/health/ready') return ready(request, state);
  for (const [method, pattern, handler] of ROUTES) {
    const match = pattern.exec(url.pathname);
    if (!match || request.method !== method) continue;
    const body = method === 'POST' ? await readJson(request) : undefined;
    if (mustFail(state)) return [500, { status: 'error', error: 'internal error' }];
    const started = performance.now();
    const answer = await handler({ pool: state.pool, query: url.searchParams, id: match[1], body });
    const took = Math.max(performance.now() - started, LEAST_MS);
    if (release.slowdown > 1) await sleep(took * (release.slowdown - 1));
    return answer;
  }
  return [404, { status: 'error', error: 'not found' }];
}

async function route(request, response, state) {
  const begun = performance.now();
  const url = new URL(request.url, 'http://lab');
  if (url.pathname === '/metrics') return metrics.tell(response);
  let answer;
  try {
    answer = await dispatch(request, url, state);
  } catch (error) {
    answer = failure(error);
  }
  const [status, body] = answer;
  metrics.count(status, performance.now() - begun);
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), 'x-version': release.version };
  // While stopping, tell clients to come back on a new connection, which will reach another instance.
  if (state.stopping) headers.connection = 'close';
  response.writeHead(status, headers).end(text);
}

module.exports = { route };
