// Loaded before a problem's own checker or interactor, so that its crash (status 3) does not read as its word "wrong" (1).
'use strict';
process.on('uncaughtException', (error) => {
  require('fs').writeSync(2, String((error && error.stack) || error) + '\n');
  process.exit(error && error.code === 'EPIPE' ? 217 : 3);
});
