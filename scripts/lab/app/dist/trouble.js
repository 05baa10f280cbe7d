'use strict';
// What a release does beside its work that it should not.

const { release } = require('./release');
const { complain } = require('./settings');

const PERIOD_MS = 250;
const LEAK = 512 * 1024;

const kept = [];

function misbehave() {
  // Filled, since memory that was never written to is not taken.
  if (release.leaks) setInterval(() => kept.push(Buffer.alloc(LEAK, 1)), PERIOD_MS);
  if (release.complains) setInterval(() => complain('tile cache is not writable', { err: { message: 'EACCES: permission denied' } }), PERIOD_MS * 8);
}

module.exports = { misbehave };
