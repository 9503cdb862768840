import { libraryContract } from '../contract/library.js';
import { temporaryLibrary } from '../support.js';

libraryContract({
  pace: 1,
  make: async (options) => temporaryLibrary(options),
  again: async ({ directory }, options) => temporaryLibrary({ directory, create: false, ...options }),
});
