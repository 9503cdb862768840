/** Signing in where the server asks for its token. */

import { ask, byId } from './dom.js';

const form = byId('sign-in');

/** Does the work; what the server refuses without a token brings up the form. Returns the error, if there was one. */
export async function guarded(work) {
  try {
    await work();
    form.hidden = true;
    return undefined;
  } catch (error) {
    if (error.status === 401) {
      form.hidden = false;
      byId('token').focus();
    }
    return error;
  }
}

/** @param {() => Promise<void>} begin what to do when somebody has signed in */
export function onSignIn(begin) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const note = byId('sign-in-error');
    note.textContent = '';
    try {
      await ask('/v1/session', { method: 'POST', body: { token: byId('token').value } });
      await begin();
    } catch (error) {
      note.textContent = error.message;
    }
  });
}
