'use strict';
// What SIGTERM does: polite finishes the work in hand, die ends at once, ignore waits for SIGKILL.

const { log } = require('./settings');

const MANNERS = ['polite', 'die', 'ignore'];

// Calls finish() once, on the first signal, when the manner is polite.
function onSigterm(finish) {
  const manner = process.env.ON_SIGTERM || 'polite';
  if (!MANNERS.includes(manner)) throw new Error(`ON_SIGTERM is not one of ${MANNERS.join(', ')}: ${manner}`);
  let signalled = false;
  const handle = (signal) => {
    log('signal', { signal, manner });
    if (manner === 'die') process.exit(143);
    if (manner === 'ignore' || signalled) return;
    signalled = true;
    finish();
  };
  process.on('SIGTERM', () => handle('SIGTERM'));
  process.on('SIGINT', () => handle('SIGINT'));
}

module.exports = { onSigterm };
