'use strict';
// Requests by status, and how long they took, in Prometheus' text format.

const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

const requests = new Map();
const buckets = new Array(BOUNDS.length + 1).fill(0);
let seconds = 0;

function count(status, ms) {
  requests.set(status, (requests.get(status) ?? 0) + 1);
  const at = BOUNDS.findIndex((bound) => ms / 1000 <= bound);
  buckets[at < 0 ? BOUNDS.length : at] += 1;
  seconds += ms / 1000;
}

function tell(response) {
  const lines = ['# TYPE http_requests_total counter'];
  for (const [status, n] of requests) lines.push(`http_requests_total{status="${status}"} ${n}`);
  lines.push('# TYPE http_request_duration_seconds histogram');
  let below = 0;
  for (const [at, n] of buckets.entries()) {
    below += n;
    lines.push(`http_request_duration_seconds_bucket{le="${BOUNDS[at] ?? '+Inf'}"} ${below}`);
  }
  lines.push(`http_request_duration_seconds_sum ${seconds}`, `http_request_duration_seconds_count ${below}`);
  lines.push('# TYPE process_resident_memory_bytes gauge', `process_resident_memory_bytes ${process.memoryUsage.rss()}`);
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(`${lines.join('\n')}\n`);
}

module.exports = { count, tell };
