/** A backend that says what a test tells it to, and remembers what it was asked. */

import type { Backend, BackendAnswer, BackendRequest } from '../../../src/backend.js';

export type Script = (request: BackendRequest, turn: number) => string | (Partial<BackendAnswer> & { text: string });

export class ScriptedBackend implements Backend {
  readonly id = 'scripted';
  readonly requests: BackendRequest[] = [];
  closed = false;

  constructor(readonly script: Script) {}

  pictureSize(display: { readonly width: number; readonly height: number }) {
    return { width: Math.ceil(display.width / 56) * 28, height: Math.ceil(display.height / 56) * 28 };
  }

  tokensPerPair({ width, height }: { readonly width: number; readonly height: number }): number {
    return (width / 28) * (height / 28);
  }

  async ask(request: BackendRequest): Promise<BackendAnswer> {
    this.requests.push(request);
    const said = this.script(request, this.requests.length - 1);
    return { finish: 'stop', promptTokens: 0, answerTokens: 0, ...(typeof said === 'string' ? { text: said } : said) };
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** All words of a request, without its pictures. */
export function wordsOf({ parts }: BackendRequest): string {
  return parts.map((part) => (part.kind === 'text' ? part.text : '')).join('');
}
